"""The one place that knows the SDK: sends one request once and returns what came back.

The SDK's own retries are off, so that one policy decides (:mod:`stratlab.llm.door`). Its
``parse`` is rebuilt from its parts, because on an answer that does not fit it raises and throws
away the usage, which the ledger needs.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from stratlab.llm.answer import Answer, read_answer
from stratlab.llm.failures import CallFailedError, Cause, of_connection, of_status
from stratlab.llm.prompt import Prompt, Role, Turn
from stratlab.llm.redaction import Redactor

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_SCHEMA_REQUEST = "Answer with one JSON object that fits this JSON schema, and nothing else:"


@final
@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where models are asked, and how.

    Attributes:
        url: Base address.
        key: Secret; "" when there is none.
        needs_key: Whether nobody is asked without one.
        seconds: The longest that one request may take.
        is_streamed: Whether answers are streamed.
        is_structured: Whether the endpoint takes JSON schemas; else they are part of the prompt.
    """

    url: str
    key: str = field(repr=False)
    needs_key: bool = True
    seconds: float = 120.0
    is_streamed: bool = False
    is_structured: bool = True


@final
class ModelClient:
    """Asks one endpoint. All calls come from one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._redact = Redactor([endpoint.key])
        self._client: AsyncAnthropic | None = None

    @property
    def redact(self) -> Redactor:
        """Takes the endpoint's secrets out of a text."""
        return self._redact

    def body(self, model: str, prompt: Prompt) -> dict[str, Any]:
        """Return the body of a request as it is sent."""
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": prompt.max_tokens,
            "system": [
                {"type": "text", "text": prompt.stable, "cache_control": {"type": "ephemeral"}}
            ],
            "messages": [
                {"role": turn.role.value, "content": turn.text} for turn in self._turns(prompt)
            ],
        }
        if prompt.schema is not None and self._endpoint.is_structured:
            from anthropic import transform_schema  # noqa: PLC0415 - keeps start-up fast

            schema = transform_schema(prompt.schema)
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return body

    async def send(self, body: dict[str, Any]) -> Answer:
        """Send one request and return the answer, secrets taken out.

        Raises:
            CallFailedError: No answer that can be used came.
        """
        import anthropic  # noqa: PLC0415 - keeps start-up fast

        try:
            async with asyncio.timeout(self._endpoint.seconds):
                answer = await self._exchange(body)
        except TimeoutError:
            raise CallFailedError(Cause.TIMEOUT, "the answer took too long") from None
        except anthropic.APIStatusError as error:
            raise self._redacted(of_status(error)) from None
        except anthropic.APIConnectionError as error:
            raise of_connection(error) from None
        except (anthropic.AnthropicError, ValueError) as error:
            broken = CallFailedError(Cause.BROKEN_ANSWER, f"no answer can be read: {error}")
            raise self._redacted(broken) from None
        return Answer(self._redact(answer.text), answer.stop_reason, answer.usage)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _exchange(self, body: dict[str, Any]) -> Answer:
        from anthropic import Omit  # noqa: PLC0415 - keeps start-up fast

        messages = self._sdk().messages
        headers = {} if self._endpoint.key else {"Authorization": Omit()}
        if self._endpoint.is_streamed:
            snapshot = None
            async with messages.stream(**body, extra_headers=headers) as stream:
                async for _ in stream:
                    snapshot = stream.current_message_snapshot
            # A stream that is cut raises nothing: its message has no stop reason, if there is one.
            if snapshot is None:
                raise ValueError("the stream holds no message")
            return read_answer(snapshot.model_dump_json())
        response = await messages.with_raw_response.create(**body, extra_headers=headers)
        return read_answer(await response.read())

    def _sdk(self) -> "AsyncAnthropic":
        if self._endpoint.needs_key and not self._endpoint.key:
            # The SDK would look for keys elsewhere, and raise a TypeError when it finds none.
            raise CallFailedError(Cause.NO_KEY, "there is no key for the language model")
        if self._client is None:
            from anthropic import AsyncAnthropic  # noqa: PLC0415 - keeps start-up fast

            self._client = AsyncAnthropic(
                # Never None, with which it would send a key of its own finding.
                api_key=self._endpoint.key,
                base_url=self._endpoint.url,
                max_retries=0,
                timeout=self._endpoint.seconds,
                open_telemetry=False,
            )
        return self._client

    def _turns(self, prompt: Prompt) -> tuple[Turn, ...]:
        if prompt.schema is None or self._endpoint.is_structured:
            return prompt.turns
        schema = json.dumps(prompt.schema, sort_keys=True)
        *before, last = prompt.turns
        return (*before, Turn(Role.USER, f"{last.text}\n\n{_SCHEMA_REQUEST}\n{schema}"))

    def _redacted(self, error: CallFailedError) -> CallFailedError:
        return CallFailedError(error.cause, self._redact(error.message), error.retry_after)
