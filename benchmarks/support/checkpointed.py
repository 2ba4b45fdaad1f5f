"""Warms up, waits until a file appears, runs a trial: for a checkpoint between the first two.

Usage: checkpointed.py SOURCE START END CAPITAL SYMBOL, with a tier in /data and a directory for
signals in /signals: it writes ``ready``, waits for ``go``, and writes what the strategy prints.
"""

import gc
import logging
import os
import sys
import time
import warnings
from pathlib import Path

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.tier_data import open_tier
from stratlab_runner.trial import rehearse, run_trial

SIGNALS = Path("/signals")
POLL_SECONDS = 0.002


def main() -> None:
    """Run one trial."""
    source, start, end, capital, symbol = sys.argv[1:]
    logging.disable()
    warnings.simplefilter("ignore")
    tier = open_tier(Path("/data"))
    rehearse(tier)
    gc.collect()
    gc.freeze()
    request = pb.RunTrial(
        trial_id="t0", source=source, parameters_json="{}", start=start, end=end,
        capital=float(capital), cost_model="next_open", slippage_bps=1.0,
        commission_per_share=0.005, volume_limit=0.1, max_leverage=10.0, cpu_seconds=100_000,
        symbols=[symbol],
    )  # fmt: skip
    (SIGNALS / "ready").touch()
    while not (SIGNALS / "go").exists():
        time.sleep(POLL_SECONDS)
    sys.stdout = (SIGNALS / "draft").open("w")
    assert run_trial(request, tier, os.open(os.devnull, os.O_WRONLY))
    sys.stdout.close()
    (SIGNALS / "draft").rename(SIGNALS / "told")


if __name__ == "__main__":
    main()
