"""Layer 4, integration: does it use what the lab offers to keep a strategy in hand?"""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.rules import advice as rules
from stratlab.screening.source import StrategySource

_ORDERS: Final = frozenset(
    {"batch_market_order", "order", "order_bracket", "order_percent", "order_target"}
    | {"order_target_percent", "order_target_value", "order_value"}
)
_EXITS: Final = frozenset({"order_bracket", "StopOrder", "StopLimitOrder", "LimitOrder"})
_EXIT_ARGUMENTS: Final = frozenset({"limit_price", "stop_distance", "stop_price", "take_distance"})
_CHECKS: Final = frozenset(
    {"can_trade", "dropna", "empty", "fillna", "ffill", "isfinite", "isna", "isnan", "isnull"}
    | {"is_stale", "notna", "notnull", "nanmax", "nanmean", "nanmin", "nanstd"}
)
_RECORDS: Final = frozenset(
    {"critical", "debug", "error", "exception", "info", "log", "print", "record", "warning"}
)


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about exits, conditions, missing prices and records."""
    calls = {_name(node): node for node in source.all(ast.Call)}
    used = {node.attr for node in source.all(ast.Attribute)} | calls.keys()
    orders = [node for node in source.all(ast.Call) if _name(node) in _ORDERS]
    arguments = {keyword.arg for node in orders for keyword in node.keywords}
    if orders and not (calls.keys() & _EXITS or arguments & _EXIT_ARGUMENTS):
        yield rules.NO_RISK_MODEL.at(orders[0])
    if orders and not any(_is_conditional(source, node) for node in orders):
        yield rules.NO_CONFIDENCE_GATE.at(orders[0])
    if not used & _CHECKS and not any(True for _ in source.all(ast.Try)):
        yield rules.NO_ERROR_HANDLING.at()
    if not used & _RECORDS:
        yield rules.NO_RECORD.at()


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_conditional(source: StrategySource, node: ast.AST) -> bool:
    # Under an if, chosen by an expression, or after a return that may come first.
    around = source.parent(node)
    while around is not None:
        if isinstance(around, ast.If | ast.IfExp | ast.BoolOp | ast.Match | ast.While):
            return True
        if isinstance(around, ast.FunctionDef):
            # The caller of a class asks should_trade first.
            chooses = any(isinstance(each, ast.IfExp | ast.Compare) for each in ast.walk(around))
            return chooses or around.name == "execute"
        around = source.parent(around)
    return False
