"""Judges whether a candidate may have been remembered instead of found.

A language model that was told symbols and dates, and whose training data may reach into the
holdout, can write down what it knows of those years; no test on that holdout can tell. The same
goes for everything that descends from such a candidate.
"""

from collections.abc import Sequence
from typing import Final

from stratlab.domain.campaign import Iteration
from stratlab.domain.gates import RuleResult, RuleStatus
from stratlab.domain.strategy import Candidate

FOREKNOWLEDGE: Final = "foreknowledge"
"""Name of the rule; judged only of what language models had a hand in."""

MAX_FOREKNOWING: Final = 0


def judge_foreknowledge(candidate: str, iterations: Sequence[Iteration]) -> RuleResult | None:
    """Return the rule about foreknowledge, None where no language model had a hand in.

    Args:
        candidate: Hash of the one that is judged.
        iterations: All of the campaign.
    """
    authors = [c for c in _ancestry(candidate, iterations) if c.lineage.model]
    if not authors:
        return None
    knowing = [author for author in authors if author.lineage.may_foreknow]
    passed = len(knowing) <= MAX_FOREKNOWING
    shown = ", ".join(sorted({author.lineage.model for author in knowing or authors}))
    evidence = (
        f"written blind, or before the holdout began, by {shown}"
        if passed
        else f"{shown} was told symbols and dates, and may have read about the holdout's years"
    )
    status = RuleStatus.PASSED if passed else RuleStatus.FAILED
    return RuleResult(FOREKNOWLEDGE, status, float(len(knowing)), float(MAX_FOREKNOWING), evidence)


def _ancestry(candidate_hash: str, iterations: Sequence[Iteration]) -> list[Candidate]:
    known = {i.candidate.hash: i.candidate for i in iterations if i.candidate is not None}
    found: dict[str, Candidate] = {}
    waiting = [candidate_hash]
    while waiting:
        name = waiting.pop()
        candidate = known.get(name)
        if candidate is not None and name not in found:
            found[name] = candidate
            waiting.extend(candidate.lineage.parents)
    return list(found.values())
