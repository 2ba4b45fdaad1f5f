"""Candidates from templates: turns, variation and points that never repeat."""

import json

from tests.generation.asking import play, request, summary

from stratlab.contract.candidate import candidate_hash
from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.space import point_key
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.strategy import GeneratorKind, Lineage
from stratlab.generation import TemplateGenerator, candidate_from_contract, load_templates


def test_generate_first_pass_is_templates_at_defaults() -> None:
    history = play(TemplateGenerator(), 6)
    candidates = [item.candidate for item in history]
    assert [candidate.strategy_id for candidate in candidates] == list(load_templates())
    for candidate in candidates:
        template = load_templates()[candidate.strategy_id]
        assert candidate.contract == canonical_json(template)
        assert candidate.source == compile_to_zipline(template)
        assert candidate.parameters == template.parameters
        assert candidate.parameter_points == (candidate.parameters,)
        assert candidate.lineage == Lineage(
            GeneratorKind.TEMPLATE, "template", note="The template's own values."
        )


def test_generate_later_passes_vary_inside_bounds_and_bake_defaults() -> None:
    for item in play(TemplateGenerator(), 24)[6:]:
        candidate = item.candidate
        space = load_templates()[candidate.strategy_id].optimization_space
        contract = load_contract(candidate.contract)
        assert contract.parameters == candidate.parameters
        assert candidate.lineage.operator == "vary_parameters"
        assert candidate.lineage.generation == 1
        for name, value in candidate.parameters.items():
            steps = (value - space[name].min) / space[name].step
            assert space[name].min <= value <= space[name].max
            assert abs(steps - round(steps)) < 1e-9
            assert isinstance(value, int) is (space[name].kind == "int")


def test_generate_never_repeats_candidate_and_parameters() -> None:
    history = play(TemplateGenerator(), 60, parameter_points=4)
    points = [
        (item.candidate.strategy_id, point_key(point))
        for item in history
        for point in item.candidate.parameter_points
    ]
    assert len(points) == len(set(points)) == 240
    assert len({item.candidate.hash for item in history}) == 60
    assert all(item.candidate.parameter_points[0] == item.candidate.parameters for item in history)


def test_generate_exhausted_template_leaves_its_turn_to_another() -> None:
    space = {"fast_length": (5, 6, 1), "slow_length": (50, 50, 1), "stop_mult": (2, 2, 1)}
    history = play(
        TemplateGenerator(),
        8,
        templates=("ema_cross_atr", "dual_momentum"),
        parameter_space=space,
    )
    names = [item.candidate.strategy_id for item in history]
    assert names.count("ema_cross_atr") == 2
    assert names[2] == "ema_cross_atr"
    assert names[4:] == ["dual_momentum"] * 4


def test_generate_nothing_left_repeats_instead_of_failing() -> None:
    space = {"fast_length": (5, 6, 1), "slow_length": (50, 50, 1), "stop_mult": (2, 2, 1)}
    history = play(TemplateGenerator(), 5, templates=("ema_cross_atr",), parameter_space=space)
    assert len({item.candidate.hash for item in history}) == 2


def test_generate_more_points_than_the_space_has_gives_all() -> None:
    space = {"fast_length": (5, 6, 1), "slow_length": (50, 50, 1), "stop_mult": (2, 3, 1)}
    (item,) = play(
        TemplateGenerator(),
        1,
        templates=("ema_cross_atr",),
        parameter_space=space,
        parameter_points=50,
    )
    assert len(item.candidate.parameter_points) == 4


def test_generate_equal_requests_give_equal_candidates() -> None:
    history = play(TemplateGenerator(), 9, seed=4)
    again = play(TemplateGenerator(), 9, seed=4)
    assert history == again
    other = play(TemplateGenerator(), 9, seed=5)
    assert [item.candidate.hash for item in other[6:]] != [
        item.candidate.hash for item in history[6:]
    ]


def test_generate_after_failed_iterations_goes_on() -> None:
    history = [summary(number, None) for number in range(1, 8)]
    candidate = TemplateGenerator().generate(request(8, history))
    assert candidate.strategy_id == "rsi_mean_reversion"
    assert candidate.lineage.operator == "template"


def test_candidate_hash_covers_contract_and_source() -> None:
    contract = load_templates()["ema_cross_atr"]
    lineage = Lineage(GeneratorKind.TEMPLATE, "template")
    candidate = candidate_from_contract(contract, lineage)
    assert candidate.hash == candidate_hash(candidate.contract, candidate.source)
    assert candidate.hash != candidate_hash("", candidate.source)
    assert candidate_hash("ab", "c") != candidate_hash("a", "bc")
    assert json.loads(candidate.contract)["strategy_id"] == candidate.strategy_id
    assert candidate.thesis == contract.thesis
