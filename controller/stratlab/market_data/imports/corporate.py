"""Splits and dividends of an import: given, recovered from adj_close, or undone in the prices."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.actions import NOISE, recover_actions
from stratlab.market_data.content import PRICE_FIELDS
from stratlab.market_data.imports.findings import Findings

# Overnight price factors that look like a split: more than a third, close to a common ratio.
COMMON_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
CLOSE_TO_RATIO = 0.04
MAX_DECIMALS = 8

SPLIT_COLUMNS = ["symbol", "session", "ratio"]
DIVIDEND_COLUMNS = ["symbol", "ex_session", "pay_session", "amount"]


@final
class ActionSource(StrEnum):
    """Where splits and dividends come from."""

    AUTO = "auto"
    GIVEN = "given"
    ADJ_CLOSE = "adj-close"
    NONE = "none"


@final
@dataclass(slots=True)
class Actions:
    """Splits and dividends of all symbols.

    Attributes:
        splits: Rows of :data:`SPLIT_COLUMNS`; the ratio is of prices (0.5 is two for one).
        dividends: Rows of :data:`DIVIDEND_COLUMNS`.
    """

    splits: list[tuple[str, pd.Timestamp, float]] = field(default_factory=list)
    dividends: list[tuple[str, pd.Timestamp, pd.Timestamp, float]] = field(default_factory=list)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return both as tables of the canonical form."""
        splits = pd.DataFrame(self.splits, columns=SPLIT_COLUMNS)
        dividends = pd.DataFrame(self.dividends, columns=DIVIDEND_COLUMNS)
        return (
            splits.astype({"session": "datetime64[ns]", "ratio": "float64"}),
            dividends.astype(
                {
                    "ex_session": "datetime64[ns]",
                    "pay_session": "datetime64[ns]",
                    "amount": "float64",
                }
            ),
        )


def find_actions(
    bars: pd.DataFrame, given: Actions, source: ActionSource, findings: Findings
) -> tuple[pd.DataFrame, Actions]:
    """Return the bars with raw prices, and the corporate actions.

    Args:
        bars: Ordered by symbol and session; may have a column ``adj_close``.
        given: Splits and dividends of columns or files, by the days they name.
        source: Which of the ways to go; ``auto`` takes what is given, else ``adj_close``.
        findings: Where problems are told.
    """
    found, parts = Actions(), []
    has_given = bool(given.splits or given.dividends)
    if source is ActionSource.GIVEN and not has_given:
        raise InvalidInputError(
            "--actions given: the files have no splits and no dividends",
            hint="Add columns or files for them (docs/data.md), or use --actions adj-close.",
        )
    use_given = source is ActionSource.GIVEN or (source is ActionSource.AUTO and has_given)
    recover = not use_given and source is not ActionSource.NONE and "adj_close" in bars
    if source is ActionSource.ADJ_CLOSE and not recover:
        raise InvalidInputError("--actions adj-close: there is no such column", column="adj_close")
    for symbol, rows in bars.groupby("symbol", sort=True):
        name, rows = str(symbol), rows.reset_index(drop=True)  # noqa: PLW2901 - the same rows
        if use_given:
            own = _on_sessions(_of_symbol(given, name), rows, findings, name)
            rows, own = _undo_split_adjustment(rows, own, findings, name)  # noqa: PLW2901
        else:
            own = _recover(rows, findings, name) if recover else Actions()
        _report_suspects(rows, own, findings, name)
        found.splits += own.splits
        found.dividends += own.dividends
        parts.append(rows)
    if not use_given and not recover:
        findings.soft(
            "no_actions",
            "",
            "no splits and no dividends are known: returns are those of the prices alone",
        )
    return pd.concat(parts, ignore_index=True), found


def _of_symbol(actions: Actions, symbol: str) -> Actions:
    return Actions(
        [row for row in actions.splits if row[0] == symbol],
        [row for row in actions.dividends if row[0] == symbol],
    )


def _on_sessions(given: Actions, rows: pd.DataFrame, findings: Findings, symbol: str) -> Actions:
    # An action takes effect at a bar of its symbol: on its day, or at the next bar.
    days = pd.DatetimeIndex(rows["session"])
    moved: list[str] = []
    lost: list[str] = []

    def bar_of(day: pd.Timestamp) -> pd.Timestamp | None:
        position = int(days.searchsorted(day))
        # On the first bar nobody holds the share yet, after the last one nobody can.
        if position in {0, len(days)}:
            lost.append(str(day.date()))
            return None
        if days[position] != day:
            moved.append(f"{day.date()} to {days[position].date()}")
        return days[position]

    own = Actions()
    ratios: dict[pd.Timestamp, float] = {}
    for _, day, ratio in given.splits:
        bar = bar_of(day)
        if bar is not None:
            ratios[bar] = ratios.get(bar, 1.0) * ratio
    own.splits = [(symbol, bar, ratio) for bar, ratio in sorted(ratios.items())]
    payments: dict[pd.Timestamp, tuple[pd.Timestamp, float]] = {}
    for _, ex_day, pay_day, amount in given.dividends:
        bar = bar_of(ex_day)
        if bar is not None:
            pay, paid = payments.get(bar, (pay_day, 0.0))
            payments[bar] = (max(pay, pay_day, bar), paid + amount)
    own.dividends = [(symbol, bar, pay, paid) for bar, (pay, paid) in sorted(payments.items())]
    if moved:
        findings.soft("action_moved", symbol, "actions on days without a bar moved on", moved)
    if lost:
        findings.soft("action_outside", symbol, "actions outside the prices left out", lost)
    return own


def _undo_split_adjustment(
    rows: pd.DataFrame, own: Actions, findings: Findings, symbol: str
) -> tuple[pd.DataFrame, Actions]:
    # Yahoo and others list splits, yet have their effect taken out of prices, volumes and
    # dividends. Then no overnight return shows a split; multiplying it back makes raw prices.
    if not own.splits:
        return rows, own
    opens, closes = rows["open"].to_numpy(), rows["close"].to_numpy()
    days = pd.DatetimeIndex(rows["session"])
    position = days.get_indexer(pd.DatetimeIndex([day for _, day, _ in own.splits]))
    ratios = np.array([ratio for _, _, ratio in own.splits])
    overnight = np.log(opens[position] / closes[position - 1])
    raw = np.abs(overnight - np.log(ratios)).sum() < np.abs(overnight).sum()
    if raw:
        return rows, own
    factor = np.ones(len(rows))
    for at, ratio in zip(position.tolist(), ratios.tolist(), strict=True):
        factor[:at] /= ratio
    rows = rows.copy()
    rows[list(PRICE_FIELDS)] = rows[list(PRICE_FIELDS)].mul(factor, axis=0)
    rows["volume"] = (rows["volume"] / factor).round().clip(lower=1)
    paid_at = days.get_indexer(pd.DatetimeIndex([day for _, day, _, _ in own.dividends]))
    dividends = [
        (name, day, pay, amount * float(factor[at]))
        for at, (name, day, pay, amount) in zip(paid_at.tolist(), own.dividends, strict=True)
    ]
    findings.soft(
        "split_adjusted",
        symbol,
        "prices were adjusted for the listed splits already; they are brought back to raw prices",
        [str(day.date()) for _, day, _ in own.splits],
    )
    return rows, Actions(own.splits, dividends)


def _recover(rows: pd.DataFrame, findings: Findings, symbol: str) -> Actions:
    adjusted = rows["adj_close"].to_numpy("float64")
    if not (np.isfinite(adjusted) & (adjusted > 0)).all():
        wrong = rows[~(adjusted > 0)]["session"]
        findings.hard(
            "bad_adj_close",
            symbol,
            "adjusted closes are missing or not positive; correct them or use --actions none",
            [str(day.date()) for day in wrong],
        )
        return Actions()
    close = rows["close"].to_numpy("float64")
    days = list(rows["session"])
    try:
        found = recover_actions(
            symbol, [day.date() for day in days], close, adjusted, noise=_noise(adjusted)
        )
    except InvalidInputError as error:
        findings.hard(
            "unexplained_adjustment",
            symbol,
            f"{error.message}; give splits and dividends, or use --actions none",
        )
        return Actions()
    splits = [(symbol, pd.Timestamp(day), ratio) for day, ratio in found.splits]
    dividends = [
        (symbol, pd.Timestamp(day), pd.Timestamp(day), amount) for day, amount in found.dividends
    ]
    if splits or dividends:
        findings.soft(
            "recovered_actions",
            symbol,
            f"{len(splits)} splits and {len(dividends)} dividends are recovered from adj_close; "
            "dividends are paid on their ex date",
        )
    return Actions(splits, dividends)


def _noise(adjusted: NDArray[np.float64]) -> NDArray[np.float64] | float:
    # What the rounding of the adjusted closes can do to one step.
    if bool((adjusted == adjusted.astype("float32")).all()):
        return 3e-7
    for decimals in range(MAX_DECIMALS + 1):
        scaled = adjusted * 10.0**decimals
        if bool((np.abs(scaled - np.rint(scaled)) < 1e-4).all()):  # noqa: PLR2004 - float noise
            half = 0.5 * 10.0**-decimals
            step: NDArray[np.float64] = half / adjusted[1:] + half / adjusted[:-1]
            return np.maximum(1.01 * step, NOISE)
    return NOISE


def _report_suspects(rows: pd.DataFrame, own: Actions, findings: Findings, symbol: str) -> None:
    known = {day for _, day, _ in own.splits}
    unexplained, shown = [], []
    for position, factor in _suspects(rows):
        day = rows["session"].iloc[position]
        if day in known:
            continue
        place = f"{day.date()} x{factor:g}"
        if "adj_close" in rows:
            before, after = rows["adj_close"].iloc[position - 1], rows["adj_close"].iloc[position]
            if abs(np.log(after / before)) < np.log(COMMON_RATIOS[0]) / 2:
                shown.append(place)
                continue
        unexplained.append(place)
    if shown:
        findings.soft(
            "ignored_split",
            symbol,
            "adj_close shows splits that nothing else does; consider --actions adj-close",
            shown,
        )
    if unexplained:
        findings.soft(
            "suspected_split",
            symbol,
            "prices jump like unadjusted splits, and nothing says that they are",
            unexplained,
        )


def _suspects(rows: pd.DataFrame) -> Iterator[tuple[int, float]]:
    overnight = rows["open"].to_numpy()[1:] / rows["close"].to_numpy()[:-1]
    logs = np.log(overnight)
    for position in np.flatnonzero(np.abs(logs) > np.log(COMMON_RATIOS[0]) - CLOSE_TO_RATIO):
        distance = [abs(abs(logs[position]) - np.log(ratio)) for ratio in COMMON_RATIOS]
        if min(distance) < CLOSE_TO_RATIO:
            yield int(position) + 1, float(overnight[position])
