"""Islands of elites: each island keeps the best candidate of every cell (MAP-Elites).

Rebuilt from summaries alone, so a controller that starts again sees the same islands.

Source: Mouret and Clune, "Illuminating search spaces by mapping elites" (2015).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from stratlab.search.style import Style, style_of_candidate

if TYPE_CHECKING:
    from stratlab.domain.generation import IterationSummary
    from stratlab.domain.search import Islands
    from stratlab.domain.strategy import Candidate

TURNOVER_EDGES = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Lower ends of the classes of turnover, per year on the train tier."""

DRAWDOWN_EDGES = (0.0, 0.1, 0.2, 0.3, 0.45)
"""Lower ends of the classes of drawdown, as a positive fraction on the train tier."""


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """A niche of the archive.

    Attributes:
        turnover: Class of turnover, index of :data:`TURNOVER_EDGES`.
        drawdown: Class of drawdown, index of :data:`DRAWDOWN_EDGES`.
        style: What the strategy bets on.
    """

    turnover: int
    drawdown: int
    style: Style


@final
@dataclass(frozen=True, slots=True)
class Elite:
    """The best candidate of a cell.

    Attributes:
        cell: Its cell.
        candidate: What it is.
        number: Iteration that made it.
        passed_gates, train_score: How good it is, in this order.
    """

    cell: Cell
    candidate: "Candidate"
    number: int
    passed_gates: bool
    train_score: float

    @property
    def merit(self) -> tuple[bool, float, int]:
        """What elites are compared by: gates, then train score, then the earlier one."""
        return (self.passed_gates, self.train_score, -self.number)


@final
class Archive:
    """Elites by island and cell.

    Args:
        islands: How many, and how often they send an elite to the next one.
        history: Ended iterations in order.
    """

    def __init__(self, islands: "Islands", history: "Iterable[IterationSummary]" = ()) -> None:
        self._islands = islands
        self._cells: list[dict[Cell, Elite]] = [{} for _ in range(islands.count)]
        for summary in history:
            self.add(summary)

    def add(self, summary: "IterationSummary") -> None:
        """Give an ended iteration its cell, and let its island send an elite when that is due."""
        island = island_of(summary.number, self._islands)
        elite = elite_of(summary)
        if elite is not None:
            self._place(island, elite)
        turns = (summary.number - 1) // self._islands.count + 1
        is_due = turns % self._islands.migration_interval == 0
        if is_due and (best := self.best(island)) is not None:
            self._place((island + 1) % self._islands.count, best)

    def elites(self, island: int) -> list[Elite]:
        """Return the elites of an island, the best first."""
        return sorted(self._cells[island].values(), key=lambda elite: elite.merit, reverse=True)

    def best(self, island: int) -> Elite | None:
        """Return the best elite of an island, None when it has none."""
        return max(self._cells[island].values(), key=lambda elite: elite.merit, default=None)

    def everywhere(self) -> list[Elite]:
        """Return the elites of all islands, each once, the best first."""
        found = {elite.number: elite for cells in self._cells for elite in cells.values()}
        return sorted(found.values(), key=lambda elite: elite.merit, reverse=True)

    def _place(self, island: int, elite: Elite) -> None:
        held = self._cells[island].get(elite.cell)
        if held is None or elite.merit > held.merit:
            self._cells[island][elite.cell] = elite


def island_of(number: int, islands: "Islands") -> int:
    """Return the island whose turn an iteration is, from 0; islands take turns."""
    return (number - 1) % islands.count


def elite_of(summary: "IterationSummary") -> Elite | None:
    """Return an iteration's candidate as a claimant of its cell.

    None when it has no train score, no turnover or drawdown, or when its returns are those of a
    better elite.
    """
    candidate, score = summary.candidate, summary.train_score
    turnover, drawdown = summary.turnover, summary.max_drawdown
    if candidate is None or summary.duplicate_of:
        return None
    if score is None or turnover is None or drawdown is None:
        return None
    cell = Cell(
        _class(turnover, TURNOVER_EDGES),
        _class(abs(drawdown), DRAWDOWN_EDGES),
        style_of_candidate(candidate),
    )
    return Elite(cell, candidate, summary.number, summary.passed_gates, score)


def _class(value: float, edges: Sequence[float]) -> int:
    return max(bisect_right(edges, value) - 1, 0)
