"""Layer 1, static: can this text be a strategy at all?"""

import ast
from collections.abc import Iterable

from stratlab.domain.strategy import Finding, Severity
from stratlab_runner import contract

LAYER = "static"
MAX_NESTING = 40


def check_text(source: str) -> list[Finding]:
    """Return findings about the text itself: size, NUL bytes, syntax."""
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > contract.MAX_SOURCE_BYTES:
        return [
            _error(
                "source_too_large",
                f"the source has {size} bytes, the limit is {contract.MAX_SOURCE_BYTES}",
                "Keep data out of the source.",
            )
        ]
    if "\0" in source:
        return [_error("nul_byte", "the source contains a NUL byte", "Send plain text.")]
    try:
        ast.parse(source)
    except SyntaxError as error:
        return [
            _error(
                "syntax",
                f"{error.msg}",
                "Correct the syntax at this place.",
                error.lineno or 0,
                error.offset or 0,
            )
        ]
    except (ValueError, RecursionError, MemoryError):
        return [_error("unparsable", "the source cannot be parsed", "Nest less deeply.")]
    return []


def check_left_out(imports: Iterable[tuple[int, str]]) -> list[Finding]:
    """Return a warning for each import that is not made; see :mod:`stratlab_runner.reading`."""
    return [
        Finding(
            LAYER,
            "import_left_out",
            Severity.WARNING,
            line,
            0,
            f"{name} is not imported: strategies may not, and nothing that runs needs it",
            "Remove the import.",
        )
        for line, name in imports
    ]


def check_tree(tree: ast.Module) -> list[Finding]:
    """Return findings about the structure: nesting and entry points."""
    findings = []
    deepest = _nesting(tree)
    if deepest > MAX_NESTING:
        findings.append(
            _error(
                "nesting",
                f"blocks and expressions are nested {deepest} deep, the limit is {MAX_NESTING}",
                "Split the code into functions.",
            )
        )
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    findings.extend(
        _error(
            "entry_point",
            f"there is no function {name}",
            f"Define {name} at the top level, as zipline expects it.",
        )
        for name in contract.REQUIRED_FUNCTIONS
        if name not in functions
    )
    return findings


def _nesting(tree: ast.AST) -> int:
    # An explicit stack: the tree of a hostile source may be deeper than Python's own.
    deepest, stack = 0, [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _error(rule: str, message: str, hint: str, line: int = 0, column: int = 0) -> Finding:
    return Finding(LAYER, rule, Severity.ERROR, line, column, message, hint)
