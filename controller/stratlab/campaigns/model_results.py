"""How far candidates of language models came, by model and prompt, for the report."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from stratlab.domain.campaign import Iteration
from stratlab.domain.spending import Spent
from stratlab.domain.trial import Outcome, TrialPurpose

_MICRO = 1_000_000


@final
@dataclass(frozen=True, slots=True)
class ModelResult:
    """What one model made of one prompt.

    Attributes:
        model: Name.
        prompt: Template and version; of an iteration without a candidate that at which it failed.
        asked: Iterations.
        written: How many of them have a candidate.
        screened, ran, traded: How many of those passed screening, had a trial that succeeded, and
            made a round trip in one.
        passed: How many passed every gate.
    """

    model: str
    prompt: str
    asked: int
    written: int
    screened: int
    ran: int
    traded: int
    passed: int


def model_results(iterations: Sequence[Iteration]) -> list[ModelResult]:
    """Return the results by model and prompt, sorted by name."""
    groups: defaultdict[tuple[str, str], list[Iteration]] = defaultdict(list)
    for iteration in iterations:
        if iteration.model:
            groups[iteration.model, iteration.prompt].append(iteration)
    return [
        ModelResult(
            model=model,
            prompt=prompt,
            asked=len(group),
            written=sum(i.candidate is not None for i in group),
            screened=sum(i.screening is not None and i.screening.passed for i in group),
            ran=sum(map(_ran, group)),
            traded=sum(map(_traded, group)),
            passed=sum(i.evaluation is not None and i.evaluation.passed_gates for i in group),
        )
        for (model, prompt), group in sorted(groups.items())
    ]


def model_section(iterations: Sequence[Iteration], spent: Spent) -> str:
    """Return the report's section about language models, "" for a campaign that asked none."""
    if not spent.calls and not model_results(iterations):
        return ""
    return "\n".join(_lines(iterations, spent)) + "\n"


def _lines(iterations: Sequence[Iteration], spent: Spent) -> Iterator[str]:
    yield "\n## Language models\n"
    yield (
        f"{spent.calls} calls, {spent.tokens} tokens, {spent.micro_usd / _MICRO:.4f} US dollars; "
        "calls whose end nobody saw counted in full.\n"
    )
    yield "| model | prompt | asked | written | screened | ran | traded | passed every gate |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for found in model_results(iterations):
        counts = [found.written, found.screened, found.ran, found.traded, found.passed]
        shares = " | ".join(f"{count} ({count / found.asked:.0%})" for count in counts)
        yield f"| {found.model} | {found.prompt} | {found.asked} | {shares} |"
    nothing = [i for i in iterations if i.candidate is None]
    yield f"\n{len(nothing)} iterations led to no candidate."
    for iteration in nothing:
        yield f"- iteration {iteration.number}: {_one_line(iteration.failure)}"


def _one_line(text: str) -> str:
    # Parts of it may be a model's words: they must not become Markdown or HTML of ours.
    return " ".join(re.sub(r"[^\w\s.,:;()/=+%'-]", " ", text).split())


def _ran(iteration: Iteration) -> bool:
    return any(
        result.outcome is Outcome.SUCCEEDED and result.spec.purpose is TrialPurpose.SEARCH
        for result in iteration.results
    )


def _traded(iteration: Iteration) -> bool:
    return any(
        result.metrics is not None and bool(result.metrics.total_trades)
        for result in iteration.results
    )
