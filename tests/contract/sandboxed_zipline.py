"""Runs ``zipline_job.py`` in a container of the sandbox image."""

import json
import subprocess
from pathlib import Path

import numpy as np
from tests.conftest import IMAGE
from tests.contract.reference import Market

JOB = Path(__file__).with_name("zipline_job.py")


def world(markets: dict[str, Market], sessions: int) -> dict:
    """Return markets as the job reads them."""
    return {
        "sessions": sessions,
        "start": "2015-01-02",
        "markets": {
            symbol: {
                "first": market.first,
                "bars": [
                    [float(value) if np.isfinite(value) else None for value in row]
                    for row in market.bars
                ],
                "splits": market.splits,
                "dividends": market.dividends,
            }
            for symbol, market in markets.items()
        },
    }


def run_jobs(worlds: dict[str, dict], jobs: list[dict]) -> list[dict]:
    """Return the results of all jobs, run one after the other in one container."""
    command = ["docker", "run", "--rm", "-i", "--network=none", "--entrypoint", "python"]
    command += ["--volume", f"{JOB}:/job.py:ro", IMAGE, "-P", "/job.py"]
    request = json.dumps({"worlds": worlds, "jobs": jobs})
    done = subprocess.run(
        command, input=request, capture_output=True, text=True, timeout=3500, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
