"""The pandas objects that zipline's ``history`` returns, built directly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def window_frame(
    fields: Sequence[str],
    windows: Sequence[NDArray[np.float64]],
    days: pd.DatetimeIndex,
    assets: Sequence[Any],
    date_name: str,
) -> pd.DataFrame:
    """Return the frame of several fields, as zipline stacks and sorts it.

    Args:
        fields: Names of the columns, each once.
        windows: Of each field, bars x assets.
        days: When the bars are.
        assets: Each once, in any order.
        date_name: Name of the index's first level.
    """
    order = sorted(range(len(assets)), key=assets.__getitem__)
    count = len(days)
    values = np.empty((count * len(assets), len(fields)), order="F")
    for number, window in enumerate(windows):
        values[:, number] = window[:, order].ravel() if len(order) > 1 else window[:, 0]
    index = pd.MultiIndex(
        levels=[days, pd.Index([assets[at] for at in order], dtype=object)],
        codes=[
            np.repeat(np.arange(count), len(order)),
            np.tile(np.arange(len(order)), count),
        ],
        names=[date_name, None],
        verify_integrity=False,
    )
    return pd.DataFrame(values, index=index, columns=pd.Index(fields, dtype=object, name="fields"))
