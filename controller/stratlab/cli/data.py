"""``stratlab data``: add, list, describe, verify, build and remove data sets."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from typing import TYPE_CHECKING, Annotated

import typer

from stratlab.cli import data_import
from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import plain, print_json, print_line, print_table
from stratlab.cli.progress import spinner

if TYPE_CHECKING:
    from stratlab.settings import Settings
    from stratlab_proto.v1 import backtest_service_pb2 as pb

app = typer.Typer(no_args_is_help=True, help="The data that strategies run on.")
app.command()(data_import.add)
app.command()(data_import.generate)
app.command()(data_import.remove)

_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Data set, e.g. us-daily.")]


@app.command("list")
def list_data(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the data sets."""
    from stratlab.cli.tables import data_sets_table

    data_sets = _data_sets(settings_of(context))
    if as_json:
        print_json([plain(data_set) for data_set in data_sets])
    else:
        print_table(data_sets_table(data_sets))


@app.command()
def describe(context: typer.Context, name: _NameArgument, as_json: JsonOption = False) -> None:
    """Describe a data set: tiers, provenance, and what to know about it."""
    from stratlab.domain.errors import DataSetNotFoundError

    data_sets = _data_sets(settings_of(context))
    found = next((each for each in data_sets if each.name == f"datasets/{name}"), None)
    if found is None:
        raise DataSetNotFoundError(f"no data set {name!r}")
    if as_json:
        print_json(plain(found))
        return
    record = plain(found)
    print_line(f"{name} ({record['timeframe']}, {record['calendar']})")
    print_line(f"digest      {record['digest']}")
    print_line(f"symbols     {', '.join(record['symbols'])}")
    print_line(f"warm-up     from {record['warm_up_start']}")
    for tier in ("train", "validation", "holdout"):
        if record[tier]:
            print_line(f"{tier:<11} {record[tier]['start']} to {record[tier]['end']}")
    for scale in record["scales"]:
        stored = f"prices times {scale['price']:g}, volumes times {scale['volume']:g}"
        print_line(f"stored      {scale['symbol']}: {stored}")
    print_line(f"provenance  {record['provenance']}")
    for caveat in record["caveats"]:
        print_line(f"- {caveat}")


@app.command()
def verify(context: typer.Context, name: _NameArgument, as_json: JsonOption = False) -> None:
    """Compare every byte of a data set with its manifest (on this machine)."""
    from stratlab.market_data import Catalogue

    catalogue = Catalogue(settings_of(context).home_path)
    digest = catalogue.get(name).digest
    with spinner(f"verifying {name}", quiet=as_json):
        catalogue.verify(name)
    if as_json:
        print_json({"data_set": name, "digest": digest, "ok": True})
    else:
        print_line(f"{name} is intact ({digest})")


@app.command()
def build(context: typer.Context, name: _NameArgument, as_json: JsonOption = False) -> None:
    """Build a built-in data set in the sandbox image; does nothing when it is there."""
    from stratlab.bootstrap import build_data_set

    with spinner(f"building {name}", quiet=as_json):
        data_set = build_data_set(settings_of(context), name)
    if as_json:
        print_json({"data_set": data_set.name, "digest": data_set.digest})
    else:
        print_line(f"{data_set.name} is ready ({data_set.digest})")


def _data_sets(settings: "Settings") -> "list[pb.Dataset]":
    from stratlab.cli.connection import server_or_records

    with server_or_records(settings) as client:
        return list(client.list_datasets())
