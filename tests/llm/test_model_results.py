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
    good = Iteration("c1", 1, NOW, candidate=a_candidate(1), screening=ScreeningReport())
    iterations = [
        replace(good, results=(a_result(),)),
        Iteration("c1", 2, NOW, candidate=a_candidate(2), screening=REJECTED),
        Iteration("c1", 3, NOW, candidate=a_candidate(3, model="other"), screening=REJECTED),
        Iteration("c1", 4, NOW, candidate=a_candidate(4, model="")),
        Iteration("c1", 5, NOW, failure="it | failed <b>here</b>\nand there"),
    ]
    first, other = model_results(iterations)
    assert (first.model, first.written, first.screened, first.ran) == ("claude-test", 2, 1, 1)
    assert (other.model, other.written, other.screened) == ("other", 1, 0)
    text = model_section(iterations, Spent(micro_usd=1_500_000, tokens=10, calls=3))
    assert "1.5000 US dollars" in text
    assert "iteration 5: it failed b here /b and there" in text


def test_campaign_that_asked_nobody_has_no_section() -> None:
    assert model_section([Iteration("c1", 1, NOW, failure="x")], Spent()) == ""
