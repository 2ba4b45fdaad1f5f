"""Resource names: ``campaigns/{campaign}``, ``.../iterations/{n}``, ``.../artifacts/{path}``."""

import re

from stratlab.domain.errors import InvalidInputError

_CAMPAIGN = r"campaigns/(?P<campaign>[A-Za-z0-9][A-Za-z0-9_-]{0,63})"
_CAMPAIGN_NAME = re.compile(_CAMPAIGN)
_ITERATION_NAME = re.compile(_CAMPAIGN + r"/iterations/(?P<iteration>[1-9][0-9]{0,8})")
_ARTIFACT_NAME = re.compile(_CAMPAIGN + r"/artifacts/(?P<path>[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,511})")


def campaign_name(campaign_id: str) -> str:
    """Return the resource name of a campaign."""
    return f"campaigns/{campaign_id}"


def iteration_name(campaign_id: str, number: int) -> str:
    """Return the resource name of an iteration."""
    return f"campaigns/{campaign_id}/iterations/{number}"


def artifact_name(campaign_id: str, path: str) -> str:
    """Return the resource name of a campaign's file."""
    return f"campaigns/{campaign_id}/artifacts/{path}"


def parse_campaign(name: str) -> str:
    """Return the campaign id of ``campaigns/{campaign}``.

    Raises:
        InvalidInputError: The name has another form.
    """
    return _match(_CAMPAIGN_NAME, name, "campaigns/{campaign}")["campaign"]


def parse_iteration(name: str) -> tuple[str, int]:
    """Return campaign id and number of ``campaigns/{campaign}/iterations/{iteration}``.

    Raises:
        InvalidInputError: The name has another form.
    """
    match = _match(_ITERATION_NAME, name, "campaigns/{campaign}/iterations/{iteration}")
    return match["campaign"], int(match["iteration"])


def parse_artifact(name: str) -> tuple[str, str]:
    """Return campaign id and path of ``campaigns/{campaign}/artifacts/{path}``.

    Raises:
        InvalidInputError: The name has another form, or the path does not stay in the folder.
    """
    form = "campaigns/{campaign}/artifacts/{path}"
    match = _match(_ARTIFACT_NAME, name, form)
    if any(part in {"", ".", ".."} for part in match["path"].split("/")):
        raise _wrong_name(name, form)
    return match["campaign"], match["path"]


def _match(pattern: re.Pattern[str], name: str, form: str) -> re.Match[str]:
    match = pattern.fullmatch(name)
    if match is None:
        raise _wrong_name(name, form)
    return match


def _wrong_name(name: str, form: str) -> InvalidInputError:
    return InvalidInputError(f"{name[:200]!r} is not a resource name of the form {form}")
