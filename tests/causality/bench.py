"""A sandbox for many trials: one container, a fork for each, read as the real one reads.

What looks ahead is caught by what is compared, not by how a container is made; that a trial in a
world has a container of its own is tested with the real sandbox.
"""

import asyncio
import base64
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stratlab.domain.errors import EngineError
from stratlab.domain.ports import MarketData
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialClaim, TrialSpec
from stratlab.sandbox.entries import TrialRecord
from stratlab.sandbox.member import _request
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

INSIDE = Path(__file__).parent / "inside"
LIMITS = Limits(max_leverage=1e9)


class Server:
    """The program ``inside/serve.py``, which answers line by line.

    Args:
        process: Of the program.
        seen: Where it sees the home directory, and that directory.
    """

    def __init__(self, process: "subprocess.Popen[str]", seen: tuple[Path, Path]) -> None:
        self._process = process
        self._seen = seen
        self._turn = threading.Lock()

    def ask(self, **question: str) -> Any:
        """Return the answer to a question."""
        with self._turn:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def path(self, path: Path) -> str:
        """Return a path below the home directory as the program sees it."""
        inside, home = self._seen
        return str(inside / path.resolve().relative_to(home.resolve()))


class BenchJobs:
    """Implements the port ``TrustedJobs``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @contextmanager
    def opened(self) -> Iterator["BenchJobs"]:
        """Be opened."""
        yield self

    def image_id(self) -> str:
        """Return some name."""
        return "bench"

    def run(self, module: str, *, read: Mapping[str, Path], write: Mapping[str, Path]) -> None:
        """Run the job that builds worlds."""
        assert module == "stratlab_runner.worlds.build"
        source, target = (self._server.path(each) for each in (read["/input"], write["/output"]))
        if self._server.ask(source=source, target=target) != 0:
            raise EngineError("the worlds were not built")


class Bench:
    """Implements the port ``Sandbox``.

    Args:
        server: Runs the trials.
        market_data: Where tiers and worlds are.
    """

    def __init__(self, server: Server, market_data: MarketData) -> None:
        self._server = server
        self._market_data = market_data

    async def run(
        self, batch: TrialBatch, on_progress: object, judge_first: object = None
    ) -> list[TrialClaim]:
        """Run the trials of a batch."""
        return [await asyncio.to_thread(self._claim, batch, trial) for trial in batch.trials]

    def _claim(self, batch: TrialBatch, trial: TrialSpec) -> TrialClaim:
        mount = self._market_data.mount(trial.market.data_set, trial.window.tier, trial.world)
        tier = self._server.path(mount)
        request = _request(batch, trial, "runc")
        # Every container has its tier at /data; here all of them are side by side.
        request.source = request.source.replace("'/data/", f"'{tier}/")
        asked = base64.b64encode(request.SerializeToString()).decode()
        frames = [base64.b64decode(each) for each in self._server.ask(tier=tier, request=asked)]
        return _claim(trial, map(pb.AttachRequest.FromString, frames))


def _claim(trial: TrialSpec, frames: Iterator[pb.AttachRequest]) -> TrialClaim:
    record = TrialRecord.of(trial)
    outcome, reason = Outcome.SIGNAL, "no end"
    for frame in frames:
        match frame.WhichOneof("frame"):
            case "log":
                record.add_log(frame.log.entries)
            case "fills":
                record.add_fills(frame.fills.fills)
            case "equity":
                record.add_equity(frame.equity)
            case "finished":
                outcome, reason = Outcome.SUCCEEDED, ""
            case "failed":
                outcome = Outcome.STRATEGY_ERROR
                reason = f"{frame.failed.type}: {frame.failed.message} {frame.failed.traceback}"
    return TrialClaim(
        trial.trial_id,
        outcome,
        reason,
        tuple(record.log),
        tuple(record.fills),
        tuple(record.equity),
    )
