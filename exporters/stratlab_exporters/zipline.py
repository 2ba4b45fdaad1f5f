"""Target ``zipline``: one file that runs the strategy under plain zipline, with our fills."""

import ast
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import final

from stratlab.domain.market import DAILY, CostModelKind
from stratlab.domain.strategy import Severity
from stratlab_exporters.base import Diagnostic, ExportRequest, ExportResult
from stratlab_runner.class_style import strategy_class

FILE_NAME = "best_strategy.py"

CODES: Mapping[str, str] = {
    "SOURCE_SYNTAX": "The source is no Python program.",
    "NO_INITIALIZE": "The source has neither a function initialize nor a strategy's class.",
    "NAME_TAKEN": "The source defines a name that the exported file needs.",
    "UNSUPPORTED_IMPORT": "The source imports a part of the runner that is not exported.",
    "BRACKETS_NEED_NEXT_OPEN": "The source uses the lab's brackets under zipline's own cost model.",
    "OWN_COSTS": "The source sets costs that the lab overrode.",
    "INTRADAY_BARS": "The strategy was found on bars inside a session.",
    "SHIFTED_CALENDAR": "Plain zipline shows daily bars of the calendar a session late.",
}

# Their sessions end at midnight, which zipline takes for the session before.
_SHIFTED = frozenset({"24/5", "24/7"})
_RUN_HERE = "Run the strategy with `stratlab backtest`."

_LAB = "_STRATLAB_LAB"
_CLASS_STYLE = "_stratlab_class_style"
_RESERVED = frozenset({"PARAMETERS", "SYMBOLS", "run", "main", "_stratlab_lab", _LAB, _CLASS_STYLE})
# Lines as Python counts them: other separators of Unicode end none.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# The one import of the lab that is no library: what it names stands above it in the same file.
_LAB_IMPORT = re.compile(
    r"^from stratlab_runner(?:\.bars import \([^)]*\)| import risk\b.*)\n", re.MULTILINE
)
_OPTIONAL = ("handle_data", "before_trading_start")

_HEADER = '''\
"""Strategy {strategy_id}, candidate {hash}, exported for plain zipline 3.2.

Run it on an ingested bundle: python {file} --bundle NAME --start 2010-01-04 --end 2012-12-31
"""
'''

_RUN = '''\
PARAMETERS = {parameters}
SYMBOLS = {symbols}


def run(bundle, start, end, capital={capital!r}):
    """Backtest the strategy and return zipline's performance frame.

    Args:
        bundle: Name of a bundle that was ingested before.
        start: First session, ISO date.
        end: Last session, ISO date.
        capital: Starting cash.
    """
    import pandas as pd
    from zipline import run_algorithm
{imports}    from zipline.data import bundles
    from zipline.utils.calendar_utils import get_calendar

    def prepare(context):
        {lab}.bind_context(context, PARAMETERS, SYMBOLS)
        initialize(context)
{costs}
    if bundle not in bundles.bundles:
        # It is read only; what made it may be registered in an extension that we do not run.
        bundles.register(bundle, lambda *args: None, calendar_name={calendar!r})
    return run_algorithm(
        start=pd.Timestamp(start),
        end=pd.Timestamp(end),
        initialize=prepare,
{functions}        capital_base=capital,
        data_frequency="daily",
        bundle=bundle,
        trading_calendar=get_calendar({calendar!r}),
        default_extension=False,
    )


def main():
    """Read the command line, run the backtest and print how it ended."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True, help="an ingested zipline bundle")
    parser.add_argument("--start", required=True, help="first session, YYYY-MM-DD")
    parser.add_argument("--end", required=True, help="last session, YYYY-MM-DD")
    parser.add_argument("--capital", type=float, default={capital!r}, help="starting cash")
    parser.add_argument("--output", help="write zipline's performance frame to this pickle file")
    options = parser.parse_args()
    performance = run(options.bundle, options.start, options.end, options.capital)
    if options.output:
        performance.to_pickle(options.output)
    fills = sum(map(len, performance["transactions"]))
    print(f"portfolio value {{performance['portfolio_value'].iloc[-1]:.2f}}, fills {{fills}}")


if __name__ == "__main__":
    main()
'''

_NEXT_OPEN = """\
        # Fills at the next open with these costs, whatever the strategy set.
        set_slippage(us_equities={lab}.NextOpenSlippage({slippage!r}, {volume_limit!r}))
        set_commission(us_equities=PerShare(cost={commission!r}, min_trade_cost=0.0))
"""

_NEXT_OPEN_IMPORTS = """\
    from zipline.api import set_commission, set_slippage
    from zipline.finance.commission import PerShare
"""


@final
class ZiplineExporter:
    """Implements the ``Exporter`` protocol for plain zipline, for contracts and for free code."""

    target = "zipline"
    codes = CODES

    def export(self, request: ExportRequest) -> ExportResult:
        """Return ``best_strategy.py``: the source, our fills and brackets, and a command line."""
        source = request.candidate.source
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problem = _error("SOURCE_SYNTAX", getattr(error, "lineno", 0) or 0, f"{error}")
            return ExportResult(self.target, {}, (problem,))
        diagnostics = tuple(_diagnose(tree, request))
        if any(item.severity is Severity.ERROR for item in diagnostics):
            return ExportResult(self.target, {}, diagnostics)
        return ExportResult(
            self.target, {FILE_NAME: _render(source, tree, request).encode()}, diagnostics
        )


def _diagnose(tree: ast.Module, request: ExportRequest) -> Iterator[Diagnostic]:
    yield from _diagnose_data(request)
    defined = dict(_top_level_names(tree))
    if "initialize" not in defined and strategy_class(tree) is None:
        yield _error("NO_INITIALIZE", 0, "there is no function initialize")
    for name in sorted(_RESERVED & set(defined)):
        yield _error("NAME_TAKEN", defined[name], f"the name {name} is used by the exported file")
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_runner(node):
            if _replacement(node) is None:
                yield _error("UNSUPPORTED_IMPORT", line, f"cannot export: {ast.unparse(node)}")
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            is_next_open = request.cost_model.kind is CostModelKind.NEXT_OPEN
            if name == "order_bracket" and not is_next_open:
                message = "brackets cannot be filled by zipline's own cost model"
                yield _error("BRACKETS_NEED_NEXT_OPEN", line, message)
            elif name in {"set_slippage", "set_commission"}:
                yield _own_costs(name, line, overridden=is_next_open)


def _diagnose_data(request: ExportRequest) -> Iterator[Diagnostic]:
    if request.timeframe != DAILY:
        message = f"the file runs on daily bars, not on bars of {request.timeframe}"
        yield _error("INTRADAY_BARS", 0, message, _RUN_HERE)
    elif request.calendar in _SHIFTED:
        message = f"plain zipline shows daily bars of {request.calendar} a session late"
        yield _error("SHIFTED_CALENDAR", 0, message, _RUN_HERE)


def _own_costs(name: str, line: int, *, overridden: bool) -> Diagnostic:
    effect = "is overridden here too" if overridden else "takes effect here"
    return Diagnostic(
        target=ZiplineExporter.target,
        code="OWN_COSTS",
        severity=Severity.WARNING,
        path=f"source:{line}",
        message=f"{name} had no effect in the lab and {effect}",
        hint="Remove the call.",
    )


def _error(
    code: str,
    line: int,
    message: str,
    hint: str = "Change the strategy's source and export it again.",
) -> Diagnostic:
    return Diagnostic(
        target=ZiplineExporter.target,
        code=code,
        severity=Severity.ERROR,
        path=f"source:{line}" if line else "",
        message=message,
        hint=hint,
    )


def _render(source: str, tree: ast.Module, request: ExportRequest) -> str:
    candidate, costs = request.candidate, request.cost_model
    is_next_open = costs.kind is CostModelKind.NEXT_OPEN
    defined = dict(_top_level_names(tree))
    written = None if "initialize" in defined else strategy_class(tree)
    header = _HEADER.format(
        strategy_id=json.dumps(candidate.strategy_id)[1:-1],
        hash=candidate.hash[:12],
        file=FILE_NAME,
    )
    future = [ast.unparse(node) for node in tree.body if _is_future(node)]
    parameters = dict(sorted((dict(candidate.parameters) | dict(request.parameters)).items()))
    run = _RUN.format(
        parameters=json.dumps(parameters, indent=4),
        symbols=repr(tuple(request.symbols)),
        capital=float(request.capital),
        imports=_NEXT_OPEN_IMPORTS if is_next_open else "",
        lab=_LAB,
        costs=_NEXT_OPEN.format(
            lab=_LAB,
            slippage=costs.slippage_bps,
            volume_limit=costs.volume_limit,
            commission=costs.commission_per_share,
        )
        if is_next_open
        else "",
        functions="".join(
            f"        {name}={name},\n"
            for name in _OPTIONAL
            if name in defined or (written is not None and name == "handle_data")
        ),
        calendar=request.calendar,
    )
    adapter = [] if written is None else [_class_adapter(written.name)]
    parts = [header, *future, _inlined_lab(), _own_source(source, tree), *adapter, run]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _inlined_lab() -> str:
    # As a function of its own: its names and the strategy's never meet.
    folder = files("stratlab_runner")
    bars, risk, lab = (
        folder.joinpath(f"{name}.py").read_text("utf-8") for name in ("bars", "risk", "lab")
    )
    body = textwrap.indent(
        f"{bars}\n\ndef _risk():\n{textwrap.indent(risk, '    ')}\n"
        "    from types import SimpleNamespace\n\n"
        "    return SimpleNamespace(**locals())\n\n\nrisk = _risk()\n\n"
        f"{_LAB_IMPORT.sub('', lab)}",
        "    ",
    )
    return (
        f"def _stratlab_lab():\n{body}\n"
        "    from types import SimpleNamespace\n\n"
        "    return SimpleNamespace(**locals())\n\n\n"
        f"{_LAB} = _stratlab_lab()\n"
    )


def _class_adapter(name: str) -> str:
    text = files("stratlab_runner").joinpath("class_style.py").read_text("utf-8")
    return (
        f"def {_CLASS_STYLE}():\n{textwrap.indent(text, '    ')}\n"
        "    return class_functions\n\n\n"
        f"initialize, handle_data = {_CLASS_STYLE}()({name})\n"
    )


def _own_source(source: str, tree: ast.Module) -> str:
    # Imports of the lab become assignments; future imports moved to the top of the file.
    lines = [line.encode() for line in _LINE.findall(source)]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    replaced = [node for node in imports if _is_future(node) or _is_runner(node)]
    # From the end, so that places before a change stay where they are.
    for node in sorted(replaced, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        text = "pass" if _is_future(node) else _replacement(node) or "pass"
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + text.encode() + tail]
    return b"".join(lines).decode()


def _replacement(node: ast.Import | ast.ImportFrom) -> str | None:
    match node:
        case ast.ImportFrom(module="stratlab_runner", names=names):
            if any(alias.name != "lab" for alias in names):
                return None
            return "; ".join(f"{alias.asname or alias.name} = {_LAB}" for alias in names)
        case ast.ImportFrom(module="stratlab_runner.lab", names=names):
            if any(alias.name == "*" for alias in names):
                return None
            return "; ".join(
                f"{alias.asname or alias.name} = {_LAB}.{alias.name}" for alias in names
            )
        case ast.Import(names=[ast.alias(name="stratlab_runner.lab", asname=str(name))]):
            return f"{name} = {_LAB}"
    return None


def _is_runner(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "stratlab_runner"
    return any(alias.name.split(".")[0] == "stratlab_runner" for alias in node.names)


def _is_future(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _top_level_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    yield (alias.asname or alias.name).split(".")[0], node.lineno
            case _:
                for part in ast.walk(node):
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                        yield part.id, part.lineno
