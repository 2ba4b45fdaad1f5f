"""An exported file under plain zipline does what its candidate did in the runner."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.samples import longer_fields
from tests.contract.sandboxed_zipline import run_jobs
from tests.exporters.requests_for import (
    CLASS_CODE,
    FREE_CODE,
    RISK_CODE,
    contract_request,
    source_request,
    template_request,
)
from tests.runner.conftest import run_inside
from tests.runner.host import day
from tests.runner.market import Market, random_market
from tests.runner.member import Member

from stratlab.domain.market import CostModel
from stratlab.generation import load_templates
from stratlab_exporters import ExportRequest, get_exporter
from stratlab_exporters.zipline import FILE_NAME

pytestmark = pytest.mark.docker

SYMBOLS = ("AAA", "BBB")
WINDOW = (150, 500)
COSTS = CostModel(slippage_bps=10.0, commission_per_share=0.01, volume_limit=0.1)
CAPITAL = 9000.0


@pytest.fixture(scope="module")
def requests() -> dict[str, ExportRequest]:
    common = {"symbols": SYMBOLS, "cost_model": COSTS, "capital": CAPITAL}
    found = {name: template_request(name, **common) for name in load_templates()}
    # Shorter than the defaults, so that two years give some trades.
    quick = {"fast_length": 5, "slow_length": 45, "stop_mult": 2.0}
    found["quick"] = template_request("ema_cross_atr", **common | {"parameters": quick})
    found["longer"] = contract_request(longer_fields(), **common)
    found["free"] = source_request(FREE_CODE, **common)
    found["risk"] = source_request(RISK_CODE, **common | {"parameters": {"percent": 2.0}})
    found["class"] = source_request(CLASS_CODE, **common)
    return found


@pytest.fixture(scope="module")
def market() -> Market:
    return random_market(seed=3)


@pytest.fixture(scope="module")
def exported(market: Market, requests: dict[str, ExportRequest]) -> dict[str, dict]:
    """What plain zipline made of the exported files."""
    world = {
        "sessions": len(market.labels),
        "start": market.first,
        "markets": {
            symbol: {
                "first": 0,
                "bars": market.bars[symbol],
                "splits": {at: ratio for at, name, ratio in market.splits if name == symbol},
                "dividends": {
                    at: (at + 2, amount) for at, name, amount in market.dividends if name == symbol
                },
            }
            for symbol in SYMBOLS
        },
    }
    jobs = [
        {
            "world": "market",
            "source": get_exporter("zipline").export(request).files[FILE_NAME].decode(),
            "window": WINDOW,
            "capital": CAPITAL,
            "exported": True,
            "script": False,
        }
        for request in requests.values()
    ]
    names = [*requests, "script"]
    jobs.append(jobs[-1] | {"script": True})
    return dict(zip(names, run_jobs({"market": world}, jobs), strict=True))


@pytest.fixture(scope="module")
def member(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    directory: Path = tmp_path_factory.mktemp("tier")
    (directory / "market.json").write_text(json.dumps(market.description()))
    (directory / "tier").mkdir()
    run_inside("make_tier.py", "/tier/market.json", "/tier/tier", mounts={directory: "/tier"})
    with Member(directory / "tier") as running:
        yield running


@pytest.mark.parametrize("name", [*load_templates(), "quick", "longer", "free", "risk", "class"])
def test_exported_file_gives_the_orders_of_the_runner(
    name: str,
    member: Member,
    market: Market,
    requests: dict[str, ExportRequest],
    exported: dict[str, dict],
) -> None:
    request = requests[name]
    result = member.run(
        request.candidate.source,
        parameters=dict(request.candidate.parameters) | dict(request.parameters),
        symbols=list(SYMBOLS),
        start=str(day(market.labels[WINDOW[0]])),
        end=str(day(market.labels[WINDOW[1]])),
        capital=CAPITAL,
        slippage_bps=COSTS.slippage_bps,
        commission_per_share=COSTS.commission_per_share,
        volume_limit=COSTS.volume_limit,
    )
    assert result.cause == ""
    place = {label: number for number, label in enumerate(market.labels)}
    orders = [
        (place[entry.bar], entry.symbol, entry.amount) for entry in result.log if not entry.cancel
    ]
    assert sorted(map(tuple, exported[name]["orders"])) == sorted(orders)
    fills = [(place[fill.bar], fill.symbol, fill.amount, fill.price) for fill in result.fills]
    assert sorted(map(tuple, exported[name]["fills"])) == sorted(fills)
    assert exported[name]["value"] == pytest.approx(result.equity[-1][1], rel=1e-12)
    assert len(orders) > (20 if name in {"quick", "longer", "free", "class"} else 0)


def test_exported_file_runs_as_a_script_on_an_unregistered_bundle(exported: dict) -> None:
    script, same = exported["script"], exported["class"]
    assert script["status"] == 0, script["errors"]
    expected = f"portfolio value {same['value']:.2f}, fills {len(same['fills'])}\n"
    assert script["output"].endswith(expected)
