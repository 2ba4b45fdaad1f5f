"""Has a candidate generated and its parameter points chosen, and says so to the audit chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from stratlab.campaigns.patches import candidate_patch
from stratlab.domain.errors import InvalidInputError
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.points import Point, registry_digest
from stratlab.domain.ports import Generator
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import TrialPurpose
from stratlab.search.novelty import canonical_key, refuse_repetition
from stratlab.search.parameters import ScoredPoint
from stratlab.search.parameters_screen import ParameterScreen
from stratlab.search.tried import TRIED


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate that is ready for screening.

    Attributes:
        candidate: With the points that shall run.
        patch: What it changed against its first parent.
        points: What the screen of its parameters judged, or what it came with, to be registered
            with it.
        payload: Of the event that tells of it.
    """

    candidate: Candidate
    patch: str
    points: tuple[Point, ...]
    payload: Mapping[str, object]


def draft_candidate(
    generator: Generator, screen: ParameterScreen, request: GenerationRequest
) -> Draft:
    """Return the candidate for an iteration; takes as long as its parameters are screened.

    Raises:
        InvalidInputError: No valid candidate could be made; names the language model that was
            asked for it, if one was.
        NothingNovelError: It repeats an earlier one; the same.
    """
    made = generator.generate(request)
    try:
        screened = screen.screen(request, made)
        similarity = refuse_repetition(screened.candidate, TRIED.of(request))
    except InvalidInputError as error:
        error.data |= {"model": made.lineage.model, "prompt": made.lineage.prompt}
        raise
    candidate, lineage = screened.candidate, screened.candidate.lineage
    parents = [
        summary.candidate
        for summary in request.history
        if summary.candidate and summary.candidate.hash in lineage.parents[:1]
    ]
    # A candidate that no parameters were screened for is registered too, with the points that it
    # came with and no score: screening may reject it before any trial of it is.
    own = candidate.parameter_points or (candidate.parameters,)
    points = tuple(
        Point(
            campaign_id=request.campaign.id,
            iteration=request.iteration,
            candidate=candidate.hash,
            parameters=point.parameters,
            purpose=TrialPurpose.SCREEN,
            score=point.score,
        )
        for point in screened.points or tuple(ScoredPoint(each, None) for each in own)
    )
    payload: dict[str, object] = {
        "iteration": request.iteration,
        "candidate": candidate.hash,
        "strategy_id": candidate.strategy_id,
        "generator": lineage.generator.value,
        "operator": lineage.operator,
        "parents": list(lineage.parents),
        "generation": lineage.generation,
        "island": lineage.island,
        "canonical": canonical_key(candidate),
        "similarity": round(similarity, 6),
    }
    # The registry is no part of the chain; with this, a change of it shows there too.
    payload["screened"] = {"points": len(points), "digest": registry_digest(points)}
    if lineage.model:
        payload |= {"model": lineage.model, "prompt": lineage.prompt, "blind": lineage.is_blind}
    return Draft(candidate, candidate_patch(next(iter(parents), None), candidate), points, payload)
