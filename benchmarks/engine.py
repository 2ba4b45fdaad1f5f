"""The fast engine against zipline's own ``run_algorithm``: T1, T2, T3 and T10.

Run ``python -m benchmarks.engine [--rounds N] [--momentum-rounds N] [--assets N] [--years N]``;
needs the engine and the sandbox image, or with ``--python PATH --tier FOLDER`` a Python that has
the image's pinned packages, and a mount of us-daily's holdout tier.

Everything runs in one process that has imported all of zipline, stock and fast in turn; figures
are medians of CPU seconds. The stock side is ``run_algorithm`` on a bundle of the same files, with
zipline's default costs and metrics. Our side is a trial as the product runs it, reporter included,
and the metrics of its equity at the end. Values must be the same, or the benchmark fails.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.support.figures import head, machine, row

SUPPORT = Path(__file__).with_name("support")
ROOT = Path(__file__).parents[1]
IMAGE = "stratlab-sandbox:0.1.0"
TARGETS = {"T1": 8.0, "T2": 3.0, "T3": 15.0}
NAMES = {
    "T1": "EMA cross, indicators in numpy",
    "T2": "EMA cross, untouched pandas",
    "window": "T1 with `lab.window` on both sides",
    "T3": "momentum",
}
SAME = 1e-9
SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run_in_image(tier: Path, work: Path, arguments: list[str]) -> str:
    """Measure inside the sandbox image, without the sandbox."""
    threads = [f"--env={name}=1" for name in SINGLE_THREADED]
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp", *threads,
         "--env=ZIPLINE_ROOT=/work/zipline", "--env=HOME=/tmp", "--env=PYTHONPATH=/support",
         f"--user={os.getuid()}",
         f"--volume={tier}:/data:ro", f"--volume={work}:/work", f"--volume={SUPPORT}:/support:ro",
         "--entrypoint=python", IMAGE, "-P", "-W", "ignore", "/support/engine_inside.py",
         "/data", "/work", *arguments],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def run_in_python(python: Path, tier: Path, work: Path, arguments: list[str]) -> str:
    """Measure with another Python, on the sources of this tree."""
    paths = [ROOT / "sandbox_image", ROOT / "proto" / "gen", SUPPORT]
    environment = dict.fromkeys(SINGLE_THREADED, "1") | {
        "PYTHONPATH": ":".join(map(str, paths)),
        "ZIPLINE_ROOT": str(work / "zipline"),
        "HOME": str(work),
    }
    done = subprocess.run(
        [str(python), "-P", "-W", "ignore", str(SUPPORT / "engine_inside.py"), str(tier),
         str(work), *arguments],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def report(results: Mapping[str, Any]) -> None:
    """Print the tables; fail where values differ."""
    print(head("CPU seconds", "rounds", "stock", "ours", "ratio", "range", "target", "fallbacks"))
    for name, label in NAMES.items():
        if name not in results:
            continue
        measured = results[name]
        assert measured["difference"] <= SAME, (name, measured["difference"])
        stock, ours = measured["stock"], measured["ours"]
        ratios = [a / b for a, b in zip(stock, ours, strict=True)]
        ratio, target = median(stock) / median(ours), TARGETS.get(name)
        met = "" if target is None else f">= {target:g}: {'met' if ratio >= target else 'missed'}"
        print(
            row(
                f"{name}: {label}", len(stock), f"{median(stock):.2f}", f"{median(ours):.3f}",
                f"{ratio:.1f}", f"{min(ratios):.1f} to {max(ratios):.1f}", met,
                sum(measured["fallbacks"].values()),
            )
        )  # fmt: skip
    print()
    print(head("T10: largest difference", "transactions", "portfolio value", "risk columns"))
    for name, same in results.items():
        if not name.startswith("T10"):
            continue
        assert same["equal"], name
        assert max(same["portfolio_value"], same["risk"]) <= SAME, same
        print(row(name, f"{same['transactions']} equal", same["portfolio_value"], same["risk"]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--momentum-rounds", type=int, default=3)
    parser.add_argument("--assets", type=int, default=2000)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--tier", type=Path)
    parser.add_argument("--work", type=Path)
    asked = parser.parse_args()
    arguments = [str(each) for each in (asked.rounds, asked.momentum_rounds, asked.assets,
                                        asked.years)]  # fmt: skip
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = asked.work or Path(directory) / "work"
        work.mkdir(exist_ok=True)
        if asked.python is not None:
            text = run_in_python(asked.python, asked.tier, work, arguments)
        else:
            tier = asked.tier or _us_daily(Path(directory))
            text = run_in_image(tier, work, arguments)
    print(f"load {os.getloadavg()[0]:.1f} after\n")
    report(json.loads(text.splitlines()[-1]))


def _us_daily(home: Path) -> Path:
    # Imported here: with a Python of its own the benchmark needs nothing of the controller.
    from stratlab.bootstrap import build_data_set  # noqa: PLC0415 - see above
    from stratlab.settings import Settings  # noqa: PLC0415 - see above

    build_data_set(Settings(home=home), "us-daily")
    return home / "data" / "us-daily" / "tiers" / "holdout"


if __name__ == "__main__":
    main()
