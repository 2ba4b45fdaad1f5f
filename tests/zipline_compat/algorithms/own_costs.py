"""Sets costs of its own, which the lab overrides."""

from zipline.api import (
    FixedBasisPointsSlippage,
    FixedSlippage,
    VolumeShareSlippage,
    commission,
    order,
    set_commission,
    set_slippage,
    slippage,
    symbol,
)


def initialize(context):
    set_slippage(us_equities=FixedSlippage(spread=0.5))
    set_slippage(us_equities=VolumeShareSlippage(volume_limit=0.01))
    set_slippage(FixedBasisPointsSlippage(basis_points=300))
    set_slippage(us_equities=slippage.NoSlippage())
    set_commission(us_equities=commission.PerTrade(cost=25))
    context.asset = symbol("INTC")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    order(context.asset, 60 if context.bar % 2 else -55)
