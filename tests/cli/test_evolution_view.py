"""``campaign show`` tells how a campaign evolved."""

import io
from contextlib import redirect_stdout

from stratlab.cli.evolution import lineage_records, print_evolution
from stratlab.domain.lineage import Ancestor, family_tree
from stratlab_proto.v1 import campaign_service_pb2 as pb


def iteration(number: int, key: str, *parents: str, operator: str = "add_factor") -> pb.Iteration:
    return pb.Iteration(
        number=number,
        candidate=pb.Candidate(
            hash=key,
            strategy_id=f"strategy_{key}",
            operator=operator,
            parents=parents,
            generation=len(parents),
            island=number % 2,
        ),
    )


def cell(key: str, score: float, *, island: int = 0, origin: int = 0) -> pb.ArchiveCell:
    return pb.ArchiveCell(
        island=island,
        origin=origin,
        style="trend",
        turnover=pb.MetricClass(min=32),
        drawdown=pb.MetricClass(min=0.1, max=0.2),
        candidate=key,
        strategy_id=f"strategy_{key}",
        iteration=3,
        train_score=score,
    )


ITERATIONS = [
    iteration(1, "a", operator="template"),
    iteration(2, "b", operator="template"),
    pb.Iteration(number=3, failure="nothing new"),
    iteration(4, "c", "a", "b", operator="crossover"),
    iteration(5, "d", "c", "a", operator="crossover"),
]


def shown(campaign: pb.Campaign) -> str:
    with redirect_stdout(io.StringIO()) as text:
        print_evolution(campaign, ITERATIONS)
    return text.getvalue()


def test_family_tree_tells_every_ancestor_and_the_family_of_each_once() -> None:
    parents = {"a": (), "b": ("a",), "c": ("a", "b", "unknown"), "d": ("c", "b")}
    assert family_tree("d", parents) == (
        Ancestor("d", 0),
        Ancestor("c", 1),
        Ancestor("a", 2),
        Ancestor("b", 2),
        Ancestor("a", 3, is_repeated=True),
        Ancestor("b", 1, is_repeated=True),
    )
    assert family_tree("x", parents) == ()


def test_family_tree_of_a_candidate_that_is_its_own_ancestor_ends() -> None:
    assert len(family_tree("a", {"a": ("b",), "b": ("a",)})) == 3


def test_cells_and_lineage_are_shown() -> None:
    campaign = pb.Campaign(
        archive=[cell("d", 0.7), cell("c", 0.4, island=1)],
        verdict=pb.Verdict(candidate="d"),
    )
    campaign.archive[1].origin = 2
    text = shown(campaign)
    assert "Archive: 2 cells filled on 2 islands" in text
    assert "32 or more" in text
    assert "10-20 %" in text
    assert "1 (from 2)" in text
    tree = text.split("changed)\n")[1].splitlines()
    assert [line.split(":")[0] for line in tree] == [
        "- iteration 5",
        "  - iteration 4",
        "    - iteration 1",
        "    - iteration 2",
        "  - iteration 1",
    ]
    assert tree[-1].endswith(", see above")


def test_best_is_the_verdicts_then_the_champion_then_the_best_elite() -> None:
    campaign = pb.Campaign(archive=[cell("a", 0.2), cell("c", 0.9)])
    assert lineage_records(campaign, ITERATIONS)[0]["candidate"] == "c"
    campaign.archive[0].passed_gates = True
    assert lineage_records(campaign, ITERATIONS)[0]["candidate"] == "a"
    campaign.hall_of_fame.add(candidate="d")
    assert lineage_records(campaign, ITERATIONS)[0]["candidate"] == "d"
    campaign.verdict.candidate = "b"
    assert lineage_records(campaign, ITERATIONS)[0]["candidate"] == "b"


def test_campaign_without_islands_shows_none() -> None:
    assert shown(pb.Campaign(verdict=pb.Verdict(candidate="d"))) == ""
    assert lineage_records(pb.Campaign(), ITERATIONS) == []
