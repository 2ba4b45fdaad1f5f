"""Random and mutated bytes get nothing out of the validator but its own violation."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.builders import FIRST_BAR, trial
from tests.sandbox.stand_in import market_order
from tests.sandbox.wire import NONCE, Wire, fill, leg

from stratlab.domain.trial import Limits, Order, OrderKind, Outcome
from stratlab.sandbox.entries import FrameViolationError
from stratlab.sandbox.frames import FrameValidator, ReadySeen
from stratlab_proto.runner.v1 import runner_service_pb2 as pb


def conversation() -> list[bytes]:
    usage = pb.Usage(cpu_seconds=0.5)
    parts = [
        {"hello": pb.Hello(runner_version="1")},
        {"ready": pb.Ready(startup_seconds=1.0)},
        {"started": pb.TrialStarted(trial_id="t", bars=9)},
        {"log": pb.LogBatch(trial_id="t", entries=[market_order(), leg()])},
        {"fills": pb.FillBatch(trial_id="t", fills=[fill()])},
        {"equity": pb.EquityBatch(trial_id="t", bars=[FIRST_BAR], values=[1.0])},
        {"progress": pb.TrialProgress(trial_id="t", fraction=0.5, bar=FIRST_BAR, equity=2.0)},
        {"output": pb.Output(trial_id="t", tail=b"x")},
        {"finished": pb.TrialFinished(trial_id="t", usage=usage)},
    ]
    return [
        pb.AttachRequest(sequence=n, nonce=NONCE if n else b"", **part).SerializeToString()
        for n, part in enumerate(parts)
    ]


def play(messages: list[bytes]) -> tuple[FrameValidator, FrameViolationError | None]:
    validator = FrameValidator(NONCE)
    for message in messages:
        try:
            if isinstance(validator.feed(message), ReadySeen):
                validator.begin(trial("t"), Limits())
        except FrameViolationError as violation:
            return validator, violation
    return validator, None


def test_conversation_that_the_fuzzing_starts_from_is_accepted() -> None:
    validator, violation = play(conversation())
    assert violation is None
    assert len(validator.record_of("t").log) == 2


@given(st.integers(0, 2**32))
def test_mutated_conversation_raises_nothing_but_violations(seed: int) -> None:
    mutation = random.Random(seed)
    messages = conversation()
    for _ in range(mutation.randint(1, 4)):
        place = mutation.randrange(len(messages))
        data = bytearray(messages[place])
        match mutation.randrange(5):
            case 0:
                data[mutation.randrange(len(data))] = mutation.randrange(256)
            case 1:
                del data[mutation.randrange(len(data)) :]
            case 2:
                data += mutation.randbytes(mutation.randint(1, 40))
            case 3:
                messages.insert(place, bytes(data))
            case 4:
                other = mutation.randrange(len(messages))
                messages[place], messages[other] = messages[other], messages[place]
                continue
        messages[place] = bytes(data) or b"\x00"
    validator, violation = play(messages)
    if violation is not None:
        assert violation.outcome in {Outcome.PROTOCOL_VIOLATION, Outcome.OUTPUT_LIMIT}
    for order in validator.record_of("t").log:
        assert FIRST_BAR <= order.bar <= validator.record_of("t").last_bar


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_bytes_raise_nothing_but_violations(messages: list[bytes]) -> None:
    _, violation = play(messages)
    assert violation is not None or messages == []


_anything = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([FIRST_BAR, 0, 1, -1]))
_money = st.one_of(st.floats(), st.just(1.0))


@given(
    st.lists(
        st.builds(
            pb.LogEntry,
            number=st.integers(0, 2**32 - 1),
            bar=_anything,
            phase=st.integers(0, 3),
            cancel=st.booleans(),
            symbol=st.sampled_from(["AAPL", "IBM", "", "X"]),
            amount=_anything,
            kind=st.sampled_from([*(kind.value for kind in OrderKind), "", "x"]),
            limit_price=st.one_of(st.none(), _money),
            stop_price=st.one_of(st.none(), _money),
            parent=st.integers(0, 3),
            distance=st.one_of(st.none(), _money),
        ),
        max_size=4,
    )
)
def test_well_formed_entries_with_hostile_values_raise_nothing_but_violations(
    log: list[pb.LogEntry],
) -> None:
    wire = Wire().started()
    try:
        wire.log(*log)
    except FrameViolationError:
        return
    numbers = [
        entry.number for entry in wire.validator.record_of("t").log if isinstance(entry, Order)
    ]
    assert numbers == sorted(set(numbers))
