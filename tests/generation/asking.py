"""Generation requests for tests, and campaigns played without trials."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.ports import Generator
from stratlab.domain.strategy import Candidate, Critique

_NOW = datetime(2024, 1, 1, tzinfo=UTC)


def request(
    iteration: int = 1,
    history: Sequence[IterationSummary] = (),
    critique: Critique | None = None,
    **spec: object,
) -> GenerationRequest:
    """Return a request of a campaign with some fields of its specification set."""
    fields = {"display_name": "test", "data_set": "us-daily", "markets": (("AAPL",),)} | spec
    campaign = Campaign("c1", CampaignSpec(**fields), "d", CampaignState.QUEUED, _NOW, _NOW)
    return GenerationRequest(campaign, iteration, tuple(history), critique)


def summary(
    number: int, candidate: Candidate | None, score: float | None = None, passed: bool = False
) -> IterationSummary:
    """Return what a generator learns of an iteration."""
    return IterationSummary(number, candidate, score, "", passed, None)


def play(generator: Generator, iterations: int, **spec: object) -> list[IterationSummary]:
    """Return the history of a campaign whose figures are random."""
    figures, history = Random(1), []
    for number in range(1, iterations + 1):
        candidate = generator.generate(request(number, history, **spec))
        item = summary(number, candidate, figures.random(), figures.random() < 0.3)
        drawdown = -figures.uniform(0, 0.6)
        history.append(replace(item, turnover=figures.uniform(0, 40), max_drawdown=drawdown))
    return history
