"""Runs strategies over captured data sets inside the sandbox image."""

import json
import subprocess
from pathlib import Path

from stratlab.settings import SandboxSettings

PROGRAM = Path(__file__).parent / "inside" / "run_sources.py"


def job(world, source, symbols, window, *, capital=100_000.0, parameters=None, **request):
    """A trial of ``source`` on the world of that name; ``window`` is two ISO dates."""
    costs = {"slippage_bps": 5.0, "commission_per_share": 0.001, "volume_limit": 0.1}
    given = {"cost_model": "next_open", "max_leverage": 1e15, **costs, **request}
    return {
        "world": world,
        "source": source,
        "parameters": parameters or {},
        "request": {
            "start": str(window[0]),
            "end": str(window[1]),
            "capital": capital,
            "symbols": list(symbols),
            "parameters_json": "{}",
            **given,
        },
    }


def run_jobs(worlds, jobs, folder):
    """Return the result of each job; ``worlds`` maps names to the files of the data job."""
    for name, files in worlds.items():
        (folder / "files" / name).mkdir(parents=True)
        for file, text in files.items():
            (folder / "files" / name / file).write_text(text)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    folder.chmod(0o777)
    command = ("docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL")
    mounts = ("--tmpfs=/tmp", f"--volume={PROGRAM}:/run.py:ro", f"--volume={folder}:/io")
    program = ("--entrypoint=python", SandboxSettings().image, "-P", "/run.py", "/io")
    user = f"--user={folder.stat().st_uid}"
    done = subprocess.run(
        [*command, user, *mounts, *program],
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "results.json").read_text())
