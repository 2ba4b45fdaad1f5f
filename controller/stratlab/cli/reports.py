"""The files of a campaign: where they are, and copies of them elsewhere."""

from contextlib import suppress
from pathlib import Path

from stratlab.client import Client
from stratlab.domain.errors import IntegrityError, InvalidInputError, NotFoundError
from stratlab.settings import Settings
from stratlab_proto.v1 import campaign_service_pb2 as pb

REPORT = "report.md"


def report_path(settings: Settings, campaign: str) -> str:
    """Return the path of a campaign's report on this machine, "" when there is none."""
    path = campaign_folder(settings, campaign) / REPORT
    return str(path) if path.is_file() else ""


def campaign_folder(settings: Settings, campaign: str) -> Path:
    """Return the folder that the controller writes a campaign's files to."""
    return settings.home_path / "reports" / "campaigns" / campaign.removeprefix("campaigns/")


def download(client: Client, artifact: pb.Artifact, folder: Path) -> Path:
    """Copy one file of a campaign below ``folder`` and return its path.

    Raises:
        InvalidInputError: It cannot be written.
        IntegrityError: The server's bytes are not those that were stored; nothing is kept.
    """
    relative = Path(artifact.name.split("/artifacts/", 1)[1])
    if relative.is_absolute() or ".." in relative.parts:
        raise IntegrityError(f"the server sent a name that leaves the folder: {relative}")
    target = folder / relative
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            for chunk in client.download_artifact(artifact.name):
                file.write(chunk)
        partial.replace(target)
    except OSError as error:
        raise InvalidInputError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink()
    return target


def find_report(client: Client, campaign: str) -> pb.Artifact:
    """Return the description of a campaign's report.

    Raises:
        NotFoundError: There is none: the campaign is not final yet.
    """
    for artifact in client.list_artifacts(campaign):
        if artifact.name.endswith(f"/artifacts/{REPORT}"):
            return artifact
    raise NotFoundError(
        f"campaign {campaign} has no report yet",
        hint="It is written when the campaign ends; look at `stratlab campaign show`.",
    )
