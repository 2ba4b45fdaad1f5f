"""Layer 2, security: text that somebody else runs as code."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import fold_text
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource

_FORMULA_FUNCTIONS: Final = frozenset(
    {"C", "I", "Q", "abs", "bs", "center", "cr", "exp", "log", "np.abs", "np.exp", "np.log"}
    | {"np.log1p", "np.sign", "np.sqrt", "scale", "sqrt", "standardize"}
)
_CALLED: Final = re.compile(r"([\w.]+)\s*\(")
_PLAIN_FORMULA: Final = re.compile(r"[\w\s~+\-*/:.,()^|'\"]*")


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about annotations and formulas that call something."""
    for node in source.nodes:
        match node:
            case ast.arg(annotation=ast.Constant(value=str(text)) as place):
                yield from _check_annotation(place, text)
            case ast.AnnAssign(annotation=ast.Constant(value=str(text)) as place):
                yield from _check_annotation(place, text)
            case ast.FunctionDef(returns=ast.Constant(value=str(text)) as place):
                yield from _check_annotation(place, text)
            case ast.Call() if _takes_formula(source, node):
                yield from _check_formula(node)
            case _:
                pass


def _check_annotation(place: ast.expr, text: str) -> Iterator[Finding]:
    # typing.get_type_hints and functools.singledispatch run it.
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if any(isinstance(node, ast.Call | ast.Lambda | ast.NamedExpr) for node in ast.walk(tree)):
        yield rules.CODE_IN_TEXT.at(place, name="an annotation that calls something")


def _takes_formula(source: StrategySource, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "from_formula":
        return True
    return any(
        origin.startswith("statsmodels.formula.") for origin in source.names.origins(call.func)
    )


def _check_formula(call: ast.Call) -> Iterator[Finding]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "formula"]
    for formula in given or call.args[:1]:
        text = fold_text(formula)
        if text is None:
            yield rules.CODE_IN_TEXT.at(call, name="a formula that is computed")
        elif not _PLAIN_FORMULA.fullmatch(text) or set(_CALLED.findall(text)) - _FORMULA_FUNCTIONS:
            yield rules.CODE_IN_TEXT.at(call, name="a formula that calls something")
