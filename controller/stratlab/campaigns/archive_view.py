"""Shows the archive of a campaign: filled cells by island, and the family of a candidate."""

from collections.abc import Sequence

from stratlab.campaigns.history import History
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.search import ArchiveCell
from stratlab.domain.strategy import GeneratorKind
from stratlab.search.archive import DRAWDOWN_EDGES, TURNOVER_EDGES, Archive


def archive_cells(campaign: Campaign, iterations: Sequence[Iteration]) -> tuple[ArchiveCell, ...]:
    """Return the filled cells of a campaign, by island, the best elite first.

    None for campaigns whose generator has no islands.

    Args:
        campaign: Its specification says how many islands there are.
        iterations: The ended ones, in order.
    """
    if campaign.spec.generator is not GeneratorKind.FACTOR_GRAPH:
        return ()
    islands = campaign.spec.islands
    archive = Archive(islands, History(iterations).summaries)
    return tuple(
        ArchiveCell(
            island=island,
            style=elite.cell.style.value,
            turnover=_ends(elite.cell.turnover, TURNOVER_EDGES),
            drawdown=_ends(elite.cell.drawdown, DRAWDOWN_EDGES),
            candidate=elite.candidate.hash,
            strategy_id=elite.candidate.strategy_id,
            iteration=elite.number,
            origin=elite.candidate.lineage.island,
            train_score=elite.train_score,
            passed_gates=elite.passed_gates,
        )
        for island in range(islands.count)
        for elite in archive.elites(island)
    )


def _ends(place: int, edges: Sequence[float]) -> tuple[float, float | None]:
    return edges[place], edges[place + 1] if place + 1 < len(edges) else None
