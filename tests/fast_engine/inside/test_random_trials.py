"""Random scripts on random markets do the same on both engines."""

import os
from pathlib import Path

from actions import Action, Script, actions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import SYMBOLS, Market, markets
from opening import open_market
from runs import difference, request, run, temporary

EXAMPLES = int(os.environ.get("STRATLAB_TEST_EXAMPLES", "40"))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW, print_blob=True)
@given(markets(), actions(), st.sampled_from(["next_open", "zipline"]))
def test_random_script_on_random_market_does_the_same(
    market: Market, script: list[Action], costs: str
) -> None:
    symbols = SYMBOLS[: len(market.lives)]
    with temporary() as folder:
        tier = open_market(market, Path(folder))
        asked = request(tier, symbols, cost_model=costs)
        stock, fast = (
            run(asked, tier, lambda: Script(script, symbols, []), engine)
            for engine in ("stock", "fast")
        )
    assert difference(stock, fast) == ""
