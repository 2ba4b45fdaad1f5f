"""How long gVisor takes from nothing to a strategy's first bar: cold, and from a checkpoint (T8).

Run ``python -m benchmarks.restore [--rounds N]`` as root, with runsc on the path, and the sandbox
image in the engine. Informative: the product does not restore checkpoints. Both sides are
``runsc`` itself, without the engine: a sandbox is started, imports zipline, opens the holdout tier
and rehearses; in the state in which it waits for code it is written to a file and ended, and a new
sandbox is made from that file. Where the program cannot do that, its own words are printed.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.support.figures import MIB, head, machine, row
from benchmarks.support.measured_sandbox import ALL_YEARS, home_with_data
from benchmarks.support.plain_docker import IMAGE, SUPPORT
from benchmarks.support.stamped import Told, stamped

from stratlab.domain.market import Tier
from stratlab.market_data import Catalogue

TARGET = 5.0
PATIENCE_SECONDS = 60.0


class Sandboxes:
    """Sandboxes of ``runsc`` from one bundle.

    Args:
        folder: Empty, for the bundle and runsc's own state.
        tier: Mounted at /data.
    """

    def __init__(self, folder: Path, tier: Path) -> None:
        self.signals = folder / "signals"
        self._folder = folder
        self._bundle = folder / "bundle"
        (self._bundle / "rootfs").mkdir(parents=True)
        self.signals.mkdir()
        self._unpack()
        self._describe(tier)

    def runsc(self, *arguments: str) -> None:
        """Run it.

        Raises:
            CalledProcessError: It failed; with what it said.
        """
        flags = (
            "--platform=ptrace",
            "--network=none",
            "--ignore-cgroups",
            f"--root={self._folder}/state",
        )
        # Not a pipe: the sandbox inherits it and holds it open.
        with (self._folder / "said").open("w+") as said:
            done = subprocess.run(
                ["runsc", *flags, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
            )
            if done.returncode:
                said.seek(0)
                raise subprocess.CalledProcessError(done.returncode, arguments, said.read())

    def start(self, name: str) -> None:
        """Start a sandbox from nothing."""
        self.runsc("run", "--detach", f"--bundle={self._bundle}", name)

    def restore(self, name: str, image: Path) -> None:
        """Start a sandbox from a checkpoint."""
        self.runsc("restore", "--detach", f"--image-path={image}", f"--bundle={self._bundle}", name)

    def end(self, name: str) -> None:
        """End a sandbox and forget its signals."""
        self.runsc("delete", "--force", name)
        for file in self.signals.iterdir():
            file.unlink()

    def signal(self, name: str) -> Path:
        """Wait for one of its files."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.signals / name).exists():
            assert time.monotonic() < deadline, f"no {name}"
            time.sleep(0.002)
        return self.signals / name

    def _unpack(self) -> None:
        made = subprocess.run(
            ["docker", "create", IMAGE], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        try:
            with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
                subprocess.run(
                    ["tar", "-x", "-C", str(self._bundle / "rootfs")],
                    stdin=export.stdout,
                    check=True,
                )
        finally:
            subprocess.run(["docker", "rm", made], stdout=subprocess.DEVNULL, check=True)

    def _describe(self, tier: Path) -> None:
        arguments = [
            "-P",
            "-W",
            "ignore",
            "/support/checkpointed.py",
            stamped(1),
            ALL_YEARS.start.isoformat(),
            ALL_YEARS.end.isoformat(),
            "1000000",
            "IBM",
        ]
        threads = (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "BLOSC_NTHREADS",
        )
        environment = [*(f"{name}=1" for name in threads), "HOME=/tmp", "PYTHONHASHSEED=0"]
        binds = {
            "/data": (tier, "ro"),
            "/support": (SUPPORT, "ro"),
            "/signals": (self.signals, "rw"),
        }
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},  # noqa: S108 - in the sandbox
        ]
        for target, (source, mode) in binds.items():
            (self._bundle / "rootfs" / target.strip("/")).mkdir(exist_ok=True)
            bound = {"type": "bind", "source": str(source), "options": ["rbind", mode]}
            mounts.append({"destination": target, **bound})
        kinds = ("pid", "network", "ipc", "uts", "mount")
        config = {
            "ociVersion": "1.0.2",
            "process": {
                "args": ["/opt/stratlab/bin/python", *arguments],
                "env": [*environment, "ZIPLINE_ROOT=/tmp/zipline"],
                "cwd": "/",
                "user": {"uid": 0, "gid": 0},
            },
            "root": {"path": "rootfs", "readonly": True},
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in kinds]},
        }
        (self._bundle / "config.json").write_text(json.dumps(config))


def cold(sandboxes: Sandboxes, name: str) -> float:
    """Return seconds from nothing to the first bar."""
    (sandboxes.signals / "go").touch()
    asked = time.time()
    sandboxes.start(name)
    told = Told.read(sandboxes.signal("told").read_text())
    sandboxes.end(name)
    return told.first_bar - asked


def restored(sandboxes: Sandboxes, name: str, image: Path) -> float:
    """Return seconds from a checkpoint to the first bar."""
    (sandboxes.signals / "go").touch()
    asked = time.time()
    sandboxes.restore(name, image)
    told = Told.read(sandboxes.signal("told").read_text())
    sandboxes.end(name)
    return told.first_bar - asked


def measure(folder: Path, tier: Path, rounds: int) -> None:
    """Measure in turns and print."""
    sandboxes = Sandboxes(folder, tier)
    image = folder / "image"
    image.mkdir()
    sandboxes.start("warm")
    sandboxes.signal("ready")
    began = time.monotonic()
    sandboxes.runsc("checkpoint", f"--image-path={image}", "warm")
    took = time.monotonic() - began
    sandboxes.end("warm")
    size = sum(file.stat().st_size for file in image.iterdir()) / MIB
    found: dict[str, list[float]] = {"cold": [], "restored": []}
    for number in range(rounds):
        found["cold"].append(cold(sandboxes, f"cold-{number}"))
        found["restored"].append(restored(sandboxes, f"restored-{number}", image))
    print(f"checkpoint: {size:.0f} MiB, written in {took:.2f} s\n")
    print(head("seconds to the first bar", "median", "range"))
    for name, seconds in found.items():
        print(row(name, f"{median(seconds):.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"))
    ratio = median(found["cold"]) / median(found["restored"])
    print(f"\nT8: {ratio:.1f}, >= {TARGET:g} wanted: {'met' if ratio >= TARGET else 'missed'}")


def main(rounds: int) -> None:
    """Build the data and measure, or say why not."""
    print(machine() + "\n")
    if os.geteuid() or shutil.which("runsc") is None:
        print("skipped: needs root and runsc on the path")
        return
    with home_with_data() as home, tempfile.TemporaryDirectory(prefix="bench-") as directory:
        try:
            measure(Path(directory), Catalogue(home).mount("us-daily", Tier.HOLDOUT), rounds)
        except subprocess.CalledProcessError as error:
            print(f"skipped: runsc {error.cmd[0]} failed: {error.output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
