"""``stratlab selftest``: how often the lab promotes what is nothing, or misses what is there."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import os
from typing import Annotated

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption
from stratlab.cli.output import print_json, print_line, print_table
from stratlab.cli.progress import progress_bar
from stratlab.domain.errors import InvalidInputError


def selftest(
    size: Annotated[
        str, typer.Option("--size", help="ci: a minute; full: what figures need, up to hours.")
    ] = "ci",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the first world of a kind.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes [one for each core].")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Search made-up worlds whose truth is known, and tell how often the lab was right.

    Worlds of noise and traps, in which nothing is to be found, tell how often it promotes by
    mistake; worlds with a planted effect how often it finds it. Ends with 1 when the lab does not
    keep what it promises of these rates.
    """
    from stratlab.selftest.plan import Size, groups_of
    from stratlab.selftest.promises import broken_promises
    from stratlab.selftest.report import as_document, as_table
    from stratlab.selftest.running import run_groups, table_of

    if size not in set(Size):
        raise InvalidInputError(
            f"--size {size!r}: unknown", hint=f"Choose among {', '.join(Size)}."
        )
    groups = groups_of(Size(size), seed)
    with progress_bar("searching worlds", quiet=as_json) as show:
        measured = run_groups(
            groups, workers or os.cpu_count() or 1, lambda done, all_: show(done / all_)
        )
    rows = table_of(groups, measured)
    broken = broken_promises(rows, Size(size))
    if as_json:
        print_json(as_document(rows, broken, size, seed))
    else:
        print_table(as_table(rows))
        for sentence in broken:
            print_line(f"not kept: {sentence}")
        print_line("every promise is kept" if not broken else "")
    raise typer.Exit(ExitCode.STRATEGY if broken else ExitCode.OK)
