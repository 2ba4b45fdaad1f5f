"""Language models as authors: what they are told, what they may answer, and what becomes of it."""

from stratlab.generation.authors.author import Author, AuthorSettings
from stratlab.generation.authors.bandit import choose_model
from stratlab.generation.authors.code import CodeGenerator
from stratlab.generation.authors.fallback import FallbackGenerator
from stratlab.generation.authors.hybrid import HybridGenerator

__all__ = [
    "Author",
    "AuthorSettings",
    "CodeGenerator",
    "FallbackGenerator",
    "HybridGenerator",
    "choose_model",
]
