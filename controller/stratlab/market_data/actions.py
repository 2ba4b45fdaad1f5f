"""Recovers splits and dividends from a raw and an adjusted close."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, final

from stratlab.domain.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Adjusted closes carry some 14 digits; anything above this is no rounding noise.
NOISE = 1e-9
# Splits are announced in small whole numbers: 2 for 1, 3 for 2, 1 for 10.
LARGEST_SPLIT_TERM = 20
# Above this noise a ratio must be this far from one to be taken for a split.
ROUGH = 1e-6
SMALLEST_ROUGH_SPLIT = 0.16
# Dividends are declared in hundredths of a cent at the finest.
DIVIDEND_DECIMALS = 4


@final
@dataclass(frozen=True, slots=True)
class CorporateActions:
    """What happened to one share.

    Attributes:
        splits: Session and price ratio (0.5 is two for one), ascending.
        dividends: Ex session and cash for each share, ascending.
    """

    splits: tuple[tuple[date, float], ...]
    dividends: tuple[tuple[date, float], ...]


def recover_actions(
    symbol: str,
    sessions: Sequence[date],
    close: "NDArray[np.float64]",
    adjusted_close: "NDArray[np.float64]",
    *,
    noise: "NDArray[np.float64] | float" = NOISE,
) -> CorporateActions:
    """Explain every change of adjusted over raw close by a split or a dividend.

    The adjusted series holds total returns: ``adj[t] / adj[t-1] = (close[t] + d) / (close[t-1] *
    s)`` with the cash dividend ``d`` and the price ratio ``s`` of a split in session t. A step
    that is a ratio of small whole numbers is a split, any other one is a dividend.

    Args:
        symbol: Only for messages.
        sessions: Days of the bars, ascending, shape (T,).
        close: Raw closes, shape (T,).
        adjusted_close: Closes adjusted for splits and dividends, shape (T,), any scale.
        noise: Relative size of a step that rounding alone can cause; one for all or one for each
            step, shape (T - 1,). Where it is large, only ratios of a fifth and more are splits.

    Raises:
        InvalidInputError: A step has no such explanation.

    Source:
        The adjustment rule of the WIKI price tables, confirmed on these data: with it every
        recovered amount is a whole cent to within 1e-11.
    """
    growth = (adjusted_close[1:] / adjusted_close[:-1]) * (close[:-1] / close[1:])
    bounds = growth * 0.0 + noise
    splits: list[tuple[date, float]] = []
    dividends: list[tuple[date, float]] = []
    for index in (abs(growth - 1.0) > bounds).nonzero()[0].tolist():
        day, bound = sessions[index + 1], float(bounds[index])
        step = float(growth[index])
        split, amount = _explain(step, float(close[index + 1]), bound)
        rebuilt = (1.0 + amount / float(close[index + 1])) / split
        if amount < 0 or abs(rebuilt / step - 1.0) > bound:
            raise InvalidInputError(
                f"{symbol} {day}: the adjusted close changes by the factor {step:.9f}, which is "
                "neither a simple split nor a dividend",
                hint="Give splits and dividends as tables of their own.",
                symbol=symbol,
                session=day,
            )
        if split != 1.0:
            splits.append((day, split))
        if amount:
            dividends.append((day, amount))
    return CorporateActions(tuple(splits), tuple(dividends))


def _explain(step: float, close: float, noise: float) -> tuple[float, float]:
    # Splits first: their ratios are exact, and no dividend of a real share hits one by chance.
    nearest = Fraction(step).limit_denominator(LARGEST_SPLIT_TERM)
    simple = 0 < nearest.numerator <= LARGEST_SPLIT_TERM
    # With noise a dividend may come near a ratio such as 20/19.
    if noise > ROUGH:
        simple &= abs(step - 1.0) >= SMALLEST_ROUGH_SPLIT
    if simple and abs(step / float(nearest) - 1.0) <= noise:
        return float(1 / nearest), 0.0
    return 1.0, round((step - 1.0) * close, DIVIDEND_DECIMALS)
