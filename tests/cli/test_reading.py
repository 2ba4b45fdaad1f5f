"""Numbers, pairs, lists and days are read strictly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.cli.output import clean
from stratlab.cli.reading import parse_list, parse_number, parse_pairs, parse_parameters
from stratlab.domain.errors import InvalidParametersError


@given(number=st.integers(-(10**18) + 1, 10**18 - 1))
def test_integer_keeps_its_kind_and_value(number: int) -> None:
    parsed = parse_number(str(number))
    assert parsed == number
    assert type(parsed) is int


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_keeps_its_value(number: float) -> None:
    parsed = parse_number(repr(number))
    assert parsed == number
    assert type(parsed) is float


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "0x1",
        "1_0",
        "1,0",
        "one",
        "--1",
        "1e",
        ".",
        "\u0661",
    ],
)
def test_anything_else_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@given(text=st.text(max_size=30))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    parsed = parse_number(text)
    assert parsed is None or math.isfinite(parsed)


@given(
    pairs=st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.integers(0, 99)
    )
)
def test_pairs_in_one_text_or_many_are_the_same(pairs: dict[str, int]) -> None:
    texts = [f"{name}={value}" for name, value in pairs.items()]
    assert parse_parameters(texts, "--params") == pairs
    assert parse_parameters([",".join(texts)], "--params") == pairs
    assert parse_parameters([" ".join(texts)], "--params") == pairs


def test_off_is_none_for_bounds_and_refused_for_parameters() -> None:
    assert parse_pairs(["a=off", "b=1"], "--gate") == {"a": None, "b": 1}
    with pytest.raises(InvalidParametersError, match="a is not a number"):
        parse_parameters(["a=off"], "--params")


@given(texts=st.lists(st.text(max_size=10), max_size=4))
def test_list_parts_hold_no_separators(texts: list[str]) -> None:
    parts = parse_list(texts)
    assert all(part and "," not in part and " " not in part for part in parts)


@given(text=st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    assert all(character.isprintable() for character in clean(text))


def test_escape_sequences_cannot_steer_a_terminal() -> None:
    assert clean("\x1b[2Jx\ny") == "\\x1b[2Jx y"
