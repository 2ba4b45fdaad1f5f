"""What the supervisor lets through from a trial's process."""

import signal
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.ending import end_frame
from stratlab_runner.relay import Relay, Violation
from stratlab_runner.wire import pack
from stratlab_runner.zygote import News, TrialExit

REQUEST = pb.RunTrial(trial_id="t", max_output_bytes=10_000, output_tail_bytes=10, cpu_seconds=5)
STARTED = pb.AttachRequest(started=pb.TrialStarted(trial_id="t", bars=3))
EQUITY = pb.AttachRequest(equity=pb.EquityBatch(trial_id="t", bars=[1], values=[2.0]))
FINISHED = pb.AttachRequest(finished=pb.TrialFinished(trial_id="t"))


def stream(*frames: pb.AttachRequest) -> bytes:
    return b"".join(pack(frame.SerializeToString()) for frame in frames)


def length_prefixed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def failure(cause: "pb.TrialFailed.Cause") -> pb.AttachRequest:
    return pb.AttachRequest(failed=pb.TrialFailed(trial_id="t", cause=cause))


def cause_of(data: bytes, *, status: int = 0, cpu: float = 1.0, memory_killed: bool = False) -> str:
    relay, violation = Relay(REQUEST), None
    try:
        relay.frames(data)
    except Violation as found:
        violation = found
    ended = TrialExit(status, 2.0, cpu, 4096)
    frame = end_frame(REQUEST, relay, violation, ended, memory_killed=memory_killed)
    if frame.WhichOneof("frame") == "finished":
        assert frame.finished.usage.wall_seconds == 2.0
        return ""
    assert frame.failed.usage.max_rss_bytes == 4096
    assert frame.failed.trial_id == "t"
    return pb.TrialFailed.Cause.Name(frame.failed.cause)


def test_relay_honest_stream_passes_all_but_the_last_frame() -> None:
    relay = Relay(REQUEST)
    assert relay.frames(stream(STARTED, EQUITY, FINISHED)) == [STARTED, EQUITY]
    assert relay.end() == FINISHED


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stream(EQUITY), "misplaced frame 'equity'"),
        (stream(STARTED, STARTED), "misplaced frame 'started'"),
        (stream(STARTED, FINISHED, EQUITY), "after the last one"),
        (stream(STARTED, FINISHED, FINISHED), "after the last one"),
        (stream(STARTED, pb.AttachRequest(ready=pb.Ready())), "misplaced frame 'ready'"),
        (stream(STARTED, pb.AttachRequest(output=pb.Output(trial_id="t"))), "misplaced"),
        (stream(STARTED) + b"\0\0\0\0", "malformed"),
        (stream(pb.AttachRequest(started=pb.TrialStarted(trial_id="u"))), "another trial"),
        (stream(STARTED, failure(pb.TrialFailed.CAUSE_RUNNER)), "pretended"),
        (pack(b"\xff\xff"), "malformed"),
        (b"\xff\xff\xff\xff", "malformed"),
    ],
)
def test_relay_dishonest_stream_is_a_violation(data: bytes, message: str) -> None:
    with pytest.raises(Violation) as found:
        Relay(REQUEST).frames(data)
    assert found.value.cause == pb.TrialFailed.CAUSE_PROTOCOL
    assert message in str(found.value)


def test_relay_more_frames_than_the_limit_is_an_output_violation() -> None:
    relay = Relay(REQUEST)
    with pytest.raises(Violation) as found:
        relay.frames(stream(STARTED, *[EQUITY] * 1000))
    assert found.value.cause == pb.TrialFailed.CAUSE_OUTPUT


def test_relay_output_keeps_the_tail_and_counts_everything() -> None:
    relay = Relay(REQUEST)
    assert relay.output_frame is None
    relay.output(b"hello ")
    relay.output(b"strategy")
    assert relay.output_frame is not None
    assert relay.output_frame.output.tail == b"o strategy"
    assert relay.output_frame.output.total_bytes == 14
    with pytest.raises(Violation) as found:
        relay.output(b"x" * 10_000)
    assert found.value.cause == pb.TrialFailed.CAUSE_OUTPUT
    assert relay.output_frame.output.total_bytes == 10_014


def test_ending_finished_and_exit_zero_is_success() -> None:
    assert cause_of(stream(STARTED, EQUITY, FINISHED)) == ""


@pytest.mark.parametrize(
    ("data", "status", "cpu", "memory_killed", "expected"),
    [
        (stream(STARTED, FINISHED), signal.SIGKILL, 1.0, False, "CAUSE_SIGNAL"),
        (stream(STARTED, FINISHED), 1 << 8, 1.0, False, "CAUSE_PROTOCOL"),
        (stream(STARTED), 0, 1.0, False, "CAUSE_PROTOCOL"),
        (stream(STARTED), 3 << 8, 1.0, False, "CAUSE_PROTOCOL"),
        (b"", 1 << 8, 1.0, False, "CAUSE_RUNNER"),
        (stream(STARTED), signal.SIGXCPU, 1.0, False, "CAUSE_CPU"),
        (stream(STARTED), signal.SIGKILL, 6.0, False, "CAUSE_CPU"),
        (stream(STARTED), signal.SIGKILL, 1.0, True, "CAUSE_MEMORY"),
        (stream(STARTED, EQUITY)[:-1], signal.SIGKILL, 1.0, True, "CAUSE_MEMORY"),
        (stream(STARTED, EQUITY)[:-1], signal.SIGSEGV, 1.0, False, "CAUSE_SIGNAL"),
        (stream(STARTED, EQUITY)[:-1], 0, 1.0, False, "CAUSE_PROTOCOL"),
        (stream(STARTED, STARTED), signal.SIGKILL, 1.0, True, "CAUSE_PROTOCOL"),
        (stream(STARTED, failure(pb.TrialFailed.CAUSE_PIDS)), 1 << 8, 1.0, False, "CAUSE_PIDS"),
        (stream(failure(pb.TrialFailed.CAUSE_RUNNER)), 1 << 8, 1.0, False, "CAUSE_RUNNER"),
    ],
)
def test_ending_cause_follows_from_frames_and_exit(
    data: bytes, status: int, cpu: float, memory_killed: bool, expected: str
) -> None:
    assert cause_of(data, status=status, cpu=cpu, memory_killed=memory_killed) == expected


@pytest.mark.parametrize(
    ("data", "cause"),
    [(stream(STARTED), "CAUSE_PROTOCOL"), (b"", "CAUSE_RUNNER")],
)
def test_ending_parent_killed_is_the_strategys_doing_once_it_runs(data: bytes, cause: str) -> None:
    relay = Relay(REQUEST)
    relay.frames(data)
    frame = end_frame(REQUEST, relay, None, None, memory_killed=False)
    assert pb.TrialFailed.Cause.Name(frame.failed.cause) == cause
    assert not frame.failed.HasField("usage")


@given(st.lists(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(length_prefixed))))
def test_relay_hostile_bytes_are_frames_or_a_violation(pieces: list[bytes]) -> None:
    relay = Relay(REQUEST)
    relay.frames(stream(STARTED))
    with suppress(Violation):  # any other exception would end the supervisor
        for piece in pieces:
            for frame in relay.frames(piece):
                assert frame.WhichOneof("frame") in {"progress", "log", "fills", "equity"}


@pytest.mark.parametrize(
    "news", [News(7), News(7, "t"), News(7, "t", TrialExit(9, 1.5, 0.5, 1024))]
)
def test_news_round_trip_keeps_every_field(news: News) -> None:
    assert News.from_bytes(news.to_bytes()) == news
