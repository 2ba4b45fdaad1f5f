"""The rule language: grammar, columns of errors, round trips and fuzzed text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.contract import nodes
from stratlab.contract.language import (
    MAX_NESTING,
    MAX_TEXT,
    MAX_TOKENS,
    RuleError,
    format_rule,
    parse_rule,
)

BAD = [
    ("", 1, "unexpected the end of the rule; expected a name"),
    ("close >", 8, "unexpected the end of the rule"),
    ("close > 1 and", 14, "unexpected the end of the rule"),
    ("a < b < c", 7, "comparisons do not chain"),
    ("a == b", 3, "there is no == or !="),
    ("a != b", 3, "there is no == or !="),
    ("close[1.5] > 2", 7, "expected a whole number"),
    ("(close > 1)[2]", 12, "only a series has an offset [n]"),
    ("5[1] > 2", 2, "only a series has an offset [n]"),
    ("a andb", 3, "unexpected 'andb'"),
    ("close > 1 or or", 14, "unexpected 'or'"),
    ("a\n< =b", 5, "unexpected '='"),
    ("f(1,", 5, "unexpected the end of the rule"),
    ("macd.line.x > 0", 10, "unexpected '.'"),
    ("close@0d > 1", 7, "unexpected '0'"),
    ("close > 1e13", 9, "a number may not exceed"),
    ("é > 1", 1, "unexpected 'é'"),
    ("__import__('os')", 12, 'unexpected "\'"'),
    ("close > 1; open > 2", 10, "unexpected ';'"),
    ("a > 3x", 6, ""),
]


@pytest.mark.parametrize(("text", "column", "message"), BAD)
def test_parse_bad_rule_names_column(text: str, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert str(caught.value).startswith(f"col {caught.value.column}: ")
    assert message in str(caught.value)
    if message:
        assert caught.value.column == column


def test_parse_precedence_follows_grammar() -> None:
    assert format_rule(parse_rule("a>1 or b>1 and not c>1 and d>1")) == (
        "a > 1 or b > 1 and not c > 1 and d > 1"
    )
    tree = parse_rule("a - b - c * 2 > -d[1]")
    assert isinstance(tree, nodes.Comparison)
    assert tree.left == nodes.Arithmetic(
        "-",
        nodes.Arithmetic("-", nodes.Reference("a"), nodes.Reference("b")),
        nodes.Arithmetic("*", nodes.Reference("c"), nodes.Number(2)),
    )
    assert tree.right == nodes.Negative(nodes.Reference("d", offset=1))


def test_format_keeps_only_needed_parentheses() -> None:
    text = "((close) - ((open - 1))) * (2) > (0) and ((a > 1 or (b > 1)))"
    assert format_rule(parse_rule(text)) == "(close - (open - 1)) * 2 > 0 and (a > 1 or b > 1)"


def test_parse_nested_deeper_than_cap_refused() -> None:
    fits = "(" * MAX_NESTING + "close" + ")" * MAX_NESTING + " > 1"
    assert format_rule(parse_rule(fits)) == "close > 1"
    for deep in ("(" + fits, "(" * 1000, "not " * 100 + "true", "-" * 200 + "close > 1"):
        with pytest.raises(RuleError, match="nested deeper"):
            parse_rule(deep)


def test_parse_long_rule_refused() -> None:
    with pytest.raises(RuleError, match=f"longer than {MAX_TEXT}"):
        parse_rule("close > 1 or " * 300 + "true")
    with pytest.raises(RuleError, match=f"more than {MAX_TOKENS} words"):
        parse_rule("a" + "+a" * MAX_TOKENS + ">1")


NAMES = st.sampled_from(["close", "fast", "andy", "nothing", "x1"])
NUMBERS = st.one_of(
    st.integers(0, 10**9).map(float),
    st.floats(0, 1e9, allow_nan=False).map(abs),
).map(nodes.Number)
REFERENCES = st.builds(
    nodes.Reference,
    NAMES,
    st.sampled_from(["", "line", "upper"]),
    st.sampled_from(["", "1w", "4h", "90m"]),
    st.integers(0, 500),
)


def _numeric(inner):
    return st.one_of(
        st.builds(nodes.Negative, inner),
        st.builds(nodes.Arithmetic, st.sampled_from("+-*/"), inner, inner),
        st.builds(nodes.Call, NAMES, st.lists(inner, max_size=3).map(tuple)),
    )


def _logical(inner):
    return st.one_of(
        st.builds(nodes.Not, inner),
        st.builds(
            nodes.Junction,
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3).map(tuple),
        ),
    )


NUMERIC = st.recursive(
    st.one_of(NUMBERS, REFERENCES, st.builds(nodes.Parameter, NAMES)), _numeric, max_leaves=8
)
CONDITIONS = st.recursive(
    st.one_of(
        st.builds(nodes.Truth, st.booleans()),
        st.builds(nodes.Comparison, st.sampled_from(["<", ">", "<=", ">="]), NUMERIC, NUMERIC),
    ),
    _logical,
    max_leaves=6,
)


@given(CONDITIONS)
def test_parse_formatted_tree_gives_equal_tree(tree: nodes.Expression) -> None:
    text = format_rule(tree)
    assert parse_rule(text) == tree
    assert format_rule(parse_rule(text)) == text


@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet="abc()[]<>=.,+-*/$@ 019not rising", max_size=120),
        st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")),
    )
)
def test_parse_any_text_gives_tree_or_rule_error(text: str) -> None:
    try:
        tree = parse_rule(text)
    except RuleError as error:
        column = error.column
    else:
        assert parse_rule(format_rule(tree)) == tree
        return
    assert 1 <= column <= len(text) + 1
