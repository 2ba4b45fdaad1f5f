"""Performance figures of one backtest, computed by the host only."""

import math
from dataclasses import dataclass
from typing import NewType, Self, final

AnnualSharpe = NewType("AnnualSharpe", float)
"""A Sharpe ratio of daily returns, annualised with the square root of the sessions that the data
set's calendar has in a year (``SESSIONS_PER_YEAR``); never enters a per-period formula."""

PeriodRatio = NewType("PeriodRatio", float)
"""Mean over standard deviation of the returns of single periods: whoever makes a
:class:`PerPeriodSharpe` says with this name that the number is one."""


@final
@dataclass(frozen=True, slots=True)
class PerPeriodSharpe:
    """A Sharpe ratio of returns of single periods, which is what the statistics of it speak of.

    No number: an annual ratio (which is one) cannot take its place by mistake, nor become one
    but by :meth:`of_annual`.

    Attributes:
        value: Mean over standard deviation of the returns of single periods.
    """

    value: PeriodRatio

    @classmethod
    def of_annual(cls, sharpe: AnnualSharpe, periods_per_year: float) -> Self:
        """Return the ratio of single periods that an annual one was scaled from."""
        return cls(PeriodRatio(sharpe / math.sqrt(periods_per_year)))

    def annual(self, periods_per_year: float) -> AnnualSharpe:
        """Return the ratio scaled to a year, as if returns were independent."""
        return AnnualSharpe(self.value * math.sqrt(periods_per_year))


@final
@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics by empyrical's names; fractions, never percent; None where undefined.

    Returns are daily whatever the bars are: from the last bar of each session. A year has 252
    sessions on XNYS and CMES, 260 on 24/5 and 365 on 24/7; zipline itself always takes 252.

    Attributes:
        cum_returns_final: Total return.
        annual_return: Compound annual growth.
        annual_volatility: Annualised standard deviation of daily returns.
        sharpe_ratio: Annual, risk-free rate 0.
        sortino_ratio: Annual.
        max_drawdown: Zero or negative.
        calmar_ratio: annual_return / abs(max_drawdown).
        win_rate: Share of closed round trips with a profit after costs.
        total_trades: Closed round trips.
        turnover: Traded value per year over mean equity.
    """

    cum_returns_final: float | None
    annual_return: float | None
    annual_volatility: float | None
    sharpe_ratio: AnnualSharpe | None
    sortino_ratio: float | None
    max_drawdown: float | None
    calmar_ratio: float | None
    win_rate: float | None
    total_trades: int
    turnover: float | None


METRIC_NAMES = tuple(Metrics.__dataclass_fields__)
