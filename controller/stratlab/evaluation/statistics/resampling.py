"""The stationary bootstrap: which periods each resample is made of, as counts.

Sources: D. N. Politis and J. P. Romano, "The Stationary Bootstrap", Journal of the American
Statistical Association 89, 1994; D. N. Politis and H. White, "Automatic Block-Length Selection for
the Dependent Bootstrap", Econometric Reviews 23 (1), 2004.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.statistics import Resampling

_CHUNK = 500  # resamples at once: bounds memory at 4 KiB for each period


def mean_block(values: "NDArray[np.float64]") -> int:
    """Return a mean length of blocks for returns of these periods, in periods.

    The longer of what Politis and White's rule gives for the returns and for their squares, whose
    dependence (calm and turbulent times) outlasts that of the returns; at least the cube root of
    the number of periods, at most a tenth of it.

    Args:
        values: Returns that vary, shape (T,), T at least 60.
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415 (slow to load)

    scaled = (values - values.mean()) / values.std()
    lengths = optimal_block_length(np.stack([scaled, scaled**2], axis=1))["stationary"]
    longest = max(float(length) for length in (*lengths, 1.0) if math.isfinite(length))
    return math.ceil(min(max(longest, math.cbrt(len(values))), len(values) / 10))


def resample_counts(observations: int, resampling: "Resampling") -> Iterator["NDArray[np.float64]"]:
    """Yield how often each period is in each resample, some resamples at a time.

    A sum over a resample is then a product of matrices. The same resampling gives the same
    counts, whatever is done with them.

    Args:
        observations: Number of periods, T.
        resampling: How.

    Yields:
        Shape (some resamples, T); each row has the sum T.
    """
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415 (slow to load)

    bootstrap = StationaryBootstrap(
        resampling.mean_block, np.arange(observations), seed=resampling.seed
    )
    rows: list[NDArray[np.float64]] = []
    for (periods,), _ in bootstrap.bootstrap(resampling.resamples):
        rows.append(np.bincount(periods, minlength=observations).astype(np.float64))
        if len(rows) == _CHUNK:
            yield np.stack(rows)
            rows = []
    if rows:
        yield np.stack(rows)
