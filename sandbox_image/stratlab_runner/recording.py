"""A blotter that reports every order, cancel and fill, and keeps the harness's cost model."""

from collections.abc import Collection
from typing import Any, final

import pandas as pd
from zipline.assets import Asset, Equity
from zipline.finance.blotter import SimulationBlotter
from zipline.finance.commission import CommissionModel
from zipline.finance.order import Order
from zipline.finance.slippage import SlippageModel
from zipline.finance.transaction import Transaction

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.reporter import Reporter


class SymbolNotInMarketError(Exception):
    """A strategy asked for a symbol that is not in its trial's market set."""

    def __init__(self, name: str, symbols: Collection[str]) -> None:
        known = ", ".join(sorted(symbols))
        super().__init__(f"{name!r} is not in the market set of this trial: {known}")


@final
class OrdersBeforeOpenError(Exception):
    """A strategy changed its orders in ``before_trading_start``."""

    def __init__(self) -> None:
        super().__init__(
            "before_trading_start cannot change orders: "
            "place, move and cancel orders in handle_data or a scheduled function"
        )


@final
class RecordingBlotter(SimulationBlotter):  # type: ignore[misc]  # zipline has no types
    """Zipline's blotter with our numbering; zipline's own order ids are random and stay inside.

    From the start of a session until its bar has filled what it fills, orders cannot change: in
    daily mode zipline already shows that bar to ``before_trading_start``.

    Args:
        reporter: Where everything goes.
        symbols: The trial's market set.
        first_bar: UTC epoch seconds of the first session, for orders placed before it.
    """

    def __init__(self, reporter: Reporter, symbols: Collection[str], first_bar: int) -> None:
        super().__init__()
        self._reporter = reporter
        self._symbols = frozenset(symbols)
        self._bar = first_bar
        self._phase = pb.LogEntry.PHASE_BEFORE_OPEN
        self._is_closed = False
        self._numbers: dict[str, int] = {}
        self._imposed: tuple[SlippageModel, CommissionModel] | None = None

    def impose(self, slippage: SlippageModel, commission: CommissionModel) -> None:
        """Use these models for equities from now on, whatever the strategy sets."""
        self._imposed = (slippage, commission)
        self._restore_models()

    def start_session(self, session: pd.Timestamp) -> None:
        """Take no change of orders until the bar of ``session`` has filled what it fills."""
        self._bar = int(session.timestamp())
        self._is_closed = True

    def start_bar(self, label: int) -> None:
        """Stamp what follows with the label of a bar (UTC epoch seconds)."""
        self._bar = label

    def order(
        self, asset: Asset, amount: int, style: Any, order_id: str | None = None
    ) -> str | None:
        """Place and report an order, as zipline's blotter does.

        Raises:
            OrdersBeforeOpenError: The strategy is in ``before_trading_start``.
            SymbolNotInMarketError: The asset is not in the market set.
        """
        self._require_open()
        if asset.symbol not in self._symbols:
            raise SymbolNotInMarketError(asset.symbol, self._symbols)
        placed: str | None = super().order(asset, amount, style, order_id)
        if placed is not None:
            self._numbers[placed] = len(self._numbers) + 1
            self._reporter.log(self._entry(self.orders[placed], style))
        return placed

    def cancel(self, order_id: str, relay_status: bool = True) -> None:  # noqa: FBT001, FBT002 - zipline's signature
        """Cancel an order and report it when it was open.

        Raises:
            OrdersBeforeOpenError: The strategy is in ``before_trading_start``.
        """
        self._require_open()
        order = self.orders.get(order_id)
        if order is not None and order.open:
            self._reporter.log(
                pb.LogEntry(
                    number=self._numbers[order_id], bar=self._bar, phase=self._phase, cancel=True
                )
            )
        super().cancel(order_id, relay_status)

    def get_transactions(
        self, bar_data: Any
    ) -> tuple[list[Transaction], list[dict[str, Any]], list[Order]]:
        """Fill what fills in this bar and report it; orders after this call have seen the bar."""
        self._restore_models()
        transactions, commissions, closed = super().get_transactions(bar_data)
        costs = {charge["order"].id: charge["cost"] for charge in commissions}
        for transaction in transactions:
            self._reporter.fill(
                pb.Fill(
                    number=self._numbers[transaction.order_id],
                    bar=self._bar,
                    symbol=transaction.asset.symbol,
                    amount=int(transaction.amount),
                    price=transaction.price,
                    commission=costs.get(transaction.order_id, 0.0),
                )
            )
        self._phase = pb.LogEntry.PHASE_BAR
        self._is_closed = False
        return transactions, commissions, closed

    def _require_open(self) -> None:
        if self._is_closed:
            raise OrdersBeforeOpenError

    def _restore_models(self) -> None:
        if self._imposed is not None:
            slippage, commission = self._imposed
            # Zipline looks them up by the very class.
            for kind in (Equity, *Equity.__subclasses__()):
                self.slippage_models[kind] = slippage
                self.commission_models[kind] = commission

    def _entry(self, order: Order, style: Any) -> pb.LogEntry:
        kind = getattr(style, "leg_kind", None)
        entry = pb.LogEntry(
            number=self._numbers[order.id],
            bar=self._bar,
            phase=self._phase,
            symbol=order.asset.symbol,
            amount=int(order.amount),
            kind=kind or _kind(order),
            limit_price=order.limit,
            stop_price=order.stop,
        )
        if kind is not None:
            entry.parent = self._numbers[style.leg_parent]
            if style.leg_distance is not None:
                entry.distance = style.leg_distance
        return entry


def _kind(order: Order) -> str:
    if order.stop is None:
        return "market" if order.limit is None else "limit"
    return "stop" if order.limit is None else "stop_limit"
