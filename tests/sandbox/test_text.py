"""Text from a container cannot move a cursor, hide itself or grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.sandbox.text import clean_text


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b", "a\\x00b"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u202eevil", "\\u202eevil"),
        ("\r\x08", "\\r\\x08"),
        ("\udc80", "\\udc80"),
        ("Grüße", "Grüße"),
    ],
)
def test_unprintable_characters_are_escaped(dirty: str | bytes, clean: str) -> None:
    assert clean_text(dirty, 100) == clean


def test_long_text_is_cut_with_a_marker_at_either_end() -> None:
    assert clean_text("abcdef", 4) == "abcd [2 characters cut]"
    assert clean_text("abcdef", 4, keep="tail") == "[2 characters cut] cdef"


@given(st.one_of(st.text(), st.binary(max_size=2000)), st.integers(1, 50))
def test_any_text_comes_out_printable_and_bounded(value: str | bytes, limit: int) -> None:
    cleaned = clean_text(value, limit)
    assert all(c.isprintable() or c in "\n\t" for c in cleaned)
    assert len(cleaned) <= 4 * limit + 60
    cleaned.encode("utf-8")
