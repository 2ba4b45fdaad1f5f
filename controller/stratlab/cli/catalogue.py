"""``stratlab catalogue``: what a strategy may use, from image, registry and data sets."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.cli.progress import spinner

if TYPE_CHECKING:
    from collections.abc import Mapping


def catalogue(
    context: typer.Context,
    as_prompt: Annotated[
        bool, typer.Option("--prompt", help="Print all of it as text for a prompt.")
    ] = False,
    contract_only: Annotated[
        bool, typer.Option("--contract", help="Leave out what is in the image; needs no engine.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what strategies may use: data, fields, indicators, zipline functions, modules."""
    from stratlab.bootstrap import trusted_jobs
    from stratlab.domain.errors import InvalidInputError
    from stratlab.generation.catalogue import build_catalogue, prompt_text, sandbox_surface
    from stratlab.market_data import Catalogue

    if as_prompt and as_json:
        raise InvalidInputError("--prompt and --json exclude each other", hint="Choose one.")
    settings = settings_of(context)
    sandbox = None
    if not contract_only:
        with spinner("looking into the image", quiet=as_json), trusted_jobs(settings) as jobs:
            sandbox = sandbox_surface(settings.home_path, jobs)
    found = build_catalogue(Catalogue(settings.home_path).list(), sandbox)
    if as_json:
        print_json(found)
    elif as_prompt:
        sys.stdout.write(prompt_text(found))
        sys.stdout.flush()
    else:
        _print_summary(found)


def _print_summary(found: "Mapping[str, Any]") -> None:
    for name, entries in _groups(found).items():
        print_line(f"{name} ({len(entries)})")
        print_line(f"  {', '.join(entries) or 'none'}")


def _groups(found: "Mapping[str, Any]") -> dict[str, list[str]]:
    contract, sandbox = found["contract"], found["sandbox"]

    def names(entries: "list[Any]") -> list[str]:
        return [each if isinstance(each, str) else each["name"] for each in entries]

    groups = {
        "data sets": names(found["data_sets"]),
        "parts of a contract": names(contract["parts"]),
        "prices": names(contract["prices"]),
        "rule functions": names(contract["functions"]),
        "indicators": names(contract["indicators"]),
    }
    if sandbox is None:
        return groups
    groups["modules"] = [f"{name} {version}" for name, version in sandbox["modules"].items()]
    for title in ("zipline", "pipeline", "lab"):
        for name, entries in sandbox[title].items():
            groups[f"{title} {name}"] = names(entries)
    return groups
