"""``stratlab report``: where a campaign's report is, or a copy of all its files."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from pathlib import Path
from typing import Annotated

import typer

from stratlab.cli.options import CampaignArgument, JsonOption, settings_of
from stratlab.cli.output import print_json, print_line


def report(
    context: typer.Context,
    campaign: CampaignArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Copy all files there, checked."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the paths of a campaign's files; with --output copy them."""
    from stratlab.cli.connection import server_or_records
    from stratlab.cli.reports import campaign_folder, download, find_report

    settings = settings_of(context)
    with server_or_records(settings) as client:
        name = client.get_campaign(campaign).name
        find_report(client, name)
        artifacts = list(client.list_artifacts(name))
        if output is None:
            folder = campaign_folder(settings, name)
            paths = [folder / artifact.name.split("/artifacts/", 1)[1] for artifact in artifacts]
        else:
            paths = [download(client, artifact, output) for artifact in artifacts]
    if as_json:
        print_json({"campaign": name, "files": [str(path) for path in paths]})
        return
    for path in paths:
        print_line(str(path))
