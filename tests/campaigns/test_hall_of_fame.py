"""Admission and ranking."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from stratlab.campaigns.hall_of_fame import CONTENDERS, KEPT, admit, retested
from stratlab.domain.campaign import Evaluation, HallOfFameEntry, HallOfFameTier, Iteration
from stratlab.domain.gates import GateResult, Level
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(number: int, score: float | None, *, passed: bool = True) -> Iteration:
    lineage = Lineage(GeneratorKind.TEMPLATE, "template")
    return Iteration(
        campaign_id="c1",
        number=number,
        started_at=NOW,
        ended_at=NOW,
        candidate=Candidate(f"h{number}", "s", "", "", "", {}, lineage),
        evaluation=Evaluation(
            Level.VALID_METRICS,
            gates=(GateResult("min_sharpe_ratio", passed, 1.0, 0.5),),
            score=score,
        ),
    )


def test_failed_gate_is_never_admitted_whatever_the_score() -> None:
    assert admit((), ended(1, 0.99, passed=False)) == ()


def test_undefined_score_is_never_admitted() -> None:
    assert admit((), ended(1, None)) == ()


def test_same_iteration_twice_counts_once() -> None:
    once = admit((), ended(1, 0.5))
    assert admit(once, ended(1, 0.5)) == once


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_one_champion_with_the_best_score_then_contenders_then_archive(scores: list[float]) -> None:
    entries: tuple[HallOfFameEntry, ...] = ()
    for number, score in enumerate(scores, start=1):
        entries = admit(entries, ended(number, score))
    tiers = [entry.tier for entry in entries]
    assert [entry.score for entry in entries] == sorted(scores, reverse=True)
    assert tiers.count(HallOfFameTier.CHAMPION) == 1
    assert tiers[0] is HallOfFameTier.CHAMPION
    assert tiers.count(HallOfFameTier.CONTENDER) == min(CONTENDERS, len(scores) - 1)
    assert not any(entry.provisional for entry in entries)


def test_equal_scores_keep_the_earlier_champion() -> None:
    entries = admit(admit((), ended(1, 0.5)), ended(2, 0.5))
    assert entries[0].iteration == 1


def test_archive_keeps_a_bounded_number_of_the_best() -> None:
    entries: tuple[HallOfFameEntry, ...] = ()
    for number in range(1, KEPT + 20):
        entries = admit(entries, ended(number, number / 1000))
    assert len(entries) == KEPT
    assert entries[0].iteration == KEPT + 19
    assert admit(entries, ended(KEPT + 20, 0.0)) == entries


def test_candidate_that_failed_the_causality_test_is_not_admitted() -> None:
    leak = replace(ended(1, 0.9), failure="LOOKAHEAD: order 3 differs")
    assert admit((), leak) == ()


def test_provisional_entry_stays_in_the_archive_until_it_passes_the_causality_test() -> None:
    old = tuple(
        replace(entry, provisional=True)
        for entry in admit(admit(admit((), ended(1, 0.9)), ended(2, 0.8)), ended(3, 0.7))
    )
    after = retested(old, {2})
    assert [(e.iteration, e.tier.value, e.provisional) for e in after] == [
        (2, "champion", False),
        (1, "archive", True),
        (3, "archive", True),
    ]
    grown = admit(after, ended(4, 0.5))
    assert [(e.iteration, e.tier.value) for e in grown] == [
        (2, "champion"),
        (4, "contender"),
        (1, "archive"),
        (3, "archive"),
    ]
