"""Determinism: the same trial, run again, gives the same orders, also on another runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

from stratlab.campaigns.rerun import Suspect, rerun_of, run_again
from stratlab.campaigns.uninterrupted import uninterrupted
from stratlab.domain.errors import SandboxNotReadyError
from stratlab.domain.ports import Sandbox
from stratlab.domain.trial import Cancel, Order, Outcome, TrialClaim, TrialSpec

Log = Sequence[Order | Cancel]

Announce = Callable[[Sequence[TrialSpec]], None]
"""Told of re-runs before they begin; may block."""

NO_ANSWER: Final = frozenset(
    {
        Outcome.TIMEOUT_CPU,
        Outcome.TIMEOUT_WALL,
        Outcome.OUT_OF_MEMORY,
        Outcome.PIDS,
        Outcome.OUTPUT_LIMIT,
        Outcome.SIGNAL,
        Outcome.CANCELLED,
    }
)
"""Ends of a re-run that may say something of the machine: what is missing then is no difference."""


@final
@dataclass(frozen=True, slots=True)
class Repetition:
    """What came of running trials again as they were.

    Attributes:
        logs: Of each trial.
        count: How many re-runs could be compared.
        difference: The first order that was another one, as a sentence; "" for none.
    """

    logs: tuple[Log, ...]
    count: int
    difference: str = ""


async def repeat(sandbox: Sandbox, suspect: Suspect, announce: Announce) -> Repetition:
    """Run every trial once more.

    A stored result keeps the digest of its order log. When that differs, the trial is run a
    third time, to name an order.

    Args:
        sandbox: Runs them.
        suspect: Whose trials.
        announce: Told of re-runs before they begin.

    Raises:
        UnavailableError: A trial cannot be run at all.
        EngineError: The engine refused.
    """
    again = [rerun_of(result.spec, "again") for result in suspect.results]
    await uninterrupted(lambda: announce(again))
    claims = await run_again(sandbox, suspect, again)
    difference = ""
    for number, claim in enumerate(claims):
        difference = difference or await _difference(sandbox, suspect, number, claim, announce)
    return Repetition(tuple(claim.log for claim in claims), len(claims), difference)


async def run_elsewhere(
    sandbox: Sandbox, suspect: Suspect, runtime: str, announce: Announce
) -> TrialClaim | None:
    """Run the first trial on another runtime too.

    Args:
        sandbox: Runs it.
        suspect: Whose trial.
        runtime: Another container runtime; "" for none.
        announce: Told of the re-run before it begins.

    Returns:
        None where this host has no such runtime or cannot prove its limits, or where the trial
        takes too much there.

    Raises:
        UnavailableError: A trial cannot be run at all.
        EngineError: The engine refused.
    """
    if runtime in {"", suspect.runtime}:
        return None
    spec = rerun_of(suspect.results[0].spec, runtime)
    await uninterrupted(lambda: announce([spec]))
    try:
        (claim,) = await run_again(sandbox, suspect, [spec], runtime)
    except SandboxNotReadyError:
        return None
    return None if claim.outcome in NO_ANSWER else claim


def compared(repeated: Repetition, elsewhere: TrialClaim | None, runtime: str) -> Repetition:
    """Return repetitions with that of the first trial on another runtime.

    Args:
        repeated: On the suspect's own runtime.
        elsewhere: What :func:`run_elsewhere` returned.
        runtime: The other one.
    """
    if elsewhere is None:
        return repeated
    found = _first_difference(repeated.logs[0], elsewhere.log)
    difference = found and f"on {runtime} orders are others: {found}"
    return replace(repeated, count=repeated.count + 1, difference=repeated.difference or difference)


async def _difference(
    sandbox: Sandbox, suspect: Suspect, number: int, claim: TrialClaim, announce: Announce
) -> str:
    from stratlab.evaluation.order_log import orders_digest  # noqa: PLC0415 - keeps start-up fast

    result = suspect.results[number]
    if claim.outcome is not Outcome.SUCCEEDED:
        return f"the same trial ended with {claim.outcome} when it was run again: {claim.reason}"
    if orders_digest(claim.log) == result.orders_digest:
        return ""
    spec = rerun_of(result.spec, "third")
    await uninterrupted(lambda: announce([spec]))
    (third,) = await run_again(sandbox, suspect, [spec])
    found = _first_difference(claim.log, third.log)
    return f"the same trial placed other orders when it was run again{found and f': {found}'}"


def _first_difference(one: Log, other: Log) -> str:
    from stratlab.evaluation.causality import first_difference  # noqa: PLC0415 - loads numpy

    last = max((entry.bar for entry in (*one, *other)), default=0)
    return first_difference(one, other, last, None)
