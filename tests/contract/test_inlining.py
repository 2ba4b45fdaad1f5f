"""What the compiler copies: exactly the definitions that generated source reads."""

import ast
import builtins

from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import LONGER, random_contract

from stratlab.contract import periods, semantics, streaming
from stratlab.contract.inlining import inline, names_used
from stratlab.contract.zipline_source import compile_to_zipline


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_names_in_strings_comments_and_attributes_are_not_used() -> None:
    source = (
        'def f(s):\n    """highest of all."""\n    # lowest\n    return s.change("rising", Ema)\n'
    )
    assert names_used(source) & {"highest", "lowest", "change", "rising", "Ema"} == {"Ema"}


def test_inline_brings_what_definitions_need_in_turn() -> None:
    found = inline(
        (semantics, streaming, periods), "class A:\n    x = Adx\n\n\ndef above():\n    pass"
    )
    text = "\n".join(found.definitions)
    for name in ("class Adx", "class Atr", "class Rma(Ema)", "class Sma", "class TrueRange"):
        assert name in text
    # What the source defines itself stays its own.
    assert "def above" not in text
    assert "def finite" not in text
    assert found.constants == ("NAN = math.nan",)


@given(st.integers(0, 10**6), st.sampled_from([(), LONGER]))
def test_compiled_source_defines_every_name_it_reads_and_no_other(
    seed: int, longer: tuple[str, ...]
) -> None:
    tree = ast.parse(compile_to_zipline(random_contract(seed, longer=longer)))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    own: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Assign):
            own |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    local = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    local |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    read = _names(tree) - local
    assert read <= own | imported | set(dir(builtins))
    called_by_zipline = {"initialize", "handle_data"}
    assert own - called_by_zipline - {"TICK", "EPSILON", "NAN"} <= _names(tree)
