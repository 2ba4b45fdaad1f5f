"""``stratlab audit``: check that nobody changed what was stored."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from contextlib import closing
from typing import Annotated

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line
from stratlab.cli.progress import spinner

app = typer.Typer(no_args_is_help=True, help="Check the hash-chained audit trail.")


@app.command()
def verify(
    context: typer.Context,
    campaign: Annotated[
        str | None, typer.Argument(metavar="CAMPAIGN", help="Id or name [all campaigns].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the chain of every campaign, or of one (on this machine)."""
    from stratlab.cli.hosting import private_home
    from stratlab.store import open_repository
    from stratlab.store.audit import verify_audit

    settings = settings_of(context)
    private_home(settings)
    campaign_id = campaign.removeprefix("campaigns/") if campaign else None
    with (
        closing(open_repository(settings.store_url)) as repository,
        spinner("verifying", quiet=as_json),
    ):
        counts = verify_audit(repository, campaign_id)
    if as_json:
        print_json({"ok": True, "campaigns": counts})
        return
    for each, events in sorted(counts.items()):
        print_line(f"{each}: {events} events, unbroken")
    print_line(f"{len(counts)} campaigns verified")
