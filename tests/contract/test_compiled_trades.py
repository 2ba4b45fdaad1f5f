"""Compiled contracts under real zipline against the direct simulation, fill by fill."""

from datetime import date

import pytest
from tests.contract.random_contracts import LONGER, random_contract
from tests.contract.reference import simulate
from tests.contract.rule_reference import Clock
from tests.contract.sandboxed_zipline import run_jobs, world
from tests.contract.worlds import random_market

from stratlab.contract.model import StrategyContract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation import load_templates
from stratlab.market_data.calendars import sessions_between

pytestmark = pytest.mark.docker

CAPITAL = 100_000.0
LAST = date(2016, 12, 30)
# Name -> markets, number of sessions and the traded window. BBB is listed later.
WORLDS = {
    "long": (
        {"AAA": random_market(1, 420), "BBB": random_market(2, 420, first=200)},
        420,
        (160, 419),
    ),
    "short": (
        {"AAA": random_market(11, 260), "BBB": random_market(12, 260, first=110)},
        260,
        (60, 259),
    ),
}


@pytest.fixture(scope="module")
def comparisons(full_size: bool) -> list[tuple[str, list, list]]:
    """What was asked, what zipline filled and what the simulation filled."""
    count = 400 if full_size else 24
    contracts: list[tuple[str, str, StrategyContract]] = [
        ("long", name, contract) for name, contract in load_templates().items()
    ]
    contracts += [("short", f"random {seed}", random_contract(seed)) for seed in range(count)]
    contracts += [
        ("long", f"longer {seed}", random_contract(seed, longer=LONGER)) for seed in range(count)
    ]
    clock = Clock([day.date() for day in sessions_between("XNYS", date(2015, 1, 2), LAST)])
    jobs, expected = [], []
    for place, _, contract in contracts:
        markets, _, window = WORLDS[place]
        jobs.append(
            {
                "world": place,
                "source": compile_to_zipline(contract),
                "parameters": contract.parameters,
                "symbols": list(markets),
                "window": window,
                "capital": CAPITAL,
                "exported": False,
                "script": False,
            }
        )
        expected.append(simulate(contract, contract.parameters, markets, window, CAPITAL, clock))
    worlds = {name: world(markets, count) for name, (markets, count, _) in WORLDS.items()}
    results = run_jobs(worlds, jobs)
    return [
        (name, _ordered(result["fills"]), _ordered(fills))
        for (_, name, _), result, fills in zip(contracts, results, expected, strict=True)
    ]


def _ordered(fills: list) -> list[tuple]:
    # Symbols of one session fill in no particular order.
    return sorted((tuple(fill) for fill in fills), key=lambda fill: fill[:2])


def test_compiled_contract_trades_as_simulated(comparisons: list) -> None:
    for name, zipline, simulated in comparisons:
        assert [fill[:3] for fill in zipline] == [fill[:3] for fill in simulated], name
        for ours, theirs in zip(simulated, zipline, strict=True):
            assert ours[3] == pytest.approx(theirs[3], rel=1e-9), name


def test_compiled_contracts_trade_enough_to_mean_something(comparisons: list) -> None:
    fills = {name: len(zipline) for name, zipline, _ in comparisons}
    assert all(fills[name] > 0 for name in load_templates())
    assert sum(fills.values()) > 1000
    assert sum(count for name, count in fills.items() if name.startswith("longer")) > 300
    shorts = [fill for _, zipline, _ in comparisons for fill in zipline if fill[2] < 0]
    assert len(shorts) > 300
