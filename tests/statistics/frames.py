"""What ffn takes: returns as pandas has them."""

import numpy as np
import pandas as pd


def frame(values: np.ndarray) -> pd.DataFrame:
    """Return returns of trials, one column each."""
    return pd.DataFrame(values)


def dated(values: np.ndarray) -> pd.Series:
    """Return returns on weekdays from 2001 on."""
    return pd.Series(values, pd.date_range("2001-01-01", periods=len(values), freq="B"))
