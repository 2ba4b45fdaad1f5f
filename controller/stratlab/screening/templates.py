"""Layer 2, security: texts that ``str.format`` reads attributes by."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Final

from stratlab.domain.strategy import Finding
from stratlab.screening.folding import UNKNOWN, fold, fold_text
from stratlab.screening.members import ATTRIBUTES
from stratlab.screening.rules import security as rules
from stratlab.screening.source import StrategySource

_FIELD: Final = re.compile(r"\{[^{}:!]*")
_STEP: Final = re.compile(r"[.\[](\w+)")


def check_template(
    source: StrategySource, node: ast.Attribute, around: ast.AST | None
) -> Iterator[Finding]:
    """Yield findings about one use of ``.format`` or ``.format_map``.

    Args:
        source: What is judged.
        node: The attribute.
        around: What contains it.
    """
    template: ast.expr = node.value
    if "builtins.str" in source.names.origins(template):
        if not (isinstance(around, ast.Call) and around.func is node and around.args):
            yield rules.FORMAT_ATTRIBUTE.at(node, reason="str.format is used without its text")
            return
        template = around.args[0]
    texts = _texts(source, template)
    if texts is None:
        yield rules.FORMAT_ATTRIBUTE.at(node, reason="the text that is formatted is computed")
        return
    for text in texts:
        steps = [step for part in _FIELD.findall(text) for step in _STEP.findall(part)]
        for step in steps:
            if step.startswith("_") or step in ATTRIBUTES:
                reason = f"the text that is formatted reads the attribute {step}"
                yield rules.FORMAT_ATTRIBUTE.at(node, reason=reason)
                return


def _texts(source: StrategySource, template: ast.expr) -> list[str] | None:
    # All texts that a template may be; None when it is computed, nothing when it is no text.
    if (text := fold_text(template)) is not None:
        return [text]
    match template:
        case ast.Name(id=name):
            values = _assigned(
                source, lambda target: isinstance(target, ast.Name) and target.id == name
            )
        case ast.Attribute(attr=name):
            values = _assigned(
                source, lambda target: isinstance(target, ast.Attribute) and target.attr == name
            )
            if not values:
                return []  # an attribute of somebody else's object: DataFrame.style
        case ast.Subscript(value=of):
            return _texts(source, of)
        case _:
            return None
    found: list[str] = []
    for value in values:
        for part in parts_of(value):
            text = fold_text(part)
            if text is None and fold(part) is UNKNOWN:
                return None
            found.append(text or "")
    return found or None


def _assigned(source: StrategySource, is_it: Callable[[ast.expr], bool]) -> list[ast.expr]:
    values: list[ast.expr] = []
    for node in source.nodes:
        match node:
            case ast.Assign(targets=targets, value=value) if any(map(is_it, targets)):
                values.append(value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if is_it(target):
                values.append(value)
            case ast.AugAssign(target=target) if is_it(target):
                values.append(target)  # computed
            case _:
                pass
    return values


def parts_of(node: ast.expr) -> list[ast.expr]:
    """Return what a list, tuple, set or dictionary holds; of anything else, itself."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return elements
        case ast.Dict(values=values):
            return [part for value in values for part in parts_of(value)]
        case _:
            return [node]
