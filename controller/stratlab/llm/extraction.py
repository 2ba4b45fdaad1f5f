"""Finds the structured part of an answer: whole, fenced, or somewhere in the text."""

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Form = TypeVar("Form", bound=BaseModel)

_FENCE = re.compile(r"^```[ \t]*([\w+-]*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_SHOWN = 8


def fenced(text: str, *languages: str) -> str | None:
    """Return the longest fenced block in one of some languages, None when there is none."""
    blocks = [body for language, body in _FENCE.findall(text) if language.lower() in languages]
    return max(blocks, key=len, default=None)


def read_form(text: str, form: type[Form]) -> Form:
    """Return a structured answer.

    Args:
        text: What a model wrote: the JSON object alone, in a fence, or among words.
        form: What it should be.

    Raises:
        ValueError: It does not fit; one problem a line, each with its place.
    """
    start, end = text.find("{"), text.rfind("}")
    found = [text, fenced(text, "json", ""), text[start : end + 1] if start >= 0 else None]
    problems: ValidationError | None = None
    for document in filter(None, found):
        try:
            return form.model_validate_json(document)
        except ValidationError as error:
            # The last one is the closest look; a whole text that is no JSON says little.
            problems = error
    if problems is None:
        raise ValueError("the answer is empty")
    raise ValueError("\n".join(_lines(problems)))


def _lines(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in details]
    return lines[:_SHOWN] + ([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])
