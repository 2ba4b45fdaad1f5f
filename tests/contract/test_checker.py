"""Type checks: what is allowed where, and the column of what is not."""

import pytest

from stratlab.contract import nodes
from stratlab.contract.checker import Kind, ParameterRange, Scope, check_rule, kind_of
from stratlab.contract.language import RuleError, parse_rule

SERIES = dict.fromkeys(("open", "high", "low", "close", "volume", "fast", "slow", "trend"), ())
SERIES |= {"macd": ("line", "signal", "hist")}
PARAMETERS = {
    "level": ParameterRange(whole=False, min=0, max=100),
    "bars": ParameterRange(whole=True, min=2, max=50),
    "far": ParameterRange(whole=True, min=2, max=900),
}
LONGER = {"trend": "1w"}
ENTRY = Scope(SERIES, PARAMETERS, longer=LONGER)
EXIT = Scope(SERIES, PARAMETERS, position=True, longer=LONGER)

KNOWN = "close, fast, high, low, macd, open, slow, trend, volume"

GOOD = [
    "close > 1",
    "crosses_above(fast, slow)",
    "crosses_below(macd.line, 0) and not rising(close, 3)",
    "highest(close - open, $bars) / close[500] < $level",
    "change(change(close, 1), 2) >= max(open, 1, $level)",
    "abs(-close) <= min(fast, slow) or true",
    "1 > 2",
    "close@1w[3] > macd.line@3M and rising(fast@2d, 2) and trend > 0",
]
GOOD_IN_EXITS = [
    "bars_held >= $bars",
    "close < entry_price * 0.9",
    "crosses_below(close, entry_price - 1)",
]
BAD = [
    ("foo > 1", 1, f"unknown series 'foo'; known: {KNOWN}"),
    ("close > 1 and bar(close) > 2", 15, "unknown function 'bar'; known: abs, change, "),
    ("close > $x", 9, "unknown parameter '$x'; known: $bars, $far, $level"),
    ("macd > 0", 1, "choose one of: macd.line, macd.signal, macd.hist"),
    ("macd.foo > 0", 1, "choose one of: macd.line"),
    ("close.line > 0", 1, "'close' has one value and no output 'line'"),
    ("close > rising", 9, "'rising' is a function: write rising(...)"),
    ("close + 1", 7, "a rule is a condition, this is a series"),
    ("$level", 1, "a rule is a condition, this is a number"),
    ("close > (open > 1)", 15, "'>' needs numbers, this is a condition"),
    ("true + 1 > 2", 1, "'+' needs numbers, this is a condition"),
    ("-(close > 1) > 2", 9, "'-' needs numbers"),
    ("close and true", 1, "'and' joins conditions, this is a series"),
    ("true or 1", 9, "'or' joins conditions, this is a number"),
    ("not close", 5, "'not' joins conditions"),
    ("close@1d > 1", 1, "close@1d: 1d is the strategy's own timeframe, leave it out"),
    ("fast@4h > 1", 1, "fast@4h: bars of 1d make no bars of 4h: it must be a multiple"),
    ("close > trend@1M", 9, "'trend' is an indicator on bars of 1w already"),
    ("macd@1w > 1", 1, "choose one of: macd.line, macd.signal, macd.hist"),
    ("nope@1w > 1", 1, "unknown series 'nope'"),
    ("close[501] > 1", 1, "an offset may not exceed 500 bars"),
    ("rising(close)", 1, "rising takes 2 arguments, found 1"),
    ("abs(1, 2) > 1", 1, "abs takes 1 arguments, found 2"),
    ("max(1) > 1", 1, "max takes 2 to 8 arguments, found 1"),
    ("highest() > 1", 1, "highest takes 2 arguments, found 0"),
    ("rising(3, 2)", 8, "rising needs a series, this is a number"),
    ("crosses_above(1, $level)", 15, "crosses_above needs a series, both are numbers"),
    ("rising(close, 0)", 15, "rising needs a whole number of bars from 1 to 500"),
    ("rising(close, 2.5)", 15, "rising needs a whole number of bars from 1 to 500"),
    ("highest(close, 501) > 1", 16, "highest needs a whole number of bars"),
    ("highest(close, $level) > 1", 16, "highest needs a whole number of bars"),
    ("highest(close, $far) > 1", 16, "highest needs a whole number of bars"),
    ("highest(close, open) > 1", 16, "highest needs a whole number of bars"),
    ("bars_held > 3", 1, "'bars_held' exists in exit rules only"),
    ("close > entry_price", 9, "'entry_price' exists in exit rules only"),
]
BAD_IN_EXITS = [
    ("bars_held[1] > 3", 1, "has no outputs, offsets and timeframes"),
    ("rising(close - entry_price, 2)", 16, "rising looks back, but 'entry_price' has no past"),
    ("crosses_above(close - entry_price, 0)", 23, "'entry_price' has no past"),
    ("change(bars_held, 1) > 0", 8, "change needs a series"),
    ("foo > 1", 1, "bars_held, close, entry_price, fast"),
    ("bars_held@1w > 3", 1, "has no outputs, offsets and timeframes"),
]


@pytest.mark.parametrize("text", GOOD)
def test_check_good_rule_is_condition(text: str) -> None:
    assert kind_of(check_rule(text, ENTRY), ENTRY) is Kind.CONDITION


@pytest.mark.parametrize("text", GOOD_IN_EXITS)
def test_check_position_state_allowed_in_exit_rules_only(text: str) -> None:
    check_rule(text, EXIT)
    with pytest.raises(RuleError, match="exists in exit rules only"):
        check_rule(text, ENTRY)


@pytest.mark.parametrize(("text", "column", "message"), BAD)
def test_check_bad_rule_names_column(text: str, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_rule(text, ENTRY)
    assert str(caught.value).startswith(f"col {column}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "column", "message"), BAD_IN_EXITS)
def test_check_bad_exit_rule_names_column(text: str, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_rule(text, EXIT)
    assert str(caught.value).startswith(f"col {column}: ")
    assert message in str(caught.value)


def test_kind_number_broadcasts_to_series() -> None:
    def kind(text: str) -> Kind:
        return kind_of(parse_rule(text), EXIT)

    assert kind("2 * $level + entry_price") is Kind.NUMBER
    assert kind("2 * close") is Kind.SERIES
    assert kind("max(1, 2)") is Kind.NUMBER
    assert kind("max(1, close)") is Kind.SERIES


def test_walk_visits_in_reading_order() -> None:
    tree = parse_rule("a > b and f(c, d)")
    names = [node.name for node in nodes.walk(tree) if isinstance(node, nodes.Reference)]
    assert names == ["a", "b", "c", "d"]
