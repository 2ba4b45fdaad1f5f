"""Whole campaigns in containers: noise, a planted effect, and strategies that read the future.

Everything is the product's own: the loop, its containers, the examination, the verdict. Only who
writes the candidates is exchanged, and for the leaks there is no screening of source, which knows
them all: what is tested is what stands behind it.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from stratlab.bootstrap import Lab, open_lab, trusted_jobs
from stratlab.domain.campaign import CampaignSpec, CampaignState, StopRules
from stratlab.domain.errors import UnavailableError
from stratlab.domain.gates import Gates, VerdictKind
from stratlab.domain.strategy import Author, GeneratorKind, ScreeningReport
from stratlab.market_data.builder import build_data_set
from stratlab.selftest.data_set import content_of
from stratlab.selftest.leaks import CONTROL, LEAKS, Leak
from stratlab.selftest.worlds import Recipe, WorldKind, make_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.domain.generation import GenerationRequest
    from stratlab.domain.strategy import Candidate
    from stratlab.settings import Settings

_NOISE: Final = Recipe(WorldKind.GARCH, 1)
_EFFECT: Final = Recipe(WorldKind.REVERSAL, 1, 2.0)

_POLL_SECONDS: Final = 0.2

_NO_GATES: Final = Gates(None, None, None, None, None, None)


@final
@dataclass(frozen=True, slots=True)
class SandboxedResult:
    """How one campaign in containers ended.

    Attributes:
        name: Of the leak, or of the world.
        is_leak: Whether its candidates read the future.
        verdict: What the lab said.
        admitted: Whether a candidate entered the hall of fame.
        reason: What decided.
    """

    name: str
    is_leak: bool
    verdict: VerdictKind
    admitted: bool
    reason: str

    @property
    def is_accepted(self) -> bool:
        """Whether the lab took a candidate for good."""
        return self.admitted or self.verdict is VerdictKind.PROMOTE_CANDIDATE


async def run_leaks(settings: "Settings", leaks: "Sequence[Leak]" = LEAKS) -> list[SandboxedResult]:
    """Let each leak, and the same trader without one, go through a campaign in noise.

    Args:
        settings: With a home directory that is used for nothing else.
        leaks: Which.

    Raises:
        UnavailableError: A campaign came to no verdict: the sandbox is not ready.
        EngineUnavailableError: No engine answers.
    """
    name = await asyncio.to_thread(_build, settings, _NOISE)
    results = []
    for leak in (*leaks, CONTROL):
        generators = {GeneratorKind.TEMPLATE: _OneSource(leak)}
        async with open_lab(settings, generators=generators, screener=_Blind()) as lab:
            spec = CampaignSpec(
                display_name=leak.name,
                data_set=name,
                markets=(("SYN001",),),
                generator=GeneratorKind.TEMPLATE,
                gates=_NO_GATES,
                stop_rules=StopRules(max_iterations=1, max_wall_seconds=None),
            )
            results.append(await _run(lab, spec, is_leak=leak is not CONTROL))
    return results


async def run_worlds(settings: "Settings", iterations: int = 3) -> list[SandboxedResult]:
    """Run a campaign of the default generator in noise, and one in a world with an effect.

    Args:
        settings: With a home directory that is used for nothing else.
        iterations: Of each.

    Raises:
        UnavailableError: A campaign came to no verdict: the sandbox is not ready.
        EngineUnavailableError: No engine answers.
    """
    results = []
    async with open_lab(settings) as lab:
        for recipe in (_NOISE, _EFFECT):
            name = await asyncio.to_thread(_build, settings, recipe)
            spec = CampaignSpec(
                display_name=recipe.kind.value,
                data_set=name,
                markets=(("SYN001",),),
                stop_rules=StopRules(max_iterations=iterations, max_wall_seconds=None),
                seed=recipe.seed,
            )
            results.append(await _run(lab, spec, is_leak=False))
    return results


async def _run(lab: Lab, spec: CampaignSpec, *, is_leak: bool) -> SandboxedResult:
    campaign = await lab.manager.create(spec, "")
    ended = campaign
    # A campaign that cannot be run is paused, and nobody here resumes it.
    while not (ended.state.is_final or ended.state is CampaignState.PAUSED):
        await asyncio.sleep(_POLL_SECONDS)
        ended = await asyncio.to_thread(lab.repository.get_campaign, campaign.id)
    hall = await asyncio.to_thread(lab.repository.hall_of_fame, campaign.id)
    first = await asyncio.to_thread(lab.repository.get_iteration, campaign.id, 1)
    verdict = ended.verdict
    if verdict is None:
        # A leak that was never run was not caught.
        raise UnavailableError(
            f"the campaign {spec.display_name!r} is {ended.state}: {ended.state_reason}",
            hint="Run `stratlab doctor`, mend what it names, then try again.",
        )
    return SandboxedResult(
        name=spec.display_name,
        is_leak=is_leak,
        verdict=verdict.kind,
        admitted=any(not entry.provisional for entry in hall),
        reason=first.failure or verdict.reasons[0],
    )


def _build(settings: "Settings", recipe: Recipe) -> str:
    name = f"selftest-{recipe.kind}-{recipe.seed}"
    content = content_of(make_world(recipe))
    with trusted_jobs(settings) as jobs:
        build_data_set(
            settings.home_path, name, content, jobs, provenance="made by stratlab selftest"
        )
    return name


@final
class _OneSource:
    # Implements the port ``Generator``: it has one candidate.
    def __init__(self, leak: Leak) -> None:
        self._leak = leak

    def generate(self, request: "GenerationRequest") -> "Candidate":
        del request
        return self._leak.candidate()


@final
class _Blind:
    # Implements the port ``Screener``: it sees nothing.
    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        del source, author
        return ScreeningReport()
