"""The result hash: equal for equal results, whatever happened on the way.

It covers candidate hash, parameters, data digest, order digest, host metrics to 1e-9, gates and
the verdict, in trial order; it excludes times, cost, attempts and member ids (DESIGN.md). Smoke
runs are a part of screening: what they forbid shows as trials that are missing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from stratlab.domain.campaign import Iteration
from stratlab.domain.events import canonical_json
from stratlab.domain.gates import Verdict
from stratlab.domain.metrics import Metrics
from stratlab.domain.trial import TrialPurpose, TrialResult

_DIGITS = 9


def result_hash(data_digest: str, iterations: Sequence[Iteration], verdict: Verdict) -> str:
    """Return the sha256 (hex) over everything that a repetition must reproduce."""
    content = {
        "data": data_digest,
        "iterations": [_iteration(iteration) for iteration in iterations],
        "verdict": [verdict.kind, verdict.candidate],
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _iteration(iteration: Iteration) -> dict[str, object]:
    evaluation = iteration.evaluation
    return {
        "candidate": iteration.candidate.hash if iteration.candidate else "",
        "trials": [
            _trial(result)
            for result in iteration.results
            if result.spec.purpose is not TrialPurpose.SMOKE
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
