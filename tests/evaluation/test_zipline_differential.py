"""Random order streams under real zipline, in the sandbox image, against the host's repricing."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.hand_made import spec
from tests.evaluation.markets import SYMBOLS, WARM_UP, random_market, random_script

from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier, Window
from stratlab.domain.trial import (
    Cancel,
    EquityPoint,
    Fill,
    Limits,
    Order,
    OrderKind,
    Outcome,
    Phase,
    TrialClaim,
)
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.repricing import reprice
from stratlab.settings import SandboxSettings

CAPITAL = 1e6
# Random streams owe more than they own; the limit itself has tests of its own.
LIMITS = Limits(max_leverage=1e15)
ORACLE = Path(__file__).parent / "zipline_oracle.py"
COSTS = {
    kind: CostModel(kind, slippage_bps=7.0, commission_per_share=0.003, volume_limit=0.2)
    for kind in CostModelKind
}
EXPECTED = {
    CostModelKind.ZIPLINE: {"market", "limit", "stop", "stop_limit"},
    CostModelKind.NEXT_OPEN: set(OrderKind),
}


def run_zipline(scenarios, folder):
    """Run the oracle in the sandbox image and return its results."""
    (folder / "scenarios.json").write_text(json.dumps(scenarios))
    folder.chmod(0o777)
    command = ("docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL")
    mounts = ("--tmpfs=/tmp", f"--volume={ORACLE}:/oracle.py:ro", f"--volume={folder}:/io")
    program = ("--entrypoint=python", SandboxSettings().image, "-P", "/oracle.py", "/io")
    user = f"--user={folder.stat().st_uid}"
    done = subprocess.run(
        [*command, user, *mounts, *program],
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "results.json").read_text())


def scenario(market, script, costs, max_leverage=LIMITS.max_leverage):
    request = {
        "parameters_json": "{}",
        "start": market.days[WARM_UP].isoformat(),
        "end": market.days[-1].isoformat(),
        "capital": CAPITAL,
        "cost_model": costs.kind.value,
        "slippage_bps": costs.slippage_bps,
        "commission_per_share": costs.commission_per_share,
        "volume_limit": costs.volume_limit,
        "max_leverage": max_leverage,
        "symbols": SYMBOLS,
    }
    return {"files": market.files, "script": script, "request": request}


def read_entry(entry):
    phase = Phase.BAR if entry["phase"] == "PHASE_BAR" else Phase.BEFORE_OPEN
    if entry.get("cancel"):
        return Cancel(entry["number"], int(entry["bar"]), phase)
    return Order(
        entry["number"],
        int(entry["bar"]),
        phase,
        entry["symbol"],
        int(entry["amount"]),
        OrderKind(entry["kind"]),
        entry.get("limit_price"),
        entry.get("stop_price"),
        entry.get("parent"),
        entry.get("distance"),
    )


def read_fill(fill):
    return Fill(
        fill["number"],
        int(fill["bar"]),
        fill["symbol"],
        int(fill["amount"]),
        fill["price"],
        fill.get("commission", 0.0),
    )


@pytest.mark.docker
@pytest.mark.parametrize("kind", list(CostModelKind))
def test_repricing_equals_zipline_fill_by_fill_and_close_by_close(kind, tmp_path, full_size):
    costs, cases = COSTS[kind], []
    for seed in range(1000 if full_size else 40):
        rng = np.random.default_rng(seed)
        market = random_market(rng)
        brackets = kind is CostModelKind.NEXT_OPEN
        steps = int(rng.integers(10, 150))
        cases.append((market, random_script(rng, market, steps, brackets=brackets)))
    results = run_zipline([scenario(*case, costs) for case in cases], tmp_path)
    seen = Counter()
    for (market, _), result in zip(cases, results, strict=True):
        log = tuple(read_entry(entry) for entry in result["log"])
        window = Window(Tier.TRAIN, market.days[WARM_UP], market.days[-1])
        repriced = reprice(log, market.panel, window, CAPITAL, costs)
        reported = tuple(read_fill(fill) for fill in result["fills"])
        assert sorted(reported, key=lambda fill: (fill.bar, fill.number)) == list(repriced.fills)
        bars, values = zip(*result["equity"], strict=True)
        assert list(bars) == repriced.bars.tolist()
        np.testing.assert_allclose(repriced.equity, values, rtol=0, atol=1e-9 * CAPITAL)
        np.testing.assert_allclose(repriced.leverage, result["leverage"], rtol=1e-9)
        claim = TrialClaim(
            "t-1",
            Outcome.SUCCEEDED,
            log=log,
            fills=reported,
            equity=tuple(map(EquityPoint, bars, values)),
        )
        trial = spec(
            market.panel,
            costs,
            market=MarketSet("random", SYMBOLS),
            window=window,
            capital=CAPITAL,
        )
        settled = HostEvaluator().settle(trial, claim, market.panel, LIMITS)
        assert settled.outcome is Outcome.SUCCEEDED, settled.reason
        kinds = {entry.number: entry.kind for entry in log if isinstance(entry, Order)}
        seen.update(kinds[fill.number] for fill in reported)
    # Everything has happened often enough to mean something.
    assert sum(result["refused"] for result in results) >= 20
    assert {kind for kind, count in seen.items() if count >= 20} == EXPECTED[kind]


@pytest.mark.docker
def test_harness_ends_a_trial_exactly_where_the_host_sees_too_much_leverage(tmp_path):
    costs, bound, cases = COSTS[CostModelKind.NEXT_OPEN], 0.5, []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        market = random_market(rng)
        cases.append((market, random_script(rng, market, 15, brackets=True)))
    results = run_zipline([scenario(*case, costs, bound) for case in cases], tmp_path)
    ended = 0
    for (market, _), result in zip(cases, results, strict=True):
        log = [read_entry(entry) for entry in result["log"]]
        window = Window(Tier.TRAIN, market.days[WARM_UP], market.days[-1])
        leverage = reprice(log, market.panel, window, CAPITAL, costs).leverage
        bars = len(result["equity"])
        assert (leverage[:bars] <= bound).all()
        if bars < len(leverage):
            ended += 1
            assert leverage[bars] > bound
    assert 5 < ended < len(cases)
