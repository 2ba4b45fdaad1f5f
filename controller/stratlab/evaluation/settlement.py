"""Turns a container's claim into a trial result that the host vouches for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from stratlab.domain.errors import LimitExceededError
from stratlab.domain.market import Scale
from stratlab.domain.trial import (
    EquityPoint,
    Fill,
    Limits,
    Outcome,
    TrialClaim,
    TrialResult,
    TrialSpec,
)
from stratlab.evaluation.benchmark import buy_and_hold
from stratlab.evaluation.metrics import compute_metrics
from stratlab.evaluation.order_log import find_impossible, orders_digest
from stratlab.evaluation.repricing import reprice, session_ends, window_rows

if TYPE_CHECKING:
    from stratlab.domain.market import PricePanel
    from stratlab.evaluation.repricing import Repricing

TOLERANCE = 1e-9
"""Relative difference up to which two prices or amounts of money are the same."""


def settle_claim(
    spec: TrialSpec, claim: TrialClaim, prices: "PricePanel", limits: Limits
) -> TrialResult:
    """Rebuild one trial from its order log and compare the claim with it.

    An outcome other than SUCCEEDED passes through without metrics. A log or report that no
    honest container can write is a PROTOCOL_VIOLATION. Fills or equity that the host's own
    account contradicts are FORGED, with the first differing bar in the reason, and so is a
    leverage above the limit: the harness ends an honest trial at that close.

    Args:
        spec: What was asked.
        claim: What the container says.
        prices: The host's prices up to the end of the trial's tier.
        limits: What the harness lets a strategy do.

    Raises:
        InvalidSpecError: The window holds no session.
    """
    result = TrialResult(
        spec=spec,
        outcome=claim.outcome,
        reason=claim.reason,
        failure=claim.failure,
        output_tail=claim.output_tail,
        usage=claim.usage,
        sandbox=claim.sandbox,
        data_calls=claim.data_calls,
    )
    if claim.outcome is not Outcome.SUCCEEDED:
        return result
    rows = window_rows(prices, spec.window)
    bars = prices.bars[rows].tolist()
    problem = find_impossible(
        claim.log,
        {bar: row for row, bar in enumerate(bars)},
        spec.market.symbols,
        spec.cost_model.kind,
    ) or _unreadable(claim, bars, session_ends(prices, rows).tolist())
    if problem is not None:
        return replace(result, outcome=Outcome.PROTOCOL_VIOLATION, reason=problem)
    try:
        repriced = reprice(claim.log, prices, spec.window, spec.capital, spec.cost_model)
    except LimitExceededError as error:
        return replace(result, outcome=Outcome.PROTOCOL_VIOLATION, reason=error.message)
    equity = _points(repriced)
    result = replace(
        result,
        orders_digest=orders_digest(claim.log),
        fills=tuple(_in_source_units(fill, prices.scales) for fill in repriced.fills),
        equity=equity,
    )
    lie = _first_difference(claim, repriced.fills, equity, spec.capital) or _excess_leverage(
        repriced, limits.max_leverage
    )
    if lie is not None:
        return replace(result, outcome=Outcome.FORGED, reason=lie)
    benchmark = buy_and_hold(spec.market, prices, spec.window, spec.capital, spec.cost_model)
    return replace(
        result,
        metrics=compute_metrics(repriced, spec.capital),
        benchmark_metrics=compute_metrics(benchmark, spec.capital),
        benchmark_equity=_points(benchmark),
        max_leverage=float(repriced.leverage.max()),
    )


def _points(repriced: "Repricing") -> tuple[EquityPoint, ...]:
    ends = repriced.ends
    return tuple(map(EquityPoint, repriced.bars[ends].tolist(), repriced.equity[ends].tolist()))


def _unreadable(claim: TrialClaim, bars: Sequence[int], ends: Sequence[int]) -> str | None:
    if [point.bar for point in claim.equity] != [bars[row] for row in ends]:
        return f"equity is not reported once for each of the window's {len(ends)} sessions"
    inside = set(bars)
    for fill in claim.fills:
        if fill.bar not in inside:
            return f"a fill is reported at {fill.bar}, outside the trial's window"
    return None


def _in_source_units(fill: Fill, scales: Mapping[str, Scale]) -> Fill:
    scale = scales.get(fill.symbol)
    if scale is None:
        return fill
    return replace(fill, amount=fill.amount * scale.lot, price=fill.price / scale.price)


def _first_difference(
    claim: TrialClaim, fills: Sequence[Fill], equity: Sequence[EquityPoint], capital: float
) -> str | None:
    # Comparisons are written so that NaN differs from everything.
    scale = TOLERANCE * capital
    differences = [
        (mine.bar, f"equity {theirs.value!r}, the host has {mine.value!r}")
        for theirs, mine in zip(claim.equity, equity, strict=True)
        if not abs(theirs.value - mine.value) <= scale
    ][:1]
    reported = sorted(claim.fills, key=lambda fill: (fill.bar, fill.number))
    for theirs, mine in zip_longest(reported, fills):
        if theirs is None or mine is None or not _same_fill(theirs, mine):
            known = [fill for fill in (theirs, mine) if fill is not None]
            bar = min(fill.bar for fill in known)
            differences.append((bar, f"fill {_text(theirs)}, the host has {_text(mine)}"))
            break
    if not differences:
        return None
    bar, what = min(differences)
    return f"bar {bar}: the container reports {what}"


def _same_fill(theirs: Fill, mine: Fill) -> bool:
    return (
        (theirs.number, theirs.bar, theirs.symbol, theirs.amount)
        == (mine.number, mine.bar, mine.symbol, mine.amount)
        and abs(theirs.price - mine.price) <= TOLERANCE * mine.price
        and abs(theirs.commission - mine.commission) <= TOLERANCE * max(mine.commission, 1.0)
    )


def _text(fill: Fill | None) -> str:
    if fill is None:
        return "none"
    return f"of order {fill.number}: {fill.amount} {fill.symbol!r:.40} at {fill.price!r}"


def _excess_leverage(repriced: "Repricing", bound: float) -> str | None:
    # The harness checks at every bar's close with the prices of that close; a negative equity gives
    # a negative leverage there, which passes.
    above = repriced.leverage > bound * (1.0 + TOLERANCE)
    if not above.any():
        return None
    row = int(above.argmax())
    return (
        f"bar {repriced.bars[row]}: leverage {repriced.leverage[row]:.6f} is above the limit of "
        f"{bound}, yet the trial went on"
    )
