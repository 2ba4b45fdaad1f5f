"""Names that users may give to data sets."""

import re

from stratlab.domain.errors import InvalidInputError

# One plain folder name in any file system, and a resource name in the API.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
BUILT_IN = frozenset({"us-daily"})


def check_name(name: str) -> str:
    """Return a name that a user may give to a data set.

    Raises:
        InvalidInputError: It has other signs, is too long, or is reserved.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInputError(
            f"{name[:80]!r} cannot name a data set",
            hint="Use up to 63 small letters, digits, dots, hyphens and underscores.",
        )
    if name in BUILT_IN:
        raise InvalidInputError(
            f"{name!r} is the name of a data set that comes with stratlab",
            hint="Use another name.",
        )
    return name
