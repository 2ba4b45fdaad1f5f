"""Rules, openings and the holdout mode over a real unix socket with a real store."""

from dataclasses import replace
from types import SimpleNamespace

import grpc
import pytest
from tests.api.fake_lab import FakeLab
from tests.api.samples import NOW, VERDICT
from tests.api.test_campaign_service import add_campaigns, add_iterations
from tests.suites.examination_suite import SUBJECT, an_examination, some_statistics

from stratlab.domain.campaign import CampaignState
from stratlab.evaluation.promotion import judge_promotion
from stratlab_proto.v1 import campaign_service_pb2 as pb


async def test_get_includes_rules_and_openings_of_the_holdout(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    add_iterations(lab, "c0001", 1)
    judged = replace(
        VERDICT, rules=judge_promotion(an_examination(statistics=some_statistics()), ())
    )
    with lab.repository.transaction() as transaction:
        transaction.open_holdout(
            replace(SUBJECT, campaign_id="c0001"),
            data_set="us-daily",
            data_digest="d" * 64,
            look="l",
            actor="eve",
            at=NOW,
        )
    lab.manager.move("c0001", CampaignState.BRIEF_GENERATED)
    lab.manager.move("c0001", CampaignState.CAMPAIGN_EVALUATED)
    lab.manager.move("c0001", CampaignState.COMPLETED, verdict=judged)
    campaign = await api.campaigns.GetCampaign(pb.GetCampaignRequest(name="campaigns/c0001"))
    rules = {rule.rule: rule for rule in campaign.verdict.rules}
    status = pb.RuleResult.Status.Name
    assert {name: status(rule.status) for name, rule in rules.items()} == {
        "causality": "STATUS_NOT_RUN",
        "deflated_sharpe_ratio": "STATUS_PASSED",
        "hansen_spa": "STATUS_PASSED",
        "holdout": "STATUS_NOT_RUN",
    }
    assert (rules["hansen_spa"].value, rules["hansen_spa"].bound) == (0.01, 0.05)
    assert not rules["causality"].HasField("value")
    assert "of 40 trials" in rules["hansen_spa"].evidence
    (opening,) = campaign.holdout_openings
    assert (opening.actor, opening.looks, opening.iteration) == ("eve", 1, 1)
    assert dict(opening.parameters) == {"fast": 5, "stop": 2.5}


async def test_opening_of_the_holdout_reaches_the_manager_with_the_caller(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    request = pb.OpenHoldoutRequest(name="campaigns/c0001", iteration=3)
    campaign = await api.campaigns.OpenHoldout(request)
    assert campaign.name == "campaigns/c0001"
    assert lab.manager.opened == [("c0001", "owner", 3)]
    request.iteration = -1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.OpenHoldout(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (pb.HOLDOUT_MODE_UNSPECIFIED, pb.HOLDOUT_MODE_ONCE_FOR_FINALIST),
        (pb.HOLDOUT_MODE_ONCE_FOR_FINALIST, pb.HOLDOUT_MODE_ONCE_FOR_FINALIST),
        (pb.HOLDOUT_MODE_MANUAL, pb.HOLDOUT_MODE_MANUAL),
    ],
)
async def test_holdout_mode_arrives_and_returns(
    api: SimpleNamespace, sent: int, stored: int
) -> None:
    request = pb.CreateCampaignRequest(spec=pb.CampaignSpec(holdout=sent))
    assert (await api.campaigns.CreateCampaign(request)).spec.holdout == stored
