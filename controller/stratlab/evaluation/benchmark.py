"""The campaign's benchmark: equal-weight buy-and-hold of the same universe at the same costs."""

from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.market import CostModel, CostModelKind, MarketSet, PricePanel, Window
from stratlab.domain.trial import Order, OrderKind, Phase
from stratlab.evaluation.fills_zipline import COMMISSION_PER_SHARE, SLIPPAGE_BPS, VOLUME_LIMIT
from stratlab.evaluation.repricing import reprice, window_rows

if TYPE_CHECKING:
    from stratlab.evaluation.repricing import Repricing


def buy_and_hold(
    market: MarketSet, prices: PricePanel, window: Window, capital: float, costs: CostModel
) -> "Repricing":
    """Return the benchmark of a trial, repriced like the trial itself.

    Every symbol gets an equal share of the starting capital and keeps it in cash until it can
    be bought: at the first bar of the window on which it trades and on which the volume limit
    takes the whole order; a symbol that lists later is bought when it lists. The order is the
    largest number of whole shares that its share pays for, costs included; it is never sold
    (a delisting pays its last price) and dividends stay in cash. Under ``next_open`` it
    is bought at that bar's open, under ``zipline`` at its close.

    Raises:
        InvalidSpecError: The window holds no session.
    """
    log: list[Order] = []
    share = capital / len(market.symbols)
    for row, symbol, amount in sorted(
        purchase
        for symbol in market.symbols
        if (purchase := _purchase(symbol, prices, window, share, costs)) is not None
    ):
        log.append(
            Order(
                number=len(log) + 1,
                bar=int(prices.bars[row]),
                phase=Phase.AT_OPEN,
                symbol=symbol,
                amount=amount,
                kind=OrderKind.MARKET,
            )
        )
    return reprice(log, prices, window, capital, costs)


def _purchase(
    symbol: str, prices: PricePanel, window: Window, share: float, costs: CostModel
) -> tuple[int, str, int] | None:
    next_open = costs.kind is CostModelKind.NEXT_OPEN
    slippage = (costs.slippage_bps if next_open else SLIPPAGE_BPS) / 1e4
    fee = costs.commission_per_share if next_open else COMMISSION_PER_SHARE
    limit = costs.volume_limit if next_open else VOLUME_LIMIT
    rows, column = window_rows(prices, window), prices.symbols.index(symbol)
    quotes = (prices.open if next_open else prices.close)[rows, column]
    closes, volumes = prices.close[rows, column], prices.volume[rows, column]
    trades = ~np.isnan(quotes) & ~np.isnan(closes) & (volumes > 0)
    amounts = np.floor(share / (np.where(trades, quotes, np.nan) * (1 + slippage) + fee))
    fits = (amounts > 0) & (amounts <= np.floor(limit * volumes))
    row = int(fits.argmax())
    return (rows.start + row, symbol, int(amounts[row])) if fits[row] else None
