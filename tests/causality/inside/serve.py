"""Runs trials and trusted jobs, each in a fork of one warm interpreter.

A line of input is what is asked, a line of output the answer: of a trial all its frames, of a job
how it ended.
"""

import base64
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zipline.api  # noqa: F401 - loaded once, before the forks

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.tier_data import open_tier
from stratlab_runner.trial import run_trial
from stratlab_runner.wire import read_frame

JOB = "stratlab_runner.worlds.build"
importlib.import_module(JOB)


def trial(asked: dict[str, Any]) -> list[str]:
    """Run one trial and return its frames."""
    reading, writing = os.pipe()
    request = pb.RunTrial.FromString(base64.b64decode(asked["request"]))

    def run() -> None:
        os.close(reading)
        run_trial(request, open_tier(Path(asked["tier"])), writing)

    child = fork(run)
    os.close(writing)
    frames = []
    while (frame := read_frame(reading)) is not None:
        frames.append(base64.b64encode(frame).decode())
    os.close(reading)
    os.waitpid(child, 0)
    return frames


def job(asked: dict[str, Any]) -> int:
    """Run one trusted job and return its exit status."""
    main = sys.modules[JOB].main
    child = fork(lambda: main(Path(asked["source"]), Path(asked["target"])))
    return os.waitpid(child, 0)[1]


def fork(work: Callable[[], None]) -> int:
    """Call in a child, whose output goes nowhere, and return its number."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    status = 0
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it was, this is not the parent
        traceback.print_exc()
        status = 1
    os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        question = json.loads(line)
        answer = trial(question) if "request" in question else job(question)
        print(json.dumps(answer), flush=True)
