"""A finalist examined in real containers: what is tested there is what numpy chose by."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.robustness.scene import NOW, contract_candidate

from stratlab.bootstrap import SystemClock
from stratlab.campaigns import robustness_stress, robustness_walks
from stratlab.campaigns.robustness import RobustnessExaminer
from stratlab.campaigns.robustness_ground import ground_of, point_returns
from stratlab.contract.document import load_contract
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Evaluation, Iteration
from stratlab.domain.gates import Level
from stratlab.domain.market import Tier
from stratlab.domain.robustness import StressKind
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.evaluation import HostEvaluator
from stratlab.evaluation.performance import performance
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.settings import Settings
from stratlab.store import open_repository


@pytest.mark.docker
@pytest.mark.load
async def test_sandboxed_runs_agree_with_what_the_parameters_were_chosen_by(
    us_daily_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_size: bool
) -> None:
    if not full_size:
        monkeypatch.setattr(robustness_walks, "STEPS", 2)
        monkeypatch.setattr(robustness_walks, "GROUPS", 3)
        monkeypatch.setattr(robustness_walks, "TEST_GROUPS", 1)
        monkeypatch.setattr(robustness_walks, "POINTS", 8)
        monkeypatch.setattr(robustness_stress, "VOLUME_SHARES", (1.0,))
        monkeypatch.setattr(robustness_stress, "PATHS", 2)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "data").symlink_to(us_daily_home / "data")
    candidate, catalogue = contract_candidate(), Catalogue(home)
    spec = CampaignSpec("examined", "us-daily", (("IBM",),))
    found_in = Campaign("examined", spec, "d" * 64, CampaignState.QUEUED, NOW, NOW, iteration=1)
    settings = Settings(home=home)
    one_at_a_time = settings.sandbox.model_copy(update={"pool_low": 0})
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        campaign = repository.create_campaign(found_in, "")
        evaluation = Evaluation(Level.PROFITABLE, parameters=candidate.parameters)
        iteration = Iteration(campaign.id, 1, NOW, candidate=candidate, evaluation=evaluation)
        with repository.transaction() as transaction:
            transaction.save_iteration(replace(iteration, evaluation=None))
        async with DockerSandbox.open(
            one_at_a_time, home, repository.leases(), catalogue, SystemClock(), alone=True
        ) as sandbox:
            examiner = RobustnessExaminer(repository, catalogue, sandbox, HostEvaluator())
            found = await examiner.examine(campaign, iteration, lambda _: None)
        counts = repository.point_counts(campaign.id)
    assert found.notes == () or "capacity" in found.notes[0]
    assert TrialPurpose.SEARCH not in counts
    ground = await asyncio.to_thread(ground_of, catalogue, spec)
    contract = load_contract(candidate.contract)
    table = await asyncio.to_thread(point_returns, contract, [candidate.parameters], ground)
    expected = performance(table.returns[0], ground.benchmark, ground.sessions_per_year)
    baseline = next(test for test in found.stress if test.kind is StressKind.BASELINE).runs[0]
    for name in ("cum_returns_final", "sharpe_ratio", "excess_sharpe", "max_drawdown"):
        assert getattr(baseline, name) == pytest.approx(getattr(expected, name), abs=1e-9)
    validation = catalogue.get("us-daily").tiers[Tier.VALIDATION]
    for walk in found.walk_forwards:
        assert walk.steps[-1].test.end == validation.end
        assert walk.out_of_sample.outcome is Outcome.SUCCEEDED
        assert walk.degradation.low < walk.degradation.value < walk.degradation.high
    assert {path.outcome for path in found.cross_validation.paths} == {Outcome.SUCCEEDED}
