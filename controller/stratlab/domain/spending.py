"""What language models cost: usage, prices, and the ledger that no campaign can overdraw."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, final

_PER_MILLION = 1_000_000


@final
@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call, as the endpoint reports them; no token is in two fields.

    Attributes:
        input: Read at the full price.
        output: Written by the model.
        cache_write: Read and put into the prompt cache.
        cache_read: Read from the prompt cache.
    """

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output + self.cache_write + self.cache_read


@final
@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model charges: micro-dollars (1e-6 US dollars) for a million tokens of each kind."""

    input: int
    output: int
    cache_write: int
    cache_read: int

    def cost(self, usage: TokenUsage) -> int:
        """Return what a usage costs in micro-dollars, rounded up."""
        price = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write * self.cache_write
            + usage.cache_read * self.cache_read
        )
        return -(-price // _PER_MILLION)

    def bound(self, request_bytes: int, max_output: int) -> int:
        """Return the most that a call can cost in micro-dollars.

        No token is shorter than a byte, so the bytes of a request bound its tokens; each may be
        charged at the dearest of the prices for input.
        """
        dearest = max(self.input, self.cache_write, self.cache_read)
        return -(-(request_bytes * dearest + max_output * self.output) // _PER_MILLION)


PriceTable = Mapping[str, ModelPrice]
"""Model -> price."""


@final
@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one call, the unit of the ledger.

    Attributes:
        campaign_id: Who pays.
        call: The call's place in the campaign, ``0007/contract``; the same after a crash.
        number: 1, 2, 3 ... over all tries of the call, those of a killed controller included.
    """

    campaign_id: str
    call: str
    number: int


@final
@dataclass(frozen=True, slots=True)
class Bounds:
    """What a campaign may spend; None for no bound."""

    micro_usd: int | None = None
    tokens: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Spent:
    """The state of a campaign's account.

    Attributes:
        micro_usd, tokens: Settled, and reserved by calls that have not ended or whose end nobody
            saw: never less than what was charged.
        wanted_micro_usd, wanted_tokens: What it would be if every call that was refused had been
            made; the same as above as long as none was.
        calls: Tries that were made.
    """

    micro_usd: int = 0
    tokens: int = 0
    wanted_micro_usd: int = 0
    wanted_tokens: int = 0
    calls: int = 0


class Ledger(Protocol):
    """Money of campaigns; every call is safe from any thread and from any process."""

    def prices(self, campaign_id: str, current: PriceTable) -> PriceTable:
        """Return the campaign's price table; ``current`` becomes it when it has none yet."""
        ...

    def reserve(
        self,
        attempt: Attempt,
        model: str,
        micro_usd: int,
        tokens: int,
        bounds: Bounds,
        at: datetime,
    ) -> Spent:
        """Set aside the most that a try can cost, before it is made; again without effect.

        Args:
            attempt: Which try.
            model: Who answers.
            micro_usd: The most that it can cost.
            tokens: The most that it can take, those of the request included.
            bounds: What the campaign may spend in all.
            at: UTC.

        Raises:
            BudgetExhaustedError: Too little is left; that it was asked for is remembered.
            NotFoundError: No such campaign.
        """
        ...

    def settle(self, attempt: Attempt, micro_usd: int, usage: TokenUsage) -> Spent:
        """Replace what was reserved by what was used; again without effect.

        Raises:
            WrongStateError: Nothing is reserved for this try.
        """
        ...

    def release(self, attempt: Attempt) -> Spent:
        """Give back what was reserved for a try that was certainly not charged; again in vain.

        Raises:
            WrongStateError: Nothing is reserved for this try, or it was settled.
        """
        ...

    def last_attempt(self, campaign_id: str, call: str) -> int:
        """Return the number of the newest try of a call, 0 before the first."""
        ...

    def spent(self, campaign_id: str) -> Spent:
        """Return the state of a campaign's account."""
        ...
