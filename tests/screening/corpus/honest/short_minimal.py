"""As short as it gets."""
from zipline.api import order_target, symbol
def initialize(context): context.s = symbol("IBM")
def handle_data(context, data): order_target(context.s, 10)
