"""The host's own judgement: repricing, metrics, scores, gates and verdicts.

Importing this package is cheap; the numerical modules load when the first trial is settled.
"""

from stratlab.evaluation.evaluator import HostEvaluator
from stratlab.evaluation.gates import judge_gates
from stratlab.evaluation.scoring import composite_score, train_score
from stratlab.evaluation.verdict import finalist_of, reach_verdict

__all__ = [
    "HostEvaluator",
    "composite_score",
    "finalist_of",
    "judge_gates",
    "reach_verdict",
    "train_score",
]
