"""``stratlab selftest``: how often the lab promotes what is nothing, or misses what is there."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import os
from typing import TYPE_CHECKING, Annotated

import typer

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line, print_table
from stratlab.cli.progress import progress_bar, spinner
from stratlab.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from stratlab.settings import Settings


def selftest(
    context: typer.Context,
    size: Annotated[
        str, typer.Option("--size", help="ci: a minute; full: what figures need, up to hours.")
    ] = "ci",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the first world of a kind.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes [one for each core].")
    ] = 0,
    sandboxed: Annotated[
        bool,
        typer.Option(
            "--sandboxed", help="Instead: a few whole campaigns in containers, and leaks."
        ),
    ] = False,
    critic: Annotated[
        bool, typer.Option("--critic", help="Only this: the critic against random mutation.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Search made-up worlds whose truth is known, and tell how often the lab was right.

    Worlds of noise and traps, in which nothing is to be found, tell how often it promotes by
    mistake; worlds with a planted effect how often it finds it, and whether its critic finds more
    than random mutation at the same budget. Ends with 1 when the lab does not keep what it promises
    of these rates, and with 5 when it accepted a strategy that reads the future.
    """
    if sandboxed:
        raise typer.Exit(_run_sandboxed(settings_of(context), as_json=as_json))
    from stratlab.selftest.comparison import comparisons_of
    from stratlab.selftest.plan import Size, critic_groups_of, groups_of
    from stratlab.selftest.promises import broken_promises
    from stratlab.selftest.report import as_comparison_table, as_document, as_table
    from stratlab.selftest.running import run_groups, table_of

    if size not in set(Size):
        raise InvalidInputError(
            f"--size {size!r}: unknown", hint=f"Choose among {', '.join(Size)}."
        )
    groups = () if critic else groups_of(Size(size), seed)
    paired = critic_groups_of(Size(size), seed)
    with progress_bar("searching worlds", quiet=as_json) as show:
        measured = run_groups(
            [*groups, *paired],
            workers or os.cpu_count() or 1,
            lambda done, total: show(done / total),
        )
    rows = table_of(groups, measured[: len(groups)])
    comparisons = comparisons_of(paired, measured[len(groups) :])
    broken = broken_promises(rows, Size(size))
    if as_json:
        print_json(as_document(rows, comparisons, broken, size, seed))
    else:
        if rows:
            print_table(as_table(rows))
        print_line("The critic against random mutation, by the Sharpe ratio on the holdout:")
        print_table(as_comparison_table(comparisons))
        for sentence in broken:
            print_line(f"not kept: {sentence}")
        if rows and not broken:
            print_line("Every promise is kept.")
    raise typer.Exit(ExitCode.STRATEGY if broken else ExitCode.OK)


def _run_sandboxed(settings: "Settings", *, as_json: bool) -> ExitCode:
    import asyncio
    import secrets
    import shutil
    from dataclasses import asdict

    from stratlab.cli.hosting import private_home
    from stratlab.cli.logs import logging_to_home
    from stratlab.selftest.leaks import HONEST
    from stratlab.selftest.sandboxed import run_leaks, run_worlds

    home = private_home(settings)
    own = settings.model_copy(update={"home": home / f"selftest-{secrets.token_hex(4)}"})
    try:
        with logging_to_home(home), spinner("running campaigns in containers", quiet=as_json):
            results = [*asyncio.run(run_leaks(own)), *asyncio.run(run_worlds(own))]
    finally:
        shutil.rmtree(own.home, ignore_errors=True)
    accepted = [result.name for result in results if result.is_leak and result.is_accepted]
    blind = not any(result.name == HONEST and result.is_accepted for result in results)
    if as_json:
        records = [asdict(result) | {"is_accepted": result.is_accepted} for result in results]
        print_json({"ok": not accepted and not blind, "leaks_accepted": accepted, "runs": records})
    else:
        for result in results:
            word = "accepted" if result.is_accepted else "not accepted"
            print_line(f"{result.name}: {word}, {result.verdict}; {result.reason}")
        leaks = sum(result.is_leak for result in results)
        print_line(f"{len(accepted)} of {leaks} leaks accepted.")
        if blind:
            print_line(
                "not kept: the honest strategy was not accepted either, so leaks prove nothing"
            )
    if accepted:
        return ExitCode.INTEGRITY
    return ExitCode.STRATEGY if blind else ExitCode.OK
