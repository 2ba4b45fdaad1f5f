"""Iterations: candidate, trials, judgement, feedback and critique."""

from stratlab.api.convert.spec import GENERATORS
from stratlab.api.convert.trial import findings_to_proto, metrics_to_proto, trial_to_proto
from stratlab.api.convert.values import numbers_to_proto, time_to_proto
from stratlab.api.names import iteration_name
from stratlab.campaigns.history import History
from stratlab.domain.campaign import Evaluation, Feedback, Iteration
from stratlab.domain.gates import GateResult, Level
from stratlab.domain.strategy import Candidate, Critique
from stratlab.domain.trial import Limits
from stratlab_proto.v1 import campaign_service_pb2 as pb

LEVELS = {
    Level.FAILED: pb.Evaluation.LEVEL_UNSPECIFIED,
    Level.RAN: pb.Evaluation.LEVEL_RAN,
    Level.VALID_METRICS: pb.Evaluation.LEVEL_VALID_METRICS,
    Level.PROFITABLE: pb.Evaluation.LEVEL_PROFITABLE,
}

RANKS = {
    "": pb.CriticView.VALIDATION_RANK_UNSPECIFIED,
    "top": pb.CriticView.VALIDATION_RANK_TOP,
    "middle": pb.CriticView.VALIDATION_RANK_MIDDLE,
    "bottom": pb.CriticView.VALIDATION_RANK_BOTTOM,
}


def iteration_to_proto(iteration: Iteration, limits: Limits) -> pb.Iteration:
    """Return the message with all trials, without their series.

    Args:
        iteration: The iteration.
        limits: What was in force in all of its trials.
    """
    return pb.Iteration(
        name=iteration_name(iteration.campaign_id, iteration.number),
        number=iteration.number,
        start_time=time_to_proto(iteration.started_at),
        end_time=time_to_proto(iteration.ended_at) if iteration.ended_at else None,
        candidate=candidate_to_proto(iteration.candidate) if iteration.candidate else None,
        findings=findings_to_proto(iteration.screening),
        trials=[trial_to_proto(result, limits) for result in iteration.results],
        evaluation=evaluation_to_proto(iteration.evaluation) if iteration.evaluation else None,
        feedback=feedback_to_proto(iteration.feedback) if iteration.feedback else None,
        critique=critique_to_proto(iteration.critique) if iteration.critique else None,
        failure=iteration.failure,
        duplicate_of=iteration.duplicate_of,
        critic_view=critic_view_to_proto(iteration) if iteration.critique else None,
    )


def critic_view_to_proto(iteration: Iteration) -> pb.CriticView:
    """Return the message of all that the critic was told of an iteration."""
    told = History().summarise(iteration)
    return pb.CriticView(
        number=told.number,
        candidate=told.candidate.hash if told.candidate else "",
        train_score=told.train_score,
        # Not that of the summary, which knows nothing of the iterations before this one.
        validation_rank=RANKS[iteration.validation_rank],
        passed_gates=told.passed_gates,
        feedback=feedback_to_proto(told.feedback) if told.feedback else None,
        turnover=told.turnover,
        max_drawdown=told.max_drawdown,
        duplicate_of=told.duplicate_of,
        screened_out=told.screened_out,
        model=told.model,
    )


def candidate_to_proto(candidate: Candidate) -> pb.Candidate:
    """Return the message."""
    lineage = candidate.lineage
    return pb.Candidate(
        hash=candidate.hash,
        strategy_id=candidate.strategy_id,
        thesis=candidate.thesis,
        source=candidate.source,
        contract=candidate.contract,
        parameters=numbers_to_proto(candidate.parameters),
        generator=GENERATORS[lineage.generator],
        operator=lineage.operator,
        parents=lineage.parents,
        generation=lineage.generation,
        note=lineage.note,
        island=lineage.island,
    )


def evaluation_to_proto(evaluation: Evaluation) -> pb.Evaluation:
    """Return the message; metrics and score stay absent where they are undefined."""
    message = pb.Evaluation(
        level=LEVELS[evaluation.level],
        parameters=numbers_to_proto(evaluation.parameters),
        gates=[gate_result_to_proto(gate) for gate in evaluation.gates],
        score=evaluation.score,
        score_parts=evaluation.score_parts,
    )
    for field, metrics in (
        (message.train, evaluation.train),
        (message.validation, evaluation.validation),
        (message.benchmark_train, evaluation.benchmark_train),
        (message.benchmark_validation, evaluation.benchmark_validation),
    ):
        if metrics is not None:
            field.CopyFrom(metrics_to_proto(metrics))
    return message


def gate_result_to_proto(gate: GateResult) -> pb.GateResult:
    """Return the message."""
    return pb.GateResult(gate=gate.gate, passed=gate.passed, value=gate.value, bound=gate.bound)


def feedback_to_proto(feedback: Feedback) -> pb.Feedback:
    """Return the message."""
    return pb.Feedback(
        kind=feedback.kind,
        summary=feedback.summary,
        analysis=feedback.analysis,
        hint=feedback.hint,
    )


def critique_to_proto(critique: Critique) -> pb.Critique:
    """Return the message."""
    return pb.Critique(operator=critique.operator, parent=critique.parent, reason=critique.reason)
