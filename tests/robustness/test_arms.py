"""Reference arms: the campaign's own budget, chosen on train, kept once, never counted."""

from dataclasses import replace

import pytest
from tests.robustness.scene import TRAIN, WARM_UP, a_scene, contract_candidate

from stratlab.api.convert.spec import spec_fields, spec_to_proto
from stratlab.api.validation import parse_spec
from stratlab.campaigns.arms import ARMS_NAME, kept_arms
from stratlab.campaigns.robustness_ground import ground_of
from stratlab.cli.campaign_spec import SpecFlags, build_spec
from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.points import Point
from stratlab.domain.robustness import Arm
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation.benchmark import buy_and_hold
from stratlab.evaluation.stress import mean_returns

ARMS = tuple(Arm)
BUDGET = 12


@pytest.fixture
def scene(tmp_path):
    with a_scene(tmp_path, contract_candidate(), arms=ARMS) as found:
        register_search(found)
        yield found


def register_search(scene):
    """What a campaign leaves behind: ten points screened, and four run, two of them new."""
    candidate = scene.iteration.candidate.hash
    points = [
        Point("scene", 1, candidate, {"n": n}, purpose)
        for purpose, numbers in (
            (TrialPurpose.SCREEN, range(10)),
            (TrialPurpose.SEARCH, (1, 2, 10, 11)),
        )
        for n in numbers
    ]
    with scene.repository.transaction() as transaction:
        transaction.register_points("scene", points)


async def results(scene):
    found = await scene.arms.run(scene.campaign, lambda _: None)
    return {result.arm: result for result in found}


async def test_search_arms_look_at_as_many_points_as_the_campaign(scene):
    found = await results(scene)
    assert list(found) == list(ARMS)
    assert found[Arm.RANDOM_SEARCH].points == found[Arm.OPTUNA].points == BUDGET
    assert found[Arm.BUY_AND_HOLD].points == found[Arm.EQUAL_WEIGHT].points == 0
    for arm in (Arm.RANDOM_SEARCH, Arm.OPTUNA):
        assert found[arm].strategy_id
        assert found[arm].train.outcome is found[arm].validation.outcome is Outcome.SUCCEEDED


async def test_arms_are_registered_as_such_and_leave_n_alone(scene):
    before = scene.repository.point_counts("scene")[TrialPurpose.SEARCH]
    await results(scene)
    counts = scene.repository.point_counts("scene")
    assert counts[TrialPurpose.SEARCH] == before == 4
    assert counts[TrialPurpose.ARM] <= 2 * BUDGET
    assert {spec.purpose for spec in scene.sandbox.specs} == {TrialPurpose.ARM}


async def test_arms_choose_by_train_alone(scene):
    first = await results(scene)
    close = scene.prices.panel.close.copy()
    close[WARM_UP + TRAIN :] *= 0.5
    scene.prices.panel = replace(scene.prices.panel, close=close)
    second = await results(scene)
    for arm in ARMS:
        assert second[arm].parameters == first[arm].parameters
        assert second[arm].strategy_id == first[arm].strategy_id
        assert second[arm].train == first[arm].train
        assert second[arm].validation != first[arm].validation


async def test_arms_that_hold_are_the_hosts_own_arithmetic(scene):
    found = await results(scene)
    # The symbol with the drift in train.
    assert found[Arm.BUY_AND_HOLD].strategy_id == "AAA"
    assert found[Arm.EQUAL_WEIGHT].strategy_id == "AAA, BBB"
    ground = ground_of(scene.prices, scene.campaign.spec)
    held = buy_and_hold(
        ground.markets[0], ground.panels[0], ground.part(range(TRAIN)), ground.capital, ground.costs
    )
    total = float((1.0 + mean_returns([held], ground.capital)).prod()) - 1.0
    equal = found[Arm.EQUAL_WEIGHT]
    assert equal.train.cum_returns_final == pytest.approx(total)
    assert equal.train.excess_sharpe is None
    assert len(equal.equity["train"]) == TRAIN


async def test_arms_are_kept_once_and_read_back(scene):
    await scene.arms.keep(scene.campaign, lambda _: None)
    runs = len(scene.sandbox.specs)
    await scene.arms.keep(scene.campaign, lambda _: None)
    assert len(scene.sandbox.specs) == runs > 0
    assert ARMS_NAME in {file.name for file in scene.artifacts.list("scene")}
    kept = kept_arms(scene.artifacts, "scene")
    assert kept == tuple((await results(scene)).values())


async def test_campaign_without_arms_keeps_nothing(tmp_path):
    with a_scene(tmp_path, contract_candidate()) as scene:
        await scene.arms.keep(scene.campaign, lambda _: None)
        assert kept_arms(scene.artifacts, "scene") == ()
        assert scene.sandbox.batches == []


async def test_costs_without_templates_are_said_in_the_results(tmp_path):
    costs = CostModel(CostModelKind.ZIPLINE)
    with a_scene(tmp_path, contract_candidate(), arms=ARMS, cost_model=costs) as scene:
        found = await results(scene)
    assert "next_open" in found[Arm.RANDOM_SEARCH].note
    assert found[Arm.OPTUNA].train is None
    assert found[Arm.EQUAL_WEIGHT].note == ""


def test_arms_go_through_flags_message_and_validation_unchanged():
    message = build_spec(SpecFlags(arms=("optuna,buy_and_hold", "random_search")))
    spec = parse_spec(spec_fields(message))
    assert spec.arms == (Arm.OPTUNA, Arm.BUY_AND_HOLD, Arm.RANDOM_SEARCH)
    assert list(spec_to_proto(spec).arms) == list(message.arms)
    assert parse_spec({}).arms == ()


@pytest.mark.parametrize("arms", [["optuna", "optuna"], ["luck"], [17]])
def test_arm_that_is_unknown_or_named_twice_is_refused(arms):
    with pytest.raises(InvalidSpecError, match="arms"):
        parse_spec({"arms": arms})
