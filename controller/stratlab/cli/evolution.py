"""Shows how a campaign evolved: the cells of its islands, and the family of its best candidate."""

from collections.abc import Sequence

from rich.table import Table

from stratlab.cli.output import clean, print_line, print_table
from stratlab.cli.tables import figure
from stratlab.domain.lineage import family_tree
from stratlab.domain.search import class_text
from stratlab_proto.v1 import campaign_service_pb2 as pb


def print_evolution(campaign: pb.Campaign, iterations: Sequence[pb.Iteration]) -> None:
    """Print islands and lineage; nothing for campaigns without islands."""
    if not campaign.archive:
        return
    islands = {cell.island for cell in campaign.archive}
    print_line()
    print_line(f"Archive: {len(campaign.archive)} cells filled on {len(islands)} islands")
    print_table(_cells_table(campaign.archive))
    print_line()
    print_line("Lineage of the best candidate (patches/iter_N.diff: what iteration N changed)")
    for line in lineage_records(campaign, iterations):
        again = ", see above" if line["is_repeated"] else ""
        print_line(
            f"{'  ' * int(str(line['depth']))}- iteration {line['iteration']}: "
            f"{line['strategy_id']}, {line['operator']}, generation {line['generation']}, "
            f"island {line['island']}{again}"
        )


def lineage_records(
    campaign: pb.Campaign, iterations: Sequence[pb.Iteration]
) -> list[dict[str, object]]:
    """Return the best candidate and its ancestors for JSON output, each before its parents."""
    # The same candidate may stand in several iterations: the first one counts.
    made = {i.candidate.hash: i for i in reversed(iterations) if i.HasField("candidate")}
    parents = {key: list(iteration.candidate.parents) for key, iteration in made.items()}
    return [
        {
            "depth": ancestor.depth,
            "is_repeated": ancestor.is_repeated,
            "candidate": ancestor.candidate,
            "strategy_id": clean(made[ancestor.candidate].candidate.strategy_id),
            "iteration": made[ancestor.candidate].number,
            "operator": made[ancestor.candidate].candidate.operator,
            "parents": parents[ancestor.candidate],
            "generation": made[ancestor.candidate].candidate.generation,
            "island": made[ancestor.candidate].candidate.island,
        }
        for ancestor in family_tree(_best(campaign), parents)
    ]


def _best(campaign: pb.Campaign) -> str:
    # The verdict's; before there is one, the champion; before there is one, the best elite.
    champions = [entry.candidate for entry in campaign.hall_of_fame[:1]]
    elites = sorted(campaign.archive, key=lambda cell: (cell.passed_gates, cell.train_score))
    found = [campaign.verdict.candidate, *champions, *(cell.candidate for cell in elites[-1:])]
    return next(filter(None, found), "")


def _cells_table(cells: Sequence[pb.ArchiveCell]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (
        *("island", "style", "turnover", "drawdown"),
        *("strategy", "iteration", "train score", "gates"),
    ):
        table.add_column(title, overflow="fold")
    for cell in cells:
        moved = f" (from {cell.origin})" if cell.origin != cell.island else ""
        table.add_row(
            f"{cell.island}{moved}",
            cell.style,
            _class(cell.turnover, 1),
            f"{_class(cell.drawdown, 100)} %",
            clean(cell.strategy_id),
            str(cell.iteration),
            figure(cell.train_score),
            "passed" if cell.passed_gates else "failed",
        )
    return table


def _class(ends: pb.MetricClass, unit: int) -> str:
    return class_text(unit * ends.min, unit * ends.max if ends.HasField("max") else None)
