"""Runs the campaigns of a selftest on all cores, and makes its table."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from stratlab.selftest.figures import Row, Truth, summarise
from stratlab.selftest.measuring import Measurement, measure
from stratlab.selftest.plan import EFFECTS, Group

Progress = Callable[[int, int], None]
"""Told how many campaigns are done, and of how many."""


def run_groups(
    groups: Sequence[Group], workers: int, progress: Progress
) -> list[list[Measurement]]:
    """Return what became of the campaigns of each group, in order.

    Args:
        groups: What is measured.
        workers: Processes; results do not depend on their number.
        progress: Told after every campaign.
    """
    tasks = [(recipe, group.arm, group.budget) for group in groups for recipe in group.recipes]
    measured: list[Measurement] = []
    # A fresh interpreter each: a fork of a process with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for one in executor.map(measure, *zip(*tasks, strict=True)):
            measured.append(one)
            progress(len(measured), len(tasks))
    rest = iter(measured)
    return [[next(rest) for _ in group.recipes] for group in groups]


def table_of(groups: Sequence[Group], measured: Sequence[Sequence[Measurement]]) -> tuple[Row, ...]:
    """Return the lines of the table: one for each group, and one for all effects together.

    Args:
        groups: What was measured.
        measured: What became of it.
    """
    return tuple(_rows(groups, measured))


def _rows(groups: Sequence[Group], measured: Sequence[Sequence[Measurement]]) -> Iterator[Row]:
    together: dict[tuple[float, str], list[Measurement]] = {}
    for group, found in zip(groups, measured, strict=True):
        yield summarise(group.name, group.truth, group.sharpe, found)
        if group.sharpe is not None:
            together.setdefault((group.sharpe, group.arm), []).extend(found)
    for (sharpe, _), found in together.items():
        yield summarise(EFFECTS, Truth.ALPHA, sharpe, found)
