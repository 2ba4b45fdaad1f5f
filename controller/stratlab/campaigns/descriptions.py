"""Compares free code with the contract that its author says it follows, on the same prices.

The contract is computed on the host by the numpy evaluator; the code's figures are those of its
trial, repriced by the host. Both start with the same capital and pay the same costs, so that a code
which does what its contract says has the same daily returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import final

from stratlab.contract.document import load_contract
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import InvalidInputError, NotFoundError
from stratlab.domain.market import Tier
from stratlab.domain.ports import Artifacts, MarketData
from stratlab.domain.trial import Outcome, TrialPurpose, TrialResult

TOLERANCE = 1e-6
"""Of a daily return; rounding in another order stays far below it."""


@final
@dataclass(frozen=True, slots=True)
class DescriptionCheck:
    """How far a description fits its code.

    Attributes:
        trial: Trial of the code.
        sessions: Compared.
        differing: Sessions with another return.
        first_difference: The first of them, None for none.
        trades, described_trades: Closed round trips of the code, and of the contract.
        problem: Why nothing was compared, "" when it was.
    """

    trial: str
    sessions: int = 0
    differing: int = 0
    first_difference: date | None = None
    trades: int = 0
    described_trades: int = 0
    problem: str = ""

    @property
    def fits(self) -> bool:
        """Whether the two did the same on every session."""
        return not self.problem and not self.differing


def check_description(
    campaign: Campaign, iteration: Iteration, artifacts: Artifacts, market_data: MarketData
) -> DescriptionCheck | None:
    """Compare an iteration's code with its description; None when it has none or did not run."""
    candidate = iteration.candidate
    if candidate is None or not candidate.described_by:
        return None
    ran = [result for result in iteration.results if _is_train_run(result)]
    if not ran:
        return None
    first = ran[0]
    try:
        return _compared(campaign, candidate.described_by, first, artifacts, market_data)
    except (InvalidInputError, NotFoundError) as error:
        return DescriptionCheck(first.spec.trial_id, problem=error.message)


def description_section(found: Mapping[int, Mapping[str, object]]) -> str:
    """Return the report's section about free code and its descriptions, "" where there is none.

    Args:
        found: Fields of a :class:`DescriptionCheck` by number of the iteration.
    """
    if not found:
        return ""
    rows = "".join(_row(number, check) for number, check in sorted(found.items()))
    return (
        "\n## Free code against its description\n\n"
        "The contract that an author gave with its code, computed by the host on the same prices: "
        "sessions with another return, and closed round trips of both.\n\n"
        "| # | sessions | that differ | the first | trades | described |\n"
        f"|--:|--:|--:|---|--:|--:|\n{rows}"
    )


def _row(number: int, check: Mapping[str, object]) -> str:
    if check["problem"]:
        return f"| {number} | not compared | | | | |\n"
    names = ("sessions", "differing", "first_difference", "trades", "described_trades")
    cells = " | ".join("" if check[name] is None else str(check[name]) for name in names)
    return f"| {number} | {cells} |\n"


def _compared(
    campaign: Campaign,
    described_by: str,
    result: TrialResult,
    artifacts: Artifacts,
    market_data: MarketData,
) -> DescriptionCheck:
    # keeps start-up fast: numpy and all that evaluates
    import numpy as np  # noqa: PLC0415

    from stratlab.contract.vectorised import screen_grid  # noqa: PLC0415
    from stratlab.search.parameters_objective import train_world  # noqa: PLC0415

    spec = result.spec
    world = train_world(market_data, spec.market, campaign.spec)
    grid = screen_grid(
        load_contract(described_by),
        world.prices,
        [spec.parameters],
        first_bar=world.first_bar,
        capital=spec.capital,
        cost_model=spec.cost_model,
        with_daily_returns=True,
    )
    points = artifacts.equity(campaign.id, spec.trial_id)
    equity = np.array([spec.capital, *(point.value for point in points)])
    returns = equity[1:] / equity[:-1] - 1.0
    assert grid.daily_returns is not None, "they were asked for"
    described = grid.daily_returns[0]
    if len(described) != len(returns):
        return DescriptionCheck(
            spec.trial_id,
            problem=f"{len(returns)} bars of the trial cannot be compared with "
            f"{len(described)} sessions",
        )
    (differing,) = (~(np.abs(returns - described) <= TOLERANCE)).nonzero()
    first = points[int(differing[0])].bar if len(differing) else None
    return DescriptionCheck(
        trial=spec.trial_id,
        sessions=len(returns),
        differing=len(differing),
        first_difference=None if first is None else datetime.fromtimestamp(first, UTC).date(),
        trades=(result.metrics.total_trades if result.metrics is not None else 0) or 0,
        described_trades=int(grid.trades[0]),
    )


def _is_train_run(result: TrialResult) -> bool:
    spec = result.spec
    return (
        spec.purpose is TrialPurpose.SEARCH
        and spec.window.tier is Tier.TRAIN
        and result.outcome is Outcome.SUCCEEDED
    )
