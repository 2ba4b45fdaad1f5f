"""Random markets as price panels, and what the numpy evaluator did on them as fills."""

import calendar
from datetime import date

import numpy as np
from tests.contract.reference import Market

from stratlab.contract.model import StrategyContract
from stratlab.contract.vectorised.screen import run_points
from stratlab.domain.market import CostModel, Dividend, PricePanel, Split
from stratlab.market_data.calendars import sessions_between

DAYS = [day.date() for day in sessions_between("XNYS", date(2015, 1, 2), date(2018, 12, 31))]
LABELS = [calendar.timegm(day.timetuple()) for day in DAYS]
CAPITAL = 100_000.0


def panel_of(markets: dict[str, Market], sessions: int) -> PricePanel:
    """Return markets over the first sessions of the calendar."""
    fields = np.full((5, sessions, len(markets)), np.nan)
    fields[4] = 0.0
    splits, dividends = [], []
    for column, (symbol, market) in enumerate(markets.items()):
        fields[:4, market.first :, column] = market.bars[:, :4].T
        fields[4, market.first :, column] = np.nan_to_num(market.bars[:, 4])
        splits += [Split(LABELS[at], symbol, ratio) for at, ratio in market.splits.items()]
        dividends += [
            Dividend(LABELS[ex], LABELS[pay], symbol, amount)
            for ex, (pay, amount) in market.dividends.items()
        ]
    return PricePanel(
        np.array(LABELS[:sessions]),
        tuple(markets),
        *fields,
        splits=tuple(sorted(splits, key=lambda split: split.bar)),
        dividends=tuple(sorted(dividends, key=lambda item: item.ex_bar)),
    )


def off_grid(market: Market, factor: float) -> Market:
    """Return a market whose prices are no multiples of a cent, in zipline's thousandths."""
    bars = market.bars.copy()
    bars[:, :4] = np.rint(bars[:, :4] * factor * 1000) * 0.001
    dividends = {
        ex: (pay, round(amount * factor, 3)) for ex, (pay, amount) in market.dividends.items()
    }
    return Market(market.first, bars, market.splits, dividends)


def vectorised_fills(
    contract: StrategyContract,
    panel: PricePanel,
    points: list[dict],
    first_bar: int,
    costs: CostModel | None = None,
) -> list[list[tuple[int, str, int, float]]]:
    """Return the fills of each point as (row, symbol, signed shares, price), sorted."""
    accounts = run_points(contract, panel, points, first_bar, CAPITAL, costs or CostModel())
    found: list[list] = [[] for _ in points]
    for booking in accounts.bookings:
        desk, positions = accounts.desks[booking.symbol], booking.positions
        for way, bars, rows, prices in (
            (1, positions.entry_bar, booking.entry_row, positions.entry_price),
            (-1, positions.exit_bar, booking.exit_row, positions.exit_price),
        ):
            (filled,) = (bars < desk.brackets.count).nonzero()
            shares = positions.shares[filled, desk.epoch(rows[filled], "right")]
            signed = way * positions.entries.side[filled] * shares
            for point, row, amount, price in zip(
                positions.entries.point[filled].tolist(),
                (rows[filled] + first_bar).tolist(),
                signed.tolist(),
                prices[filled].tolist(),
                strict=True,
            ):
                found[point].append((row, desk.symbol, int(amount), price))
    return [sorted(fills) for fills in found]
