"""Plain words: every part of a contract is told, and every rule can be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.random_contracts import LONGER, random_contract
from tests.contract.samples import sample_fields

from stratlab.contract.document import load_contract
from stratlab.contract.explanation import explain, rule_in_words

RISEN = (
    "close of the last completed week has risen 3 times in a row"
    " and it is not so that (volume is above 0 or always)"
)
SPREAD = (
    "the highest high of the last $n bars minus the lowest low of the last 20 bars"
    " is above minus (2 plus open of the last completed 3 months 1 bar ago)"
)
MOVED = (
    "the absolute value of the change of close over 1 bar"
    " is at or above the greatest of 1, open divided by 2"
)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("crosses_above(fast, slow)", "fast crosses above slow"),
        ("close <= entry_price * 0.9", "close is at or below the entry price times 0.9"),
        ("rising(close@1w, 3) and not (volume > 0 or true)", RISEN),
        ("falling(macd.hist[2], 1)", "macd.hist 2 bars ago has fallen 1 time in a row"),
        ("highest(high, $n) - lowest(low, 20) > -(2 + open@3M[1])", SPREAD),
        ("abs(change(close, 1)) >= max(1, open) / 2", MOVED),
        ("bars_held > 3", "the number of bars since the entry is above 3"),
    ],
)
def test_rule_in_words_says_what_it_means(rule: str, words: str) -> None:
    assert rule_in_words(rule) == words


def test_explain_sample_tells_everything() -> None:
    fields = sample_fields()
    fields["indicators"][1]["timeframe"] = "1w"
    parts = explain(load_contract(fields))
    assert list(parts) == [
        *("Strategy", "Indicators", "Entries", "Exits", "Size"),
        *("Parameters", "Warm-up", "Execution", "Gates"),
    ]
    text = "\n".join(line for lines in parts.values() for line in lines)
    for told in (
        "sample 1.2.3 trades AAPL, MSFT, on bars of 1d.",
        "fast: exponential moving average (ema) of the close of completed bars of 1w, length 5.",
        "gives line, signal, hist",
        "open a short position when macd.hist is below 0 and fast is below slow",
        "Note: a, b",
        "Stop at $mult times atr against the position",
        "Take the profit at 5 % of the close",
        "a profit of 150 ticks of 0.01, the stop moves to the fill price plus 2 ticks",
        "The stop follows each close at 4.5 % of the close",
        "the stop loses 1 % of the symbol's share of the account, in steps of 10",
        "$slow: 20; a search tries 10 to 60 in steps of 5.",
        "$mult: fixed at 3.",
        "first 20 bars",
        "before 5 bars of 1w have ended",
        "max_drawdown: 0.3.",
    ):
        assert told in text


@given(st.integers(0, 10**6))
def test_explain_random_contract_names_every_indicator_rule_and_parameter(seed: int) -> None:
    contract = random_contract(seed, longer=LONGER)
    parts = explain(contract)
    assert len(parts["Indicators"] if contract.indicators else []) == len(contract.indicators)
    rules = [*contract.entry_rules, *contract.exit_rules]
    told = [*parts["Entries"], *parts["Exits"]]
    assert all(any(line.startswith(f"{rule.id}: ") for line in told) for rule in rules)
    for name in contract.optimization_space:
        assert any(line.startswith(f"${name}: ") for line in parts["Parameters"])
