"""The report says how far the candidates of each model came."""

from dataclasses import replace

from tests.llm.histories import NOW, a_candidate
from tests.suites.samples import a_result

from stratlab.campaigns.model_results import model_results, model_section
from stratlab.domain.campaign import Iteration
from stratlab.domain.spending import Spent
from stratlab.domain.strategy import Finding, ScreeningReport, Severity

REJECTED = ScreeningReport((Finding("static", "rule", Severity.ERROR, 1, 1, "no", "do not"),))


def test_shares_are_counted_by_model_and_prompt() -> None:
    by_test = {"model": "claude-test", "prompt": "contract/1"}
    good = Iteration("c1", 1, NOW, candidate=a_candidate(1), screening=ScreeningReport(), **by_test)
    iterations = [
        replace(good, results=(a_result(),)),
        Iteration("c1", 2, NOW, candidate=a_candidate(2), screening=REJECTED, **by_test),
        Iteration("c1", 3, NOW, failure="not repaired", model="other", prompt="brief/1"),
        # Of a stand-in: nobody was asked.
        Iteration("c1", 4, NOW, candidate=a_candidate(4, model="")),
        Iteration("c1", 5, NOW, failure="it | failed <b>here</b>\nand there", **by_test),
    ]
    first, other = model_results(iterations)
    assert (first.model, first.prompt) == ("claude-test", "contract/1")
    counts = (first.asked, first.written, first.screened, first.ran, first.traded, first.passed)
    assert counts == (3, 2, 1, 1, 1, 0)
    assert (other.model, other.prompt, other.asked, other.written) == ("other", "brief/1", 1, 0)
    text = model_section(iterations, Spent(micro_usd=1_500_000, tokens=10, calls=3))
    assert "1.5000 US dollars" in text
    assert (
        "| claude-test | contract/1 | 3 | 2 (67%) | 1 (33%) | 1 (33%) | 1 (33%) | 0 (0%) |" in text
    )
    assert "iteration 5: it failed b here /b and there" in text


def test_campaign_that_asked_nobody_has_no_section() -> None:
    assert model_section([Iteration("c1", 1, NOW, failure="x")], Spent()) == ""
