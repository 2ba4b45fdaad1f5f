"""A watcher's view is a fold over events and progress."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.cli.follow import duration, panel
from stratlab.cli.watch_view import WatchView, sparkline
from stratlab_proto.v1 import campaign_service_pb2 as pb

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def event(number: int, kind: str, seconds: float, **payload: object) -> pb.WatchCampaignResponse:
    item = pb.WatchCampaignResponse(event=pb.Event(number=number, kind=kind))
    item.event.time.FromDatetime(START + timedelta(seconds=seconds))
    item.event.payload.update(payload)
    return item


def progress(trial: str, fraction: float, equity: float) -> pb.WatchCampaignResponse:
    return pb.WatchCampaignResponse(
        progress=pb.TrialProgress(trial_id=trial, fraction=fraction, equity=equity)
    )


def test_view_tells_of_a_budget_that_runs_low() -> None:
    told = event(1, "budget_warning", 0, of="micro_usd", percent=80, spent=8, bound=10)
    line = WatchView(max_iterations=4, max_wall_seconds=3600).update(told)
    assert line == "80 % of the bound on micro_usd are spent or reserved"


def test_view_follows_one_iteration() -> None:
    view = WatchView(max_iterations=4, max_wall_seconds=3600)
    lines = [
        view.update(item)
        for item in (
            event(1, "campaign_created", 0),
            event(2, "iteration_started", 1, iteration=1),
            event(3, "state_changed", 1, **{"from": "queued", "to": "x", "reason": "R"}),
            event(4, "candidate_generated", 2, strategy_id="ema", operator="template"),
            event(5, "trial_started", 3, trial="t1", tier="train", attempt=1),
            progress("t1", 0.5, 100.0),
            progress("t1", 0.75, 120.0),
            event(6, "trial_finished", 9, trial="t1", outcome="SUCCEEDED"),
            event(7, "iteration_evaluated", 10, iteration=1, failure="", score=0.5),
            event(8, "hall_of_fame_changed", 10, champion="c1", score=0.5),
            event(9, "hall_of_fame_changed", 11, champion="c1", score=0.5),
        )
    ]
    assert [line for line in lines if line] == [
        "iteration 1 of 4",
        "state x (R)",
        "candidate ema (template)",
        "trial t1: SUCCEEDED",
        "iteration 1 score 0.5000, best 0.5000",
        "new champion, score 0.5000",
    ]
    assert (view.trials_started, view.trials_finished, view.iterations_done) == (1, 1, 1)
    assert view.last_event == 9
    assert view.equity_line(10) == "▁█"
    # One iteration took ten seconds, three are open.
    assert view.seconds_left(START + timedelta(seconds=10)) == pytest.approx(30)
    assert view.best_score == 0.5


def test_worse_score_failure_and_no_score_keep_the_best() -> None:
    view = WatchView()
    view.update(event(1, "iteration_evaluated", 0, failure="", score=0.5))
    assert "best 0.5000" in view.update(event(2, "iteration_evaluated", 1, failure="", score=0.2))
    assert "no score" in view.update(event(3, "iteration_evaluated", 2, failure="", score=None))
    assert "boom" in view.update(event(4, "iteration_evaluated", 3, failure="boom", score=None))
    assert view.best_score == 0.5
    assert view.iterations_done == 4


def test_new_trial_starts_a_new_equity_line() -> None:
    view = WatchView()
    for value in (1.0, 2.0, 3.0):
        view.update(progress("t1", 0.1, value))
    view.update(progress("t2", 0.1, 5.0))
    assert view.equity_line(10) == "▁"


def test_time_left_is_bounded_by_the_wall_clock_and_unknown_at_first() -> None:
    view = WatchView(max_iterations=1000, max_wall_seconds=60)
    assert view.seconds_left(START) is None
    view.update(event(1, "iteration_evaluated", 0, failure="", score=0.1))
    assert view.seconds_left(START + timedelta(seconds=20)) == 40
    assert view.seconds_left(START + timedelta(seconds=90)) == 0


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=500), width=st.integers(1, 60))
def test_sparkline_fits_its_width(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert 1 <= len(line) <= width
    assert set(line) <= set("▁▂▃▄▅▆▇█")


def test_sparkline_of_a_rise_rises() -> None:
    assert sparkline([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([], 8) == ""
    assert sparkline([5.0, 5.0], 8) == "▁▁"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
    ],
)
def test_duration_is_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_panel_renders_before_anything_happened() -> None:
    assert panel(WatchView()).row_count == 6
