"""Decides how a trial ended, from what its process said and what the kernel says of it."""

import os
import signal

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.relay import Relay, Violation
from stratlab_runner.zygote import TrialExit


def end_frame(
    request: pb.RunTrial,
    relay: Relay,
    violation: Violation | None,
    ended: TrialExit | None,
    *,
    memory_killed: bool,
) -> pb.AttachRequest:
    """Return the last frame about a trial, with the usage that its parent measured.

    Args:
        request: The trial.
        relay: What its process said, completely.
        violation: Why it was killed, None when it was not.
        ended: How its process ended, None when its parent died with it.
        memory_killed: Whether the kernel killed a process for memory meanwhile.
    """
    try:
        said = relay.end() if violation is None else None
    except Violation as half_a_frame:
        said, violation = None, half_a_frame
    failed: pb.TrialFailed
    if said is not None and said.WhichOneof("frame") == "failed":
        failed = said.failed
    elif said is not None and ended is not None and ended.status == 0:
        return pb.AttachRequest(
            finished=pb.TrialFinished(trial_id=request.trial_id, usage=_usage(ended))
        )
    else:
        cause, message = _cause(request, relay, violation, ended, memory_killed=memory_killed)
        failed = pb.TrialFailed(trial_id=request.trial_id, cause=cause, message=message)
    if ended is not None:
        failed.usage.CopyFrom(_usage(ended))
    return pb.AttachRequest(failed=failed)


def _cause(
    request: pb.RunTrial,
    relay: Relay,
    violation: Violation | None,
    ended: TrialExit | None,
    *,
    memory_killed: bool,
) -> tuple["pb.TrialFailed.Cause.ValueType", str]:
    # An honest process that was killed in the middle of a frame is not a liar.
    killed = ended is None or os.WIFSIGNALED(ended.status)
    if violation is not None and not (killed and violation.is_cut_off):
        return violation.cause, str(violation)
    if memory_killed and killed:
        return pb.TrialFailed.CAUSE_MEMORY, "the container's memory limit was reached"
    # Before foreign code runs, whatever goes wrong is our fault.
    cause = pb.TrialFailed.CAUSE_PROTOCOL if relay.started else pb.TrialFailed.CAUSE_RUNNER
    if ended is None:
        return cause, "the process that the trial came from was killed"
    if not os.WIFSIGNALED(ended.status):
        code = os.waitstatus_to_exitcode(ended.status)
        return cause, f"the process ended with code {code} and without saying why"
    number = os.WTERMSIG(ended.status)
    if number == signal.SIGXCPU or ended.cpu_seconds >= request.cpu_seconds:
        return pb.TrialFailed.CAUSE_CPU, f"more than {request.cpu_seconds} s of CPU time"
    return pb.TrialFailed.CAUSE_SIGNAL, f"ended by {_signal_name(number)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _usage(ended: TrialExit) -> pb.Usage:
    return pb.Usage(
        wall_seconds=ended.wall_seconds,
        cpu_seconds=ended.cpu_seconds,
        max_rss_bytes=ended.max_rss_bytes,
    )
