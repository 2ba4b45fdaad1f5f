"""The frame validator against honest sequences, each single lie, and random bytes."""

from typing import Any

import pytest
from tests.sandbox.builders import DAY, FIRST_BAR, trial
from tests.sandbox.stand_in import market_order
from tests.sandbox.wire import BAD_NUMBERS, NONCE, Wire, fill, leg

from stratlab.domain.trial import Cancel, DataCalls, Limits, Order, OrderKind, Outcome, Phase
from stratlab.sandbox import entries, frames
from stratlab.sandbox.entries import FrameViolationError
from stratlab.sandbox.frames import (
    EndSeen,
    FrameValidator,
    HelloSeen,
    ProgressSeen,
    ReadySeen,
    StartedSeen,
)
from stratlab_proto.runner.v1 import runner_service_pb2 as pb


def test_honest_trial_is_recorded_as_sent() -> None:
    wire = Wire()
    assert wire.feed(nonce=b"", hello=pb.Hello(runner_version="1")) == HelloSeen("1")
    assert wire.feed(ready=pb.Ready()) == ReadySeen()
    wire.validator.begin(trial("t"), Limits())
    assert wire.feed(started=pb.TrialStarted(trial_id="t")) == StartedSeen("t")
    progress = pb.TrialProgress(trial_id="t", fraction=0.25, bar=FIRST_BAR, equity=5.0)
    assert wire.feed(progress=progress) == ProgressSeen("t", 0.25, FIRST_BAR, 5.0)
    cancel = pb.LogEntry(number=2, bar=FIRST_BAR + DAY, phase=pb.LogEntry.PHASE_BAR, cancel=True)
    wire.log(market_order(), leg(), cancel)
    wire.fills(fill(), fill(2, FIRST_BAR + DAY))
    wire.feed(equity=pb.EquityBatch(trial_id="t", bars=[FIRST_BAR], values=[1e5]))
    wire.feed(output=pb.Output(trial_id="t", tail=b"hi\x1b", total_bytes=3))
    wire.feed(data_calls=pb.DataCalls(trial_id="t", total=7, fallbacks={"history": 2}))
    end = wire.feed(finished=pb.TrialFinished(trial_id="t", usage=pb.Usage(cpu_seconds=1.5)))
    assert isinstance(end, EndSeen)
    assert (end.outcome, end.usage.cpu_seconds) == (Outcome.SUCCEEDED, 1.5)
    record = wire.validator.record_of("t")
    assert record.log == [
        Order(1, FIRST_BAR, Phase.BAR, "AAPL", 10, OrderKind.MARKET),
        Order(2, FIRST_BAR, Phase.BAR, "AAPL", -10, OrderKind.BRACKET_STOP, parent=1, distance=2.0),
        Cancel(2, FIRST_BAR + DAY, Phase.BAR),
    ]
    assert [(each.number, each.bar) for each in record.fills] == [
        (1, FIRST_BAR),
        (2, FIRST_BAR + DAY),
    ]
    assert record.output_tail == "hi\\x1b"
    assert record.data_calls == DataCalls(7, {"history": 2})


@pytest.mark.parametrize(
    "entry",
    [
        market_order(kind="limit", limit_price=0.0),
        market_order(kind="stop", stop_price=3.0),
        market_order(kind="stop_limit", stop_price=3.0, limit_price=3.5),
        market_order(phase=pb.LogEntry.PHASE_BEFORE_OPEN),
        market_order(number=7),
        market_order(amount=-(10**12)),
    ],
)
def test_unusual_but_honest_order_is_accepted(entry: pb.LogEntry) -> None:
    wire = Wire().started()
    wire.log(entry)
    assert len(wire.validator.record_of("t").log) == 1


@pytest.mark.parametrize(
    "entry",
    [leg(stop_price=3.0), leg(kind="bracket_take"), leg(kind="bracket_take", limit_price=9.0)],
)
def test_bracket_leg_by_distance_or_level_is_accepted(entry: pb.LogEntry) -> None:
    wire = Wire().started()
    wire.log(market_order(), entry)
    assert wire.validator.record_of("t").log[1].parent == 1


@pytest.mark.parametrize(
    "entry",
    [
        market_order(number=0),
        market_order(number=1),
        market_order(2, bar=FIRST_BAR - 1),
        market_order(2, bar=FIRST_BAR + 400 * DAY),
        market_order(2, bar=-(2**62)),
        market_order(2, phase=pb.LogEntry.PHASE_UNSPECIFIED),
        market_order(2, phase=17),
        market_order(2, phase=pb.LogEntry.PHASE_BEFORE_OPEN),
        market_order(2, symbol="MSFT"),
        market_order(2, symbol=""),
        market_order(2, amount=0),
        market_order(2, amount=10**12 + 1),
        market_order(2, amount=-(2**63)),
        market_order(2, kind="moc"),
        market_order(2, kind=""),
        market_order(2, limit_price=3.0),
        market_order(2, parent=1),
        market_order(2, kind="limit"),
        market_order(2, kind="limit", limit_price=-1.0),
        market_order(2, kind="stop", limit_price=1.0),
        market_order(2, kind="stop_limit", stop_price=1.0),
        *(market_order(2, kind="limit", limit_price=bad) for bad in BAD_NUMBERS),
        *(leg(distance=bad) for bad in (*BAD_NUMBERS, 0.0, -1.0)),
        leg(parent=0),
        leg(parent=2),
        leg(parent=99),
        leg(stop_price=3.0, distance=1.0),
        leg(limit_price=3.0),
        pb.LogEntry(number=2, bar=FIRST_BAR, phase=pb.LogEntry.PHASE_BAR, cancel=True),
        pb.LogEntry(number=0, bar=FIRST_BAR, phase=pb.LogEntry.PHASE_BAR, cancel=True),
        pb.LogEntry(number=1, bar=0, phase=pb.LogEntry.PHASE_BAR, cancel=True),
    ],
)
def test_order_or_cancel_out_of_range_or_order_is_a_violation(entry: pb.LogEntry) -> None:
    wire = Wire().started()
    wire.log(market_order())
    with pytest.raises(FrameViolationError):
        wire.log(entry)


@pytest.mark.parametrize(
    "bad",
    [
        fill(number=0),
        fill(bar=0),
        fill(bar=FIRST_BAR),
        fill(bar=FIRST_BAR + DAY, symbol="X"),
        fill(bar=FIRST_BAR + DAY, amount=0),
        fill(bar=FIRST_BAR + DAY, price=0.0),
        fill(bar=FIRST_BAR + DAY, price=-1.0),
        fill(bar=FIRST_BAR + DAY, commission=-0.1),
        *(fill(bar=FIRST_BAR + DAY, price=number) for number in BAD_NUMBERS),
        *(fill(bar=FIRST_BAR + DAY, commission=number) for number in BAD_NUMBERS),
    ],
)
def test_fill_out_of_range_or_order_is_a_violation(bad: pb.Fill) -> None:
    wire = Wire().started()
    wire.fills(fill(bar=FIRST_BAR + DAY))
    with pytest.raises(FrameViolationError):
        wire.fills(bad)


@pytest.mark.parametrize(
    ("bars", "values"),
    [
        ([FIRST_BAR], []),
        ([], [1.0]),
        ([FIRST_BAR, FIRST_BAR], [1.0, 1.0]),
        ([FIRST_BAR + DAY, FIRST_BAR], [1.0, 1.0]),
        ([0], [1.0]),
        *(([FIRST_BAR], [bad]) for bad in BAD_NUMBERS),
    ],
)
def test_equity_out_of_range_or_order_is_a_violation(bars: list[int], values: list[float]) -> None:
    wire = Wire().started()
    with pytest.raises(FrameViolationError):
        wire.feed(equity=pb.EquityBatch(trial_id="t", bars=bars, values=values))


@pytest.mark.parametrize(
    "frame",
    [
        {"hello": pb.Hello()},
        {"ready": pb.Ready()},
        {"started": pb.TrialStarted(trial_id="t")},
        {"progress": pb.TrialProgress(trial_id="t", fraction=1.1, bar=FIRST_BAR)},
        {"progress": pb.TrialProgress(trial_id="t", fraction=float("nan"), bar=FIRST_BAR)},
        {"progress": pb.TrialProgress(trial_id="t", fraction=0.5, bar=1)},
        {"progress": pb.TrialProgress(trial_id="t", bar=FIRST_BAR, equity=float("inf"))},
        {"log": pb.LogBatch(trial_id="other")},
        {"log": pb.LogBatch()},
        {"data_calls": pb.DataCalls(trial_id="t", total=2**63)},
        {"data_calls": pb.DataCalls(trial_id="t", fallbacks={"history": 2**63})},
        {"data_calls": pb.DataCalls(trial_id="t", fallbacks={"a" * 41: 1})},
        {"data_calls": pb.DataCalls(trial_id="t", fallbacks={"\x1b[2J": 1})},
        {"data_calls": pb.DataCalls(trial_id="t", fallbacks={"a" * i: 1 for i in range(1, 18)})},
        {"finished": pb.TrialFinished(trial_id="other")},
        {"finished": pb.TrialFinished(trial_id="t", usage=pb.Usage(cpu_seconds=-1.0))},
        {"finished": pb.TrialFinished(trial_id="t", usage=pb.Usage(wall_seconds=float("nan")))},
        {"finished": pb.TrialFinished(trial_id="t", usage=pb.Usage(max_rss_bytes=2**63))},
        {"failed": pb.TrialFailed(trial_id="t")},
        {"failed": pb.TrialFailed(trial_id="t", cause=42)},
        {},
    ],
)
def test_frame_out_of_place_or_range_is_a_violation(frame: dict[str, Any]) -> None:
    wire = Wire().started()
    with pytest.raises(FrameViolationError):
        wire.feed(**frame)


def test_wrong_nonce_or_sequence_is_a_violation() -> None:
    for nonce in (b"", b"x" * 16, NONCE + b"x"):
        with pytest.raises(FrameViolationError, match="nonce"):
            Wire().started().feed(nonce=nonce, output=pb.Output(trial_id="t"))
    for step in (-1, 1, 1000):
        wire = Wire().started()
        wire.sequence += step
        with pytest.raises(FrameViolationError, match="sequence"):
            wire.feed(output=pb.Output(trial_id="t"))


def test_hello_with_a_nonce_is_a_violation() -> None:
    with pytest.raises(FrameViolationError, match="nonce"):
        Wire().feed(hello=pb.Hello())


def test_nothing_is_accepted_after_the_end_and_the_ended_trial_is_named() -> None:
    wire = Wire().started()
    wire.feed(finished=pb.TrialFinished(trial_id="t"))
    with pytest.raises(FrameViolationError) as caught:
        wire.feed(finished=pb.TrialFinished(trial_id="t"))
    assert caught.value.trial_id == "t"


def test_trial_may_fail_before_it_started() -> None:
    wire = Wire().ready()
    wire.validator.begin(trial("t"), Limits())
    cause = pb.TrialFailed.CAUSE_EXCEPTION
    end = wire.feed(failed=pb.TrialFailed(trial_id="t", cause=cause, type="SyntaxError", line=2))
    assert isinstance(end, EndSeen)
    assert (end.outcome, end.failure.line) == (Outcome.STRATEGY_ERROR, 2)


def test_second_trial_starts_with_an_empty_record() -> None:
    wire = Wire().started()
    wire.log(market_order())
    first = wire.validator.record_of("t")
    wire.feed(finished=pb.TrialFinished(trial_id="t"))
    wire.validator.begin(trial("u"), Limits())
    assert wire.validator.record_of("u").log == []
    assert len(first.log) == 1


def test_frames_of_two_trials_go_to_the_record_of_each() -> None:
    wire = Wire().started()
    wire.validator.begin(trial("u"), Limits())
    assert not wire.validator.has_started("u")
    wire.feed(started=pb.TrialStarted(trial_id="u"))
    wire.log(market_order())
    for number in (1, 2):
        entry = market_order(number, amount=-7)
        wire.feed(log=pb.LogBatch(trial_id="u", entries=[entry]))
    assert wire.feed(finished=pb.TrialFinished(trial_id="u")).trial_id == "u"
    assert wire.validator.has_started("t")
    wire.log(market_order(2))
    amounts = [[order.amount for order in wire.validator.record_of(each).log] for each in "tu"]
    assert amounts == [[10, 10], [-7, -7]]
    with pytest.raises(FrameViolationError) as caught:
        wire.feed(output=pb.Output(trial_id="u"))
    assert caught.value.trial_id == "u"


def test_trial_may_run_again_after_its_end_with_an_empty_record() -> None:
    wire = Wire().started()
    wire.log(market_order())
    wire.feed(finished=pb.TrialFinished(trial_id="t"))
    wire.validator.begin(trial("t"), Limits())
    wire.feed(started=pb.TrialStarted(trial_id="t"))
    assert wire.validator.record_of("t").log == []


def test_begin_of_what_runs_or_before_the_greeting_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(RuntimeError):
        Wire().started().validator.begin(trial("t"), Limits())
    with pytest.raises(RuntimeError):
        Wire().validator.begin(trial("t"), Limits())


def test_failure_texts_are_escaped_and_cut() -> None:
    wire = Wire().started()
    failed = pb.TrialFailed(
        trial_id="t",
        cause=pb.TrialFailed.CAUSE_EXCEPTION,
        type="\x1b]0;title\x07",
        message="m" * 100_000,
        text="\u202e",
        traceback="t" * 1_000_000,
        line=2**32 - 1,
    )
    failure = wire.feed(failed=failed).failure
    assert failure.type == "\\x1b]0;title\\x07"
    assert failure.message.endswith("characters cut]")
    assert len(failure.traceback) < 9_000
    assert (failure.line, failure.text) == (0, "\\u202e")


def test_too_many_bytes_of_one_trial_is_an_output_limit_and_the_next_starts_anew() -> None:
    wire = Wire().started(Limits(output_mib=1))
    tail = b"x" * (600 << 10)
    wire.feed(output=pb.Output(trial_id="t", tail=tail))
    with pytest.raises(FrameViolationError) as caught:
        wire.feed(output=pb.Output(trial_id="t", tail=tail))
    assert caught.value.outcome is Outcome.OUTPUT_LIMIT
    other = Wire().started(Limits(output_mib=1))
    other.feed(output=pb.Output(trial_id="t", tail=tail))
    other.feed(finished=pb.TrialFinished(trial_id="t"))
    other.validator.begin(trial("u"), Limits(output_mib=1))
    other.feed(started=pb.TrialStarted(trial_id="u"))
    other.feed(output=pb.Output(trial_id="u", tail=tail))


def test_oversize_frame_is_a_violation_before_it_is_decoded() -> None:
    with pytest.raises(FrameViolationError, match="large"):
        FrameValidator(NONCE).feed(b"\x00" * (frames.MAX_FRAME_BYTES + 1))


def test_frame_rate_is_bounded_and_recovers() -> None:
    wire = Wire().started()
    frame = {"output": pb.Output(trial_id="t")}
    for _ in range(int(frames.FRAME_BURST) - 3):  # three were needed to get here
        wire.feed(**frame)
    with pytest.raises(FrameViolationError, match="many frames"):
        wire.feed(**frame)
    patient = Wire().started()
    for _ in range(int(2 * frames.FRAME_BURST)):
        patient.now += 1 / frames.FRAMES_PER_SECOND
        patient.feed(**frame)


def test_entries_of_one_frame_and_of_one_trial_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    one = [market_order(n) for n in range(1, frames.MAX_ENTRIES_PER_FRAME + 2)]
    with pytest.raises(FrameViolationError, match="entries"):
        Wire().started().log(*one)
    monkeypatch.setattr(frames, "MAX_ENTRIES_PER_TRIAL", 3)
    wire = Wire().started()
    wire.log(market_order(1), market_order(2))
    with pytest.raises(FrameViolationError) as caught:
        wire.fills(fill(), fill(2))
    assert caught.value.outcome is Outcome.OUTPUT_LIMIT
    assert entries.MAX_ENTRIES_PER_TRIAL == 500_000
