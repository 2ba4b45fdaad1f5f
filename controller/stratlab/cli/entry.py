"""What the console script calls: an interrupt while the program is still loading is no accident."""

import os

from stratlab.cli import interrupts


def run() -> None:
    """Run the program ``stratlab`` and end the process."""
    try:
        interrupts.install()
        from stratlab.cli.main import run as run_program  # noqa: PLC0415 (what may be interrupted)
    except KeyboardInterrupt:
        os._exit(interrupts.INTERRUPTED)
    run_program()
