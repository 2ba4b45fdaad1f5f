"""Layer 5, coverage: is there enough of it to be judged, in parts that can be?"""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.names import is_function
from stratlab.screening.rules import advice as rules
from stratlab.screening.source import StrategySource

LEAST_FUNCTIONS: Final = 3
LEAST_LINES: Final = 20
LONGEST_FUNCTION: Final = 80


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about the number of functions and lines."""
    functions = [node for node in source.nodes if is_function(node)]
    if len(functions) < LEAST_FUNCTIONS:
        yield rules.FEW_FUNCTIONS.at(count=len(functions), wanted=LEAST_FUNCTIONS)
    lines = {
        node.lineno
        for node in source.all(ast.stmt)
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) and not _is_text(node)
    }
    if len(lines) < LEAST_LINES:
        yield rules.FEW_LINES.at(count=len(lines), wanted=LEAST_LINES)
    for node in functions:
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > LONGEST_FUNCTION:
            yield rules.LONG_FUNCTION.at(node, name=node.name, count=count, limit=LONGEST_FUNCTION)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
