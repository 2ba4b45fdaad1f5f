"""Strategies that make a call the lab refuses, and the error that each ends with."""

from dataclasses import dataclass

HEADER = "import pandas as pd\nfrom zipline.api import *\n"


@dataclass(frozen=True)
class Refusal:
    """One such strategy: its statements, and the error's type and a part of its message."""

    error: str
    message: str
    initialize: str = "pass"
    before_trading_start: str = "pass"
    handle_data: str = "pass"

    @property
    def source(self) -> str:
        """The strategy; names of the market are AAPL and MSFT."""
        return (
            f"{HEADER}\ndef initialize(context):\n    {self.initialize}\n"
            f"\ndef before_trading_start(context, data):\n    {self.before_trading_start}\n"
            f"\ndef handle_data(context, data):\n    {self.handle_data}\n"
        )


_BATCH = "batch_market_order(pd.Series([10], index=[symbol('AAPL')], dtype='int64'))"
_LIMIT = "order(symbol('AAPL'), 1, limit_price=1.0)"
_CANCEL = "[cancel_order(o) for orders in get_open_orders().values() for o in orders]"

REFUSALS = {
    "fetch_csv": Refusal(
        "UnsupportedCallError", "needs a network", "fetch_csv('https://host.example/x.csv')"
    ),
    "future_symbol": Refusal("UnsupportedCallError", "futures", "future_symbol('CLF10')"),
    "continuous_future": Refusal(
        "UnsupportedCallError", "futures", "continuous_future('CL', offset=0, roll='volume')"
    ),
    "order:before_trading_start": Refusal(
        "OrderInBeforeTradingStart",
        "before_trading_start",
        before_trading_start="order(symbol('AAPL'), 1)",
    ),
    "cancel_order:before_trading_start": Refusal(
        "OrdersBeforeOpenError",
        "cannot change orders",
        before_trading_start=_CANCEL,
        handle_data=_LIMIT,
    ),
    "batch_market_order:before_trading_start": Refusal(
        "OrdersBeforeOpenError", "cannot change orders", before_trading_start=_BATCH
    ),
    "symbol:outside": Refusal(
        "SymbolNotInMarketError", "AAPL, MSFT", handle_data="order(symbol('DELL'), 1)"
    ),
    "sid:outside": Refusal("SymbolNotInMarketError", "AAPL, MSFT", handle_data="sid(4)"),
    "set_slippage:late": Refusal(
        "SetSlippagePostInit", "initialize", handle_data="set_slippage(FixedSlippage())"
    ),
    "set_min_leverage:violated": Refusal(
        "AccountControlViolation", "MinLeverage", "set_min_leverage(0.5, pd.Timedelta(days=9))"
    ),
    "set_max_leverage:violated": Refusal(
        "AccountControlViolation",
        "MaxLeverage",
        "set_max_leverage(0.5)",
        handle_data="order_target_percent(symbol('AAPL'), 0.9)",
    ),
    "set_long_only:violated": Refusal(
        "TradingControlViolation",
        "LongOnly",
        "set_long_only()",
        handle_data="order(symbol('AAPL'), -1)",
    ),
}
