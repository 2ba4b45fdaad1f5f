"""Names for the arrays of this package."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Prices, values, money."""

Numbers = NDArray[np.intp]
"""Whole numbers: points, bars, rows, columns."""

Truths = NDArray[np.bool_]
"""Whether something holds."""
