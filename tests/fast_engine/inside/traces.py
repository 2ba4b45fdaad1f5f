"""Values of any kind in a form whose equality is exact."""

from typing import Any

import numpy as np
import pandas as pd
from zipline import protocol
from zipline.assets import Asset


def exact(value: Any) -> Any:  # noqa: C901, PLR0911 - one branch for each type
    """Return nested tuples of text, equal exactly when the values are, types included."""
    if isinstance(value, pd.DataFrame):
        columns = [exact(value.iloc[:, number]) for number in range(value.shape[1])]
        return ("frame", exact(value.index), exact(value.columns), *columns)
    if isinstance(value, pd.Series):
        return ("series", str(value.dtype), exact(value.name), exact(value.index),
                exact(value.to_numpy()))  # fmt: skip
    if isinstance(value, pd.MultiIndex):
        return ("levels", *(exact(level) for level in value.levels), exact(list(value.names)),
                *(exact(value.get_level_values(n)) for n in range(value.nlevels)))  # fmt: skip
    if isinstance(value, pd.Index):
        freq = str(getattr(value, "freq", None))
        return (str(value.dtype), freq, exact(value.name), exact(list(value)))
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("array", value.shape, exact(value.ravel().tolist()))
        # Every NaN is the same.
        clean = np.where(np.isnan(value), np.nan, value) if value.dtype.kind == "f" else value
        return ("array", str(value.dtype), value.shape, clean.tobytes())
    if isinstance(value, protocol.Order):
        # Its number is random.
        return exact({name: each for name, each in vars(value).items() if name != "id"})
    if isinstance(value, dict):
        return tuple((exact(key), exact(each)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return tuple(exact(each) for each in value)
    if isinstance(value, Asset):
        return ("asset", value.sid)
    if isinstance(value, pd.Timestamp):
        return ("moment", value.value, str(value.tzinfo))
    return (type(value).__name__, repr(value))
