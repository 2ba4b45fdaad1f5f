"""A sandbox for many trials: one container, a fork for each, read as the real one reads.

Attacks are caught by what is compared, not by how a container is made; that a trial in a world
has a container of its own is tested with the real sandbox.
"""

import asyncio
import base64
import json
import subprocess
from pathlib import Path

from stratlab.domain.ports import MarketData
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialClaim, TrialSpec
from stratlab.sandbox.entries import TrialRecord
from stratlab.sandbox.member import _request
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

INSIDE = Path(__file__).parent / "inside"


class Bench:
    """Implements the port ``Sandbox`` over a process that answers line by line.

    Args:
        process: Of ``inside/serve.py``.
        market_data: Where tiers and worlds are.
        shown: Where the process sees the directory of all data sets, and that directory.
    """

    def __init__(
        self,
        process: "subprocess.Popen[str]",
        market_data: MarketData,
        shown: tuple[str, Path],
    ) -> None:
        self._process = process
        self._market_data = market_data
        self._shown = shown
        self._turn = asyncio.Lock()
        self.runs = 0

    async def run(self, batch: TrialBatch, on_progress: object, judge_first: object = None):
        """Run the trials of a batch."""
        claims = []
        for trial in batch.trials:
            async with self._turn:
                claims.append(await asyncio.to_thread(self._claim, batch, trial))
        return claims

    def _claim(self, batch: TrialBatch, trial: TrialSpec) -> TrialClaim:
        self.runs += 1
        mount = self._market_data.mount(trial.market.data_set, trial.window.tier, trial.world)
        tier = str(mount.resolve()).replace(str(self._shown[1].resolve()), self._shown[0])
        request = _request(batch, trial, "runc")
        # Every container has its tier at /data; here all of them are side by side.
        request.source = request.source.replace("'/data/", f"'{tier}/")
        asked = {"tier": tier, "request": base64.b64encode(request.SerializeToString()).decode()}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        frames = json.loads(self._process.stdout.readline())
        return _claim(trial, [pb.AttachRequest.FromString(base64.b64decode(f)) for f in frames])


def _claim(trial: TrialSpec, frames: list[pb.AttachRequest]) -> TrialClaim:
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


LIMITS = Limits(max_leverage=5.0)
