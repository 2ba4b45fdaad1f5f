"""How long a user waits: `stratlab --help`, first read of a new controller, sandbox readiness."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stratlab.client import Client

RUNS = 7
PROGRAM = str(Path(sys.executable).with_name("stratlab"))


def help_seconds() -> float:
    """Return the wall seconds of `stratlab --help`."""
    began = time.perf_counter()
    subprocess.run([PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def serve_seconds(home: str) -> tuple[float, float]:
    """Return the seconds from start to the first answered read, and to a proven sandbox."""
    address = f"unix:{home}/stratlab.sock"
    began = time.perf_counter()
    process = subprocess.Popen([PROGRAM, "--home", home, "serve"], stderr=subprocess.DEVNULL)
    try:
        with Client(address) as client:
            while not client.is_serving():
                time.sleep(0.005)
            list(client.list_campaigns())
            first_read = time.perf_counter() - began
            while not client.is_sandbox_ready():
                time.sleep(0.02)
        return first_read, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def show(name: str, seconds: list[float]) -> None:
    """Print minimum, median and maximum."""
    middle = statistics.median(seconds)
    print(f"{name:<22}{min(seconds):>8.3f}{middle:>8.3f}{max(seconds):>8.3f}")


def main() -> None:
    """Measure and print a table in seconds."""
    print(f"{'seconds':<22}{'min':>8}{'median':>8}{'max':>8}   ({RUNS} runs)")
    show("--help", [help_seconds() for _ in range(RUNS)])
    with tempfile.TemporaryDirectory(prefix="stratlab-bench-") as home:
        Path(home).chmod(0o700)
        pairs = [serve_seconds(home) for _ in range(RUNS)]
    show("first read answered", [first for first, _ in pairs])
    show("sandbox proven", [ready for _, ready in pairs])


if __name__ == "__main__":
    main()
