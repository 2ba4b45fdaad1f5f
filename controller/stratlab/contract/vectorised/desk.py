"""One symbol as the accounts deal with it: when to decide, what is paid, what a share is worth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, final

import numpy as np

from stratlab.contract.lowering import SETTLING, sessions_of
from stratlab.contract.timeframes import panel_periods, parse_timeframe
from stratlab.contract.vectorised.bars import SymbolBars
from stratlab.contract.vectorised.brackets import Brackets
from stratlab.contract.vectorised.frames import Frame
from stratlab.contract.vectorised.rules import Signals
from stratlab.contract.vectorised.series import SeriesTable
from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.contract.lowering import LoweredContract
    from stratlab.contract.model import StrategyContract
    from stratlab.contract.vectorised.account import Booking
    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.contract.vectorised.points import Points
    from stratlab.domain.market import CostModel, PricePanel


_NEVER = np.iinfo(np.intp).max


@final
@dataclass(frozen=True, slots=True)
class Desk:
    """A symbol's rules and trades for all points. Rows count from the first traded bar.

    Attributes:
        symbol: Its name.
        brackets: Trades it.
        signals: Its rules.
        table: Its series.
        warm: First traded bar that is decided on, for each point, shape (P,).
        rows: Row of each traded bar, and one that never comes, shape (bars + 1,).
        split_rows: Row of each split, shape (J,).
        marks: What a share is worth at each close, 0 before its first bar, shape (T,).
        ex_rows, pay_rows: Of each dividend that is paid in the window, shape (K,).
        amounts: Of the dividends, a share.
        settled: Row and price at which a delisted symbol's positions are closed.
    """

    symbol: str
    brackets: Brackets
    signals: Signals
    table: SeriesTable
    warm: "Numbers"
    rows: "Numbers"
    split_rows: "Numbers"
    marks: "Floats"
    ex_rows: "Numbers"
    pay_rows: "Numbers"
    amounts: "Floats"
    settled: tuple[int, float] | None

    @classmethod
    def of(
        cls,
        contract: "StrategyContract",
        lowered: "LoweredContract",
        points: "Points",
        panel: "PricePanel",
        bars: SymbolBars,
        marks: "Floats",
        first_bar: int,
        costs: "CostModel",
        symbol: str,
    ) -> Self:
        """Return the desk of a symbol that has traded bars."""
        table, warm = prepared(lowered, points, panel, bars)
        signals = Signals(lowered, table)
        rows = bars.rows[bars.first :] - first_bar
        own = {int(bar): row for row, bar in enumerate(panel.bars[first_bar:])}
        dividends = sorted(
            (own[item.ex_bar], own[item.pay_bar], item.amount)
            for item in panel.dividends
            if item.symbol == symbol
            and item.ex_bar in own
            and item.pay_bar in own
            # What is paid before it is earned is never paid.
            and item.pay_bar >= item.ex_bar
        )
        marks = np.nan_to_num(marks[first_bar:])
        closed = panel.auto_close.get(symbol)
        settled = None
        if closed is not None and closed in own:
            settled = (own[closed], float(marks[own[closed]]))
        return cls(
            symbol=symbol,
            brackets=Brackets(bars, signals, contract.risk_model, costs),
            signals=signals,
            table=table,
            warm=warm,
            rows=np.append(rows, _NEVER),
            split_rows=bars.split_rows - first_bar,
            marks=marks,
            ex_rows=np.array([item[0] for item in dividends], dtype=np.intp),
            pay_rows=np.array([item[1] for item in dividends], dtype=np.intp),
            amounts=np.array([item[2] for item in dividends], dtype=np.float64),
            settled=settled,
        )

    def decision(self, points: "Numbers", bars: "Numbers") -> "Numbers":
        """Return the traded bar of each point's next entry signal from the given bars on."""
        return self.signals.entries.following(
            points, np.minimum(np.maximum(bars, self.warm[points]), self.brackets.count)
        )

    def row(self, bars: "Numbers") -> "Numbers":
        """Return the rows of traded bars; one that never comes for the end."""
        return self.rows[bars]

    def side(self, points: "Numbers", bars: "Numbers") -> "Numbers":
        """Return the side of entries: long when both sides say so."""
        return np.where(self.signals.longs.at(points, bars), 1, -1)

    def value(self, name: str, points: "Numbers", bars: "Numbers") -> "Floats":
        """Return a series at traded bars."""
        series = self.table[name]
        return series.values[series.column[points], self.table.place[bars]]

    def epoch(self, rows: "Numbers", side: 'Literal["left", "right"]') -> "Numbers":
        """Return how many splits there were before rows (``left``) or up to them (``right``)."""
        return np.searchsorted(self.split_rows, rows, side=side)

    def earned(self, booking: "Booking") -> "Floats":
        """Return what positions earn from each dividend, shape (n, K).

        Held before the bar of the ex date; its own splits come afterwards.
        """
        held = booking.entry_row[:, None] < self.ex_rows
        held &= self.ex_rows <= booking.exit_row[:, None]
        positions = booking.positions
        shares = positions.shares[:, self.epoch(self.ex_rows, "left")]
        return np.where(held, positions.entries.side[:, None] * shares * self.amounts, 0.0)


def prepared(
    lowered: "LoweredContract", points: "Points", panel: "PricePanel", bars: SymbolBars
) -> tuple[SeriesTable, "Numbers"]:
    """Return the series of a symbol, and the first traded bar that each point decides on."""
    warm_up = points.warm_ups(lowered)
    longer = {
        timeframe: points.longer_warm_ups(streams) for timeframe, streams in lowered.longer.items()
    }
    periods = {timeframe: _periods(panel, timeframe)[bars.rows] for timeframe in longer}
    sessions = -(-(3 * warm_up + SETTLING) // bars.session_bars)
    for timeframe, ended in longer.items():
        sessions = np.maximum(sessions, _sessions(timeframe, 3 * ended + SETTLING, bars))
    starts = bars.starts(sessions)
    own = Frame.own(bars, starts, points.reach(lowered))
    warm = starts + warm_up
    frames = {"": own}
    for timeframe, ended in longer.items():
        frame = own.longer(periods[timeframe])
        assert frame.ended is not None, "a longer frame knows what has ended"
        warm = np.maximum(warm, np.searchsorted(frame.ended, frame.starts + ended))
        frames[timeframe] = frame
    basis = np.repeat(np.arange(len(bars.bounds) - 1), np.diff(bars.bounds))
    place = own.stretches.places(basis, np.arange(bars.first, len(bars)))
    return SeriesTable(lowered, points, frames, place), np.maximum(warm - bars.first, 0)


def _periods(panel: "PricePanel", timeframe: str) -> "NDArray[np.int64]":
    try:
        return panel_periods(panel, timeframe)
    except ValueError as error:
        raise InvalidContractError(
            str(error), hint="Choose data whose bars make the longer ones."
        ) from None


def _sessions(timeframe: str, count: "Numbers", bars: SymbolBars) -> "Numbers":
    # So many sessions a compiled strategy reads for so many longer bars.
    longer = parse_timeframe(timeframe)
    if longer.unit == "m":
        return -(-count // -(-bars.session_minutes // longer.count))
    return sessions_of(timeframe) * count
