"""Trials in one warm process, without a fork or a sandbox around them.

Usage: in_process.py TIER CAPITAL START END SYMBOL, with the source on standard input as one line
of JSON, then an empty line for each run. Each run prints what the strategy prints.
"""

import gc
import json
import logging
import os
import sys
import warnings
from pathlib import Path

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.tier_data import open_tier
from stratlab_runner.trial import rehearse, run_trial


def main() -> None:
    """Run a trial for each line."""
    tier_path, capital, start, end, symbol = sys.argv[1:]
    logging.disable()
    warnings.simplefilter("ignore")
    tier = open_tier(Path(tier_path))
    rehearse(tier)
    gc.collect()
    gc.freeze()
    request = pb.RunTrial(
        trial_id="t0", source=json.loads(sys.stdin.readline()), parameters_json="{}", start=start,
        end=end, capital=float(capital), cost_model="next_open", slippage_bps=1.0,
        commission_per_share=0.005, volume_limit=0.1, max_leverage=10.0, cpu_seconds=100_000,
        symbols=[symbol],
    )  # fmt: skip
    nowhere = os.open(os.devnull, os.O_WRONLY)
    print("ready", flush=True)
    for _ in sys.stdin:
        assert run_trial(request, tier, nowhere)


if __name__ == "__main__":
    main()
