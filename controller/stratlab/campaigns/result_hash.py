"""The result hash: equal for equal results, whatever happened on the way.

It covers candidate hash, parameters, data digest, order digest, host metrics to 1e-9, gates, the
outcome of every causality test and the verdict with every rule, its value to 1e-9 and its bound, in
trial order; it excludes times, cost, attempts, member ids and the wording of reasons (DESIGN.md).
Smoke runs are a part of screening: what they forbid shows as trials that are missing. Reported
evidence, which decides nothing, is left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from stratlab.domain.campaign import Iteration
from stratlab.domain.events import canonical_json
from stratlab.domain.examination import Examination
from stratlab.domain.gates import Verdict
from stratlab.domain.metrics import Metrics
from stratlab.domain.trial import TrialPurpose, TrialResult

_DIGITS = 9


def result_hash(
    data_digest: str,
    iterations: Sequence[Iteration],
    verdict: Verdict,
    examinations: Sequence[Examination] = (),
) -> str:
    """Return the sha256 (hex) over everything that a repetition must reproduce."""
    content = {
        "data": data_digest,
        "iterations": [iteration_content(iteration) for iteration in iterations],
        "causality": [
            [examination.subject.candidate_hash, examination.causality.outcome]
            for examination in examinations
            if examination.causality is not None
        ],
        "verdict": [
            verdict.kind,
            verdict.candidate,
            [
                [rule.name, rule.status, _number(rule.value), _number(rule.bound)]
                for rule in verdict.rules
            ],
        ],
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def iteration_content(iteration: Iteration) -> dict[str, object]:
    """Return what a repetition must reproduce of one iteration, by part."""
    evaluation = iteration.evaluation
    return {
        "candidate": iteration.candidate.hash if iteration.candidate else "",
        "trials": [
            _trial(result)
            for result in iteration.results
            if result.spec.purpose is TrialPurpose.SEARCH
        ],
        "gates": [
            [gate.gate, gate.passed, _number(gate.value), _number(gate.bound)]
            for gate in (evaluation.gates if evaluation else ())
        ],
        "score": _number(evaluation.score) if evaluation else None,
    }


def _trial(result: TrialResult) -> list[object]:
    return [
        result.spec.index,
        {name: _number(value) for name, value in result.spec.parameters.items()},
        result.outcome,
        result.orders_digest,
        _metrics(result.metrics),
    ]


def _metrics(metrics: Metrics | None) -> dict[str, str | None] | None:
    if metrics is None:
        return None
    return {name: _number(value) for name, value in asdict(metrics).items()}


def _number(value: float | None) -> str | None:
    # Fixed-point text: 1e-9 is absolute, and 1 and 1.0 are the same number.
    return None if value is None else f"{value + 0.0:.{_DIGITS}f}"
