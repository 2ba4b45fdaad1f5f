"""What a model is asked: a stable part that is cached, the turns behind it, the form of answers."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, final

from pydantic import BaseModel

from stratlab.domain.events import canonical_json
from stratlab.domain.recordings import SampleKey
from stratlab.domain.spending import Bounds


@final
class Role(StrEnum):
    """Who says a turn."""

    USER = "user"
    ASSISTANT = "assistant"


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    text: str


@final
@dataclass(frozen=True, slots=True)
class Prompt:
    """A whole request, but for the model.

    Attributes:
        version: Template and version, ``brief/1``.
        stable: Instructions that are the same for all requests of a campaign; put into the
            endpoint's prompt cache.
        turns: The conversation, a user's turn last.
        answer: Form of a structured answer, None for text.
        max_tokens: The most that the model may write.
    """

    version: str
    stable: str
    turns: tuple[Turn, ...]
    answer: type[BaseModel] | None
    max_tokens: int

    @property
    def schema(self) -> dict[str, Any] | None:
        """JSON schema of a structured answer."""
        return None if self.answer is None else self.answer.model_json_schema()

    @property
    def digest(self) -> str:
        """Hash (hex) of everything that the model is told."""
        turns = [[turn.role.value, turn.text] for turn in self.turns]
        text = canonical_json([self.version, self.stable, turns, self.schema])
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@final
@dataclass(frozen=True, slots=True)
class Account:
    """Who pays for calls.

    Attributes:
        campaign_id: The campaign.
        bounds: What it may spend.
        replay_of: The campaign whose recordings answer; "" asks the endpoint.
    """

    campaign_id: str
    bounds: Bounds = field(default_factory=Bounds)
    replay_of: str = ""


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One sample to be drawn.

    Attributes:
        account: Who pays.
        place: Where in the campaign, ``0007/contract``; a call that is repeated after a crash
            has the same.
        sample: Which of the answers to the same prompt is wanted.
        model: Who is asked.
        prompt: What.
    """

    account: Account
    place: str
    sample: int
    model: str
    prompt: Prompt

    @property
    def key(self) -> SampleKey:
        """Identity of the sample."""
        parameters = canonical_json({"max_tokens": self.prompt.max_tokens})
        return SampleKey(self.prompt.digest, self.model, parameters, self.sample)
