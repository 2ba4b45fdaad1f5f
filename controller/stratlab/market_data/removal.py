"""Removes a data set, unless work that is not finished needs it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from stratlab.domain.errors import WrongStateError
from stratlab.market_data.catalogue import Catalogue

_SHOWN = 10


def remove_data_set(home: Path, name: str, users: Sequence[str]) -> None:
    """Remove a data set; it disappears by one rename.

    Args:
        home: The controller's home directory.
        name: The data set.
        users: Campaigns on it that are not finished.

    Raises:
        DataSetNotFoundError: No data set has that name.
        WrongStateError: There are such campaigns; lists them.
    """
    directory = Catalogue(home).directory(name)
    if users:
        listed = ", ".join(users[:_SHOWN]) + (", ..." if len(users) > _SHOWN else "")
        raise WrongStateError(
            f"data set {name!r} is used by {len(users)} unfinished campaigns: {listed}",
            hint="Cancel them (stratlab campaign cancel ID), or let them finish.",
            data_set=name,
            campaigns=",".join(users),
        )
    # The dot hides it from every reader; what a crash leaves is removed by the next removal.
    hidden = directory.with_name(f".{name}.removed")
    shutil.rmtree(hidden, ignore_errors=True)
    directory.rename(hidden)
    shutil.rmtree(hidden)
