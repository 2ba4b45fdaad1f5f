"""Sizes and distances of a risk model: how much to buy, and how far away its exits lie.

Strategies use it as ``lab.risk``, with ``lab.order_bracket`` to place what it says. Nothing but the
standard library is imported here, because exported strategies carry the text of this file.
"""

import math
from typing import Any


class RiskError(ValueError):
    """A size or distance cannot be computed from such an argument; the message says why."""


def percent_equity(context: Any, data: Any, asset: Any, percent: float) -> int:
    """Return the whole shares that are worth a part of the account.

    Args:
        context: Of the strategy.
        data: Of the bar.
        asset: What to trade.
        percent: Of the portfolio's value, above 0 and at most 100.

    Returns:
        Shares at the last price, not negative; 0 where there is no price.

    Raises:
        RiskError: ``percent`` is out of bounds.
    """
    _check("percent", percent, 100.0)
    price = float(data.current(asset, "price"))
    worth = context.portfolio.portfolio_value * percent / 100.0
    return _whole(worth / price) if math.isfinite(price) and price > 0 else 0


def risk_percent(context: Any, data: Any, asset: Any, percent: float, stop_distance: float) -> int:
    """Return the whole shares that lose a part of the account at their stop.

    However close the stop, they are never worth more than the account.

    Args:
        context: Of the strategy.
        data: Of the bar.
        asset: What to trade.
        percent: Of the portfolio's value, above 0 and at most 100.
        stop_distance: From the entry's price to its stop.

    Returns:
        Shares, not negative; 0 where there is no price or no distance.

    Raises:
        RiskError: ``percent`` is out of bounds.
    """
    _check("percent", percent, 100.0)
    if not (math.isfinite(stop_distance) and stop_distance > 0):
        return 0
    at_stake = context.portfolio.portfolio_value * percent / 100.0
    return min(_whole(at_stake / stop_distance), percent_equity(context, data, asset, 100.0))


def percent_distance(data: Any, asset: Any, percent: float) -> float:
    """Return a part of the last price, as the distance of a stop or take.

    Args:
        data: Of the bar.
        asset: Whose price.
        percent: Above 0 and at most 100.

    Raises:
        RiskError: ``percent`` is out of bounds.
    """
    _check("percent", percent, 100.0)
    return float(data.current(asset, "price")) * percent / 100.0


def range_distance(data: Any, asset: Any, bars: int, multiple: float) -> float:
    """Return a multiple of the mean true range of daily bars, as the distance of a stop or take.

    Args:
        data: Of the bar.
        asset: Whose prices.
        bars: How many true ranges are averaged, this bar's included; 1 to 500.
        multiple: Above 0 and at most 100.

    Returns:
        The distance; NaN while there are too few bars.

    Raises:
        RiskError: ``bars`` or ``multiple`` is out of bounds.
    """
    _check("multiple", multiple, 100.0)
    _check("bars", bars, 500.0)
    high, low, close = (
        [float(value) for value in data.history(asset, field, bars + 1, "1d")]
        for field in ("high", "low", "close")
    )
    ranges = [
        max(high[bar] - low[bar], abs(high[bar] - close[bar - 1]), abs(low[bar] - close[bar - 1]))
        if math.isfinite(high[bar] + low[bar] + close[bar - 1])
        else math.nan
        for bar in range(1, bars + 1)
    ]
    return multiple * math.fsum(ranges) / bars


def _check(name: str, value: float, most: float) -> None:
    if not 0 < value <= most:
        raise RiskError(f"{name} is {value!r}, not above 0 and at most {most:g}")


def _whole(shares: float) -> int:
    return max(math.floor(shares), 0)
