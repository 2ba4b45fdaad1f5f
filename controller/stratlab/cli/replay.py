"""``stratlab campaign replay``: a second run from the recordings, and where it differs."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stratlab.cli.connection import server_or_lab
from stratlab.cli.follow import follow
from stratlab.cli.output import print_json, print_line, print_note
from stratlab.domain.errors import NotFoundError

if TYPE_CHECKING:
    from stratlab.client import Client
    from stratlab.settings import Settings

_FILE = "replay.json"
_IDENTICAL, _DIFFERENT = 0, 1


def replay_campaign(settings: "Settings", campaign: str, *, as_json: bool) -> int:
    """Replay a campaign and say where the two differ; return the exit code, 0 for nowhere.

    Raises:
        NotFoundError: No campaign has that name, or the replay did not get to its end.
        WrongStateError: It is not completed.
    """
    with server_or_lab(settings) as client:
        replay = client.replay_campaign(campaign)
        print_note(f"Replay {replay.name.removeprefix('campaigns/')} is created.")
        follow(client, replay, stop_when_paused=True, quiet=as_json)
        found = _comparison(client, replay.name)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return _IDENTICAL if found["is_identical"] else _DIFFERENT


def _comparison(client: "Client", replay: str) -> Mapping[str, Any]:
    for artifact in client.list_artifacts(replay):
        if artifact.name.endswith(f"/artifacts/{_FILE}"):
            found: Mapping[str, Any] = json.loads(b"".join(client.download_artifact(artifact.name)))
            return found
    raise NotFoundError(
        f"the replay {replay} has not ended, so nothing can be compared",
        hint="Look at it with `stratlab campaign show`; its reason says what to mend.",
    )


def _print(found: Mapping[str, Any]) -> None:
    print_line(f"Compared {found['iterations']} iterations, run in {found['members']} containers.")
    for member in found["shared_members"]:
        print_line(f"Container {member} is one of the original's.")
    for difference in found["differences"]:
        where = f"Iteration {difference['iteration']}" if difference["iteration"] else "The end"
        print_line(
            f"{where} differs in {difference['part']}: {difference['original'][:16] or 'none'} "
            f"was {difference['replay'][:16] or 'none'} in the replay."
        )
    if found["is_identical"]:
        print_line(f"Identical: {found['original_hash']}")
