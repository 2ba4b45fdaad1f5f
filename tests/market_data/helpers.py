"""Parts that several test modules of the market data use."""

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from stratlab.domain.errors import EngineError
from stratlab.domain.market import Tier, TierRange
from stratlab.market_data.content import Content, canonical
from stratlab.settings import SandboxSettings

IMAGE = SandboxSettings().image
INSIDE = Path(__file__).parent / "inside"


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=240, check=False
    )


class DockerJobs:
    """Runs trusted jobs with the command line tool of Docker."""

    def run(self, module: str, *, read: Mapping[str, Path], write: Mapping[str, Path]) -> None:
        mounts = [f"--volume={host}:{inside}:ro" for inside, host in read.items()]
        mounts += [f"--volume={host}:{inside}" for inside, host in write.items()]
        locked = ["--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"]
        identity = f"--user={os.getuid()}"
        done = docker(
            "run", *locked, identity, *mounts, "--entrypoint=python", IMAGE, "-P", "-m", module
        )
        if done.returncode:
            raise EngineError(done.stderr[-2000:])


class DescriptionJobs:
    """Stands for the job where a test looks at host files only: mounts hold the plan alone."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, module: str, *, read: Mapping[str, Path], write: Mapping[str, Path]) -> None:
        self.runs += 1
        plan = (read["/input"] / "plan.json").read_text()
        for tier in json.loads(plan)["tiers"]:
            (write["/output"] / tier).mkdir()
            (write["/output"] / tier / "tier.json").write_text(plan)


def run_inside(script: str, mount: Path, *arguments: str) -> object:
    """Run a program of ``inside/`` over a tier's mount as a stranger and return its JSON."""
    done = docker(
        *("run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--user=54321"),
        *(f"--volume={mount}:/data:ro", f"--volume={INSIDE}:/inside:ro"),
        *("--entrypoint=python", IMAGE, "-P", f"/inside/{script}", "/data", *arguments),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(offset) for offset in range(2 * count + 7))
    return [day for day in days if day.isoweekday() < 6][:count]


def bars(symbol: str, days: list[date], start: float = 50.0) -> pd.DataFrame:
    """Return a gently rising series."""
    close = [round(start + 0.25 * number, 3) for number in range(len(days))]
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session": pd.to_datetime(days),
            "open": close,
            "high": [price + 1 for price in close],
            "low": [price - 1 for price in close],
            "close": close,
            "volume": [1_000_000 + number for number in range(len(days))],
        }
    )


# Three weeks in May 2005 without a holiday.
DAYS = weekdays(date(2005, 5, 2), 15)
SMALL_TIERS = {
    Tier.TRAIN: TierRange(DAYS[0], DAYS[4]),
    Tier.VALIDATION: TierRange(DAYS[5], DAYS[9]),
    Tier.HOLDOUT: TierRange(DAYS[10], DAYS[14]),
}


def splits_table(*rows: tuple[str, date, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["symbol", "session", "ratio"])
    return table.astype({"session": "datetime64[ns]"})


def dividends_table(*rows: tuple[str, date, date, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["symbol", "ex_session", "pay_session", "amount"])
    return table.astype({"ex_session": "datetime64[ns]", "pay_session": "datetime64[ns]"})


def small_content(**changes: object) -> Content:
    """Return two symbols over three weeks; ``changes`` replace arguments of ``canonical``."""
    arguments: dict[str, object] = {
        "calendar": "XNYS",
        "timeframe": "1d",
        "prices": pd.concat([bars("AAA", DAYS), bars("BBB", DAYS, 20.0)]),
        "splits": splits_table(("AAA", DAYS[6], 0.5)),
        "dividends": dividends_table(("BBB", DAYS[3], DAYS[5], 0.4)),
        "tiers": SMALL_TIERS,
    }
    return canonical(**{**arguments, **changes})  # type: ignore[arg-type] # wrong ones are tests
