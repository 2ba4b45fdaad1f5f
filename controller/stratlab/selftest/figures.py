"""Rates with their intervals, and what the lab promises of them."""

from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratlab.selftest.arms import Arm
    from stratlab.selftest.measuring import Measurement

CONFIDENCE = 0.95
"""Of every interval."""


@final
@dataclass(frozen=True, slots=True)
class Rate:
    """A share of trials with its exact interval.

    Attributes:
        count: How many there were of what is counted.
        total: Among how many, at least 1.
        low, high: Ends of the two-sided interval of 95 %.
    """

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.total


def clopper_pearson(count: int, total: int) -> Rate:
    """Return a share with the interval that covers the truth with at least 95 %.

    Source: C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated
    in the Case of the Binomial", Biometrika 26 (4), 1934.
    """
    from scipy.stats import beta  # noqa: PLC0415 - keeps start-up fast

    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1.0 - tail, count + 1, total - count)) if count < total else 1.0
    return Rate(count, total, low, high)


@final
class Truth(StrEnum):
    """What a promotion in a group of worlds means."""

    NOTHING = "nothing"
    """A false promotion: there is nothing to be found."""
    TRAP = "trap"
    """The same, where something looks as if there were."""
    ALPHA = "alpha"
    """A discovery."""


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: campaigns of one kind.

    Attributes:
        name: What was searched.
        truth: What a promotion means there.
        arm: Who searched.
        sharpe: Of the oracle, None where nothing is planted.
        promoted: How many campaigns ended with a promotion.
        trials: Mean N.
        screened: Mean number of points that were judged on train prices only.
        oracle_planted: Mean of what the oracles were expected to earn; None without any.
        oracle_holdout: Mean of what they earned on the holdout.
        finalist_holdout: Mean of what finalists earned there; None without finalists.
        regret: Mean.
        failed_rules: Rule that decided -> how many campaigns; "" for no finalist.
        seconds: Mean of a campaign.
    """

    name: str
    truth: Truth
    arm: "Arm"
    sharpe: float | None
    promoted: Rate
    trials: float
    screened: float
    oracle_planted: float | None
    oracle_holdout: float
    finalist_holdout: float | None
    regret: float
    failed_rules: dict[str, int]
    seconds: float


def summarise(
    name: str, truth: Truth, sharpe: float | None, measured: "Sequence[Measurement]"
) -> Row:
    """Return the line of some campaigns, at least one, all of one arm."""
    promoted = sum(one.is_promoted for one in measured)
    rules: dict[str, int] = {}
    for one in measured:
        if not one.is_promoted:
            rules[one.failed_rule] = rules.get(one.failed_rule, 0) + 1
    return Row(
        name=name,
        truth=truth,
        arm=measured[0].arm,
        sharpe=sharpe,
        promoted=clopper_pearson(promoted, len(measured)),
        trials=fmean(one.trials for one in measured),
        screened=fmean(one.screened for one in measured),
        oracle_planted=_mean(measured, lambda one: one.oracle_planted),
        oracle_holdout=fmean(one.oracle_holdout for one in measured),
        finalist_holdout=_mean(measured, lambda one: one.finalist_holdout),
        regret=fmean(one.regret for one in measured),
        failed_rules=dict(sorted(rules.items())),
        seconds=fmean(one.seconds for one in measured),
    )


def _mean(
    measured: "Sequence[Measurement]", figure: "Callable[[Measurement], float | None]"
) -> float | None:
    known = [value for one in measured if (value := figure(one)) is not None]
    return fmean(known) if known else None
