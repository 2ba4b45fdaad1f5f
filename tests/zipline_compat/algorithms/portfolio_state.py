"""Decides by its positions, cash and account; holds a share that is delisted and goes short."""

from zipline.api import order, order_target, record, symbols


def initialize(context):
    context.assets = symbols("GONE", "INTC", "MSFT", "AAPL")
    context.bar = 0


def handle_data(context, data):
    context.bar += 1
    portfolio = context.portfolio
    positions = portfolio.positions
    record(value=portfolio.portfolio_value, held=len(positions))
    for number, asset in enumerate(context.assets):
        held = positions[asset].amount
        if not data.can_trade(asset):
            continue
        if held == 0:
            order(asset, 100 if number % 2 == 0 else -60)
        elif positions[asset].last_sale_price > positions[asset].cost_basis * 1.15:
            order_target(asset, held // 2)
        elif portfolio.returns < -0.02 and context.bar % 30 == 0:
            order(asset, -held)
    if context.bar % 75 == 0:
        weights = portfolio.current_portfolio_weights.round(9)
        print(
            round(portfolio.cash, 6), round(portfolio.pnl, 6), round(portfolio.positions_value, 6)
        )
        print({asset.symbol: weight for asset, weight in weights.items()})
        print(round(context.account.buying_power, 3), context.recorded_vars["held"])
