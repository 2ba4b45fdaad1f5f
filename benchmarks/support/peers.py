"""Environments of their own for programs that are only compared with."""

import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"


def environment_of(name: str, version: str, *others: str) -> Path | str:
    """Return the Python of an environment that has a package, made once; or why there is none.

    Args:
        name: Of the package.
        version: Exactly this one.
        others: Requirements besides.
    """
    folder = CACHE / f"{name}-{version}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {name} {version} into {folder}", file=sys.stderr)
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", f"{name}=={version}", *others],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        (folder / "ready").touch()
    return python
