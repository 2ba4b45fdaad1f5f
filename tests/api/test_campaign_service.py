"""CampaignService over a real unix socket with a real store."""

import asyncio
import math
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.api.fake_lab import FakeLab
from tests.api.samples import CHAMPION, VERDICT, campaign_of, iteration_of

from stratlab.domain.campaign import CampaignState
from stratlab.domain.strategy import GeneratorKind
from stratlab_proto.v1 import campaign_service_pb2 as pb


def add_campaigns(lab: FakeLab, count: int) -> None:
    for number in range(1, count + 1):
        lab.repository.create_campaign(campaign_of(number), f"r{number}")


def add_iterations(lab: FakeLab, campaign_id: str, count: int) -> None:
    for number in range(1, count + 1):
        iteration = iteration_of(campaign_id, number)
        with lab.repository.transaction() as transaction:
            transaction.save_iteration(iteration)
            for result in iteration.results:
                transaction.save_result(campaign_id, number, result)


async def test_create_empty_spec_gets_every_default(lab: FakeLab, api: SimpleNamespace) -> None:
    campaign = await api.campaigns.CreateCampaign(pb.CreateCampaignRequest())
    (spec,) = lab.manager.created
    assert spec.data_set == "us-daily"
    assert spec.markets == (("AAPL", "GOOG", "IBM", "MSFT"),)
    assert spec.runtime == "runc"
    assert spec.generator is GeneratorKind.FACTOR_GRAPH
    assert campaign.name == "campaigns/c0001"
    assert campaign.state == pb.Campaign.STATE_QUEUED
    assert campaign.spec.capital == 100_000.0


async def test_create_full_spec_arrives_and_returns_unchanged(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    spec = pb.CampaignSpec(
        display_name="mine",
        markets=[pb.MarketSet(symbols=["AAPL"]), pb.MarketSet(symbols=["IBM", "MSFT"])],
        constraints=["long only"],
        generator=pb.GENERATOR_KIND_TEMPLATE,
        parameter_space={"fast_length": pb.ParameterRange(min=10, max=20, step=5)},
        parameter_points=3,
        gates=pb.Gates(max_drawdown=math.nan, min_total_trades=-1, min_sharpe_ratio=1.0),
        stop_rules=pb.StopRules(
            max_iterations=3, max_consecutive_failures=0, max_wall_time=Duration(seconds=90)
        ),
        capital=5000.0,
        seed=9,
    )
    campaign = await api.campaigns.CreateCampaign(pb.CreateCampaignRequest(spec=spec))
    (created,) = lab.manager.created
    assert created.markets == (("AAPL",), ("IBM", "MSFT"))
    assert created.parameter_space == {"fast_length": (10.0, 20.0, 5.0)}
    assert created.gates.max_drawdown is None
    assert created.gates.min_total_trades is None
    assert created.gates.min_sharpe_ratio == 1.0
    assert created.stop_rules.max_iterations == 3
    assert created.stop_rules.max_consecutive_failures is None
    assert created.stop_rules.max_wall_seconds == 90.0
    # What comes back is a specification that creates the same campaign again.
    await api.campaigns.CreateCampaign(pb.CreateCampaignRequest(spec=campaign.spec))
    assert lab.manager.created[1] == created


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (pb.CampaignSpec(templates=["martingale"]), "martingale"),
        (
            pb.CampaignSpec(parameter_space={"luck": pb.ParameterRange(min=1, max=2, step=1)}),
            "luck",
        ),
        (pb.CampaignSpec(data_set="nothing"), "nothing"),
    ],
)
async def test_create_what_could_not_search_is_refused_and_not_stored(
    lab: FakeLab, api: SimpleNamespace, spec: pb.CampaignSpec, named: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CreateCampaign(pb.CreateCampaignRequest(spec=spec))
    assert named in caught.value.details()
    assert not lab.manager.created


async def test_create_same_request_id_twice_is_one_campaign(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    request = pb.CreateCampaignRequest(request_id="once")
    first = await api.campaigns.CreateCampaign(request)
    second = await api.campaigns.CreateCampaign(request)
    assert first.name == second.name
    request.spec.seed = 5
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CreateCampaign(request)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_get_includes_verdict_hall_of_fame_and_stats(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    add_iterations(lab, "c0001", 2)
    with lab.repository.transaction() as transaction:
        transaction.save_hall_of_fame("c0001", [CHAMPION])
    lab.manager.move("c0001", CampaignState.BRIEF_GENERATED)
    lab.manager.move("c0001", CampaignState.CAMPAIGN_EVALUATED)
    lab.manager.move("c0001", CampaignState.COMPLETED, verdict=VERDICT, result_hash="f" * 64)
    campaign = await api.campaigns.GetCampaign(pb.GetCampaignRequest(name="campaigns/c0001"))
    assert campaign.state == pb.Campaign.STATE_COMPLETED
    assert campaign.verdict.kind == pb.Verdict.KIND_ITERATE
    assert list(campaign.verdict.missing_checks) == ["causality", "holdout"]
    assert campaign.hall_of_fame[0].rank == pb.HallOfFameEntry.RANK_CHAMPION
    assert campaign.hall_of_fame[0].provisional
    assert campaign.stats.trials == 2
    assert campaign.stats.outcomes["SUCCEEDED"] == 2
    assert list(campaign.stats.best_score_trajectory) == [0.6, 0.6]


async def test_list_pages_cover_everything_once_newest_first(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 7)
    names, token = [], ""
    for _ in range(4):
        page = await api.campaigns.ListCampaigns(
            pb.ListCampaignsRequest(page_size=2, page_token=token)
        )
        assert len(page.campaigns) <= 2
        names += [campaign.name for campaign in page.campaigns]
        token = page.next_page_token
    assert token == ""
    assert names == [f"campaigns/c{number:04d}" for number in range(7, 0, -1)]
    assert len((await api.campaigns.ListCampaigns(pb.ListCampaignsRequest())).campaigns) == 7
    full = await api.campaigns.ListCampaigns(pb.ListCampaignsRequest(page_size=7))
    assert full.next_page_token == ""


@pytest.mark.parametrize("size", [-1, 1001])
async def test_list_page_size_out_of_bounds_is_refused(api: SimpleNamespace, size: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.ListCampaigns(pb.ListCampaignsRequest(page_size=size))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "page_size" in caught.value.details()


async def test_list_token_of_another_list_is_refused(lab: FakeLab, api: SimpleNamespace) -> None:
    add_campaigns(lab, 2)
    page = await api.campaigns.ListCampaigns(pb.ListCampaignsRequest(page_size=1))
    for token in (page.next_page_token, "not a token", "W10=", "eyJhIjoxfQ==", "W1tbW1tbW1tb"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await api.campaigns.ListIterations(
                pb.ListIterationsRequest(parent="campaigns/c0001", page_token=token)
            )
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "page_token" in caught.value.details()


async def test_iterations_pages_and_single_carry_every_part(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    add_iterations(lab, "c0001", 3)
    first = await api.campaigns.ListIterations(
        pb.ListIterationsRequest(parent="campaigns/c0001", page_size=2)
    )
    rest = await api.campaigns.ListIterations(
        pb.ListIterationsRequest(
            parent="campaigns/c0001", page_size=2, page_token=first.next_page_token
        )
    )
    assert [iteration.number for iteration in (*first.iterations, *rest.iterations)] == [1, 2, 3]
    assert rest.next_page_token == ""
    iteration = await api.campaigns.GetIteration(
        pb.GetIterationRequest(name="campaigns/c0001/iterations/2")
    )
    assert iteration == first.iterations[1]
    assert iteration.candidate.parents == ["b" * 64]
    assert iteration.candidate.parameters["mult"] == 2.5
    assert iteration.evaluation.level == pb.Evaluation.LEVEL_VALID_METRICS
    assert not iteration.evaluation.gates[1].HasField("value")
    assert not iteration.evaluation.train.HasField("sortino_ratio")
    assert iteration.trials[0].limits.memory_mib == 1024
    assert iteration.trials[0].orders_digest == "a" * 64
    assert not iteration.trials[0].fills
    assert iteration.critique.operator == "add_factor"
    assert iteration.feedback.kind == "success"


async def test_page_of_large_items_is_cut_by_bytes(
    lab: FakeLab, api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_campaigns(lab, 1)
    add_iterations(lab, "c0001", 3)
    monkeypatch.setattr("stratlab.api.paging.MAX_PAGE_BYTES", 10)
    numbers, token = [], ""
    for _ in range(3):
        page = await api.campaigns.ListIterations(
            pb.ListIterationsRequest(parent="campaigns/c0001", page_token=token)
        )
        numbers += [iteration.number for iteration in page.iterations]
        token = page.next_page_token
    assert numbers == [1, 2, 3]
    assert token == ""


@pytest.mark.parametrize(
    "name",
    ["", "c0001", "campaigns/", "campaigns/a/b", "campaigns/../x", "campaigns/a b", "x/c0001"],
)
async def test_wrong_campaign_name_is_invalid_input(api: SimpleNamespace, name: str) -> None:
    for call, request in (
        (api.campaigns.GetCampaign, pb.GetCampaignRequest(name=name)),
        (api.campaigns.PauseCampaign, pb.PauseCampaignRequest(name=name)),
        (api.campaigns.ListArtifacts, pb.ListArtifactsRequest(parent=name)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_unknown_campaign_is_not_found_everywhere(api: SimpleNamespace) -> None:
    name = "campaigns/nobody"
    for call, request in (
        (api.campaigns.GetCampaign, pb.GetCampaignRequest(name=name)),
        (api.campaigns.CancelCampaign, pb.CancelCampaignRequest(name=name)),
        (api.campaigns.ListIterations, pb.ListIterationsRequest(parent=name)),
        (api.campaigns.GetIteration, pb.GetIterationRequest(name=f"{name}/iterations/1")),
        (api.campaigns.ListArtifacts, pb.ListArtifactsRequest(parent=name)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.WatchCampaign(pb.WatchCampaignRequest(name=name)).read()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_pause_resume_cancel_move_the_state(lab: FakeLab, api: SimpleNamespace) -> None:
    add_campaigns(lab, 1)
    name = "campaigns/c0001"
    paused = await api.campaigns.PauseCampaign(pb.PauseCampaignRequest(name=name))
    assert paused.state == pb.Campaign.STATE_PAUSED
    resumed = await api.campaigns.ResumeCampaign(pb.ResumeCampaignRequest(name=name))
    assert resumed.state == pb.Campaign.STATE_QUEUED
    cancelled = await api.campaigns.CancelCampaign(pb.CancelCampaignRequest(name=name))
    assert cancelled.state == pb.Campaign.STATE_CANCELLED
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CancelCampaign(pb.CancelCampaignRequest(name=name))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_watch_replays_then_follows_without_gap_or_duplicate(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    lab.manager.append("c0001", 600)
    call = api.campaigns.WatchCampaign(pb.WatchCampaignRequest(name="campaigns/c0001"))

    async def write() -> None:
        for _ in range(40):
            lab.manager.append("c0001", 5)
            await asyncio.sleep(0)
        lab.manager.move("c0001", CampaignState.CANCELLED)

    writer = asyncio.create_task(write())
    numbers = [item.event.number async for item in call]
    await writer
    # The creation, 600 replayed, 200 followed and the cancel.
    assert numbers == list(range(1, 803))


async def test_watch_after_a_number_starts_behind_it(lab: FakeLab, api: SimpleNamespace) -> None:
    add_campaigns(lab, 1)
    lab.manager.append("c0001", 3)
    lab.manager.move("c0001", CampaignState.FAILED)
    request = pb.WatchCampaignRequest(name="campaigns/c0001", after_event=3)
    events = [item.event async for item in api.campaigns.WatchCampaign(request)]
    assert [event.number for event in events] == [4, 5]
    assert events[0].kind == "trial_finished"
    assert events[0].payload["reason"] == "text"
    assert events[1].payload["to"] == "failed"
    assert len(events[1].hash) == 64
    request.after_event = -1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.WatchCampaign(request).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_artifacts_list_and_download_give_the_stored_bytes(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    add_campaigns(lab, 1)
    content = bytes(range(256)) * 1000
    lab.artifacts.put("c0001", "report.md", "text/markdown", b"# Report\n")
    lab.artifacts.put("c0001", "exports/best_strategy.py", "text/plain", content)
    listed = await api.campaigns.ListArtifacts(
        pb.ListArtifactsRequest(parent="campaigns/c0001", page_size=1)
    )
    assert listed.next_page_token
    (artifact,) = listed.artifacts
    assert artifact.name == "campaigns/c0001/artifacts/exports/best_strategy.py"
    assert artifact.size_bytes == len(content)
    call = api.campaigns.DownloadArtifact(pb.DownloadArtifactRequest(name=artifact.name))
    assert b"".join([piece.data async for piece in call]) == content


async def test_download_changed_file_ends_in_data_loss(
    lab: FakeLab, api: SimpleNamespace, tmp_path
) -> None:
    add_campaigns(lab, 1)
    artifact = lab.artifacts.put("c0001", "report.md", "text/markdown", b"# Report\n")
    blob = tmp_path / "blobs" / artifact.digest[:2] / artifact.digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"# Forged\n")
    call = api.campaigns.DownloadArtifact(
        pb.DownloadArtifactRequest(name="campaigns/c0001/artifacts/report.md")
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [piece async for piece in call]
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS


@pytest.mark.parametrize("path", ["../stratlab.db", "a/../../b", "/etc/passwd", "a//b", "", "."])
async def test_download_path_outside_the_folder_is_refused(
    lab: FakeLab, api: SimpleNamespace, path: str
) -> None:
    add_campaigns(lab, 1)
    call = api.campaigns.DownloadArtifact(
        pb.DownloadArtifactRequest(name=f"campaigns/c0001/artifacts/{path}")
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
