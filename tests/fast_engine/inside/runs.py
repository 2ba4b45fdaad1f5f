"""Runs a script on a tier by one engine and returns everything that it did."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions import Script
from traces import exact

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.bars import bind_context
from stratlab_runner.fast.tally import Tally
from stratlab_runner.reporter import Reporter
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import TierData
from stratlab_runner.wire import read_frame

CAPITAL = 10_000.0


@dataclass(frozen=True)
class Run:
    """What one run did.

    Attributes:
        trace: What the strategy saw.
        frames: Everything that the host is told, in bytes: orders, fills and equity.
        error: What ended it, if anything.
        tally: The fast engine's own count, None of the stock engine.
    """

    trace: list[Any]
    frames: list[bytes]
    error: str
    tally: Tally | None


def request(tier: TierData, symbols: Sequence[str], **changes: Any) -> pb.RunTrial:
    """A trial over the whole tier."""
    known: dict[str, Any] = {
        "start": str(tier.first_session.date()), "end": str(tier.last_session.date()),
        "capital": CAPITAL, "cost_model": "next_open", "slippage_bps": 5, "volume_limit": 0.1,
        "commission_per_share": 0.001, "max_leverage": 50, "symbols": list(symbols),
    }  # fmt: skip
    return pb.RunTrial(**(known | changes))


def run(asked: pb.RunTrial, tier: TierData, make: Callable[[], Script], engine: str) -> Run:
    """Run one script by one engine."""
    script = make()
    trace, frames, error, tally = run_functions(asked, tier, script.functions(), engine)
    return Run(script.trace + trace, frames, error, tally)


def run_functions(
    asked: pb.RunTrial, tier: TierData, functions: dict[str, Any], engine: str
) -> tuple[list[Any], list[bytes], str, Tally | None]:
    """Run a strategy's functions by one engine."""
    with tempfile.TemporaryFile(buffering=0) as file:
        reporter = Reporter(file.fileno(), "t")
        # Progress depends on the time that has passed.
        reporter._last_time = float("inf")
        reporter._last_fraction = float("inf")
        algorithm = TrialAlgorithm(asked, tier, reporter, functions, engine=engine)
        bind_context(algorithm, {}, asked.symbols, tier.timeframe)
        error = ""
        recorded = []
        try:
            recorded.extend(
                exact(packet.get("daily_perf", {}).get("recorded_vars"))
                for packet in algorithm.get_generator()
            )
        except Exception as raised:  # noqa: BLE001 - a run that fails must fail the same way
            error = f"{type(raised).__name__}: {raised}"
        reporter.finished()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        frames = []
        while (frame := read_frame(file.fileno())) is not None:
            frames.append(frame)
    return recorded, frames, error, getattr(algorithm.data_portal, "tally", None)


def difference(stock: Run, fast: Run) -> str:
    """The first difference between two runs, empty when there is none."""
    for mine, theirs in zip(fast.trace, stock.trace, strict=False):
        if mine != theirs:
            return f"stock {theirs}\nfast  {mine}"
    if len(stock.trace) != len(fast.trace) or stock.error != fast.error:
        return f"stock {len(stock.trace)} {stock.error}\nfast  {len(fast.trace)} {fast.error}"
    for mine_bytes, their_bytes in zip(fast.frames, stock.frames, strict=False):
        if mine_bytes != their_bytes:
            return (f"stock {pb.AttachRequest.FromString(their_bytes)}\n"
                    f"fast  {pb.AttachRequest.FromString(mine_bytes)}")  # fmt: skip
    return "" if len(stock.frames) == len(fast.frames) else "another number of frames"


def temporary() -> "tempfile.TemporaryDirectory[str]":
    """A directory for a tier."""
    return tempfile.TemporaryDirectory(prefix="fast-", dir=os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - inside a test container


def in_directory(function: Callable[[Path], Any]) -> Any:
    """Call with a directory that is gone afterwards."""
    with temporary() as name:
        return function(Path(name))
