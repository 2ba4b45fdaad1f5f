"""What a tool is: a name, a description, typed arguments and what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

from pydantic import BaseModel, ConfigDict, ValidationError

from stratlab.domain.errors import InvalidInputError
from stratlab.mcp.lab import Lab, Progress

_SHOWN_ERRORS = 5


class Arguments(BaseModel):
    """Arguments of a tool; the lab itself judges the values."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_Arguments = TypeVar("_Arguments", bound=Arguments)


@final
@dataclass(frozen=True, slots=True)
class Tool(Generic[_Arguments]):
    """One tool.

    Attributes:
        name: How agents call it.
        description: What it does and answers, for agents.
        arguments: The form of its arguments.
        run: Does it, and returns a record of JSON types.
        reads_only: Whether it leaves the lab as it was.
        ends_work: Whether it may end what somebody else began.
    """

    name: str
    description: str
    arguments: type[_Arguments]
    run: Callable[[Lab, _Arguments, Progress], Awaitable[dict[str, Any]]]
    reads_only: bool = True
    ends_work: bool = False

    async def call(self, lab: Lab, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Check the arguments, do it and return the record.

        Args:
            lab: Who is asked.
            given: What the agent sent.
            progress: Told how far it is.

        Raises:
            InvalidInputError: An argument is unknown, missing or of another form; names it.
            StratlabError: What the lab answers.
        """
        return await self.run(lab, _checked(self.arguments, given), progress)


def _checked(form: type[_Arguments], given: dict[str, Any]) -> _Arguments:
    try:
        return form.model_validate(given)
    except ValidationError as invalid:
        # Never the input itself (it may be huge) and never pydantic's URLs.
        details = invalid.errors(include_url=False, include_input=False, include_context=False)
    texts = [
        f"{'.'.join(str(part)[:64] for part in detail['loc'])}: {detail['msg']}"
        for detail in details
    ]
    known = ", ".join(form.model_fields) or "none"
    raise InvalidInputError(
        f"arguments: {'; '.join(text[:300] for text in texts[:_SHOWN_ERRORS])}",
        hint=f"Correct the named argument; the tool takes: {known}.",
    )
