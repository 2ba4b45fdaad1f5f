"""The one door to language models: recorded, paid for, tried again; nothing else calls them.

A call is looked up in its campaign's cassette first, so a step that is repeated after a crash
gets the answer that was paid for. Otherwise each try reserves the most that it can cost, asks,
keeps the answer, and settles; killed in between, the reservation stays counted as spent.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from stratlab.domain.errors import (
    BudgetExhaustedError,
    ModelFailedError,
    ModelUnavailableError,
)
from stratlab.domain.events import canonical_json
from stratlab.domain.ports import Clock
from stratlab.domain.recordings import Cassettes, Recording, RecordingKind
from stratlab.domain.spending import Attempt, Bounds, Ledger, ModelPrice, PriceTable, TokenUsage
from stratlab.llm.answer import Answer
from stratlab.llm.client import ModelClient
from stratlab.llm.failures import CallFailedError
from stratlab.llm.prompt import Call

_LOG = structlog.get_logger(__name__)
_FREE = ModelPrice(0, 0, 0, 0)
_PERCENT = 100
WARNING_PERCENT = (50, 80)
"""Shares of a bound that are told of when they are passed."""


@final
@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed call is tried again.

    Attributes:
        attempts: Tries in all.
        deadline_seconds: No try begins later than this after the first one; an endpoint that
            asks for a longer pause is not waited for.
        first_pause_seconds: About the first pause; each further one is twice as long.
    """

    attempts: int = 3
    deadline_seconds: float = 300.0
    first_pause_seconds: float = 1.0


@final
@dataclass(frozen=True, slots=True)
class BudgetWarning:
    """A campaign has passed a share of what it may spend.

    Attributes:
        campaign_id: Which one.
        of: ``micro_usd`` or ``tokens``.
        percent: The share.
        spent, bound: In that unit.
    """

    campaign_id: str
    of: str
    percent: int
    spent: int
    bound: int


@final
class Door:
    """Asks models on behalf of campaigns.

    Args:
        client: Sends requests.
        ledger: Where money is reserved and settled.
        cassettes: Where answers are kept.
        prices: What models cost now; a campaign keeps those of its first call.
        policy: When a failed call is tried again.
        clock: Stamps what is stored.
        warn: Told when a campaign passes a share of its bounds.
    """

    def __init__(
        self,
        *,
        client: ModelClient,
        ledger: Ledger,
        cassettes: Cassettes,
        prices: PriceTable,
        policy: RetryPolicy,
        clock: Clock,
        warn: Callable[[BudgetWarning], None],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._cassettes = cassettes
        self._prices = prices
        self._policy = policy
        self._clock = clock
        self._warn = warn

    async def ask(self, call: Call) -> Answer:
        """Return the answer to a call, recorded or new.

        Raises:
            ModelFailedError: All tries failed, or the recording says so, or a replay has none.
            ModelUnavailableError: No call can succeed until somebody mends key or account, or
                the campaign bounds its cost and the model has no price.
            BudgetExhaustedError: The call could cost more than the campaign has left.
        """
        account = call.account
        found = await asyncio.to_thread(
            self._cassettes.find, account.replay_of or account.campaign_id, call.key
        )
        if found is not None:
            return await self._recorded(call, found)
        if account.replay_of:
            raise ModelFailedError(
                f"the cassette of campaign {account.replay_of} has no answer to {call.place}",
                hint="The replay asks something else than the campaign did.",
                cause="NOT_RECORDED",
                model=call.model,
                prompt=call.prompt.version,
            )
        price = await self._price(call)
        body = self._client.body(call.model, call.prompt)
        try:
            return await self._with_retries(call, price, body)
        except BudgetExhaustedError as error:
            await self._keep(call, body, RecordingKind.FAILURE, error.message, error.reason)
            raise
        except CallFailedError as error:
            if error.needs_somebody:
                raise ModelUnavailableError(
                    f"the language model cannot be asked: {error.message}", cause=error.cause
                ) from None
            _LOG.warning("model_call_failed", call=call.place, cause=error.cause.value)
            await self._keep(call, body, RecordingKind.FAILURE, error.message, error.cause)
            raise _failed(call, error.message, error.cause) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _recorded(self, call: Call, found: Recording) -> Answer:
        if call.account.replay_of:
            await asyncio.to_thread(self._cassettes.keep, call.account.campaign_id, found)
        if found.stop_reason == BudgetExhaustedError.reason:
            raise BudgetExhaustedError(found.text)
        if found.kind is RecordingKind.FAILURE:
            raise _failed(call, found.text, found.stop_reason)
        return Answer(found.text, found.stop_reason, found.usage, is_recorded=True)

    async def _price(self, call: Call) -> ModelPrice:
        account = call.account
        table = await asyncio.to_thread(self._ledger.prices, account.campaign_id, self._prices)
        price = table.get(call.model)
        if price is None and account.bounds.micro_usd is not None:
            raise ModelUnavailableError(
                f"nothing is known of the price of {call.model}, and the campaign bounds its cost",
                hint="Add the model to llm.prices, or switch the rule max_cost_usd off.",
            )
        return price or _FREE

    async def _with_retries(self, call: Call, price: ModelPrice, body: Mapping[str, Any]) -> Answer:
        policy = self._policy
        jitter = wait_exponential_jitter(
            multiplier=policy.first_pause_seconds,
            max=policy.deadline_seconds,
            jitter=policy.first_pause_seconds,
        )

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, CallFailedError) else None
            return max(jitter(state), asked or 0.0)

        retrying = AsyncRetrying(
            stop=stop_after_attempt(policy.attempts) | stop_before_delay(policy.deadline_seconds),
            wait=pause,
            retry=retry_if_exception(
                lambda error: isinstance(error, CallFailedError) and error.may_be_retried
            ),
            reraise=True,
        )
        return await retrying(self._try, call, price, dict(body))

    async def _try(self, call: Call, price: ModelPrice, body: dict[str, Any]) -> Answer:
        attempt = await self._reserve(call, price, body)
        try:
            answer = await self._client.send(body)
        except CallFailedError as error:
            if not error.may_be_charged:
                await asyncio.to_thread(self._ledger.release, attempt)
            _LOG.info(
                "model_try_failed", call=call.place, attempt=attempt.number, cause=error.cause.value
            )
            raise
        # Kept first: killed in between, the answer is not paid for twice.
        kept = await self._keep(
            call, body, RecordingKind.ANSWER, answer.text, answer.stop_reason, answer.usage
        )
        await asyncio.to_thread(
            self._ledger.settle, attempt, price.cost(answer.usage), answer.usage
        )
        return Answer(kept.text, kept.stop_reason, kept.usage)

    async def _reserve(self, call: Call, price: ModelPrice, body: Mapping[str, Any]) -> Attempt:
        account = call.account
        request_bytes = len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))
        most = price.bound(request_bytes, call.prompt.max_tokens)
        tokens = request_bytes + call.prompt.max_tokens

        def reserve() -> Attempt:
            last = self._ledger.last_attempt(account.campaign_id, call.place)
            attempt = Attempt(account.campaign_id, call.place, last + 1)
            spent = self._ledger.reserve(
                attempt, call.model, most, tokens, account.bounds, self._clock.now()
            )
            self._tell(account.campaign_id, account.bounds, "micro_usd", spent.micro_usd, most)
            self._tell(account.campaign_id, account.bounds, "tokens", spent.tokens, tokens)
            return attempt

        return await asyncio.to_thread(reserve)

    def _tell(self, campaign_id: str, bounds: Bounds, unit: str, spent: int, added: int) -> None:
        bound = bounds.micro_usd if unit == "micro_usd" else bounds.tokens
        if not bound:
            return
        for percent in WARNING_PERCENT:
            if (spent - added) * _PERCENT < percent * bound <= spent * _PERCENT:
                self._warn(BudgetWarning(campaign_id, unit, percent, spent, bound))

    async def _keep(
        self,
        call: Call,
        body: Mapping[str, Any],
        kind: RecordingKind,
        text: str,
        stop_reason: str,
        usage: TokenUsage | None = None,
    ) -> Recording:
        recording = Recording(
            key=call.key,
            call=call.place,
            kind=kind,
            request=self._client.redact(canonical_json(body)),
            text=text,
            stop_reason=stop_reason,
            usage=usage or TokenUsage(),
            at=self._clock.now(),
        )
        return await asyncio.to_thread(self._cassettes.keep, call.account.campaign_id, recording)


def _failed(call: Call, message: str, cause: str) -> ModelFailedError:
    return ModelFailedError(
        f"the language model failed at {call.place}: {message}",
        cause=cause,
        model=call.model,
        prompt=call.prompt.version,
    )
