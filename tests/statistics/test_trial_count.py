"""N: what counts, what does not, and that nothing that was tried can be left out."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.samples import a_result
from tests.suites.small_lab import CountingGenerator, small_lab, small_spec

from stratlab.domain.campaign import Iteration, StopRules
from stratlab.domain.points import Point
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation.trial_count import count_trials

parameters = st.dictionaries(
    st.sampled_from(["fast", "slow", "stop"]),
    st.one_of(st.integers(1, 3), st.sampled_from([0.5, 1.0, 2.0])),
    min_size=1,
)
purposes = st.sampled_from(list(TrialPurpose))
points = st.builds(
    Point,
    campaign_id=st.sampled_from(["c1", "c2"]),
    iteration=st.integers(1, 3),
    candidate=st.sampled_from(["a" * 64, "b" * 64]),
    parameters=parameters,
    purpose=purposes,
    occasion=st.sampled_from(["", "t1/2"]),
    score=st.one_of(st.none(), st.floats(0, 1)),
)
REJECTED = """
import os


def initialize(context):
    for name in os.listdir("/"):
        with open(name) as file:
            context.found = [line.split(",") for line in file if "holdout" in line]


def handle_data(context, data):
    print(context.found)
"""
registers = st.lists(points, max_size=30)


def distinct(entries: list[Point], purpose: TrialPurpose) -> set[tuple[str, str]]:
    return {(p.candidate, p.digest) for p in entries if p.purpose is purpose}


@given(registers)
def test_n_is_the_number_of_distinct_searched_points(register: list[Point]) -> None:
    found = count_trials(register)
    searched = distinct(register, TrialPurpose.SEARCH)
    assert found.counted == len(searched)
    assert found.screened_only == len(distinct(register, TrialPurpose.SCREEN) - searched)
    assert sum(found.by_purpose.values()) == len(register)


@given(registers, points)
def test_a_further_entry_never_makes_n_smaller_and_adds_one_at_most(
    register: list[Point], more: Point
) -> None:
    before, after = count_trials(register), count_trials([*register, more])
    assert before.counted <= after.counted <= before.counted + 1
    if more.purpose is not TrialPurpose.SEARCH:
        assert after.counted == before.counted


@given(registers, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(register: list[Point], mixing: random.Random) -> None:
    mixed = register * 2
    mixing.shuffle(mixed)
    assert count_trials(mixed).counted == count_trials(register).counted


@given(registers)
def test_score_outcome_campaign_and_iteration_do_not_matter(register: list[Point]) -> None:
    bare = [replace(p, score=None, iteration=9, campaign_id="c9", occasion="") for p in register]
    assert count_trials(bare).counted == count_trials(register).counted


@given(registers, registers)
def test_campaigns_together_count_what_is_distinct_in_all_of_them(
    one: list[Point], other: list[Point]
) -> None:
    together = count_trials([*one, *other]).counted
    parts = [count_trials(each).counted for each in (one, other)]
    assert max(parts) <= together <= sum(parts)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_stored_trial_counts_whatever_became_of_it_and_though_nobody_registered_it(
    outcome: Outcome,
) -> None:
    iteration = iteration_of(outcome, TrialPurpose.SEARCH)
    assert count_trials([], [iteration]).counted == 1
    registered = Point("c1", 1, "a" * 64, {"fast": 5.0}, TrialPurpose.SEARCH)
    assert count_trials([registered], [iteration]).counted == 1


@pytest.mark.parametrize("purpose", [p for p in TrialPurpose if p is not TrialPurpose.SEARCH])
def test_stored_trial_of_another_purpose_does_not_count(purpose: TrialPurpose) -> None:
    assert count_trials([], [iteration_of(Outcome.SUCCEEDED, purpose)]).counted == 0


def test_iteration_without_a_candidate_counts_nothing() -> None:
    iteration = replace(iteration_of(Outcome.LOST, TrialPurpose.SEARCH), candidate=None)
    assert count_trials([], [iteration]).counted == 0


async def test_campaign_counts_failed_trials_and_registers_a_rejected_candidate(
    tmp_path: Path,
) -> None:
    class Reading(CountingGenerator):
        """Candidate 3 is rejected by screening."""

        def generate(self, request: object) -> Candidate:
            made = super().generate(request)
            return replace(made, source=REJECTED) if made.parameters["n"] == 3 else made

    def script(call: int, trial: object) -> Outcome | None:
        failing = trial.purpose is TrialPurpose.SEARCH and trial.parameters["n"] < 0
        return Outcome.STRATEGY_ERROR if failing else None

    with small_lab(tmp_path, generator=Reading(), script=script) as lab:
        rules = StopRules(max_iterations=3, max_wall_seconds=None)
        campaign = await lab.manager.create(small_spec(stop_rules=rules), "r")
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass
        register = list(lab.repository.points(campaign.id))
        iterations = lab.repository.list_iterations(campaign.id)
    found = count_trials(register, iterations)
    assert iterations[2].failure == "screening rejected it"
    outcomes = {result.outcome for iteration in iterations for result in iteration.results}
    assert Outcome.STRATEGY_ERROR in outcomes
    # Two points each of candidates 1 and 2, whatever became of them; none of candidate 3.
    assert found.counted == count_trials(register).counted == 4
    assert found.by_purpose == {"screen": 6, "search": 4, "smoke": 2}
    assert found.screened_only == 2


def iteration_of(outcome: Outcome, purpose: TrialPurpose) -> Iteration:
    result = a_result()
    spec = replace(result.spec, purpose=purpose, parameters={"fast": 5})
    return Iteration(
        "c1",
        1,
        datetime(2024, 1, 1, tzinfo=UTC),
        candidate=Candidate(
            hash="a" * 64,
            strategy_id="s",
            thesis="t",
            source="",
            contract="",
            parameters={},
            lineage=Lineage(GeneratorKind.TEMPLATE, "o"),
        ),
        results=(replace(result, spec=spec, outcome=outcome),),
    )
