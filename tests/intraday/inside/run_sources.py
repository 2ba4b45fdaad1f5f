"""Runs strategies over data sets as the runner does and prints what they filled and noted.

Started inside the sandbox image as ``python -P run_sources.py FOLDER``: reads ``jobs.json`` and
``files/<world>/``, writes ``results.json``. A strategy's own notes are its list ``NOTES``.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.bars import bind_context
from stratlab_runner.build_tiers import main as build_tiers
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import open_tier


class Fills:
    """Stands for the runner's reporter."""

    def __init__(self):
        self.fills = []
        self.log_entries = []
        self.points = []

    def log(self, entry):
        self.log_entries.append([entry.number, entry.bar, entry.cancel])

    def fill(self, fill):
        self.fills.append([fill.bar, fill.symbol, fill.amount, fill.price])

    def equity(self, bar, value, fraction):
        self.points.append([bar, value, fraction])


def run(job, tier):
    """Run one strategy."""
    namespace = {"__name__": "strategy", "NOTES": []}
    exec(compile(job["source"], "<strategy>", "exec"), namespace)  # noqa: S102 - the strategy
    reporter = Fills()
    names = ("initialize", "handle_data", "before_trading_start")
    functions = {name: namespace[name] for name in names if name in namespace}
    request = pb.RunTrial(trial_id="t", **job["request"])
    algorithm = TrialAlgorithm(request, tier, reporter, functions)
    bind_context(algorithm, job["parameters"], request.symbols, tier.timeframe)
    error, started = "", time.process_time()
    try:
        for _ in algorithm.get_generator():
            pass
    except Exception as failure:  # noqa: BLE001 - tests look at it
        error = f"{type(failure).__name__}: {failure}"
    return {
        "fills": reporter.fills,
        "log": reporter.log_entries,
        "equity": reporter.points,
        "notes": namespace["NOTES"],
        "cpu": time.process_time() - started,
        "error": error,
    }


def main(folder):
    """Run every job, each world opened as its first job needs it."""
    jobs = json.loads((folder / "jobs.json").read_text())
    results = {}
    for world in sorted({job["world"] for job in jobs}):
        with tempfile.TemporaryDirectory() as work:
            build_tiers(folder / "files" / world, Path(work))
            tier = open_tier(Path(work) / "train")
            for number, job in enumerate(jobs):
                if job["world"] == world:
                    results[number] = run(job, tier)
    (folder / "results.json").write_text(json.dumps([results[n] for n in range(len(jobs))]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
