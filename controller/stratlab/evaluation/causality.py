"""Where to scramble the future of a trial, and whether two order logs are the same until there."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, final

import numpy as np

from stratlab.domain.causality import CausalityBudget
from stratlab.domain.examination import CutReason
from stratlab.domain.market import CostModelKind
from stratlab.domain.trial import Cancel, Order, Phase
from stratlab.domain.valuation import adjustment_ratios, closing_prices
from stratlab.evaluation.repricing import reprice, window_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.market import PricePanel
    from stratlab.domain.trial import TrialSpec

Log = Sequence[Order | Cancel]

HORIZONS: Final = (1, 5, 20)
"""Over how many closes after it an execution is valued."""

_LONGEST: Final = 60  # bars over which a path is made to go the other way


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """What the orders of a symbol that were placed in one bar brought, if any was executed.

    Attributes:
        cut: Label of the last bar that could be known then, UTC epoch seconds.
        symbol: For which.
        profits: The most that it gained within each of the :data:`HORIZONS`, 0 for nothing;
            account currency.
        bars: From the cut to when it had, for each of them.
    """

    cut: int
    symbol: str
    profits: tuple[float, ...]
    bars: tuple[int, ...]


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
    """Return every decision of a trial that was executed with what came of it, in time.

    What a decision bought or sold in a bar is valued by what the price does afterwards, so that
    nothing that is ordered later can hide it: bought shares by their gain, sold ones by the loss
    avoided, each lot at its best close within a horizon. No order that is not executed counts.

    Args:
        log: Of a trial that succeeded.
        spec: The trial.
        prices: The host's prices, beginning before the window.
    """
    fills = reprice(log, prices, spec.window, spec.capital, spec.cost_model).fills
    if not fills:
        return ()
    rows = window_rows(prices, spec.window)
    count = rows.stop - rows.start
    row_of = {label: row for row, label in enumerate(prices.bars[rows].tolist())}
    # Before the open of a bar the one before it is the last that is known.
    known = {
        entry.number: row_of[entry.bar] - (entry.phase is Phase.BEFORE_OPEN)
        for entry in log
        if isinstance(entry, Order)
    }
    numbers: dict[tuple[int, str], int] = {}
    keys = [
        numbers.setdefault((known[fill.number], fill.symbol), len(numbers)) * count
        + row_of[fill.bar]
        for fill in fills
    ]
    # A lot is what one decision bought or sold in one bar, all its orders together.
    lots, lot = np.unique(keys, return_inverse=True)
    number, filled = np.divmod(lots, count)
    amounts = np.array([fill.amount for fill in fills], float)
    shares = np.bincount(lot, amounts)
    paid = np.bincount(lot, amounts * [fill.price for fill in fills]).astype(float)
    of_symbol = {symbol: column for column, symbol in enumerate(prices.symbols)}
    decided = np.array([row for row, _ in numbers])[number]
    column = np.array([of_symbol[symbol] for _, symbol in numbers])[number]
    scale = np.cumprod(adjustment_ratios(prices)[rows], axis=0)
    worth = closing_prices(prices)[rows] / scale
    held = shares * scale[filled, column]
    # The close at which an order is executed is not after it.
    first = filled + (spec.cost_model.kind is CostModelKind.ZIPLINE)
    profits_of, bars_of = [], []
    for profit, row in _best_closes(held, paid, column, first, worth):
        profits_of.append(np.bincount(number, profit).tolist())
        bars, ascending = np.ones(len(numbers), int), np.argsort(profit, kind="stable")
        # Of several lots of a decision the last one stays, which is the best.
        bars[number[ascending]] = np.minimum(row - decided, _LONGEST)[ascending]
        bars_of.append(bars.tolist())
    labels = prices.bars[[max(rows.start + row, 0) for row, _ in numbers]].tolist()
    symbols = [symbol for _, symbol in numbers]
    found = map(
        Decision, labels, symbols, zip(*profits_of, strict=True), zip(*bars_of, strict=True)
    )
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

    The best within each horizon take turns, so that a few quick gains are not hidden behind long
    ones. The path then goes the other way than the price did until the decision had paid: who
    knows the next bar and who knows a week acts otherwise. Of the random cuts the first comes
    before a death, if there is one, and every other one follows a decision.

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

    def add(trial: int, decision: Decision, horizon: int, reason: CutReason) -> bool:
        cut = ChosenCut(trial, decision.cut, reason, decision.symbol, decision.bars[horizon])
        return chosen.setdefault((trial, decision.cut), cut) is cut

    rankings = [_best(every, horizon) for horizon in range(len(HORIZONS))]
    for number in range(budget.profit_cuts):
        turn = number % len(rankings)
        # Where nothing paid within a horizon, it is the turn of the next one.
        any(
            add(trial, decision, horizon, CutReason.PROFIT)
            for trial, decision, horizon in chain(*rankings[turn:], *rankings[:turn])
        )
    ends = [(trial, label) for trial, some in enumerate(deaths) for label in some]
    if ends and budget.random_cuts:
        # Who knows the day has left by now; who does not knows nothing of it.
        trial, label = ends[int(random.integers(len(ends)))]
        chosen.setdefault((trial, label), ChosenCut(trial, label, CutReason.RANDOM))
    missing = budget.profit_cuts + budget.random_cuts - len(chosen)
    trials = [trial for trial, some in enumerate(labels) if some]
    for number in range(missing):
        others = [(at, each) for at, each in every if (at, each.cut) not in chosen]
        if others and number % 2:
            trial, decision = others[int(random.integers(len(others)))]
            add(trial, decision, int(random.integers(len(HORIZONS))), CutReason.RANDOM)
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


def _best_closes(
    held: "NDArray[np.float64]",
    paid: "NDArray[np.float64]",
    column: "NDArray[np.intp]",
    first: "NDArray[np.intp]",
    worth: "NDArray[np.float64]",
) -> "Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]":
    # The highest gain of each lot within each horizon, 0 for none, and its row.
    last = len(worth) - 1
    best = np.minimum(first, last)
    profit = np.zeros(len(first))
    for offset in range(HORIZONS[-1]):
        row = np.minimum(first + offset, last)
        gain = held * worth[row, column] - paid
        best = np.where(gain > profit, row, best)
        profit = np.fmax(profit, gain)
        if offset + 1 in HORIZONS:
            yield profit, best


def _best(
    every: Sequence[tuple[int, Decision]], horizon: int
) -> Iterator[tuple[int, Decision, int]]:
    paid = [item for item in every if item[1].profits[horizon] > 0]
    for trial, decision in sorted(paid, key=lambda item: -item[1].profits[horizon]):
        yield trial, decision, horizon


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
