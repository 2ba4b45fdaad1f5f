"""The numpy back-end of contracts: what a contract does at many points, without foreign code.

A point's trades are those of the compiled zipline source under the ``next_open`` cost model, on
the same bars: signals bar by bar, fills by bar, side and price, with splits, dividends, bars that
do not trade and several symbols that share one account. What differs is rounding alone: of sums
in other orders, which can decide a comparison or a whole number of shares that lies on the edge.
Limits of the harness (leverage, position size) are not looked at, and on intraday data the bars
before the window begin where the panel's first session would have as many bars as it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.lowering import lower
from stratlab.contract.vectorised.account import Accounts
from stratlab.contract.vectorised.bars import SymbolBars
from stratlab.contract.vectorised.desk import Desk
from stratlab.contract.vectorised.figures import Figures, figures
from stratlab.contract.vectorised.points import Points
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModelKind
from stratlab.domain.valuation import adjustment_ratios, closing_prices

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.domain.market import CostModel, PricePanel
    from stratlab.domain.trial import Parameters


_CELLS = 4 << 20
"""Numbers in the largest arrays: points are worked on in blocks of that size."""


@final
@dataclass(frozen=True, slots=True)
class GridResult:
    """What a contract did at each point. All arrays have shape (points,) but ``daily_returns``.

    Attributes:
        final_return: Equity at the end over the capital, minus 1.
        sharpe_ratio: Annual, of daily returns; NaN without volatility, or when wiped out.
        max_drawdown: At most 0.
        max_leverage: Largest gross exposure over equity at a close; the harness ends a trial
            whose leverage is above its limit, here nothing does.
        trades: Closed round trips.
        turnover: Traded value a year over mean equity; NaN when wiped out.
        daily_returns: Shape (points, sessions), None unless asked for.
    """

    final_return: "Floats"
    sharpe_ratio: "Floats"
    max_drawdown: "Floats"
    max_leverage: "Floats"
    trades: "Numbers"
    turnover: "Floats"
    daily_returns: "Floats | None" = None


def screen_grid(
    contract: "StrategyContract",
    panel: "PricePanel",
    points: "Sequence[Parameters]",
    *,
    first_bar: int,
    capital: float,
    cost_model: "CostModel",
    with_daily_returns: bool = False,
) -> GridResult:
    """Trade a contract at many points of its space; every symbol of the panel from one account.

    Args:
        contract: The contract.
        panel: Prices; all of them up to the last bar that is traded.
        points: Values of parameters; what one leaves out has its default.
        first_bar: Row of the panel's first traded bar; earlier ones are history.
        capital: Starting cash of each point.
        cost_model: ``next_open`` with its slippage, fee and volume limit.
        with_daily_returns: Whether to keep the daily returns.

    Raises:
        InvalidContractError: The panel's bars make no bars of a timeframe that rules read.
        InvalidParametersError: A point is not one of the contract's space.
        InvalidSpecError: The cost model is another one, or there is no bar to trade.
    """
    _refuse_other_worlds(panel, first_bar, cost_model)
    height = max(_CELLS // max(len(panel.bars), 1), 1)
    blocks = [
        run_points(contract, panel, points[begin : begin + height], first_bar, capital, cost_model)
        for begin in range(0, max(len(points), 1), height)
    ]
    found = [
        figures(block, panel, first_bar, with_daily_returns=with_daily_returns) for block in blocks
    ]
    return GridResult(
        final_return=_joined(found, "final_return"),
        sharpe_ratio=_joined(found, "sharpe_ratio"),
        max_drawdown=_joined(found, "max_drawdown"),
        max_leverage=_joined(found, "max_leverage"),
        trades=np.concatenate([each.trades for each in found]),
        turnover=_joined(found, "turnover"),
        daily_returns=_joined(found, "daily_returns") if with_daily_returns else None,
    )


def run_points(
    contract: "StrategyContract",
    panel: "PricePanel",
    points: "Sequence[Parameters]",
    first_bar: int,
    capital: float,
    cost_model: "CostModel",
) -> Accounts:
    """Return the accounts of some points, all positions taken; see :func:`screen_grid`."""
    lowered, columns = lower(contract), Points(contract, points)
    ratios, marks = adjustment_ratios(panel), closing_prices(panel)
    desks = []
    for column, symbol in enumerate(panel.symbols):
        bars = SymbolBars.of(panel, column, first_bar, ratios)
        if bars.first == len(bars) or not points:
            continue
        desks.append(
            Desk.of(
                contract,
                lowered,
                columns,
                panel,
                bars,
                marks[:, column],
                first_bar,
                cost_model,
                symbol,
            )
        )
    rows = len(panel.bars) - first_bar
    share = 1.0 / len(panel.symbols)
    accounts = Accounts(columns, desks, share, contract.risk_model, cost_model, capital, rows)
    accounts.run()
    return accounts


def _refuse_other_worlds(panel: "PricePanel", first_bar: int, cost_model: "CostModel") -> None:
    if cost_model.kind is not CostModelKind.NEXT_OPEN:
        raise InvalidSpecError(
            f"the numpy evaluator fills by next_open, not by {cost_model.kind}",
            hint="Choose the cost model next_open, or set screen_points to 0.",
        )
    if not 0 <= first_bar < len(panel.bars):
        raise InvalidSpecError(f"row {first_bar} is none of the panel's {len(panel.bars)} bars")


def _joined(found: Sequence[Figures], name: str) -> "Floats":
    return np.concatenate([getattr(each, name) for each in found])
