"""Orders that zipline cancels at the end of a session, in intraday bars."""

import numpy as np
import pytest
from tests.evaluation.markets import WARM_UP
from tests.intraday.sandboxed import job, run_jobs
from tests.intraday.worlds import random_world

WAITING = """
from zipline.api import cancel_policy, order, schedule_function, set_cancel_policy, symbol

def initialize(context):
    set_cancel_policy(cancel_policy.EODCancel())
    schedule_function(wait)

def wait(context, data):
    order(symbol("AAA"), 10, limit_price=0.01)
"""


@pytest.mark.docker
@pytest.mark.parametrize("calendar", ["XNYS", "24/7"])
def test_order_that_ends_with_its_session_is_cancelled_at_the_last_bar(calendar, tmp_path):
    world = random_world(np.random.default_rng(8), tmp_path / "home", calendar, "2h", count=40)
    io = tmp_path / "io"
    io.mkdir()
    window = (world.days[WARM_UP], world.days[-1])
    (result,) = run_jobs({"w": world.files}, [job("w", WAITING, ["AAA"], window)], io)
    assert result["error"] == ""
    panel = world.panel
    rows = np.arange(world.start, len(panel.bars))
    days = [rows[panel.sessions[rows] == day] for day in np.unique(panel.sessions[rows])]
    expected = []
    for number, day in enumerate(days, start=1):
        expected.append([number, int(panel.bars[day[0]]), False])
        expected.append([number, int(panel.bars[day[-1]]), True])
    assert result["log"] == expected
    assert result["fills"] == []
