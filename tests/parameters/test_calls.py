"""EstimateCampaign and MeasureSensitivity over a real unix socket with a real store."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from tests.api.fake_lab import FakeLab, serve
from tests.api.samples import CHAMPION, campaign_of, iteration_of
from tests.parameters.contracts import contract_of, real, whole

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.document import canonical_json
from stratlab.domain.campaign import Campaign
from stratlab.domain.market import CostModel, CostModelKind
from stratlab.domain.strategy import GeneratorKind, Lineage
from stratlab.domain.trial import TrialPurpose
from stratlab_proto.v1 import (
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)

CONTRACT = contract_of({"level": real(10, 90, 0.5, 50), "other": whole(1, 90, 1, 20)})
CANDIDATE = candidate_from_contract(CONTRACT, Lineage(GeneratorKind.TEMPLATE, "template"))
Request = strategy_service_pb2.MeasureSensitivityRequest


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    lab = FakeLab(tmp_path)
    async with serve(lab, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        yield SimpleNamespace(
            lab=lab,
            repository=lab.repository,
            campaigns=campaign_service_pb2_grpc.CampaignServiceStub(channel),
            strategies=strategy_service_pb2_grpc.StrategyServiceStub(channel),
        )
    lab.repository.close()


def add_champion(api: SimpleNamespace, **changes: object) -> Campaign:
    campaign = campaign_of(1)
    campaign = replace(campaign, spec=replace(campaign.spec, **changes))
    api.repository.create_campaign(campaign, "")
    iteration = iteration_of(campaign.id, 1)
    judged = replace(iteration.evaluation, parameters={"level": 60.0, "other": 20})
    with api.repository.transaction() as transaction:
        transaction.save_iteration(replace(iteration, candidate=CANDIDATE, evaluation=judged))
        transaction.save_iteration(replace(iteration_of(campaign.id, 2), candidate=None))
        transaction.save_hall_of_fame(
            campaign.id, [replace(CHAMPION, candidate_hash=CANDIDATE.hash)]
        )
    return campaign


async def test_estimate_of_the_empty_spec_has_every_figure_and_stores_nothing(
    api: SimpleNamespace,
) -> None:
    estimate = await api.campaigns.EstimateCampaign(campaign_service_pb2.EstimateCampaignRequest())
    assert estimate.counted_points == 20
    assert estimate.screened_points == 20 * 64
    assert estimate.backtests == 40
    assert 2200 < estimate.sessions < 2300
    assert 0.5 < estimate.expected_maximum_sharpe_ratio < estimate.required_sharpe_ratio < 2
    assert estimate.wall_time.seconds == 160
    assert estimate.measured_backtests == 0
    assert api.repository.list_campaigns() == []


@pytest.mark.parametrize(
    "spec",
    [
        campaign_service_pb2.CampaignSpec(templates=["martingale"]),
        campaign_service_pb2.CampaignSpec(data_set="nothing"),
        campaign_service_pb2.CampaignSpec(parameter_points=-1),
        campaign_service_pb2.CampaignSpec(
            markets=[campaign_service_pb2.MarketSet(symbols=["NOWHERE"])]
        ),
    ],
)
async def test_estimate_of_what_could_not_be_created_is_refused(
    api: SimpleNamespace, spec: campaign_service_pb2.CampaignSpec
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.EstimateCampaign(
            campaign_service_pb2.EstimateCampaignRequest(spec=spec)
        )
    assert caught.value.code().name in {"INVALID_ARGUMENT", "NOT_FOUND"}


async def test_sensitivity_of_a_contract_runs_on_the_data_it_names(api: SimpleNamespace) -> None:
    found = await api.strategies.MeasureSensitivity(
        Request(contract=canonical_json(CONTRACT), data_set="synthetic", symbols=["AAPL"])
    )
    assert found.strategy_id == "levels"
    (heat_map,) = found.heat_maps
    assert (heat_map.row, heat_map.column) == ("level", "other")
    assert list(heat_map.row_values) == [45.0, 49.5, 50.0, 50.5, 55.0]
    assert len(heat_map.sharpe_ratios) == found.points == 25
    assert heat_map.sharpe_ratios[12] == found.sharpe_ratio
    around = [
        value - found.sharpe_ratio
        for place, value in enumerate(heat_map.sharpe_ratios)
        if place != 12 and not math.isnan(value)
    ]
    assert found.mean_change == pytest.approx(sum(around) / len(around))
    assert found.worst_change == min(around)
    assert list(found.caveats) == ["Survivors only."]
    assert (found.campaign, found.registered) == ("", 0)


async def test_sensitivity_of_a_campaign_stands_on_its_best_point_and_is_registered_once(
    api: SimpleNamespace,
) -> None:
    campaign = add_champion(api)
    name = f"campaigns/{campaign.id}"
    get = campaign_service_pb2.GetCampaignRequest(name=name)
    assert dict((await api.campaigns.GetCampaign(get)).stats.points) == {}
    found = await api.strategies.MeasureSensitivity(Request(campaign=name))
    assert (found.campaign, found.iteration, found.candidate) == (name, 1, CANDIDATE.hash)
    assert dict(found.parameters.items()) == {"level": 60.0, "other": 20.0}
    assert found.registered == found.points == 25
    points = api.repository.points(campaign.id)
    assert {(point.purpose, point.candidate) for point in points} == {
        (TrialPurpose.SENSITIVITY, CANDIDATE.hash)
    }
    assert points[0].parameters == {"level": 60.0, "other": 20}
    assert points[0].score == found.sharpe_ratio
    # They are shown at once, and do not count.
    stats = (await api.campaigns.GetCampaign(get)).stats
    assert dict(stats.points) == {"sensitivity": 25}
    assert stats.counted_points == 0
    again = await api.strategies.MeasureSensitivity(Request(campaign=name, iteration=1))
    assert again.registered == 0
    assert again.heat_maps == found.heat_maps


@pytest.mark.parametrize(
    ("message", "changes", "code"),
    [
        (Request(), {}, "INVALID_ARGUMENT"),
        (Request(contract="{}"), {}, "INVALID_ARGUMENT"),
        (Request(contract=canonical_json(CONTRACT), symbols=["NOWHERE"]), {}, "NOT_FOUND"),
        (Request(contract=canonical_json(CONTRACT), data_set="nothing"), {}, "NOT_FOUND"),
        (Request(campaign="campaigns/nothing"), {}, "NOT_FOUND"),
        (Request(campaign="campaigns/c0001", data_set="us-daily"), {}, "INVALID_ARGUMENT"),
        (Request(campaign="campaigns/c0001", iteration=2), {}, "INVALID_ARGUMENT"),
        (Request(campaign="campaigns/c0001", iteration=9), {}, "NOT_FOUND"),
        (Request(campaign="campaigns/c0001", iteration=-1), {}, "NOT_FOUND"),
        (
            Request(campaign="campaigns/c0001"),
            {"cost_model": CostModel(CostModelKind.ZIPLINE)},
            "INVALID_ARGUMENT",
        ),
    ],
)
async def test_sensitivity_of_what_is_not_there_is_refused(
    api: SimpleNamespace, message: Request, changes: dict[str, object], code: str
) -> None:
    await asyncio.to_thread(add_champion, api, **changes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.strategies.MeasureSensitivity(message)
    assert caught.value.code().name == code
    assert api.repository.points("c0001") == []
