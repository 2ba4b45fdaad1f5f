"""Renders the islands of a campaign and the lineage of a candidate, as Markdown."""

from collections.abc import Sequence

from stratlab.campaigns.archive_view import archive_cells
from stratlab.domain.campaign import Campaign, Iteration
from stratlab.domain.lineage import family_tree
from stratlab.domain.search import ArchiveCell, class_text


def islands_section(campaign: Campaign, iterations: Sequence[Iteration]) -> str:
    """Return a table of the filled cells, "" when there are none."""
    cells = archive_cells(campaign, [i for i in iterations if i.ended_at is not None])
    if not cells:
        return ""
    head = (
        "## Islands\n\n| island | style | turnover a year | drawdown | strategy | iteration | "
        "train score | gates |\n|--:|---|--:|--:|---|--:|--:|---|\n"
    )
    return head + "".join(map(_row, cells))


def lineage_section(candidate: str, iterations: Sequence[Iteration]) -> str:
    """Return a candidate with its ancestors as a nested list, "" when it is not known."""
    # The same candidate may stand in several iterations: the first one counts.
    made = {i.candidate.hash: (i, i.candidate) for i in reversed(iterations) if i.candidate}
    parents = {key: found.lineage.parents for key, (_, found) in made.items()}
    lines = []
    for ancestor in family_tree(candidate, parents):
        iteration, found = made[ancestor.candidate]
        lineage = found.lineage
        patch = f", [diff](patches/iter_{iteration.number}.diff)" if iteration.patch else ""
        again = " (see above)" if ancestor.is_repeated else patch
        lines.append(
            f"{'  ' * ancestor.depth}- iteration {iteration.number}: "
            f"{found.strategy_id}, {lineage.operator}, generation "
            f"{lineage.generation}, island {lineage.island}{again}\n"
        )
    return f"## Lineage of the best candidate\n\n{''.join(lines)}" if lines else ""


def _row(cell: ArchiveCell) -> str:
    island = (
        f"{cell.island}" if cell.origin == cell.island else f"{cell.island} (from {cell.origin})"
    )
    low, high = cell.drawdown
    percent = (100 * low, None if high is None else 100 * high)
    cells = [
        island,
        cell.style,
        class_text(*cell.turnover),
        f"{class_text(*percent)} %",
        cell.strategy_id,
        str(cell.iteration),
        f"{cell.train_score:.4f}",
        "passed" if cell.passed_gates else "failed",
    ]
    return f"| {' | '.join(cells)} |\n"
