"""Writes controller/stratlab/screening/surface.json from the modules in the sandbox image.

Usage: python -m tests.screening.surface
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.runner.member import IMAGE

import stratlab.screening
from stratlab.screening.members import MEMBERS
from stratlab_runner.contract import ALLOWED_MODULES, LAB_MODULE

TARGET = Path(stratlab.screening.__file__).parent / "surface.json"
DANGEROUS = {
    *(
        "_pickle",
        "_thread",
        "bz2",
        "ctypes",
        "ftplib",
        "gc",
        "gzip",
        "http",
        "importlib",
        "inspect",
    ),
    *("lzma", "mmap", "multiprocessing", "os", "pathlib", "pickle", "pkgutil", "posix", "requests"),
    *("runpy", "shutil", "socket", "sqlalchemy", "sqlite3", "subprocess", "tarfile", "tempfile"),
    *("threading", "urllib", "webbrowser", "zipfile"),
}
"""Modules whose functions and classes are as dangerous as they are."""

# Types for annotations and checks, and locks.
HARMLESS = {"PathLike", "Path", "Lock", "RLock", "lock", "local", "allocate_lock", "fspath"}
INSIDE = Path(__file__).parent / "inside"


def run_inside(script: str, *arguments: str, text: str = "") -> str:
    """Run a script of ``inside/`` in the image and return what it printed."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--network=none", "--user=0",
         "--entrypoint=python", "--tmpfs=/tmp", f"--volume={INSIDE}:/inside:ro",
         IMAGE, "-P", "-W", "ignore", f"/inside/{script}", *arguments],
        capture_output=True, text=True, input=text, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def introspect() -> dict[str, Any]:
    """Return what the script says of the allowed modules in the image."""
    return json.loads(run_inside("surface.py", text=json.dumps(asked())))


def asked() -> dict[str, list[str]]:
    """Return what the scripts need to know."""
    return {
        "allowed": sorted(ALLOWED_MODULES - {LAB_MODULE}),
        "members": sorted(MEMBERS),
        "dangerous": sorted(DANGEROUS),
        "harmless": sorted(HARMLESS),
    }


def render(found: dict[str, Any]) -> str:
    """Return the file: one line for each name."""
    parts = []
    for key, entries in sorted(found.items()):
        if key != "opens":
            lines = [
                f"  {json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries)
            ]
            parts.append(f" {json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    answer = introspect()
    TARGET.write_text(render(answer), encoding="utf-8")
    for name, uses in answer["opens"].items():
        print(name, *uses)
