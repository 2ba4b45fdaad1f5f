"""Sets bounds of its leverage and stays between them."""

import pandas as pd
from zipline.api import order_target_percent, set_max_leverage, set_min_leverage, symbol


def initialize(context):
    context.asset = symbol("COST")
    set_max_leverage(1.5)
    set_min_leverage(0.2, pd.Timedelta(days=30))


def handle_data(context, data):
    account, portfolio = context.account, context.portfolio
    if not 0.75 < account.leverage < 0.95:
        order_target_percent(context.asset, 0.85)
    if data.current_session.day == 2:
        print(
            round(account.leverage, 9),
            round(account.net_leverage, 9),
            round(account.total_positions_exposure, 6),
            round(portfolio.cash, 6),
        )
