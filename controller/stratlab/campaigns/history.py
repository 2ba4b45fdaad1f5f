"""What generators, critics and stop rules may know of the past of a campaign."""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

from stratlab.campaigns.stop_rules import IterationOutline
from stratlab.domain.campaign import Evaluation, Iteration
from stratlab.domain.gates import Level
from stratlab.domain.generation import IterationSummary
from stratlab.domain.ports import Repository
from stratlab.domain.trial import TrialPurpose
from stratlab.evaluation import train_score

ITERATION_PAGE = 500


def all_iterations(repository: Repository, campaign_id: str) -> list[Iteration]:
    """Return every iteration of a campaign in order, however many there are."""
    iterations: list[Iteration] = []
    while page := repository.list_iterations(
        campaign_id, after=iterations[-1].number if iterations else 0, limit=ITERATION_PAGE
    ):
        iterations.extend(page)
    return iterations


@final
class History:
    """Summaries and outlines of ended iterations, kept small: no series, no compiled source."""

    def __init__(self, iterations: Sequence[Iteration] = ()) -> None:
        self.summaries: list[IterationSummary] = []
        self.outlines: list[IterationOutline] = []
        self._validation: list[float] = []
        for iteration in iterations:
            self.append(iteration)

    def append(self, iteration: Iteration) -> None:
        """Add an ended iteration."""
        self.summaries.append(self.summarise(iteration))
        self.outlines.append(outline(iteration))
        validation = _validation_sharpe(iteration)
        if validation is not None:
            self._validation.append(validation)

    def summarise(self, iteration: Iteration) -> IterationSummary:
        """Return what generators and critics may see of an iteration."""
        evaluation, candidate = judged(iteration), iteration.candidate
        train = evaluation.train if evaluation is not None else None
        if candidate is not None and candidate.contract:
            # Compiled source follows from the contract; a long campaign must not hold it.
            candidate = replace(candidate, source="")
        return IterationSummary(
            number=iteration.number,
            candidate=candidate,
            train_score=(
                train_score(train, evaluation.benchmark_train)
                if evaluation is not None and train is not None
                else None
            ),
            validation_rank=self._rank(_validation_sharpe(iteration)),
            passed_gates=evaluation is not None and evaluation.passed_gates,
            feedback=iteration.feedback,
            turnover=train.turnover if train is not None else None,
            max_drawdown=train.max_drawdown if train is not None else None,
            duplicate_of=iteration.duplicate_of,
            screened_out=iteration.screening is not None and not iteration.screening.passed,
            model=iteration.model,
        )

    def _rank(self, sharpe: float | None) -> str:
        if sharpe is None:
            return ""
        better = sum(other > sharpe for other in self._validation)
        share = better / max(len(self._validation), 1)
        return "top" if share < 1 / 3 else "middle" if share < 2 / 3 else "bottom"


def outline(iteration: Iteration) -> IterationOutline:
    """Return what stop rules need of an ended iteration."""
    evaluation = judged(iteration)
    drawdowns = [
        result.metrics.max_drawdown
        for result in iteration.results
        if result.spec.purpose is TrialPurpose.SEARCH
        and result.metrics is not None
        and result.metrics.max_drawdown is not None
    ]
    train = evaluation.train.sharpe_ratio if evaluation and evaluation.train else None
    validation = _validation_sharpe(iteration)
    return IterationOutline(
        failed=evaluation is None or evaluation.level < Level.VALID_METRICS,
        score=evaluation.score if evaluation else None,
        worst_drawdown=min(drawdowns, default=None),
        overfit_gap=None if train is None or validation is None else train - validation,
    )


def judged(iteration: Iteration) -> Evaluation | None:
    """Return the judgement of an iteration, None where its figures do not count."""
    return None if iteration.failure else iteration.evaluation


def _validation_sharpe(iteration: Iteration) -> float | None:
    evaluation = judged(iteration)
    if evaluation is None or evaluation.validation is None:
        return None
    return evaluation.validation.sharpe_ratio
