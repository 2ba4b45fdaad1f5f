"""Layer 2, security: what is imported, and what is reached through it."""

import ast
from collections.abc import Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.members import HARMLESS_PREFIX, Surface, member_rule, surface
from stratlab.screening.names import BUILTINS, Import, imported, literal_step
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource
from stratlab_runner import contract
from stratlab_runner.reading import allowed_module, refused_imports

# Everything public in them is harmless, and each says what is public.
STAR_MODULES: Final = frozenset(
    {"math", "statistics", "talib", "zipline.api", "zipline.pipeline", "zipline.finance.execution"}
    | {f"zipline.pipeline.{name}" for name in ("classifiers", "data", "factors", "filters")}
)
_SETTINGS: Final = ("pandas.options.", "warnings.formatwarning")


def check(source: StrategySource) -> Iterator[Finding]:
    """Yield findings about import statements and about names that start at a module."""
    known = surface()
    refused: set[str] = set()
    for node in source.nodes:
        if isinstance(node, Import):
            refused |= {name.removesuffix("*").rstrip(".") for _, name in refused_imports(node)}
            yield from _check_import(node, known)
    for node in source.nodes:
        if isinstance(node, ast.Name | ast.Attribute) or literal_step(node) is not None:
            around = source.parent(node)
            step = None if around is None else literal_step(around)
            if not isinstance(around, ast.Attribute) and (step is None or step[0] is not node):
                yield from _check_name(source, node, refused, known)


def _check_import(node: Import, known: Surface) -> Iterator[Finding]:
    refused = {alias for alias, _ in refused_imports(node)}
    for _, name in refused_imports(node):
        yield rules.IMPORT_NOT_ALLOWED.at(node, name=name)
    for alias, (_, origin) in zip(node.names, imported(node), strict=True):
        if alias in refused:
            continue
        if alias.name == "*":
            module = origin.removesuffix(".*")
            if module not in STAR_MODULES:
                yield rules.STAR_IMPORT.at(node, name=module)
            continue
        full = alias.name if isinstance(node, ast.Import) else origin
        yield from _check_origin(node, full, known)


def _check_name(
    source: StrategySource, node: ast.AST, refused: set[str], known: Surface
) -> Iterator[Finding]:
    for origin in sorted(source.names.origins(node)):
        if _is_below(origin, refused) or _is_below(origin, {BUILTINS}):
            continue
        found = list(_check_origin(node, origin, known))
        if not found and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            if _is_module(origin, known) and _is_value(node, source.parent(node)):
                found = [rules.MODULE_AS_VALUE.at(node, name=origin)]
        elif not found and isinstance(node, ast.Attribute) and not origin.startswith(_SETTINGS):
            found = [rules.GLOBAL_STATE.at(node, name=origin)]
        yield from found
        if found:
            return


def _is_below(origin: str, roots: set[str]) -> bool:
    return any(origin == root or origin.startswith(f"{root}.") for root in roots)


def _is_module(origin: str, known: Surface) -> bool:
    root = allowed_module(origin)
    if root is None:
        # Half of the name of one: `zipline` where zipline.api was imported.
        return any(name.startswith(f"{origin}.") for name in contract.ALLOWED_MODULES)
    *_, (place, _) = [(root, None), *known.walk(root, _rest(origin, root))]
    return place == root or place in known.modules


def _is_value(node: ast.AST, around: ast.AST | None) -> bool:
    match around:
        case ast.Expr() | ast.If() | ast.While() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return False
        case ast.IfExp(test=test):
            return test is not node
        case ast.Compare(comparators=[ast.Constant(value=None)]):
            return False
        case ast.Call(func=ast.Name(id="hasattr"), args=[first, *_]):
            return first is not node
        case _:
            return True


def _check_origin(node: ast.AST, origin: str, known: Surface) -> Iterator[Finding]:
    root = allowed_module(origin)
    if root is None:
        yield from _check_outside(node, origin)
        return
    names = contract.NAMES_OF.get(root)
    rest = _rest(origin, root)
    if names is not None:
        if rest and rest[0] not in names:
            yield _not_among(node, origin, root)
        return
    places = [root]
    for part, (place, foreign) in zip(rest, known.walk(root, rest), strict=False):
        if part.startswith("_") and not part.endswith("__"):
            yield rules.PRIVATE_MODULE.at(node, name=origin)
            return
        if foreign is not None:
            yield rules.MODULE_REACH.at(node, name=origin, module=foreign)
            return
        places.append(place)
    is_harmless = bool(rest) and rest[-1].startswith(HARMLESS_PREFIX)
    rule = None if is_harmless else next(filter(None, map(member_rule, (*places, origin))), None)
    if rule is not None:
        yield rule.at(node, name=origin, reason=f"{origin} reads attributes that a text names")


def _check_outside(node: ast.AST, origin: str) -> Iterator[Finding]:
    # Below a package of which only parts may be imported: `zipline.data` after zipline.api was.
    package, _, _ = origin.partition(".")
    partly = {name for name in contract.ALLOWED_MODULES if name.startswith(f"{package}.")}
    if not partly or origin == package or any(name.startswith(f"{origin}.") for name in partly):
        return
    if package == contract.LAB_MODULE.partition(".")[0]:
        yield rules.FORBIDDEN_NAME.at(node, name=origin)
    else:
        yield rules.MODULE_REACH.at(node, name=origin, module=origin)


def _not_among(node: ast.AST, origin: str, root: str) -> Finding:
    if root == contract.LAB_MODULE:
        return rules.FORBIDDEN_NAME.at(node, name=origin)
    return rules.WATCHED_MODULE.at(node, name=origin, module=root)


def _rest(origin: str, root: str) -> list[str]:
    return origin.removeprefix(root).split(".")[1:]
