"""Containers of the sandbox image without the sandbox: plain ``docker run`` of a script."""

import subprocess
from pathlib import Path

IMAGE = "stratlab-sandbox:0.1.0"
SUPPORT = Path(__file__).parent


def command(script: str, tier: Path, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command that runs one of our scripts on a tier, mounted at /data."""
    return [
        "docker", "run", "--rm", "-i", "--network=none", "--read-only", "--tmpfs=/tmp",
        f"--volume={tier}:/data:ro", f"--volume={SUPPORT}:/support:ro", *options,
        "--entrypoint=python", IMAGE, "-P", "-W", "ignore", f"/support/{script}", *arguments,
    ]  # fmt: skip


def run_cold(tier: Path, strategy: str, start: str, end: str, capital: float) -> str:
    """Run a strategy by stock zipline in a container of its own; return what it printed."""
    done = subprocess.run(
        command("cold_zipline.py", tier, strategy, start, end, str(capital)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout
