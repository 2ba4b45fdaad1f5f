"""What a controller continues of openings of the holdout at its start, and what it leaves alone."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.examination.test_campaign_examination import GOOD, events_of, finished, run
from tests.suites.small_lab import CountingGenerator, SmallLab, small_lab

from stratlab.domain.campaign import Campaign
from stratlab.domain.events import EventKind
from stratlab.domain.examination import HoldoutMode
from stratlab.domain.gates import RuleStatus, VerdictKind
from stratlab.domain.generation import GenerationRequest
from stratlab.domain.market import Tier
from stratlab.domain.strategy import Candidate
from stratlab.domain.trial import Outcome


@dataclass
class ModelGenerator:
    """Writes what a language model would have written.

    Attributes:
        may_foreknow: What is said of the model.
    """

    may_foreknow: bool

    def generate(self, request: GenerationRequest) -> Candidate:
        made = CountingGenerator().generate(request)
        lineage = replace(made.lineage, model="claude-test", may_foreknow=self.may_foreknow)
        return replace(made, lineage=lineage)


async def restarted(lab: SmallLab, campaign: Campaign) -> Campaign:
    await lab.manager.start()
    return await finished(lab, campaign)


async def one_replay_failed(lab: SmallLab, outcomes: dict[Tier, Outcome]) -> Campaign:
    """Let an operator open the champion, whose replay fails, and then the contender."""
    waiting = await run(lab, holdout=HoldoutMode.MANUAL)
    champion, contender = lab.repository.hall_of_fame(waiting.id)
    outcomes[Tier.HOLDOUT] = Outcome.INFRASTRUCTURE
    await lab.manager.open_holdout(waiting.id, "eve", iteration=champion.iteration)
    assert (await finished(lab, waiting)).verdict == waiting.verdict
    outcomes.clear()
    await lab.manager.open_holdout(waiting.id, "eve", iteration=contender.iteration)
    judged = await finished(lab, waiting)
    assert judged.verdict is not None
    assert judged.verdict.candidate == contender.candidate_hash
    return judged


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratlab.campaigns.sealed_trials.INFRASTRUCTURE_BACKOFF_SECONDS", ())


async def test_verdict_on_what_a_model_wrote_is_not_reached_again_at_a_start(
    tmp_path: Path,
) -> None:
    with small_lab(tmp_path, **GOOD, generator=ModelGenerator(False), holdout_sign=1) as lab:
        campaign = await run(lab)
        assert campaign.verdict is not None
        assert campaign.verdict.kind is VerdictKind.PROMOTE_CANDIDATE
        assert {rule.name: rule.status for rule in campaign.verdict.rules}[
            "foreknowledge"
        ] is RuleStatus.PASSED
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        assert not lab.manager._second_look.unfinished()
        assert await restarted(lab, campaign) == campaign
        assert len(events_of(lab, campaign, EventKind.VERDICT_REACHED)) == 1
        contender = lab.repository.hall_of_fame(campaign.id)[1]
        await lab.manager.open_holdout(campaign.id, "eve", iteration=contender.iteration)


async def test_replay_that_failed_is_continued_at_a_start_though_another_was_opened_since(
    tmp_path: Path,
) -> None:
    outcomes: dict[Tier, Outcome] = {}
    with small_lab(tmp_path, **GOOD, holdout_sign=1, replay_outcomes=outcomes) as lab:
        judged = await one_replay_failed(lab, outcomes)
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        continued = await restarted(lab, judged)
        # The verdict stays with the candidate that was opened last.
        assert continued == judged
        for entry in lab.repository.hall_of_fame(judged.id):
            found = lab.repository.examination(judged.id, entry.iteration)
            assert found is not None
            assert found.holdout is not None
        assert [o.looks for o in lab.repository.holdout_openings()] == [1, 2]
        assert not lab.manager._second_look.unfinished()


async def test_replay_that_fails_again_at_a_start_changes_no_verdict(tmp_path: Path) -> None:
    outcomes: dict[Tier, Outcome] = {}
    with small_lab(tmp_path, **GOOD, holdout_sign=1, replay_outcomes=outcomes) as lab:
        judged = await one_replay_failed(lab, outcomes)
    broken = {Tier.HOLDOUT: Outcome.INFRASTRUCTURE}
    with small_lab(tmp_path, **GOOD, replay_outcomes=broken) as lab:
        assert await restarted(lab, judged) == judged
        ((campaign, (iteration,)),) = lab.manager._second_look.unfinished()
        champion = lab.repository.hall_of_fame(judged.id)[0]
        assert (campaign, iteration.number) == (judged, champion.iteration)


async def test_operator_who_asks_again_gets_the_verdict_without_a_further_look(
    tmp_path: Path,
) -> None:
    outcomes: dict[Tier, Outcome] = {}
    with small_lab(tmp_path, **GOOD, holdout_sign=1, replay_outcomes=outcomes) as lab:
        campaign = await one_replay_failed(lab, outcomes)
        champion = lab.repository.hall_of_fame(campaign.id)[0]
        await lab.manager.open_holdout(campaign.id, "eve", iteration=champion.iteration)
        judged = await finished(lab, campaign)
        assert judged.verdict is not None
        assert judged.verdict.candidate == champion.candidate_hash
        assert [o.looks for o in lab.repository.holdout_openings()] == [1, 2, 1]
        assert not lab.manager._second_look.unfinished()


async def test_crash_between_a_replay_and_its_verdict_ends_with_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        campaign = await run(lab)
        contender = lab.repository.hall_of_fame(campaign.id)[1]
        with monkeypatch.context() as crash:
            crash.setattr(lab.manager._second_look, "_conclude", lambda *_: campaign)
            await lab.manager.open_holdout(campaign.id, "eve", iteration=contender.iteration)
            assert (await finished(lab, campaign)).verdict == campaign.verdict
    with small_lab(tmp_path, **GOOD, holdout_sign=1) as lab:
        judged = await restarted(lab, campaign)
        assert judged.verdict is not None
        assert judged.verdict.candidate == contender.candidate_hash


async def test_holdout_stays_sealed_for_what_a_model_may_have_remembered(tmp_path: Path) -> None:
    with small_lab(tmp_path, **GOOD, generator=ModelGenerator(True), holdout_sign=1) as lab:
        verdict = (await run(lab)).verdict
        assert not lab.repository.holdout_openings()
        assert verdict is not None
        assert verdict.kind is VerdictKind.ITERATE
        assert "failed the rule foreknowledge: 1.0000, bound 0" in verdict.reasons[0]
        assert verdict.rules[-1].evidence == "not opened: foreknowledge did not pass"
