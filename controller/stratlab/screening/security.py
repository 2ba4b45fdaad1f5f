"""Layer 2, security: names that no honest strategy needs."""

import ast
from collections.abc import Iterator

from stratlab.domain.strategy import Finding, Severity
from stratlab_runner import contract
from stratlab_runner.reading import refused_imports

LAYER = "security"

FORBIDDEN_CALLS = frozenset(
    {"eval", "exec", "compile", "open", "input", "breakpoint", "globals", "vars"}
)
FORBIDDEN_NAMES = frozenset({"get_algo_instance", "data_portal", "__builtins__", "__loader__"})
DYNAMIC_ATTRIBUTE_CALLS = frozenset({"getattr", "setattr", "delattr"})
OWN_COST_CALLS = frozenset({"set_slippage", "set_commission"})
_HARMLESS_DUNDERS = frozenset({"__name__", "__init__", "__doc__", "__future__"})


def check_tree(tree: ast.Module) -> list[Finding]:
    """Return findings about imports, calls and attributes, in the order of the source."""
    findings = [finding for node in ast.walk(tree) for finding in _check(node)]
    return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.rule))


def _check(node: ast.AST) -> Iterator[Finding]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from _check_import(node)
        case ast.Call(func=ast.Name(id=name)):
            yield from _check_call(node, name)
        case ast.Call(func=ast.Attribute(attr=name)) if name in OWN_COST_CALLS:
            yield _own_costs(node, name)
        case ast.Attribute(value=ast.Name(id="stratlab_runner"), attr=name) if name != "lab":
            message = f"stratlab_runner.{name} is no part of the lab"
            yield _error(node, "forbidden_name", message, f"Use only {contract.LAB_MODULE}.")
        case ast.Name(id=name) if name in FORBIDDEN_NAMES:
            yield _error(node, "forbidden_name", f"{name} reaches behind the lab", "Remove it.")
        case ast.Attribute(attr=name) if name in FORBIDDEN_NAMES:
            yield _error(node, "forbidden_name", f"{name} reaches behind the lab", "Remove it.")
        case ast.Attribute(attr=name) if _is_dunder(name):
            yield _error(
                node,
                "dunder_access",
                f"{name} is an attribute of Python's own machinery",
                "Use ordinary attributes only.",
            )
        case ast.Name(id=name) if _is_dunder(name):
            yield _error(node, "dunder_access", f"{name} is Python's own", "Remove it.")
        case _:
            return


def _check_import(node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    for _, name in refused_imports(node):
        yield _error(
            node,
            "import_not_allowed",
            f"{name} may not be imported",
            f"Use only {', '.join(sorted(contract.ALLOWED_MODULES))}.",
        )


def _check_call(node: ast.Call, name: str) -> Iterator[Finding]:
    if name in FORBIDDEN_CALLS:
        yield _error(
            node, "forbidden_call", f"{name}() may not be called", "Write the logic out instead."
        )
    elif name in DYNAMIC_ATTRIBUTE_CALLS:
        attribute = node.args[1] if len(node.args) > 1 else None
        if not (isinstance(attribute, ast.Constant) and isinstance(attribute.value, str)):
            yield _error(
                node,
                "dynamic_attribute",
                f"{name}() with a computed name hides what is used",
                "Name the attribute directly.",
            )
        elif _is_dunder(attribute.value) or attribute.value in FORBIDDEN_NAMES:
            yield _error(
                node,
                "dunder_access",
                f"{attribute.value} is not for strategies",
                "Remove it.",
            )
    elif name in OWN_COST_CALLS:
        yield _own_costs(node, name)


def _own_costs(node: ast.AST, name: str) -> Finding:
    return Finding(
        LAYER,
        "own_costs",
        Severity.WARNING,
        getattr(node, "lineno", 0),
        getattr(node, "col_offset", -1) + 1,
        f"{name} has no effect: the campaign's cost model is imposed",
        "Remove the call.",
    )


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in _HARMLESS_DUNDERS


def _error(node: ast.AST, rule: str, message: str, hint: str) -> Finding:
    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1
    return Finding(LAYER, rule, Severity.ERROR, line, column, message, hint)
