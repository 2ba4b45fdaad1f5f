"""Frames with correct sequence and nonce, for tests that then break one thing."""

from typing import Any

from tests.sandbox.builders import FIRST_BAR, trial
from tests.sandbox.stand_in import market_order

from stratlab.domain.trial import Limits
from stratlab.sandbox.frames import FrameEvent, FrameValidator
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

NONCE = b"0123456789abcdef"
BAD_NUMBERS = [float("nan"), float("inf"), float("-inf"), 1e300]


class Wire:
    """Feeds frames with correct sequence and nonce, unless told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.validator = FrameValidator(NONCE, lambda: self.now)
        self.sequence = 0

    def feed(self, *, nonce: bytes = NONCE, **frame: Any) -> FrameEvent | None:
        request = pb.AttachRequest(sequence=self.sequence, nonce=nonce, **frame)
        self.sequence += 1
        return self.validator.feed(request.SerializeToString())

    def ready(self) -> "Wire":
        self.feed(nonce=b"", hello=pb.Hello(runner_version="1"))
        self.feed(ready=pb.Ready())
        return self

    def started(self, limits: Limits | None = None) -> "Wire":
        self.ready()
        self.validator.begin(trial("t"), limits or Limits())
        self.feed(started=pb.TrialStarted(trial_id="t"))
        return self

    def log(self, *log: pb.LogEntry) -> None:
        self.feed(log=pb.LogBatch(trial_id="t", entries=log))

    def fills(self, *fills: pb.Fill) -> None:
        self.feed(fills=pb.FillBatch(trial_id="t", fills=fills))


def fill(number: int = 1, bar: int = FIRST_BAR, **changes: Any) -> pb.Fill:
    values = {"symbol": "IBM", "amount": -5, "price": 20.0, "commission": 0.1}
    return pb.Fill(number=number, bar=bar, **(values | changes))


def leg(number: int = 2, kind: str = "bracket_stop", **changes: Any) -> pb.LogEntry:
    levels = {} if {"stop_price", "limit_price", "distance"} & set(changes) else {"distance": 2.0}
    return market_order(number, kind=kind, amount=-10, **({"parent": 1} | levels | changes))
