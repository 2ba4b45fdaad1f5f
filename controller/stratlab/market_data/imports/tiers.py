"""Divides the sessions of a data set into warm-up, train, validation and holdout."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import final

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Tier, TierRange

DEFAULT_FRACTIONS = (60.0, 20.0, 20.0)
# Indicators need bars before the first one that is traded: a year, or a tenth of short data.
WARM_UP_SESSIONS = 250
WARM_UP_FRACTION = 0.1
# Fewer sessions than this are no ground to judge a strategy on.
FEWEST_SESSIONS = 20

_HINT = (
    "Write fractions like --tiers 60/20/20, or days like "
    "--tiers train=2001-06-01:2006-12-31,validation=2007-01-01:2009-12-31."
)


@final
@dataclass(frozen=True, slots=True)
class TierPlan:
    """How to divide sessions: by days, or by fractions of what follows the warm-up.

    Attributes:
        fractions: Relative lengths of train, validation and holdout; the last may be absent.
        ranges: Days of each tier; used instead when there are any.
        warm_up: Sessions before the train tier, None for the default.
    """

    fractions: tuple[float, ...] = DEFAULT_FRACTIONS
    ranges: Mapping[Tier, TierRange] | None = None
    warm_up: int | None = None

    def divide(self, sessions: Sequence[date]) -> dict[Tier, TierRange]:
        """Return the tiers, each bound a session.

        Args:
            sessions: Days with a bar, ascending.

        Raises:
            InvalidInputError: A tier would have too few sessions.
        """
        tiers = dict(self.ranges) if self.ranges else self._by_fractions(sessions)
        for tier, span in tiers.items():
            inside = sum(span.start <= day <= span.end for day in sessions)
            if inside < FEWEST_SESSIONS:
                raise InvalidInputError(
                    f"tier {tier} would have {inside} sessions, at least {FEWEST_SESSIONS} are "
                    f"needed; the data have {len(sessions)}, {sessions[0]} to {sessions[-1]}",
                    hint="Bring longer data, or choose other --tiers or a shorter --warm-up.",
                    tier=tier,
                )
        return tiers

    def _by_fractions(self, sessions: Sequence[date]) -> dict[Tier, TierRange]:
        warm_up = self.warm_up
        if warm_up is None:
            warm_up = min(WARM_UP_SESSIONS, int(len(sessions) * WARM_UP_FRACTION))
        rest = sessions[warm_up:]
        total, passed = sum(self.fractions), 0.0
        tiers, start = {}, 0
        for tier, fraction in zip(Tier, self.fractions, strict=False):
            passed += fraction
            end = round(len(rest) * passed / total)
            if start < end:
                tiers[tier] = TierRange(rest[start], rest[end - 1])
            else:
                tiers[tier] = TierRange(date.max, date.max)
            start = end
        return tiers


def parse_tiers(text: str | None, warm_up: int | None) -> TierPlan:
    """Read what a user wrote for ``--tiers``.

    Args:
        text: Fractions (``60/20/20``) or days (``train=A:B,validation=A:B,holdout=A:B``); None
            for the default.
        warm_up: Sessions before the train tier, None for the default.

    Raises:
        InvalidInputError: It is neither, or train or validation is missing.
    """
    if text is None:
        return TierPlan(warm_up=warm_up)
    if re.fullmatch(r"\d+(\.\d+)?(/\d+(\.\d+)?){1,2}", text):
        fractions = tuple(float(part) for part in text.split("/"))
        if min(fractions) <= 0:
            raise InvalidInputError(f"--tiers {text}: a fraction is zero", hint=_HINT)
        return TierPlan(fractions=fractions, warm_up=warm_up)
    ranges: dict[Tier, TierRange] = {}
    for part in text.split(","):
        name, _, span = part.partition("=")
        first, _, last = span.replace("..", ":").partition(":")
        try:
            ranges[Tier(name.strip())] = TierRange(
                date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
            )
        except ValueError:
            raise InvalidInputError(f"--tiers: {part[:60]!r} is no tier", hint=_HINT) from None
    if not {Tier.TRAIN, Tier.VALIDATION} <= ranges.keys():
        raise InvalidInputError("--tiers: train and validation are needed", hint=_HINT)
    if warm_up is not None:
        raise InvalidInputError(
            "--warm-up goes with fractions only", hint="All sessions before train are the warm-up."
        )
    return TierPlan(ranges=ranges)
