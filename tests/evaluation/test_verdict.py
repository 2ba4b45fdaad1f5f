"""The verdict of a campaign and the rule that decided it."""

from dataclasses import replace
from datetime import UTC, datetime

from stratlab.domain.campaign import Evaluation, HallOfFameEntry, HallOfFameTier, Iteration
from stratlab.domain.gates import GateResult, Level, VerdictKind
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.evaluation import finalist_of, reach_verdict

NOW = datetime(2020, 1, 1, tzinfo=UTC)
STOP = "MAX_ITERATIONS: 3 iterations, bound 3"


def iteration(number, evaluation=None, *, candidate=True):
    made = Candidate(f"hash-{number}", "s", "", "", "", {}, Lineage(GeneratorKind.TEMPLATE, "t"))
    return Iteration("c-1", number, NOW, NOW, made if candidate else None, evaluation=evaluation)


def evaluation(level=Level.VALID_METRICS, score=0.5, *, failed=()):
    gates = tuple(
        GateResult(name, name not in failed, value, bound)
        for name, value, bound in (
            ("max_drawdown", 0.6, 0.5),
            ("min_sharpe_ratio", None, 0.3),
            ("max_turnover", 1.0, 100.0),
        )
    )
    return Evaluation(level, gates=gates, score=score)


def entry(number, tier):
    return HallOfFameEntry("c-1", f"hash-{number}", number, "s", tier, 0.5, {}, False, NOW)


def test_finalist_is_the_champion_and_nothing_from_the_archive():
    archived = entry(1, HallOfFameTier.ARCHIVE)
    assert finalist_of([archived, entry(2, HallOfFameTier.CHAMPION)]).iteration == 2
    assert finalist_of([archived]) is None
    assert finalist_of([]) is None


def test_rejection_names_the_best_candidates_first_failed_gate():
    iterations = [
        iteration(1, evaluation(failed=("max_drawdown", "min_sharpe_ratio"))),
        iteration(2, evaluation(failed=("max_drawdown",))),
        iteration(3, evaluation(Level.RAN, None, failed=("min_sharpe_ratio",))),
    ]
    verdict = reach_verdict(iterations, None, STOP)
    assert verdict.kind is VerdictKind.REJECT
    assert verdict.candidate == "hash-2"
    assert "iteration 2" in verdict.reasons[0]
    assert "gate max_drawdown: 0.6000, bound 0.5" in verdict.reasons[0]


def test_rejection_tells_an_undefined_metric():
    verdict = reach_verdict([iteration(1, evaluation(failed=("min_sharpe_ratio",)))], None, STOP)
    assert "gate min_sharpe_ratio: undefined, bound 0.3" in verdict.reasons[0]


def test_rejection_of_a_candidate_without_gates_names_what_is_missing():
    ran = reach_verdict([iteration(1, Evaluation(Level.RAN))], None, STOP)
    assert "has no valid metrics" in ran.reasons[0]
    scoreless = reach_verdict([iteration(1, Evaluation(Level.VALID_METRICS))], None, STOP)
    assert "has no defined score" in scoreless.reasons[0]


def test_equal_candidates_leave_the_earlier_one():
    iterations = [iteration(number, evaluation(failed=("max_drawdown",))) for number in (1, 2)]
    assert reach_verdict(iterations, None, STOP).candidate == "hash-1"


def test_candidate_that_was_not_admitted_is_named_behind_all_others():
    leak = replace(iteration(1, evaluation()), failure="LOOKAHEAD: order 3 differs")
    verdict = reach_verdict([leak, iteration(2, evaluation(failed=("max_drawdown",)))], None, STOP)
    assert verdict.candidate == "hash-2"
    alone = reach_verdict([leak], None, STOP)
    assert (alone.kind, alone.candidate) == (VerdictKind.REJECT, "hash-1")
    assert "was not admitted: LOOKAHEAD: order 3 differs" in alone.reasons[0]


def test_campaign_without_an_evaluation_is_rejected():
    iterations = [iteration(1), iteration(2, candidate=False)]
    verdict = reach_verdict(iterations, None, STOP)
    assert (verdict.kind, verdict.candidate) == (VerdictKind.REJECT, "")
    assert verdict.reasons[0] == "no candidate was evaluated"
