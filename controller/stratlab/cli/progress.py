"""Progress of anything that takes more than a second, on stderr and on terminals only."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from stratlab.cli.output import notes_console


@contextlib.contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """Show a bar and yield what moves it (0 to 1)."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import Progress  # noqa: PLC0415 (only a terminal needs it)

    with Progress(console=notes_console(), transient=True) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)


@contextlib.contextmanager
def spinner(title: str, *, quiet: bool = False) -> Iterator[None]:
    """Show that something of unknown length goes on."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    with notes_console().status(title):
        yield
