"""One door to language models: budget, retries and cassettes stand behind it, callers before."""

from stratlab.llm.answer import Answer
from stratlab.llm.background import Models
from stratlab.llm.client import Endpoint, ModelClient
from stratlab.llm.door import BudgetWarning, Door, RetryPolicy
from stratlab.llm.prompt import Account, Call, Prompt, Role, Turn

__all__ = [
    "Account",
    "Answer",
    "BudgetWarning",
    "Call",
    "Door",
    "Endpoint",
    "ModelClient",
    "Models",
    "Prompt",
    "RetryPolicy",
    "Role",
    "Turn",
]
