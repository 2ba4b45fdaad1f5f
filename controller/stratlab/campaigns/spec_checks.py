"""Checks of a specification that need the data set it names."""

from collections.abc import Sequence

from stratlab.domain.campaign import CampaignSpec
from stratlab.domain.errors import InvalidSpecError


def check_markets(spec: CampaignSpec, known: Sequence[str], timeframe: str) -> None:
    """Check that a campaign's markets and timeframes exist.

    Args:
        spec: The specification.
        known: Symbols of the data set.
        timeframe: Of the data set.

    Raises:
        InvalidSpecError: A market or timeframe does not exist.
    """
    unknown = sorted({symbol for market in spec.markets for symbol in market} - set(known))
    if unknown:
        raise InvalidSpecError(
            f"data set {spec.data_set} has no {', '.join(unknown)}",
            hint=f"Use some of {', '.join(known)}.",
            field="markets",
        )
    if not spec.markets or not all(spec.markets):
        raise InvalidSpecError("a market set is empty", hint="Name at least one symbol.")
    wrong = [frame for frame in spec.timeframes if frame != timeframe]
    if wrong or not spec.timeframes:
        raise InvalidSpecError(
            f"data set {spec.data_set} has bars of {timeframe}, not {', '.join(wrong)}",
            hint=f"Use the timeframe {timeframe}.",
            field="timeframes",
        )
