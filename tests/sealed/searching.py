"""Searches the memory of every process of a container for numbers."""

import base64
import json
import subprocess
import time
from datetime import date

import numpy as np
from tests.conftest import IMAGE

from stratlab.domain.market import PricePanel

BARS = 4
SECONDS = 120.0

# Runs in a helper that shares the container's processes and may read them.
_SEARCH = """
import base64, json, os, sys
wanted = {name: base64.b64decode(text) for name, text in json.load(sys.stdin).items()}
counts = dict.fromkeys(wanted, 0)
overlap = max(map(len, wanted.values()))
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) == os.getpid():
        continue
    try:
        maps = open(f'/proc/{pid}/maps').read().splitlines()
        memory = open(f'/proc/{pid}/mem', 'rb', 0)
    except OSError:
        continue
    for line in maps:
        span, rights, *rest = line.split()
        if rights[0] != 'r' or line.endswith(('[vvar]', '[vsyscall]')):
            continue
        begin, end = (int(each, 16) for each in span.split('-'))
        try:
            memory.seek(begin)
            held = memory.read(end - begin)
        except (OSError, OverflowError, ValueError):
            continue
        for name, text in wanted.items():
            counts[name] += held.count(text)
print(json.dumps(counts))
"""


def patterns(
    prices: PricePanel, start: date, seen: int
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What is known at a bar and what is not: consecutive closes, and numbers as they are sent.

    Args:
        prices: Of the trial.
        start: Its first day.
        seen: Bars that it has seen.
    """
    first = int(prices.bars.searchsorted(np.datetime64(start).astype("datetime64[s]").astype(int)))
    now = first + seen

    def of(row: int) -> dict[str, bytes]:
        rows = slice(row, row + BARS)
        thousandths = np.nan_to_num(np.rint(prices.close[rows] * 1000)).astype("<u4")
        volumes = prices.volume[rows].astype("<u4")
        found = {}
        for column, symbol in enumerate(prices.symbols):
            if thousandths[:, column].all():
                found[f"{symbol} closes"] = prices.close[rows, column].astype("<f8").tobytes()
                found[f"{symbol} volumes"] = volumes[:, column].tobytes()
        return found

    ahead = of(now) | {f"{name} later": text for name, text in of(now + 20).items()}
    sent = np.nan_to_num(np.rint(prices.close[now] * 1000)).astype("<u4").tobytes()
    return of(now - BARS), ahead | {"closes of the next bar, as sent": sent}


def found_in_memory(
    campaign: str, known: dict[str, bytes], ahead: dict[str, bytes]
) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Search the container of a campaign once it knows ``known``; also list what it mounts.

    Returns:
        How often each known pattern was found, each other one, and the targets of its mounts.
    """
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        names = _docker("ps", "--quiet", f"--filter=label=org.stratlab.campaign={campaign}").split()
        if names:
            counts = _searched(names[0], known | ahead)
            if all(counts[name] for name in known):
                mounts = json.loads(_docker("inspect", "--format={{json .Mounts}}", names[0]))
                targets = sorted(mount["Destination"] for mount in mounts)
                return ({name: counts[name] for name in known},
                        {name: counts[name] for name in ahead}, targets)  # fmt: skip
        time.sleep(0.3)
    raise AssertionError("the container never knew what it should")


def _searched(container: str, wanted: dict[str, bytes]) -> dict[str, int]:
    asked = json.dumps({name: base64.b64encode(text).decode() for name, text in wanted.items()})
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--network=none", "--user=0",
         f"--pid=container:{container}", "--cap-add=SYS_PTRACE", "--entrypoint=python",
         IMAGE, "-P", "-c", _SEARCH],
        input=asked, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if done.returncode:
        return dict.fromkeys(wanted, 0)
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
