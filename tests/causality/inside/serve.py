"""Runs trials one after the other, each in a fork of a fresh interpreter; no container is spared.

A line of input is the directory of a tier and a request, a line of output all frames.
"""

import base64
import json
import os
import sys
from pathlib import Path

import zipline.api  # noqa: F401 - loaded once, before the forks

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.tier_data import open_tier
from stratlab_runner.trial import run_trial
from stratlab_runner.wire import read_frame


def answer(line: str) -> list[str]:
    """Run one trial and return its frames."""
    asked = json.loads(line)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        request = pb.RunTrial.FromString(base64.b64decode(asked["request"]))
        try:
            run_trial(request, open_tier(Path(asked["tier"])), writing)
        finally:
            os._exit(0)
    os.close(writing)
    frames = []
    while (frame := read_frame(reading)) is not None:
        frames.append(base64.b64encode(frame).decode())
    os.close(reading)
    os.waitpid(child, 0)
    return frames


if __name__ == "__main__":
    for text in sys.stdin:
        print(json.dumps(answer(text)), flush=True)
