"""Worlds and re-runs as campaigns make them: the trusted job, real containers, real mounts."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import IMAGE

from stratlab.bootstrap import SystemClock, trusted_jobs
from stratlab.campaigns.causality import CausalityTest, seed_of
from stratlab.campaigns.rerun import Suspect
from stratlab.domain.causality import CausalityBudget, World
from stratlab.domain.examination import CausalityEvidence
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.ports import ProgressListener
from stratlab.domain.trial import (
    Engine,
    Limits,
    Outcome,
    TrialBatch,
    TrialClaim,
    TrialPurpose,
    TrialSpec,
)
from stratlab.evaluation import HostEvaluator
from stratlab.market_data import Catalogue
from stratlab.market_data.worlds import WorldCache
from stratlab.sandbox import DockerSandbox
from stratlab.settings import SandboxSettings, Settings
from stratlab.store import open_repository

pytestmark = pytest.mark.docker

FAR = 4_000_000_000  # after all data
CUT = 1_086_048_000  # 2004-06-01
TRADER = """
from zipline.api import order_target, symbol

def initialize(context):
    context.asset = symbol("AAPL")

def handle_data(context, data):
    order_target(context.asset, 100 if is_good(context, data) else 0)
"""
HONEST = (
    TRADER
    + """
def is_good(context, data):
    closes = data.history(context.asset, "close", 5, "1d")
    return closes.iloc[-1] > closes.mean()
"""
)
LEAK = (
    TRADER
    + """
def is_good(context, data):
    days = context.data_portal.trading_calendar.sessions
    here = days.searchsorted(data.current_dt.tz_localize(None).normalize())
    ahead = context.data_portal.get_spot_value(context.asset, "close", days[here + 1], "daily")
    return ahead > data.current(context.asset, "close")
"""
)


class Watching:
    """A sandbox that remembers who ran what."""

    def __init__(self, sandbox: DockerSandbox) -> None:
        self.sandbox = sandbox
        self.claims: dict[str, TrialClaim] = {}
        self.worlds: dict[str, str] = {}

    async def run(
        self, batch: TrialBatch, on_progress: ProgressListener, judge_first: None = None
    ) -> Sequence[TrialClaim]:
        claims = await self.sandbox.run(batch, on_progress, judge_first)
        self.claims |= {claim.trial_id: claim for claim in claims}
        self.worlds |= {trial.trial_id: trial.world for trial in batch.trials}
        return claims


def cache(home: Path) -> WorldCache:
    return WorldCache(home, partial(trusted_jobs, Settings(home=home)))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_world_without_a_change_has_the_bytes_and_ages_of_its_tier(us_daily_home: Path) -> None:
    catalogue = Catalogue(us_daily_home)
    tier = catalogue.mount("us-daily", Tier.TRAIN)
    worlds = [World("us-daily", Tier.TRAIN, cut) for cut in (FAR, CUT)]
    with cache(us_daily_home).opened(worlds) as (same, other):
        mounts = [catalogue.mount("us-daily", Tier.TRAIN, name) for name in (same, other)]
        assert files(mounts[0]) == files(tier)
        assert files(mounts[1]).keys() == files(tier).keys()
        assert files(mounts[1])["tier.json"] == files(tier)["tier.json"]
        assert files(mounts[1])["days/close.npy"] != files(tier)["days/close.npy"]
        for mount in mounts:
            for path in [mount, *mount.rglob("*")]:
                twin = tier / path.relative_to(mount)
                assert path.stat().st_mtime_ns == twin.stat().st_mtime_ns
                assert path.stat().st_mode == twin.stat().st_mode


async def test_every_rerun_has_a_container_of_its_own_and_sees_its_world(
    us_daily_home: Path,
) -> None:
    catalogue = Catalogue(us_daily_home)
    tier = catalogue.get("us-daily").tiers[Tier.TRAIN]
    settings = SandboxSettings(image=IMAGE)
    repository = open_repository(f"sqlite:///{us_daily_home / 'causality.db'}")
    found: dict[str, CausalityEvidence] = {}
    async with DockerSandbox.open(
        settings, us_daily_home, repository.leases(), catalogue, SystemClock()
    ) as sandbox:
        watching = Watching(sandbox)
        test = CausalityTest(
            catalogue, watching, cache(us_daily_home), CausalityBudget(profit_cuts=2, random_cuts=1)
        )
        for name, source in (("honest", HONEST), ("leak", LEAK)):
            spec = TrialSpec(
                trial_id=name,
                index=0,
                purpose=TrialPurpose.ADHOC,
                market=MarketSet("us-daily", ("AAPL",)),
                window=Window(Tier.TRAIN, tier.start, tier.end),
                parameters={},
                capital=100_000.0,
                cost_model=CostModel(),
            )
            (claim,) = await watching.run(TrialBatch("c", source, (spec,), Limits()), _ignore)
            prices = catalogue.prices(spec.market, Tier.TRAIN)
            result = HostEvaluator().settle(spec, claim, prices)
            assert result.outcome is Outcome.SUCCEEDED, claim.reason
            found[name] = await test.run(
                Suspect(
                    campaign_id="c",
                    source=source,
                    limits=Limits(),
                    runtime="runc",
                    engine=Engine.FAST,
                    results=(result,),
                    seed=seed_of(1, source),
                    notify=_ignore,
                )
            )
    repository.close()
    assert found["honest"].outcome is Outcome.SUCCEEDED, found["honest"].reason
    assert found["honest"].warm_up_difference is not None
    assert found["leak"].outcome is Outcome.LOOKAHEAD
    members = [claim.sandbox.member_id for claim in watching.claims.values()]
    assert len(set(members)) == len(members) == 12
    worlds = [world for world in watching.worlds.values() if world]
    # Both share the one whose warm-up is shorter.
    assert (len(worlds), len(set(worlds))) == (8, 7)


def _ignore(_: object) -> None:
    pass
