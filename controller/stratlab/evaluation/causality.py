"""Where to scramble the future of a trial, and whether two order logs are the same until there."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Final, final

import numpy as np

from stratlab.domain.causality import CausalityBudget
from stratlab.domain.examination import CutReason
from stratlab.domain.trial import Cancel, Order, Phase
from stratlab.domain.valuation import adjustment_ratios, closing_prices
from stratlab.evaluation.repricing import reprice, window_rows

if TYPE_CHECKING:
    from stratlab.domain.market import PricePanel
    from stratlab.domain.trial import TrialSpec

Log = Sequence[Order | Cancel]

_LONGEST: Final = 60  # bars over which a path is made to go the other way


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """A bar in which orders for a symbol were placed.

    Attributes:
        cut: Label of the last bar that could be known then, UTC epoch seconds.
        symbol: For which.
        profit: What came of it until the next decision about the symbol, less what doing nothing
            would have brought; account currency.
        bars: Until then.
    """

    cut: int
    symbol: str
    profit: float
    bars: int


@final
@dataclass(frozen=True, slots=True)
class ChosenCut:
    """Where to scramble the future of a trial.

    Attributes:
        trial: Number of the trial among those that are examined.
        label: Of the last true bar, UTC epoch seconds.
        reason: Why there.
        against: Symbol whose price is to go the other way, "" for none.
        bars: Over how many bars.
    """

    trial: int
    label: int
    reason: CutReason
    against: str = ""
    bars: int = 1


def find_decisions(log: Log, spec: "TrialSpec", prices: "PricePanel") -> tuple[Decision, ...]:
    """Return every decision of a trial with what came of it, in time.

    A decision to close counts by the loss that it avoided. Symbols touch each other through cash
    alone, so that each is repriced by itself.

    Args:
        log: Of a trial that succeeded.
        spec: The trial.
        prices: The host's prices, beginning before the window.
    """
    rows = window_rows(prices, spec.window)
    labels = prices.bars[rows].tolist()
    row_of = {label: row for row, label in enumerate(labels)}
    marks = closing_prices(prices)[rows]
    scale = np.cumprod(adjustment_ratios(prices)[rows], axis=0)
    before = int(prices.bars[max(rows.start - 1, 0)])
    found = []
    for symbol, entries in _by_symbol(log).items():
        column = prices.symbols.index(symbol)
        own = reprice(entries, prices, spec.window, spec.capital, spec.cost_model)
        worth = marks[:, column] / scale[:, column]
        placed = {
            (row_of[entry.bar], entry.phase is Phase.BEFORE_OPEN)
            for entry in entries
            if isinstance(entry, Order)
        }
        moments = [
            *sorted(placed, key=lambda each: (each[0], not each[1])),
            (len(labels) - 1, False),
        ]
        for (row, is_early), (end, _) in pairwise(moments):
            held = 0.0 if is_early else float(own.amounts[row, column])
            earned = own.equity[end] - (spec.capital if is_early else own.equity[row])
            idle = held * marks[row, column] * (worth[end] / worth[row] - 1.0) if held else 0.0
            profit = float(earned - idle)
            found.append(
                Decision(
                    before if is_early else labels[row],
                    symbol,
                    profit if np.isfinite(profit) else 0.0,
                    min(max(end - row, 1), _LONGEST),
                )
            )
    # After the last bar of all there is nothing to scramble.
    found = [each for each in found if each.cut < prices.bars[-1]]
    return tuple(sorted(found, key=lambda each: (each.cut, each.symbol)))


def find_deaths(spec: "TrialSpec", prices: "PricePanel") -> tuple[int, ...]:
    """Return the labels of the last bar but one of each symbol that dies within a trial."""
    rows = window_rows(prices, spec.window)
    labels = prices.bars[rows]
    found = []
    for symbol in prices.auto_close:
        (traded,) = prices.volume[rows, prices.symbols.index(symbol)].nonzero()
        found += [int(labels[row]) for row in traded[-2:-1]]
    return tuple(sorted(found))


def choose_cuts(
    decisions: Sequence[Sequence[Decision]],
    labels: Sequence[Sequence[int]],
    deaths: Sequence[Sequence[int]],
    budget: CausalityBudget,
    seed: int,
) -> tuple[ChosenCut, ...]:
    """Return where to scramble: after the decisions that paid best, and at random.

    Of the former every other one is among the best for each bar that it lasted, so that a few
    quick gains are not hidden behind long ones. The path then goes the other way than the price
    did, in turn over the next bar and over all bars until the next decision: who knows the next
    bar and who knows a week acts otherwise. Of the random cuts the first comes before a death, if
    there is one, and every other one follows a decision.

    Args:
        decisions: Of each trial that is examined.
        labels: Of each trial's window, ascending.
        deaths: Of each trial, see :func:`find_deaths`.
        budget: How many.
        seed: Of the random ones.
    """
    random = np.random.default_rng(seed)
    every = [(trial, each) for trial, some in enumerate(decisions) for each in some]
    chosen: dict[tuple[int, int], ChosenCut] = {}

    def add(trial: int, decision: Decision, reason: CutReason) -> bool:
        bars = decision.bars if len(chosen) % 4 < 2 else 1  # noqa: PLR2004 - half of them
        key = (trial, decision.cut)
        cut = ChosenCut(trial, decision.cut, reason, decision.symbol, bars)
        return chosen.setdefault(key, cut) is cut

    rankings = [
        iter(sorted(every, key=_by_profit)),
        iter(sorted(every, key=_by_speed)),
    ]
    for number in range(budget.profit_cuts):
        best = (each for each in rankings[number % 2] if each[1].profit > 0)
        any(add(trial, decision, CutReason.PROFIT) for trial, decision in best)
    ends = [(trial, label) for trial, some in enumerate(deaths) for label in some]
    if ends and budget.random_cuts:
        # Who knows the day has left by now; who does not knows nothing of it.
        trial, label = ends[int(random.integers(len(ends)))]
        chosen.setdefault((trial, label), ChosenCut(trial, label, CutReason.RANDOM))
    missing = budget.profit_cuts + budget.random_cuts - len(chosen)
    trials = [trial for trial, some in enumerate(labels) if some]
    for number in range(missing):
        if every and number % 2:
            trial, decision = every[int(random.integers(len(every)))]
            add(trial, decision, CutReason.RANDOM)
        elif trials:
            trial = trials[number // 2 % len(trials)]
            label = labels[trial][int(random.integers(max(len(labels[trial]) - 1, 1)))]
            chosen.setdefault((trial, label), ChosenCut(trial, label, CutReason.RANDOM))
    return tuple(chosen.values())


def first_difference(original: Log, other: Log, cut: int, following: int | None) -> str:
    """Return the first order or cancel up to a cut that differs, as a sentence; "" for none.

    Args:
        original: As it was.
        other: Of a run in a world.
        cut: Label of the last bar that is the same in both, UTC epoch seconds.
        following: Label of the next one: what was ordered before it opened was decided before.
    """
    for mine, theirs in zip_longest(
        decided_by(original, cut, following), decided_by(other, cut, following)
    ):
        if mine != theirs:
            return f"{_text(mine)}; in the re-run {_text(theirs)}"
    return ""


def decided_by(log: Log, cut: int, following: int | None) -> list[Order | Cancel]:
    """Return the orders and cancels of a log that were decided by a bar; see first_difference."""
    return [
        entry
        for entry in log
        if entry.bar <= cut or (entry.bar == following and entry.phase is Phase.BEFORE_OPEN)
    ]


def warm_up_difference(original: Log, other: Log, dropped_sessions: int) -> str:
    """Return how a shorter warm-up changes what was ordered, as a sentence; "" for not at all.

    Compared are bars, symbols, directions and kinds of orders: amounts follow the equity, and so
    whatever was different before.

    Args:
        original: As it was.
        other: With less data before the window.
        dropped_sessions: How much less.
    """
    mine, theirs = (_directions(log) for log in (original, other))
    different = sorted(bar for bar in mine.keys() | theirs.keys() if mine[bar] != theirs[bar])
    if not different:
        return ""
    return (
        f"with {dropped_sessions} sessions less of warm-up orders differ in {len(different)} of "
        f"{len(mine.keys() | theirs.keys())} bars with orders, from {day_of(different[0])} to "
        f"{day_of(different[-1])}"
    )


def day_of(label: int) -> date:
    """Return the day of a bar label, UTC."""
    return datetime.fromtimestamp(label, UTC).date()


def _by_profit(item: tuple[int, Decision]) -> tuple[float, int, int, str]:
    trial, decision = item
    return -decision.profit, trial, decision.cut, decision.symbol


def _by_speed(item: tuple[int, Decision]) -> tuple[float, int, int, str]:
    trial, decision = item
    return -decision.profit / decision.bars, trial, decision.cut, decision.symbol


def _by_symbol(log: Log) -> dict[str, list[Order | Cancel]]:
    symbol_of = {entry.number: entry.symbol for entry in log if isinstance(entry, Order)}
    grouped: dict[str, list[Order | Cancel]] = defaultdict(list)
    for entry in log:
        grouped[symbol_of[entry.number]].append(entry)
    return grouped


def _directions(log: Log) -> defaultdict[int, Counter[tuple[str, bool, str]]]:
    found: defaultdict[int, Counter[tuple[str, bool, str]]] = defaultdict(Counter)
    for entry in log:
        if isinstance(entry, Order):
            found[entry.bar][entry.symbol, entry.amount > 0, entry.kind.value] += 1
    return found


def _text(entry: Order | Cancel | None) -> str:
    if entry is None:
        return "nothing"
    when = datetime.fromtimestamp(entry.bar, UTC)
    moment = f"{when:%Y-%m-%d}" if when.timestamp() % 86_400 == 0 else f"{when:%Y-%m-%d %H:%M}"
    if isinstance(entry, Cancel):
        return f"a cancel of order {entry.number} in bar {moment}"
    return f"order {entry.number} in bar {moment}: {entry.amount:+d} {entry.symbol} {entry.kind}"
