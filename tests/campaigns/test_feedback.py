"""What the next candidate's author is told of trials that failed."""

from dataclasses import replace

import pytest
from tests.suites.samples import a_result, an_iteration

from stratlab.campaigns.feedback import write_feedback
from stratlab.domain.campaign import Feedback
from stratlab.domain.market import Tier
from stratlab.domain.trial import Outcome, StrategyFailure

SEEN = "101.25 102.75 99.50"


def told(tier: Tier, outcome: Outcome, failure: StrategyFailure | None) -> Feedback:
    result = a_result("t")
    spec = replace(result.spec, window=replace(result.spec.window, tier=tier))
    broken = replace(result, spec=spec, outcome=outcome, reason=SEEN, failure=failure)
    return write_feedback(replace(an_iteration(), results=(broken,), failure=""))


@pytest.mark.parametrize("name", ["ValueError", SEEN])
def test_exception_beyond_train_says_nothing_that_a_strategy_chose(name: str) -> None:
    failure = StrategyFailure(name, SEEN, 7, f"raise Leak('{SEEN}')", SEEN)
    feedback = told(Tier.VALIDATION, Outcome.STRATEGY_ERROR, failure)
    assert SEEN not in repr(feedback)
    assert "7" not in feedback.analysis
    assert feedback.summary == (name if name == "ValueError" else "an exception of its own")


def test_reason_beyond_train_is_not_told() -> None:
    feedback = told(Tier.VALIDATION, Outcome.FORGED, None)
    assert feedback.summary == "FORGED"
    assert SEEN not in repr(feedback)


def test_exception_on_train_is_told_whole() -> None:
    failure = StrategyFailure("ValueError", "no such column", 7, "data['x']")
    feedback = told(Tier.TRAIN, Outcome.STRATEGY_ERROR, failure)
    assert feedback.summary == "ValueError: no such column"
    assert feedback.analysis == "line 7: data['x']"


def test_day_of_a_failed_causality_test_is_not_told() -> None:
    reason = "LOOKAHEAD: with other prices after 2008-03-04 another order came before"
    feedback = write_feedback(replace(an_iteration(), failure=reason))
    assert feedback.summary == "LOOKAHEAD"
