"""Islands, their cells and their elites."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.search.histories import summary_of

from stratlab.domain.search import Islands
from stratlab.generation import load_templates
from stratlab.search.archive import Archive, Cell, elite_of, island_of
from stratlab.search.style import Style

TEMPLATES = list(load_templates().values())
FAR_APART = Islands(count=3, migration_interval=1000)


def test_islands_take_turns() -> None:
    assert [island_of(number, Islands(count=3)) for number in range(1, 8)] == [0, 1, 2, 0, 1, 2, 0]


def test_cell_is_turnover_drawdown_and_style() -> None:
    elite = elite_of(summary_of(1, turnover=5.0, drawdown=-0.25))
    assert elite is not None
    assert elite.cell == Cell(turnover=2, drawdown=2, style=Style.TREND)


@pytest.mark.parametrize(
    ("turnover", "drawdown", "expected"),
    [(0.0, 0.0, (0, 0)), (2.0, -0.1, (1, 1)), (1.99, -0.0999, (0, 0)), (1e9, -1.5, (5, 4))],
)
def test_classes_include_their_lower_end(
    turnover: float, drawdown: float, expected: tuple[int, int]
) -> None:
    elite = elite_of(summary_of(1, turnover=turnover, drawdown=drawdown))
    assert elite is not None
    assert (elite.cell.turnover, elite.cell.drawdown) == expected


@pytest.mark.parametrize(
    "missing",
    [
        {"train_score": None},
        {"turnover": None},
        {"max_drawdown": None},
        {"candidate": None},
        {"duplicate_of": "f" * 64},
    ],
)
def test_candidate_without_figures_or_with_the_returns_of_another_gets_no_cell(missing) -> None:
    summary = replace(summary_of(1), **missing)
    assert elite_of(summary) is None
    assert Archive(FAR_APART, [summary]).everywhere() == []


def test_free_code_has_a_cell_of_no_style() -> None:
    summary = summary_of(1)
    code = replace(summary, candidate=replace(summary.candidate, contract=""))
    elite = elite_of(code)
    assert elite is not None
    assert elite.cell.style is Style.OTHER


def test_cell_keeps_the_best_by_gates_then_score_then_age() -> None:
    history = [
        summary_of(1, score=0.5),
        summary_of(4, score=0.9),
        summary_of(7, score=0.2, passed=True),
        summary_of(10, score=0.2, passed=True),
    ]
    for count, winner in ((1, 1), (2, 4), (3, 7), (4, 7)):
        (elite,) = Archive(FAR_APART, history[:count]).elites(0)
        assert elite.number == winner


def test_islands_do_not_see_each_other_before_migration() -> None:
    archive = Archive(FAR_APART, [summary_of(1, score=0.5), summary_of(2, score=0.9)])
    assert [elite.number for elite in archive.elites(0)] == [1]
    assert [elite.number for elite in archive.elites(1)] == [2]
    assert archive.best(2) is None
    assert [elite.number for elite in archive.everywhere()] == [2, 1]


def test_best_elite_moves_to_the_next_island_when_its_own_has_had_its_turns() -> None:
    islands = Islands(count=2, migration_interval=2)
    history = [
        summary_of(1, TEMPLATES[0], score=0.4),
        summary_of(2, TEMPLATES[1], score=0.8),
        summary_of(3, TEMPLATES[2], score=0.6),
    ]
    before, after = Archive(islands, history[:2]), Archive(islands, history)
    assert [elite.number for elite in before.elites(1)] == [2]
    assert [elite.number for elite in after.elites(1)] == [2, 3]
    # It has moved as a copy: its own island keeps it.
    assert [elite.number for elite in after.elites(0)] == [3, 1]


def test_migrant_does_not_displace_a_better_elite() -> None:
    islands = Islands(count=2, migration_interval=1)
    archive = Archive(islands, [summary_of(1, score=0.4), summary_of(2, score=0.8)])
    assert [elite.number for elite in archive.elites(1)] == [2]
    assert [elite.number for elite in archive.elites(0)] == [2]


def test_single_island_sends_elites_to_itself_without_effect() -> None:
    islands = Islands(count=1, migration_interval=1)
    archive = Archive(islands, [summary_of(1), summary_of(2, TEMPLATES[1])])
    assert len(archive.elites(0)) == 2


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.floats(0, 1), st.booleans(), st.floats(0, 50), st.floats(0, 1)
        ),
        max_size=20,
    ),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_archive_grown_or_rebuilt_is_the_same_and_never_gets_worse(rows, count, interval) -> None:
    islands = Islands(count=count, migration_interval=interval)
    history = [
        summary_of(
            number, TEMPLATES[place], score=score, passed=passed, turnover=turnover, drawdown=-depth
        )
        for number, (place, score, passed, turnover, depth) in enumerate(rows, start=1)
    ]
    grown = Archive(islands)
    for done, summary in enumerate(history, start=1):
        before = {
            (island, elite.cell): elite.merit
            for island in range(count)
            for elite in grown.elites(island)
        }
        grown.add(summary)
        rebuilt = Archive(islands, history[:done])
        for island in range(count):
            assert grown.elites(island) == rebuilt.elites(island)
            for elite in grown.elites(island):
                assert elite.merit >= before.pop((island, elite.cell), elite.merit)
        assert not before, "a filled cell was emptied"
