"""The campaign loop on a small lab: real store, screening, evaluation and reports."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.suites.small_lab import CountingGenerator, SmallLab, small_lab, small_spec

from stratlab.campaigns.history import all_iterations
from stratlab.domain.campaign import Campaign, CampaignState, StopRules
from stratlab.domain.errors import InvalidSpecError, WrongStateError
from stratlab.domain.events import Event, EventKind, verify_chain
from stratlab.domain.gates import Gates, VerdictKind
from stratlab.domain.trial import Outcome, TrialProgress, TrialPurpose, TrialSpec
from stratlab.store.audit import verify_audit

BACKOFF = "stratlab.campaigns.iteration_trials.INFRASTRUCTURE_BACKOFF_SECONDS"


async def finished(lab: SmallLab, campaign: Campaign) -> Campaign:
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


async def test_campaign_runs_to_a_verdict_and_leaves_everything_behind(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r1"))
        assert campaign.state is CampaignState.COMPLETED
        assert campaign.state_reason == "MAX_ITERATIONS"
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.ITERATE
        assert campaign.verdict.missing_checks == ("holdout",)
        iterations = lab.repository.list_iterations(campaign.id)
        assert [iteration.number for iteration in iterations] == [1, 2, 3, 4]
        for iteration in iterations:
            # The smoke run, two points on train, then the better one on validation.
            assert [result.spec.index for result in iteration.results] == [-1, 0, 1, 2]
            assert {result.outcome for result in iteration.results} == {Outcome.SUCCEEDED}
            assert iteration.evaluation is not None
            assert iteration.evaluation.validation is not None
            assert iteration.feedback is not None
            assert iteration.feedback.kind == "success"
        names = {artifact.name for artifact in lab.artifacts.list(campaign.id)}
        assert {"campaign.json", "audit.jsonl", "report.md", "exports/best_strategy.py"} <= names
        assert "iterations/iter_4.json" in names
        assert any(name.startswith("series/") for name in names)
        assert verify_audit(lab.repository) == {
            campaign.id: len(lab.repository.events(campaign.id))
        }


async def test_states_follow_the_table_and_every_transition_has_a_reason(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        spec = small_spec(stop_rules=StopRules(max_iterations=1))
        campaign = await finished(lab, await lab.manager.create(spec, "r1"))
        transitions = lab.repository.transitions(campaign.id)
        assert [transition.to_state.value for transition in transitions][-5:] == [
            "brief_generated",
            "code_generated",
            "campaign_running",
            "campaign_evaluated",
            "completed",
        ]
        assert all(transition.reason for transition in transitions)
        assert [t.at for t in transitions] == sorted(t.at for t in transitions)


async def test_same_seed_gives_the_same_result_hash_and_another_seed_another(
    tmp_path: Path,
) -> None:
    hashes = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        home = tmp_path / name
        home.mkdir()
        with small_lab(home) as lab:
            campaign = await finished(lab, await lab.manager.create(small_spec(seed=seed), "r"))
            hashes.append(campaign.result_hash)
    assert hashes[0] == hashes[1]
    assert hashes[2] != hashes[0]


async def test_generation_failure_is_an_iteration_with_feedback_and_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, generator=CountingGenerator(fail_every=2)) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r"))
        second = lab.repository.get_iteration(campaign.id, 2)
        assert second.candidate is None
        assert second.feedback is not None
        assert second.feedback.kind == "failure"
        assert "no valid candidate" in second.feedback.summary
        assert campaign.state_reason == "MAX_ITERATIONS"


async def test_failing_strategies_stop_the_campaign_and_reject_it(tmp_path: Path) -> None:
    def script(call: int, trial: object) -> Outcome:
        return Outcome.STRATEGY_ERROR

    rules = StopRules(max_iterations=9, max_consecutive_failures=3)
    with small_lab(tmp_path, script=script) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(stop_rules=rules), "r"))
        assert campaign.state_reason == "CONSECUTIVE_FAILURES"
        assert campaign.iteration == 3
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.REJECT
        # Validation is not spent on a candidate that has no training figures.
        assert {trial.window.tier.value for trial in lab.sandbox.seen} == {"train"}


async def test_infrastructure_faults_are_retried_and_never_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BACKOFF, (0.0, 0.0))

    def script(call: int, trial: TrialSpec) -> Outcome | None:
        # First nothing can be run, then nothing but the smoke run.
        is_broken = call == 1 or (call == 2 and trial.purpose is not TrialPurpose.SMOKE)
        return Outcome.INFRASTRUCTURE if is_broken else None

    with small_lab(tmp_path, script=script) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r"))
        first = lab.repository.get_iteration(campaign.id, 1)
        assert [result.attempt for result in first.results] == [2, 2, 2, 1]
        assert {result.outcome for result in first.results} == {Outcome.SUCCEEDED}


async def test_lasting_infrastructure_fault_pauses_with_a_reason_and_resume_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BACKOFF, (0.0,))
    broken = True

    def script(call: int, trial: object) -> Outcome | None:
        return Outcome.INFRASTRUCTURE if broken else None

    with small_lab(tmp_path, script=script) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        async for event in lab.manager.watch(campaign.id, after=0, include_progress=False):
            if isinstance(event, Event) and '"to":"paused"' in event.payload:
                break
        assert lab.repository.get_campaign(campaign.id).state_reason == "UNAVAILABLE"
        broken = False
        await lab.manager.resume(campaign.id)
        campaign = await finished(lab, campaign)
        assert campaign.state is CampaignState.COMPLETED


async def test_pause_stops_and_resume_ends_with_the_undisturbed_hash(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "paused").mkdir()
    with small_lab(tmp_path / "plain") as lab:
        plain = await finished(lab, await lab.manager.create(small_spec(), "r"))
    with small_lab(tmp_path / "paused", seconds=0.2) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        for wait in (0.1, 0.3, 0.5):
            await asyncio.sleep(wait)
            paused = await lab.manager.pause(campaign.id)
            assert paused.state is CampaignState.PAUSED
            events = len(lab.repository.events(campaign.id))
            await asyncio.sleep(0.3)
            assert len(lab.repository.events(campaign.id)) == events
            await lab.manager.resume(campaign.id)
        assert (await finished(lab, campaign)).result_hash == plain.result_hash


async def test_cancel_is_final_and_later_calls_are_refused(tmp_path: Path) -> None:
    with small_lab(tmp_path, seconds=5.0) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        await asyncio.sleep(0.3)
        cancelled = await lab.manager.cancel(campaign.id)
        assert cancelled.state is CampaignState.CANCELLED
        for call in (lab.manager.cancel, lab.manager.pause, lab.manager.resume):
            with pytest.raises(WrongStateError):
                await call(campaign.id)


async def test_wall_clock_ends_a_running_iteration(tmp_path: Path) -> None:
    rules = StopRules(max_iterations=9, max_wall_seconds=0.6)
    with small_lab(tmp_path, seconds=30.0) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(stop_rules=rules), "r"))
        assert campaign.state_reason == "WALL_CLOCK"


async def test_watch_replays_then_follows_without_gap_or_duplicate(tmp_path: Path) -> None:
    with small_lab(tmp_path, seconds=0.05) as lab:
        campaign = await lab.manager.create(small_spec(), "r")

        async def collect(after: int, *, progress: bool) -> list[Event | TrialProgress]:
            watch = lab.manager.watch(campaign.id, after=after, include_progress=progress)
            return [item async for item in watch]

        early = asyncio.create_task(collect(0, progress=True))
        await asyncio.sleep(0.5)
        late = asyncio.create_task(collect(3, progress=False))
        seen = await early
        events = [item for item in seen if isinstance(item, Event)]
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert any(isinstance(item, TrialProgress) for item in seen)
        assert await late == events[3:]
        assert await collect(0, progress=False) == events
        assert verify_chain(events) == len(events)


async def test_several_campaigns_run_at_once_and_do_not_disturb_each_other(tmp_path: Path) -> None:
    with small_lab(tmp_path, seconds=0.05) as lab:
        campaigns = [
            await lab.manager.create(small_spec(seed=seed), f"r{seed}") for seed in (1, 2, 1)
        ]
        ended = await asyncio.gather(*(finished(lab, campaign) for campaign in campaigns))
        assert ended[0].result_hash == ended[2].result_hash != ended[1].result_hash


async def test_same_request_id_creates_one_campaign(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        first = await lab.manager.create(small_spec(), "r")
        second = await lab.manager.create(small_spec(), "r")
        assert first.id == second.id
        await finished(lab, first)


@pytest.mark.parametrize(
    "changes", [{"markets": (("ZZZ",),)}, {"markets": ()}, {"timeframes": ("5m",)}]
)
async def test_wrong_market_or_timeframe_is_refused_before_anything_is_stored(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with small_lab(tmp_path) as lab:
        with pytest.raises(InvalidSpecError):
            await lab.manager.create(small_spec(**changes), "r")
        assert not lab.repository.list_campaigns()


async def test_gate_that_nothing_passes_is_named_in_the_rejection(tmp_path: Path) -> None:
    gates = Gates(min_sharpe_ratio=99.0)
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(gates=gates), "r"))
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.REJECT
        assert "min_sharpe_ratio" in " ".join(campaign.verdict.reasons)
        assert not lab.repository.hall_of_fame(campaign.id)


async def test_report_files_tell_what_the_store_holds(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r"))
        folder = tmp_path / "reports" / "campaigns" / campaign.id
        assert json.loads((folder / "campaign.json").read_text())["result_hash"] == (
            campaign.result_hash
        )
        lines = (folder / "audit.jsonl").read_text().splitlines()
        events = lab.repository.events(campaign.id)
        assert [json.loads(line)["hash"] for line in lines] == [event.hash for event in events]
        assert events[-2].kind is EventKind.VERDICT_REACHED
        report = (folder / "report.md").read_text()
        assert "## Verdict: iterate" in report
        assert "made-up prices" in report


async def test_reports_lost_in_a_crash_are_written_at_the_next_start(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r"))
        complete = {artifact.name for artifact in lab.artifacts.list(campaign.id)}
    with small_lab(tmp_path) as lab:
        reports = lab.manager._workshop.reports
        reports.write_missing(campaign)
        assert {artifact.name for artifact in lab.artifacts.list(campaign.id)} == complete


async def test_report_can_be_written_when_the_data_set_is_gone(tmp_path: Path) -> None:
    with small_lab(tmp_path) as lab:
        campaign = await finished(lab, await lab.manager.create(small_spec(), "r"))
        for change in ({"spec": replace(campaign.spec, data_set="gone")}, {"data_digest": "other"}):
            lab.manager._workshop.reports._write_final(replace(campaign, **change))
            report = tmp_path / "reports" / "campaigns" / campaign.id / "report.md"
            assert "The data set was removed or replaced." in report.read_text()


async def test_campaign_longer_than_a_page_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = StopRules(max_iterations=5, max_wall_seconds=None)
    hashes = []
    for page in (500, 2):
        monkeypatch.setattr("stratlab.campaigns.history.ITERATION_PAGE", page)
        home = tmp_path / str(page)
        home.mkdir()
        with small_lab(home) as lab:
            created = await lab.manager.create(small_spec(stop_rules=rules), "r1")
            campaign = await finished(lab, created)
            read = all_iterations(lab.repository, campaign.id)
            assert [iteration.number for iteration in read] == [1, 2, 3, 4, 5]
            hashes.append(campaign.result_hash)
    assert hashes[0] == hashes[1] != ""
