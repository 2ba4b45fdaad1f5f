"""What the chosen candidate earned: equity by tier, drawdowns, months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import final

from stratlab.domain.market import Tier
from stratlab.domain.metrics import Metrics
from stratlab.tear_sheet.charts.heat_map import heat_map
from stratlab.tear_sheet.charts.lines import Line, Span, line_chart
from stratlab.tear_sheet.sheet import Growth, Sheet
from stratlab.tear_sheet.text import NOTHING, number, percent, section, subsection, table

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORST = 8
_ARM_STYLES = ("third", "fourth", "fifth", "sixth")


@final
@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak until that is reached again.

    Attributes:
        peak, trough: Bars, UTC epoch seconds.
        recovery: Bar at which the peak is reached again, None while it is not.
        depth: Negative fraction.
    """

    peak: int
    trough: int
    recovery: int | None
    depth: float


def chained(growth: Sequence[Growth], *, benchmark: bool) -> tuple[list[int], list[float]]:
    """Return bars and values of all tiers as one line: each continues where the last one ended.

    Args:
        growth: By tier, in order of time.
        benchmark: Whether to chain the benchmark instead of the strategy.
    """
    bars: list[int] = []
    values: list[float] = []
    level = 1.0
    for part in growth:
        own = part.benchmark if benchmark else part.values
        bars += part.bars[: len(own)]
        values += [level * value for value in own]
        level = values[-1] if values else 1.0
    return bars, values


def falls(values: Sequence[float]) -> list[float]:
    """Return the fraction by which each value is below the largest one so far (and below 1)."""
    peaks = accumulate(values, max, initial=1.0)
    return [value / peak - 1.0 for value, peak in zip(values, list(peaks)[1:], strict=True)]


def worst_drawdowns(bars: Sequence[int], values: Sequence[float]) -> list[Drawdown]:
    """Return the deepest drawdowns, the deepest first.

    Args:
        bars: UTC epoch seconds.
        values: At those bars; what they grew from is 1 at the first bar.
    """
    found: list[Drawdown] = []
    peak, peak_bar = 1.0, bars[0] if bars else 0
    trough, trough_bar = 1.0, peak_bar
    for bar, value in zip(bars, values, strict=True):
        if value < peak:
            if trough >= peak or value < trough:
                trough, trough_bar = value, bar
            continue
        if trough < peak:
            found.append(Drawdown(peak_bar, trough_bar, bar, trough / peak - 1.0))
        peak = trough = value
        peak_bar = bar
    if trough < peak:
        found.append(Drawdown(peak_bar, trough_bar, None, trough / peak - 1.0))
    return sorted(found, key=lambda fall: fall.depth)[:_WORST]


def monthly_returns(bars: Sequence[int], values: Sequence[float]) -> dict[tuple[str, str], float]:
    """Return the return of each calendar month (UTC) by year and name of the month."""
    ends: dict[tuple[str, str], float] = {}
    for bar, value in zip(bars, values, strict=True):
        day = datetime.fromtimestamp(bar, UTC)
        ends[str(day.year), _MONTHS[day.month - 1]] = value
    starts = [1.0, *list(ends.values())[:-1]]
    return {
        month: end / start - 1.0
        for (month, end), start in zip(ends.items(), starts, strict=True)
        if start > 0
    }


def performance_section(sheet: Sheet) -> str:
    """Return equity, drawdowns, months and metrics of the chosen candidate."""
    bars, values = chained(sheet.growth, benchmark=False)
    if not bars:
        return ""
    return section(
        "Performance",
        _equity(sheet, bars, values),
        subsection("Metrics", _metrics(sheet)),
        subsection("Monthly returns", _months(bars, values)),
        subsection("Deepest drawdowns", _drawdowns(bars, values)),
        note=(
            "The host's own figures, after costs. Every tier begins with the campaign's capital; "
            "here each continues where the one before it ended."
        ),
    )


def _equity(sheet: Sheet, bars: list[int], values: list[float]) -> str:
    held_bars, held = chained(sheet.growth, benchmark=True)
    spans = [Span(part.tier.value, part.bars[0], part.bars[-1]) for part in sheet.growth]
    lines = [Line("candidate", "own", bars, values)]
    if held:
        lines.append(Line("benchmark", "other", held_bars, held))
    lines += _arm_lines(sheet)
    fallen = Line("", "own", bars, falls(values), is_filled=True)
    return line_chart(
        "Growth of one unit of money by tier",
        lines,
        y_label="growth of 1",
        y_text=lambda value: f"{value:.2f}",
        spans=spans,
        height=320,
    ) + line_chart(
        "Drawdown",
        [fallen],
        y_label="drawdown",
        y_text=lambda value: percent(value, 0),
        spans=spans,
        height=160,
    )


def _arm_lines(sheet: Sheet) -> list[Line]:
    capital = sheet.campaign.spec.capital
    lines = []
    for arm, style in zip(sheet.arms, _ARM_STYLES, strict=False):
        tiers = [arm.equity[tier.value] for tier in Tier if arm.equity.get(tier.value)]
        parts = [
            Growth(Tier.TRAIN, tuple(p.bar for p in tier), tuple(p.value / capital for p in tier))
            for tier in tiers
        ]
        xs, ys = chained(parts, benchmark=False)
        if xs:
            lines.append(Line(arm.arm.value.replace("_", " "), style, xs, ys))
    return lines


def _metrics(sheet: Sheet) -> str:
    chosen = sheet.chosen
    evaluation = chosen.evaluation if chosen else None
    if evaluation is None:
        return ""
    holdout = sheet.examination.holdout if sheet.examination else None
    columns: list[tuple[str, Metrics | None]] = [
        ("train", evaluation.train),
        ("benchmark", evaluation.benchmark_train),
        ("validation", evaluation.validation),
        ("benchmark", evaluation.benchmark_validation),
    ]
    if holdout is not None:
        columns += [("holdout", holdout.metrics), ("benchmark", holdout.benchmark_metrics)]
    rows = [
        [label, *(_metric(metrics, name) for _, metrics in columns)]
        for name, label in _METRIC_LABELS.items()
    ]
    return table(["", *(name for name, _ in columns)], rows, style="figures")


_METRIC_LABELS = {
    "cum_returns_final": "total return",
    "annual_return": "annual return",
    "annual_volatility": "annual volatility",
    "sharpe_ratio": "Sharpe ratio",
    "sortino_ratio": "Sortino ratio",
    "max_drawdown": "largest drawdown",
    "calmar_ratio": "Calmar ratio",
    "win_rate": "win rate",
    "total_trades": "closed trades",
    "turnover": "turnover a year",
}
_FRACTIONS = frozenset(
    {"cum_returns_final", "annual_return", "annual_volatility", "max_drawdown", "win_rate"}
)


def _metric(metrics: Metrics | None, name: str) -> str:
    value = getattr(metrics, name) if metrics else None
    if name in _FRACTIONS:
        return percent(value)
    return str(value) if isinstance(value, int) else number(value)


def _months(bars: Sequence[int], values: Sequence[float]) -> str:
    returns = monthly_returns(bars, values)
    years = list(dict.fromkeys(year for year, _ in returns))
    return heat_map(years, _MONTHS, returns, text=lambda value: f"{100 * value:.1f}", corner="%")


def _drawdowns(bars: Sequence[int], values: Sequence[float]) -> str:
    rows = [
        [
            percent(fall.depth),
            _day(fall.peak),
            _day(fall.trough),
            _day(fall.recovery),
            NOTHING if fall.recovery is None else str((fall.recovery - fall.peak) // 86_400),
        ]
        for fall in worst_drawdowns(bars, values)
    ]
    return table(["depth", "peak", "trough", "recovered", "days"], rows, style="figures")


def _day(bar: int | None) -> str:
    return NOTHING if bar is None else datetime.fromtimestamp(bar, UTC).date().isoformat()
