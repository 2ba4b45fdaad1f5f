"""What the lab promises of its verdicts, and whether the figures of a selftest keep it."""

from typing import TYPE_CHECKING

from stratlab.selftest.arms import Arm
from stratlab.selftest.figures import Truth
from stratlab.selftest.plan import EFFECTS, NOISE, STRONG, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratlab.selftest.figures import Row

MAX_FALSE_PROMOTIONS = 0.03
"""What the upper end of the interval may be at full size, in noise searched by the lab."""

NOMINAL = 0.05
"""Share of false promotions that no group may be shown to exceed: the error of the holdout."""

MIN_POWER = 0.5
"""Share of the strong effects that the lab finds at full size, all kinds together."""


def broken_promises(rows: "Sequence[Row]", size: Size) -> list[str]:
    """Return what was promised and not kept, a sentence each; nothing when all is well.

    Of few worlds, with the fixed seeds of CI, not one may be promoted where nothing is to be found.

    Args:
        rows: Of a selftest.
        size: Of the same.
    """
    broken = []
    for row in rows:
        rate, where = row.promoted, f"{row.name}, {row.arm}"
        if row.truth is Truth.ALPHA:
            is_promised = row.name == EFFECTS and row.arm is Arm.LAB and row.sharpe == STRONG
            if size is Size.FULL and is_promised and rate.value < MIN_POWER:
                broken.append(f"{where}: power is {rate.value:.2f}, below {MIN_POWER}")
        elif size is Size.CI:
            if rate.count:
                broken.append(f"{where}: {rate.count} of {rate.total} promoted, none may be")
        elif rate.low > NOMINAL:
            broken.append(f"{where}: at least {rate.low:.1%} promoted, allowed are {NOMINAL:.0%}")
        elif row.name == NOISE and row.arm is Arm.LAB and rate.high > MAX_FALSE_PROMOTIONS:
            allowed = f"allowed are {MAX_FALSE_PROMOTIONS:.0%}"
            broken.append(f"{where}: up to {rate.high:.1%} promoted, {allowed}")
    return broken
