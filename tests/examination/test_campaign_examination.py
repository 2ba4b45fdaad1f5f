"""Campaigns on a small lab: who is admitted, who sees the holdout, and what is written down."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.suites.examination_suite import NOTHING, some_statistics
from tests.suites.scripted_desks import ScriptedCausality, ScriptedStatistics
from tests.suites.small_lab import SmallLab, small_lab, small_spec

from stratlab.domain.campaign import Campaign, CampaignState, HallOfFameTier, Iteration, StopRules
from stratlab.domain.errors import LimitExceededError, NotFoundError, WrongStateError
from stratlab.domain.events import EventKind
from stratlab.domain.examination import CheckName, HoldoutMode
from stratlab.domain.gates import Gates, RuleStatus, VerdictKind
from stratlab.domain.market import Tier
from stratlab.domain.ports import ProgressListener
from stratlab.domain.robustness import Robustness
from stratlab.domain.statistics import SharpeBound
from stratlab.domain.trial import Outcome, TrialPurpose
from stratlab.store.audit import verify_audit

GOOD = {"statistics": ScriptedStatistics()}
TWO = StopRules(max_iterations=2, max_wall_seconds=None)
# Every iteration of a small lab passes these.
LOOSE = Gates(None, None, None, None, None, None)


async def finished(lab: SmallLab, campaign: Campaign) -> Campaign:
    async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
        pass
    return lab.repository.get_campaign(campaign.id)


async def run(lab: SmallLab, request: str = "r", **changes: object) -> Campaign:
    spec = small_spec(**{"stop_rules": TWO, "gates": LOOSE} | changes)
    return await finished(lab, await lab.manager.create(spec, request))


def events_of(lab: SmallLab, campaign: Campaign, kind: EventKind) -> list[dict[str, object]]:
    events = lab.repository.events(campaign.id, limit=10_000)
    return [json.loads(event.payload) for event in events if event.kind is kind]


async def test_finalist_that_passes_every_rule_is_promoted(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        campaign = await run(lab)
        verdict = campaign.verdict
        assert verdict is not None
        assert verdict.kind is VerdictKind.PROMOTE_CANDIDATE, verdict.reasons
        assert {rule.status for rule in verdict.rules} == {RuleStatus.PASSED}
        champion = lab.repository.hall_of_fame(campaign.id)[0]
        assert verdict.candidate == champion.candidate_hash
        assert not champion.provisional
        (opening,) = lab.repository.holdout_openings()
        assert (opening.subject.iteration, opening.looks, opening.actor) == (
            champion.iteration,
            1,
            "",
        )
        found = lab.repository.examination(campaign.id, champion.iteration)
        assert found is not None
        assert found.holdout is not None
        assert isinstance(found.holdout.bound, SharpeBound)
        assert found.holdout.bound.confidence == 0.95
        checks = [event["check"] for event in events_of(lab, campaign, EventKind.CHECK_FINISHED)]
        assert checks == ["causality", "causality", *list(CheckName)[1:]]
        assert len(events_of(lab, campaign, EventKind.HOLDOUT_OPENED)) == 1
        assert verify_audit(lab.repository)[campaign.id] > 0
        points = lab.repository.point_counts(campaign.id)
        assert points[TrialPurpose.HOLDOUT] == 1
        # Neither the holdout nor the replays count towards N.
        assert points[TrialPurpose.SEARCH] == 4


async def test_finalist_that_loses_on_the_holdout_is_rejected(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=-1) as lab:
        verdict = (await run(lab)).verdict
        assert verdict is not None
        assert verdict.kind is VerdictKind.REJECT
        assert "failed the rule holdout" in verdict.reasons[0]


async def test_holdout_stays_sealed_when_another_rule_fails(tmp_path: Path) -> None:
    weak = ScriptedStatistics(some_statistics(spa=NOTHING))
    with small_lab(tmp_path, statistics=weak, holdout_sign=1) as lab:
        campaign = await run(lab)
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.ITERATE
        assert not lab.repository.holdout_openings()
        assert Tier.HOLDOUT not in {trial.window.tier for trial in lab.replay.seen}


async def test_statistics_of_noise_promote_nobody(tmp_path: Path) -> None:
    with small_lab(tmp_path, holdout_sign=1) as lab:
        campaign = await run(lab)
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.ITERATE
        deflated = campaign.verdict.rules[1]
        assert (deflated.name, deflated.status) == ("deflated_sharpe_ratio", RuleStatus.FAILED)
        assert "N = 4 trials" in deflated.evidence


async def test_search_never_runs_on_a_later_tier_than_validation(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        await run(lab)
        searched = {t.window.tier for t in lab.sandbox.seen if t.purpose is TrialPurpose.SEARCH}
        assert searched == {Tier.TRAIN, Tier.VALIDATION}
        # What the search runs mounts data; the holdout goes through the sealed replay alone.
        assert Tier.HOLDOUT not in {trial.window.tier for trial in lab.sandbox.seen}
        holdout = [trial for trial in lab.replay.seen if trial.window.tier is Tier.HOLDOUT]
        assert [trial.purpose for trial in holdout] == [TrialPurpose.HOLDOUT]


async def test_leak_is_not_admitted_and_ends_its_iteration_with_the_reason(tmp_path: Path) -> None:
    causality = ScriptedCausality({1: Outcome.LOOKAHEAD, 2: Outcome.NONDETERMINISTIC})
    rules = StopRules(max_iterations=3, max_wall_seconds=None)
    with small_lab(tmp_path, causality=causality) as lab:
        campaign = await run(lab, stop_rules=rules)
        assert causality.examined == [1, 2, 3]
        entries = lab.repository.hall_of_fame(campaign.id)
        assert [entry.iteration for entry in entries] == [3]
        first = lab.repository.get_iteration(campaign.id, 1)
        assert first.failure.startswith("LOOKAHEAD: scripted")
        assert first.feedback is not None
        assert first.feedback.kind == "failure"
        assert campaign.verdict is not None
        assert campaign.verdict.candidate == entries[0].candidate_hash


async def test_campaign_of_leaks_is_rejected_with_the_test_named(tmp_path: Path) -> None:
    causality = ScriptedCausality({1: Outcome.LOOKAHEAD, 2: Outcome.LOOKAHEAD})
    with small_lab(tmp_path, causality=causality) as lab:
        campaign = await run(lab)
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.REJECT
        assert "was not admitted: LOOKAHEAD" in campaign.verdict.reasons[0]
        assert not lab.repository.hall_of_fame(campaign.id)


async def test_causality_outcome_is_part_of_the_result_hash(tmp_path: Path) -> None:
    hashes = []
    for name, outcomes in (("clean", {}), ("leak", {1: Outcome.LOOKAHEAD})):
        (tmp_path / name).mkdir()
        with small_lab(tmp_path / name, causality=ScriptedCausality(outcomes)) as lab:
            # With the better candidate in the second iteration the verdict is about the same one.
            hashes.append((await run(lab)).result_hash)
    assert hashes[0] != hashes[1]


async def test_sealed_replay_that_fails_keeps_the_holdout_sealed(tmp_path: Path) -> None:
    outcomes = {Tier.TRAIN: Outcome.PROTOCOL_VIOLATION}
    with small_lab(tmp_path, **GOOD, holdout_sign=1, replay_outcomes=outcomes) as lab:
        campaign = await run(lab)
        assert campaign.verdict is not None
        assert campaign.verdict.rules[0].status is RuleStatus.FAILED
        assert "PROTOCOL_VIOLATION" in campaign.verdict.reasons[0]
        assert not lab.repository.holdout_openings()


async def test_manual_holdout_waits_for_an_operator_who_opens_it_once(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        waiting = await run(lab, holdout=HoldoutMode.MANUAL)
        assert waiting.verdict is not None
        assert waiting.verdict.kind is VerdictKind.ITERATE
        assert waiting.verdict.missing_checks == ("holdout",)
        assert "open-holdout" in waiting.verdict.rules[-1].evidence
        assert not lab.repository.holdout_openings()
        await lab.manager.open_holdout(waiting.id, "eve")
        (opening,) = lab.repository.holdout_openings(campaign_id=waiting.id)
        assert opening.actor == "eve"
        opened = await finished(lab, waiting)
        assert opened.state is CampaignState.COMPLETED
        assert opened.verdict is not None
        assert opened.verdict.kind is VerdictKind.PROMOTE_CANDIDATE, opened.verdict.reasons
        assert opened.verdict.reasons[-1] == waiting.verdict.reasons[-1]
        assert opened.result_hash != waiting.result_hash
        events = lab.repository.events(waiting.id, limit=10_000)
        assert [event.kind for event in events][-3:] == [
            EventKind.HOLDOUT_OPENED,
            EventKind.CHECK_FINISHED,
            EventKind.VERDICT_REACHED,
        ]
        assert json.loads(events[-3].payload)["actor"] == "eve"
        verify_audit(lab.repository)
        folder = tmp_path / "reports" / "campaigns" / waiting.id
        told = json.loads((folder / "campaign.json").read_text())
        assert told["result_hash"] == opened.result_hash
        assert [rule["status"] for rule in told["verdict"]["rules"]] == ["passed"] * 4
        assert told["holdout_openings"][0]["actor"] == "eve"
        assert (folder / f"examinations/iter_{opening.subject.iteration}.json").exists()
        with pytest.raises(WrongStateError, match="has seen the holdout"):
            await lab.manager.open_holdout(waiting.id, "eve")
        assert len(lab.repository.holdout_openings()) == 1


async def test_operators_result_is_that_of_a_lab_that_opens_by_itself(tmp_path: Path) -> None:
    for name in ("manual", "auto"):
        (tmp_path / name).mkdir()
    with small_lab(tmp_path / "manual", **GOOD, holdout_sign=1) as lab:
        waiting = await run(lab, holdout=HoldoutMode.MANUAL)
        await lab.manager.open_holdout(waiting.id, "eve")
        manual = await finished(lab, waiting)
    with small_lab(tmp_path / "auto", **GOOD, holdout_sign=1) as lab:
        assert (await run(lab)).result_hash == manual.result_hash


async def test_further_candidate_deflates_the_bound(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        campaign = await run(lab)
        second = lab.repository.hall_of_fame(campaign.id)[1]
        assert second.tier is HallOfFameTier.CONTENDER
        await lab.manager.open_holdout(campaign.id, "eve", iteration=second.iteration)
        again = await finished(lab, campaign)
        assert again.verdict is not None
        assert again.verdict.candidate == second.candidate_hash
        assert [o.looks for o in lab.repository.holdout_openings()] == [1, 2]
        found = lab.repository.examination(campaign.id, second.iteration)
        assert found is not None
        assert found.holdout is not None
        assert isinstance(found.holdout.bound, SharpeBound)
        assert found.holdout.bound.confidence == 0.975
        assert "97.50%" in again.verdict.rules[-1].evidence
        assert "look 2" in again.verdict.rules[-1].evidence
        with pytest.raises(NotFoundError, match="no such candidate"):
            await lab.manager.open_holdout(campaign.id, "eve", iteration=99)


async def test_repetition_of_a_campaign_is_the_same_look_and_gives_the_same_hash(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        first, other = await run(lab, "r1"), await run(lab, "r2", seed=5)
        again = await run(lab, "r3")
        openings = lab.repository.holdout_openings()
        assert [opening.looks for opening in openings] == [1, 2, 1]
        assert [opening.number for opening in openings] == [1, 2, 3]
        assert first.result_hash == again.result_hash != other.result_hash


async def test_campaign_that_still_searches_cannot_be_opened(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, seconds=5.0) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        with pytest.raises(WrongStateError, match="must have ended"):
            await lab.manager.open_holdout(campaign.id, "eve")
        await lab.manager.cancel(campaign.id)
        with pytest.raises(WrongStateError):
            await lab.manager.open_holdout(campaign.id, "eve")
        assert not lab.repository.holdout_openings()


async def test_outage_during_the_replay_keeps_the_opening_and_the_next_start_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratlab.campaigns.sealed_trials.INFRASTRUCTURE_BACKOFF_SECONDS", ())
    broken = {Tier.HOLDOUT: Outcome.INFRASTRUCTURE}
    with small_lab(tmp_path, **GOOD, replay_outcomes=broken) as lab:
        waiting = await run(lab, holdout=HoldoutMode.MANUAL)
        await lab.manager.open_holdout(waiting.id, "eve")
        still = await finished(lab, waiting)
        assert still.verdict == waiting.verdict
        assert len(lab.repository.holdout_openings()) == 1
        await lab.manager.stop()
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        await lab.manager.start()
        opened = await finished(lab, waiting)
        assert opened.verdict is not None
        assert opened.verdict.kind is VerdictKind.PROMOTE_CANDIDATE
        assert len(lab.repository.holdout_openings()) == 1
        assert not lab.manager._second_look.unfinished()


async def test_outage_in_the_loop_pauses_the_campaign_and_opens_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratlab.campaigns.sealed_trials.INFRASTRUCTURE_BACKOFF_SECONDS", ())
    outcomes = {Tier.HOLDOUT: Outcome.INFRASTRUCTURE}
    with small_lab(tmp_path, **GOOD, holdout_sign=1, replay_outcomes=outcomes) as lab:
        campaign = await lab.manager.create(small_spec(stop_rules=TWO, gates=LOOSE), "r")
        async for event in lab.manager.watch(campaign.id, after=0, include_progress=False):
            if '"to":"paused"' in getattr(event, "payload", ""):
                break
        assert len(lab.repository.holdout_openings()) == 1
        outcomes.clear()
        await lab.manager.resume(campaign.id)
        ended = await finished(lab, campaign)
        assert ended.verdict is not None
        assert ended.verdict.kind is VerdictKind.PROMOTE_CANDIDATE
        assert len(lab.repository.holdout_openings()) == 1


@dataclass
class EndlessRobustness:
    """Meets a limit of ours on whatever it looks at."""

    async def examine(
        self, campaign: Campaign, iteration: Iteration, notify: ProgressListener
    ) -> Robustness:
        raise LimitExceededError("open orders were looked at too often")


async def test_check_that_exceeds_a_limit_was_not_made_and_the_campaign_goes_on(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, **GOOD, robustness=EndlessRobustness(), holdout_sign=1) as lab:
        campaign = await run(lab)
        assert campaign.state is CampaignState.COMPLETED, campaign.state_reason
        assert campaign.verdict is not None
        # What is only reported keeps nobody from a promotion.
        assert campaign.verdict.kind is VerdictKind.PROMOTE_CANDIDATE
        (opening,) = lab.repository.holdout_openings()
        found = lab.repository.examination(campaign.id, opening.subject.iteration)
        assert found is not None
        assert "looked at too often" in found.failures[CheckName.ROBUSTNESS]


async def test_entry_of_an_earlier_version_is_tested_before_it_leads(tmp_path: Path) -> None:
    causality = ScriptedCausality()
    rules = StopRules(max_iterations=3, max_wall_seconds=None)
    with small_lab(tmp_path, causality=causality, seconds=0.3) as lab:
        campaign = await lab.manager.create(small_spec(stop_rules=rules, gates=LOOSE), "r")
        async for event in lab.manager.watch(campaign.id, after=0, include_progress=False):
            if getattr(event, "kind", None) is EventKind.CRITIQUE_WRITTEN:
                break
        await lab.manager.pause(campaign.id)
        (entry,) = lab.repository.hall_of_fame(campaign.id)
        # As if an earlier version had admitted it: provisional, and nothing is known of it.
        with lab.repository.transaction() as transaction:
            transaction.save_hall_of_fame(campaign.id, [replace(entry, provisional=True)])
            found = lab.repository.examination(campaign.id, 1)
            assert found is not None
            transaction.save_examination(replace(found, causality=None))
        causality.examined.clear()
        await lab.manager.resume(campaign.id)
        await finished(lab, campaign)
        assert sorted(causality.examined) == [1, 2, 3]
        assert not any(e.provisional for e in lab.repository.hall_of_fame(campaign.id))
