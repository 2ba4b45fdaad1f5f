"""Pasts of campaigns for tests of what is decided from them."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.suites.small_lab import small_spec

from stratlab.contract.candidate import candidate_from_contract
from stratlab.domain.campaign import Campaign, CampaignState, Feedback
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_candidate(number: int = 1, *, model: str = "claude-test", **changes: object) -> Candidate:
    names = list(load_templates())
    contract = load_templates()[names[number % len(names)]]
    lineage = Lineage(GeneratorKind.HYBRID, "contract", model=model)
    made = candidate_from_contract(contract, lineage)
    return replace(made, hash=f"{number:064d}", **changes)


def a_summary(number: int, *, model: str = "claude-test", **changes: object) -> IterationSummary:
    fields: dict[str, object] = {
        "number": number,
        "candidate": a_candidate(number, model=model),
        "model": model,
        "train_score": 0.5 + number / 1000,
        "validation_rank": "top",
        "passed_gates": True,
        "feedback": Feedback("success", "train sharpe 0.5", "above buy-and-hold", "look close by"),
        "turnover": 3.0,
        "max_drawdown": -0.1,
        **changes,
    }
    return IterationSummary(**fields)


def failed(number: int, *, model: str = "claude-test") -> IterationSummary:
    told = Feedback("failure", "it broke", "no candidate could be generated", "try another part")
    return a_summary(
        number,
        candidate=None,
        train_score=None,
        passed_gates=False,
        feedback=told,
        turnover=None,
        model=model,
    )


def screened_out(number: int) -> IterationSummary:
    return a_summary(number, train_score=None, passed_gates=False, screened_out=True, turnover=None)


def a_request(history: list[IterationSummary] | None = None, **spec: object) -> GenerationRequest:
    past = tuple(history or ())
    campaign = Campaign(
        id="c1",
        spec=small_spec(generator=GeneratorKind.HYBRID, **spec),
        data_digest="d" * 64,
        state=CampaignState.BRIEF_GENERATED,
        created_at=NOW,
        updated_at=NOW,
    )
    return GenerationRequest(campaign, len(past) + 1, past, None)
