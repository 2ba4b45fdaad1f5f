"""Layer 2, security: tests of the library bandit, run on the tree that is there already."""

import ast
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, final

from stratlab.domain.strategy import Finding
from stratlab.screening.names import Import, imported, is_function
from stratlab.screening.rule import Rule
from stratlab.screening.rules import bandit as rules
from stratlab.screening.source import StrategySource

_MODULES: Final = (
    "general_bad_file_permissions",
    "general_bind_all_interfaces",
    "general_hardcoded_password",
    "general_hardcoded_tmp",
    "injection_shell",
    "injection_sql",
    "trojansource",
    "try_except_continue",
    "try_except_pass",
)
_FILE: Final = "File"
_TEXT: Final = "Str"


@final
@dataclass(frozen=True, slots=True)
class _Library:
    # Its tests by the kind of node that they look at, and what they are handed.
    tests: Mapping[str, list[tuple[Rule, Callable[..., Any]]]]
    make_context: Callable[[Mapping[str, Any]], Any]
    call_name: Callable[[ast.Call, Mapping[str, str]], str]


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings of bandit's tests about the tree and the text."""
    library = _library()
    for child, parent in source.names.parents.items():
        vars(child)["_bandit_parent"] = parent
    aliases: dict[str, str] = {}
    for node in source.nodes:
        if isinstance(node, Import):
            aliases.update(imported(node))
    for node in source.nodes:
        kind = _TEXT if isinstance(node, ast.Constant) else type(node).__name__
        if kind in library.tests and (given := _given(source, node, library, aliases)):
            yield from _run(library, kind, {**given, "import_aliases": aliases})
    data = io.BytesIO(source.text.encode("utf-8", "replace"))
    yield from _run(library, _FILE, {"file_data": data, "lineno": 0, "col_offset": -1})


def warm_up() -> None:
    """Load the library, which takes longer than a source."""
    _library()


def _given(
    source: StrategySource, node: ast.AST, library: _Library, aliases: Mapping[str, str]
) -> dict[str, Any]:
    # What bandit's own visitor hands to its tests, without what it gathers for each node.
    given: dict[str, Any] = {
        "node": node,
        "lineno": getattr(node, "lineno", 0),
        "col_offset": getattr(node, "col_offset", -1),
        "linerange": [],
    }
    if isinstance(node, ast.Constant):
        is_text = isinstance(node.value, str) and not isinstance(source.parent(node), ast.Expr)
        return {**given, "str": node.value} if is_text else {}
    if isinstance(node, ast.Call):
        name = library.call_name(node, aliases)
        given |= {"call": node, "qualname": name, "name": name.split(".")[-1]}
    elif is_function(node):
        given |= {"function": node, "qualname": node.name, "name": node.name}
    return given


def _run(library: _Library, kind: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    for rule, test in library.tests.get(kind, ()):
        try:
            issue = test(library.make_context(given))
        except Exception:  # noqa: BLE001, S112 - as bandit does with a test that fails
            continue
        if issue is not None:
            yield rule.at_place(
                issue.lineno or given["lineno"], given["col_offset"] + 1, text=issue.text
            )


@lru_cache(maxsize=1)
def _library() -> _Library:
    with warnings.catch_warnings():
        # Of stevedore, about how bandit calls it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _load()


def _load() -> _Library:
    # Imported here: the controller itself never screens, and starts without it.
    tests: dict[str, list[tuple[Rule, Callable[..., Any]]]] = {}
    for name in _MODULES:
        module = import_module(f"bandit.plugins.{name}")
        for function in vars(module).values():
            marks = getattr(function, "__dict__", {})
            rule = rules.BY_TEST.get(marks.get("_test_id", ""))
            if rule is not None:
                test = _configured(module, function, marks.get("_takes_config"))
                for kind in marks["_checks"]:
                    tests.setdefault(kind, []).append((rule, test))
    context = import_module("bandit.core.context").Context
    return _Library(tests, context, import_module("bandit.core.utils").get_call_name)


def _configured(
    module: Any,  # noqa: ANN401 - of bandit, which has no types
    function: Callable[..., Any],
    section: str | None,
) -> Callable[..., Any]:
    if section is None:
        return function
    config = module.gen_config(section)
    return lambda context: function(context, config)
