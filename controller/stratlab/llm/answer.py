"""What comes back from an endpoint, read strictly: an answer is believed only as far as it fits."""

from dataclasses import dataclass
from typing import Annotated, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stratlab.domain.spending import TokenUsage

MAX_ANSWER_CHARACTERS = 512 * 1024
"""Of one answer; a longer one is broken."""

_Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]

COMPLETE = frozenset({"end_turn", "stop_sequence"})
"""Stop reasons of an answer that is whole."""


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: All of its text.
        stop_reason: Why it stopped: ``end_turn``, ``max_tokens``, ``refusal`` ...
        usage: Tokens.
        is_recorded: Whether it comes from a cassette.
    """

    text: str
    stop_reason: str
    usage: TokenUsage
    is_recorded: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the model came to an end by itself."""
        return self.stop_reason in COMPLETE


class _Loose(BaseModel):
    # Endpoints add fields; what we need must be there, and of the right kind.
    model_config = ConfigDict(extra="ignore", strict=True)


class _Block(_Loose):
    type: str
    text: str = ""


class _Usage(_Loose):
    input_tokens: _Tokens
    output_tokens: _Tokens
    cache_creation_input_tokens: _Tokens | None = None
    cache_read_input_tokens: _Tokens | None = None


class _Message(_Loose):
    content: list[_Block]
    stop_reason: str
    usage: _Usage


def read_answer(body: str | bytes) -> Answer:
    """Return the answer in the body of a response.

    Raises:
        ValueError: The body is no JSON, or no message that is complete; says in what way.
    """
    try:
        message = _Message.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise ValueError(f"{place}: {first['msg']}") from None
    text = "".join(block.text for block in message.content if block.type == "text")
    if len(text) > MAX_ANSWER_CHARACTERS:
        raise ValueError(f"an answer of more than {MAX_ANSWER_CHARACTERS} characters")
    used = message.usage
    return Answer(
        text=text,
        stop_reason=message.stop_reason,
        usage=TokenUsage(
            input=used.input_tokens,
            output=used.output_tokens,
            cache_write=used.cache_creation_input_tokens or 0,
            cache_read=used.cache_read_input_tokens or 0,
        ),
    )
