"""Judges many files at once, in stable order, with a progress bar."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from stratlab.cli.progress import progress_bar
from stratlab.cli.validation.report import FileReport
from stratlab.cli.validation.sources import read_source
from stratlab.domain.strategy import ScreeningReport

Judge = Callable[[str], ScreeningReport]
"""Screens one source; called from several threads."""


def judge_files(paths: Sequence[Path], judge: Judge, *, quiet: bool) -> list[FileReport]:
    """Read and judge files in parallel and return their reports in order.

    Args:
        paths: What to judge.
        judge: Screens one source; a typed error of it ends everything.
        quiet: Whether to show no progress.
    """

    def one(path: Path) -> FileReport:
        source = read_source(path)
        if source.problem is not None:
            return FileReport(path, problem=source.problem)
        return FileReport(path, judge(source.text))

    workers = min(os.cpu_count() or 1, len(paths))
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="validate")
    try:
        with progress_bar("validate", quiet=quiet) as show:
            futures = [pool.submit(one, path) for path in paths]
            open_futures = set(futures)
            while open_futures:
                done, open_futures = wait(open_futures, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                show(1 - len(open_futures) / len(futures))
        return [future.result() for future in futures]
    finally:
        # After an error or an interrupt nothing more is begun.
        pool.shutdown(wait=True, cancel_futures=True)
