"""Recognises sources that were compiled from a contract, by all of their shape."""

import ast
import re
from typing import Final

from stratlab.screening.source import StrategySource, methods

_HEADER: Final = re.compile(
    r"Strategy \S+ \S+, compiled from its contract\.\n.*\b[0-9a-f]{64}\.\s*\Z", re.DOTALL
)
_FUNCTIONS: Final = frozenset({"handle_data", "initialize", "parameters", "update", "warm_up"})
_METHODS: Final = frozenset({"enter", "manage", "on_close", "read", "rebuild"})


def is_compiled(source: StrategySource) -> bool:
    """Return whether the advice of layers 3 to 5 would be about the compiler, not the strategy.

    No rule that rejects asks this: what looks compiled may still be written by anybody.
    """
    tree = source.tree
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    traders = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trader"
    ]
    return (
        _HEADER.match(ast.get_docstring(tree) or "") is not None
        and names >= _FUNCTIONS | {"Series", "Trader"}
        and len(traders) == 1
        and methods(traders[0]).keys() >= _METHODS
    )
