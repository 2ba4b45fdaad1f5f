"""What is stored returns equal, to the last bit."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.samples import START, a_campaign, a_result, an_iteration

from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.errors import IntegrityError
from stratlab.domain.trial import TrialResult
from stratlab.store.encoding import decode, encode, from_microseconds, to_microseconds

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    "value", [a_campaign(), an_iteration(), a_result()], ids=lambda value: type(value).__name__
)
def test_value_returns_equal(value):
    assert decode(type(value), encode(value)) == value


@given(number=FINITE, parameter=st.one_of(FINITE, st.integers(-(2**63), 2**63)), text=TEXT)
def test_numbers_and_text_return_bit_for_bit(number, parameter, text):
    spec = replace(a_result().spec, parameters={"x": parameter, text: number})
    result = replace(a_result(), spec=spec, max_leverage=number, output_tail=text)
    back = decode(TrialResult, encode(result))
    assert back == result
    assert repr(back.max_leverage) == repr(number)  # tells -0.0 from 0.0
    assert type(back.spec.parameters["x"]) is type(result.spec.parameters["x"])


@given(moment=MOMENTS)
def test_times_return_to_the_microsecond(moment):
    campaign = replace(a_campaign(), updated_at=moment)
    assert decode(Campaign, encode(campaign)).updated_at.isoformat() == moment.isoformat()
    assert from_microseconds(to_microseconds(moment)) == moment


def test_equal_values_have_equal_text():
    one = replace(a_result().spec, parameters={"a": 1, "b": 2})
    other = replace(a_result().spec, parameters={"b": 2, "a": 1})
    assert encode(one) == encode(other)


def test_document_of_an_older_version_gets_the_defaults_of_new_fields():
    old = encode(an_iteration()).replace('"failure":"",', "")
    assert '"failure"' not in old
    assert decode(Iteration, old) == an_iteration()


@pytest.mark.parametrize("text", ["", "{}", "null", "[1", '{"id": 5}'])
def test_document_that_was_not_written_by_us_is_an_integrity_error(text):
    with pytest.raises(IntegrityError, match="Campaign"):
        decode(Campaign, text)


def test_time_of_before_the_epoch_is_exact():
    assert to_microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)) == -1
    assert from_microseconds(to_microseconds(START)) == START
