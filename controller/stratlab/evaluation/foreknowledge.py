"""Holds back promotions of what a model may have remembered instead of found.

A language model that was told symbols and dates, and whose training data may reach into the
holdout, can write down what it knows of those years; no test on that holdout can tell. The same
goes for everything that descends from such a candidate.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stratlab.domain.campaign import Iteration
from stratlab.domain.gates import RuleResult, RuleStatus, Verdict, VerdictKind
from stratlab.domain.strategy import Candidate

FOREKNOWLEDGE: Final = "foreknowledge"
"""Name of the rule; judged only of what language models had a hand in."""

MAX_FOREKNOWING: Final = 0


def without_foreknowledge(verdict: Verdict, iterations: Sequence[Iteration]) -> Verdict:
    """Return the verdict with the rule about foreknowledge, at most ``iterate`` when it failed.

    Args:
        verdict: By all other rules.
        iterations: All of the campaign.
    """
    authors = [c for c in _ancestry(verdict.candidate, iterations) if c.lineage.model]
    if not authors:
        return verdict
    knowing = [candidate for candidate in authors if candidate.lineage.may_foreknow]
    passed = len(knowing) <= MAX_FOREKNOWING
    shown = ", ".join(sorted({candidate.lineage.model for candidate in knowing or authors}))
    evidence = (
        f"written blind, or before the holdout began, by {shown}"
        if passed
        else f"{shown} was told symbols and dates, and may have read about the holdout's years"
    )
    status = RuleStatus.PASSED if passed else RuleStatus.FAILED
    rule = RuleResult(FOREKNOWLEDGE, status, float(len(knowing)), float(MAX_FOREKNOWING), evidence)
    judged = replace(verdict, rules=(*verdict.rules, rule))
    if passed or verdict.kind is not VerdictKind.PROMOTE_CANDIDATE:
        return judged
    decisive = f"every other rule passed, but not {FOREKNOWLEDGE}: {evidence}"
    return replace(judged, kind=VerdictKind.ITERATE, reasons=(decisive, *verdict.reasons))


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
