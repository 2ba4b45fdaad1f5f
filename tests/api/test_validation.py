"""What callers send is checked field by field; nothing wrong gets into the domain."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.fake_lab import FakeMarketData

from stratlab.api.convert.spec import spec_fields, spec_to_proto
from stratlab.api.validation import parse_spec, with_server_defaults
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.strategy import GeneratorKind
from stratlab_proto.v1 import campaign_service_pb2 as pb

numbers = st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=5), st.booleans())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"capital": -1}, "capital"),
        ({"capital": math.nan}, "capital"),
        ({"capital": math.inf}, "capital"),
        ({"markets": [[]]}, "markets"),
        ({"markets": [["A", "A"]]}, "markets"),
        ({"markets": [["../etc"]]}, "markets.0.0"),
        ({"generator": "oracle"}, "generator"),
        ({"generator": 99}, "generator"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**40}, "seed"),
        ({"data_set": "../x"}, "data_set"),
        ({"timeframes": ["", "1h"]}, "timeframes.0"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"parameter_points": 0}, "parameter_points"),
        ({"parameter_space": {"a": (5, 1, 1)}}, "parameter_space"),
        ({"parameter_space": {"a": (1, 5, 0)}}, "parameter_space"),
        ({"parameter_space": {"a": (1, 5, math.nan)}}, "parameter_space.a.2"),
        ({"gates": {"max_drawdown": -0.2}}, "gates.max_drawdown"),
        ({"gates": {"sharpe": 1}}, "gates.sharpe"),
        ({"stop_rules": {"max_iterations": 0}}, "stop_rules.max_iterations"),
        ({"stop_rules": {"max_iterations": None, "max_wall_seconds": None}}, "stop_rules"),
        ({"cost_model": {"slippage_bps": math.nan}}, "cost_model.slippage_bps"),
        ({"limits": {"memory_mib": 1}}, "limits.memory_mib"),
        ({"limits": {"max_leverage": 0}}, "limits.max_leverage"),
        ({"runtime": "--privileged"}, "runtime"),
        ({"engine": "slow"}, "engine"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_field_is_named(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(fields)
    assert caught.value.message.startswith(f"{named}: ")
    assert caught.value.data["field"] == named
    assert len(caught.value.message) < 2000


def test_every_wrong_field_is_listed() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec({"capital": 0, "seed": -1, "colour": "red"})
    assert {part.split(":")[0] for part in caught.value.message.split("; ")} == {
        "capital",
        "seed",
        "colour",
    }


def test_none_switches_gates_and_rules_off() -> None:
    spec = parse_spec({"gates": {"max_turnover": None}, "stop_rules": {"max_iterations": None}})
    assert spec.gates.max_turnover is None
    assert spec.gates.max_drawdown == 0.5
    assert spec.stop_rules.max_iterations is None


@pytest.mark.parametrize("asked", ["", "auto", "template"])
def test_generator_that_is_left_to_the_server_is_what_the_server_says(asked: str) -> None:
    spec = parse_spec({"generator": asked} if asked else {})
    message = spec_to_proto(spec)
    assert (message.generator == pb.GENERATOR_KIND_UNSPECIFIED) is (asked != "template")
    arrived = parse_spec(spec_fields(message))
    assert arrived == spec
    for default in (GeneratorKind.HYBRID, GeneratorKind.FACTOR_GRAPH):
        filled = with_server_defaults(arrived, FakeMarketData().get("us-daily"), "runc", default)
        assert filled.generator == (asked if asked == "template" else default)


@given(
    bounds=st.dictionaries(
        st.sampled_from(
            ["max_drawdown", "min_sharpe_ratio", "max_oos_degradation", "max_turnover"]
        ),
        st.one_of(st.none(), st.floats(min_value=0.001, max_value=1.0)),
    ),
    rules=st.dictionaries(
        st.sampled_from(["max_tokens", "max_consecutive_failures", "no_improvement_iterations"]),
        st.one_of(st.none(), st.integers(1, 1000)),
    ),
    wall=st.one_of(st.none(), st.integers(1, 10**7).map(lambda millis: millis / 1000)),
    markets=st.lists(
        st.lists(st.sampled_from(["AAPL", "IBM", "BRK.B"]), min_size=1, unique=True), max_size=3
    ),
    capital=st.floats(min_value=1, max_value=1e9),
    seed=st.integers(0, 2**32 - 1),
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
)
def test_valid_spec_survives_the_wire(bounds, rules, wall, markets, capital, seed, prompt) -> None:
    spec = parse_spec(
        {
            "gates": bounds,
            "stop_rules": rules | {"max_wall_seconds": wall},
            "markets": markets,
            "capital": capital,
            "seed": seed,
            "prompt": prompt,
        }
    )
    sent = spec_to_proto(spec).SerializeToString()
    assert parse_spec(spec_fields(pb.CampaignSpec.FromString(sent))) == spec


@given(
    fields=st.dictionaries(
        st.sampled_from(["capital", "seed", "parameter_points", "markets", "limits", "gates"]),
        st.one_of(
            numbers,
            st.lists(numbers, max_size=3),
            st.dictionaries(st.text(max_size=5), numbers, max_size=3),
        ),
    )
)
def test_any_input_is_a_spec_or_a_typed_error(fields: dict[str, object]) -> None:
    try:
        spec = parse_spec(fields)
    except InvalidSpecError:
        return
    assert 0 < spec.capital < math.inf
    assert 0 <= spec.seed < 2**32


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_spec_or_a_typed_error(data: bytes) -> None:
    message = pb.CampaignSpec()
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001 (not a message: another layer's matter)
        return
    try:
        spec = parse_spec(spec_fields(message))
    except InvalidSpecError:
        return
    assert spec.data_set
