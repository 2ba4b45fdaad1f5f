"""The critic against random mutation: what campaigns of equal budget found in the same worlds."""

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, final

from stratlab.selftest.arms import Arm
from stratlab.selftest.figures import CONFIDENCE, Rate, clopper_pearson
from stratlab.selftest.plan import EFFECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratlab.selftest.measuring import Measurement
    from stratlab.selftest.plan import Group

    Pair = tuple[Measurement, Measurement]


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """One line: pairs of campaigns, the critic's first, each pair in one world.

    What a campaign earned is the Sharpe ratio of its finalist on the holdout, annual and in excess
    of the benchmark, whether the lab promoted it or not; 0, the benchmark's own, without one.

    Attributes:
        name: What was searched.
        sharpe: Of the oracle, None for several.
        rival: Who searched without the critic.
        worlds: Number of pairs.
        oracle_earned: Mean of what the oracles earned on the holdout.
        critic_earned: Mean of what the critic's campaigns earned.
        rival_earned: Mean of what the rival's earned.
        difference: Mean of what the critic's earned more.
        low, high: Ends of its two-sided interval of 95 %, None with one pair.
        won, lost: Worlds in which the critic's earned more, or less.
    """

    name: str
    sharpe: float | None
    rival: Arm
    worlds: int
    oracle_earned: float
    critic_earned: float
    rival_earned: float
    difference: float
    low: float | None
    high: float | None
    won: Rate
    lost: Rate


def compare(name: str, sharpe: float | None, rival: Arm, pairs: "Sequence[Pair]") -> Comparison:
    """Return the line of some pairs, at least one.

    Source: Student (W. S. Gosset), "The Probable Error of a Mean", Biometrika 6 (1), 1908, for the
    interval of a mean of differences.
    """
    differences = [first.earned - second.earned for first, second in pairs]
    mean = fmean(differences)
    reach = _reach(differences)
    return Comparison(
        name=name,
        sharpe=sharpe,
        rival=rival,
        worlds=len(pairs),
        oracle_earned=fmean(first.oracle_holdout for first, _ in pairs),
        critic_earned=fmean(first.earned for first, _ in pairs),
        rival_earned=fmean(second.earned for _, second in pairs),
        difference=mean,
        low=None if reach is None else mean - reach,
        high=None if reach is None else mean + reach,
        won=clopper_pearson(sum(value > 0.0 for value in differences), len(pairs)),
        lost=clopper_pearson(sum(value < 0.0 for value in differences), len(pairs)),
    )


def comparisons_of(
    groups: "Sequence[Group]", measured: "Sequence[Sequence[Measurement]]"
) -> tuple[Comparison, ...]:
    """Return a line for each group without the critic, then for all effects together.

    Args:
        groups: What was measured; for each without the critic there is one with it, by name and
            ratio, in the same worlds.
        measured: What became of it.
    """
    return tuple(_lines(groups, measured))


def _lines(
    groups: "Sequence[Group]", measured: "Sequence[Sequence[Measurement]]"
) -> "Iterator[Comparison]":
    found = {
        (group.name, group.sharpe, group.arm): result
        for group, result in zip(groups, measured, strict=True)
    }
    together: dict[tuple[float | None, Arm], list[Pair]] = {}
    for (name, sharpe, arm), result in found.items():
        if arm is Arm.LAB:
            continue
        pairs = list(zip(found[name, sharpe, Arm.LAB], result, strict=True))
        yield compare(name, sharpe, arm, pairs)
        together.setdefault((sharpe, arm), []).extend(pairs)
    if len({sharpe for sharpe, _ in together}) > 1:
        for (_, arm), pairs in list(together.items()):
            together.setdefault((None, arm), []).extend(pairs)
    for (sharpe, arm), pairs in together.items():
        yield compare(EFFECTS, sharpe, arm, pairs)


def _reach(differences: "Sequence[float]") -> float | None:
    if len(differences) < 2:  # noqa: PLR2004 - one has no spread
        return None
    from scipy.stats import t  # noqa: PLC0415 - keeps start-up fast

    quantile = float(t.ppf((1.0 + CONFIDENCE) / 2.0, len(differences) - 1))
    return quantile * stdev(differences) / sqrt(len(differences))
