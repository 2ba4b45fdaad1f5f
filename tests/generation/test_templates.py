"""The built-in templates and a campaign's choice among them."""

import pytest
from tests.generation.asking import request

from stratlab.contract.space import Grid
from stratlab.domain.errors import InvalidParametersError, InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.generation import load_templates, templates_for

NAMES = (
    "ema_cross_atr",
    "rsi_mean_reversion",
    "donchian_breakout",
    "bollinger_reversion",
    "macd_trend",
    "dual_momentum",
)


def test_templates_are_complete_contracts() -> None:
    templates = load_templates()
    assert tuple(templates) == NAMES
    for name, contract in templates.items():
        assert contract.strategy_id == name
        assert len(contract.thesis) > 80
        assert Grid(contract).size > 100
        assert contract.exit_rules
        assert contract.risk_model.stop is not None


def test_dual_momentum_says_that_it_is_time_series() -> None:
    assert "no cross-section" in " ".join(load_templates()["dual_momentum"].thesis.split())


def test_templates_for_keeps_the_campaigns_choice_and_order() -> None:
    chosen = templates_for(request(templates=("macd_trend", "ema_cross_atr")).campaign.spec)
    assert [contract.strategy_id for contract in chosen] == ["macd_trend", "ema_cross_atr"]


def test_templates_for_unknown_template_refused() -> None:
    with pytest.raises(InvalidSpecError, match="unknown template 'foo'; known: ema_cross_atr"):
        templates_for(request(templates=("foo",)).campaign.spec)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cost_model", CostModel(kind=CostModelKind.ZIPLINE), "need the cost model next_open"),
        ("timeframes", ("1d", "3d"), "cannot trade bars of 3d"),
    ],
)
def test_templates_for_what_contracts_cannot_do_refused(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(InvalidSpecError, match=message):
        templates_for(request(**{field: value}).campaign.spec)


def test_templates_for_bounds_move_default_to_nearest_point() -> None:
    spec = request(
        templates=("ema_cross_atr", "macd_trend"),
        parameter_space={"fast_length": (3.0, 9.0, 3.0), "stop_mult": (0.5, 1.0, 0.25)},
    ).campaign.spec
    ema, macd = templates_for(spec)
    assert ema.parameters == {"fast_length": 9, "slow_length": 60, "stop_mult": 1.0}
    assert ema.optimization_space["fast_length"].min == 3
    assert macd.parameters["stop_mult"] == 1.0
    assert macd.parameters["fast"] == 12


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"foo": (1, 2, 1)}, "unknown parameter 'foo'; known: fast_length, slow_length, stop_mult"),
        ({"fast_length": (0, 5, 1)}, "the bounds of \\$fast_length leave the whole numbers"),
        ({"fast_length": (1.5, 5, 1)}, "kind int has whole numbers only"),
        ({"fast_length": (5, 1, 1)}, "the range of 'fast_length' is not min <= max"),
        ({"stop_mult": (1, 2, 0)}, "the range of 'stop_mult' is not min <= max"),
        ({"stop_mult": (1, float("inf"), 1)}, "the range of 'stop_mult' is not"),
        ({"stop_mult": (float("nan"), 2, 1)}, "the range of 'stop_mult' is not"),
        ({"stop_mult": (-5, 2, 1)}, "the bounds of \\$stop_mult leave the numbers"),
    ],
)
def test_templates_for_bad_bounds_refused(space: dict, message: str) -> None:
    spec = request(templates=("ema_cross_atr",), parameter_space=space).campaign.spec
    with pytest.raises(InvalidParametersError, match=message):
        templates_for(spec)
