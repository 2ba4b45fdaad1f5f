"""Summaries of iterations for tests of islands, novelty and the critic."""

from datetime import UTC, datetime

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.model import StrategyContract
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Feedback
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.search import Islands
from stratlab.domain.strategy import GeneratorKind, Lineage
from stratlab.generation import load_templates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def summary_of(
    number: int,
    contract: StrategyContract | None = None,
    *,
    score: float | None = 0.5,
    passed: bool = False,
    turnover: float | None = 5.0,
    drawdown: float | None = -0.25,
    operator: str = "template",
    duplicate_of: str = "",
    failed_gate: str = "",
) -> IterationSummary:
    """Return what generators and critics learn of an iteration; of the pilot by default."""
    lineage = Lineage(GeneratorKind.FACTOR_GRAPH, operator)
    chosen = contract or load_templates()["ema_cross_atr"]
    return IterationSummary(
        number=number,
        candidate=candidate_from_contract(chosen, lineage),
        train_score=score,
        validation_rank="",
        passed_gates=passed,
        feedback=Feedback("success", f"figures; failed {failed_gate}", "", ""),
        turnover=turnover,
        max_drawdown=drawdown,
        duplicate_of=duplicate_of,
    )


def request_after(
    history: list[IterationSummary], islands: Islands | None = None
) -> GenerationRequest:
    """Return the request for the iteration after a history."""
    spec = CampaignSpec("test", "us-daily", (("AAPL",),), islands=islands or Islands())
    campaign = Campaign("c", spec, "d", CampaignState.CAMPAIGN_EVALUATED, NOW, NOW)
    return GenerationRequest(campaign, len(history) + 1, tuple(history), None)
