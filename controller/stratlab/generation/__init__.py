"""Writes candidates from templates; the space of each template is walked, never sampled twice."""

from stratlab.contract.candidate import candidate_from_contract
from stratlab.generation.template_generator import TemplateGenerator
from stratlab.generation.templates import load_templates, templates_for

__all__ = ["TemplateGenerator", "candidate_from_contract", "load_templates", "templates_for"]
