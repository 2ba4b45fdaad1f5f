"""Who may call what: every method, every role, and campaigns of others."""

import json

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.access.network import OK, ServedNetwork, bearer, error_of, raw_call
from tests.api.samples import campaign_of

from stratlab.api.access.roles import OPEN_METHODS, REQUIRED_ROLES
from stratlab.domain.access import Role
from stratlab_proto.v1 import (
    backtest_service_pb2,
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    strategy_service_pb2,
)

FILES = (
    campaign_service_pb2,
    backtest_service_pb2,
    strategy_service_pb2,
    health_pb2,
    reflection_pb2,
)
# Written down a second time on purpose: a change of the table has to be made in both places.
READS = {
    *(f"{verb}Campaign" for verb in ("Estimate", "Get", "Watch")),
    *("ListCampaigns", "ListIterations", "GetIteration", "ListArtifacts", "DownloadArtifact"),
    *("ListDatasets", "Watch", "ServerReflectionInfo"),
}
WORKS = {
    *(f"{verb}Campaign" for verb in ("Create", "Replay", "Pause", "Resume", "Approve", "Cancel")),
    *("RunBacktest", "ValidateStrategy", "MeasureSensitivity"),
}

OPERATES = {"OpenHoldout"}


def services() -> list[ServiceDescriptor]:
    return [each for file in FILES for each in file.DESCRIPTOR.services_by_name.values()]


METHODS = sorted(
    f"/{service.full_name}/{method.name}" for service in services() for method in service.methods
)


def test_every_rpc_of_every_service_is_in_the_table() -> None:
    assert set(METHODS) == set(REQUIRED_ROLES) | OPEN_METHODS
    assert not set(REQUIRED_ROLES) & OPEN_METHODS
    assert len(METHODS) == 22


def test_reading_needs_a_viewer_and_working_a_researcher() -> None:
    names = {method.rpartition("/")[2]: role for method, role in REQUIRED_ROLES.items()}
    assert {name for name, role in names.items() if role is Role.VIEWER} == READS
    assert {name for name, role in names.items() if role is Role.RESEARCHER} == WORKS
    assert {name for name, role in names.items() if role is Role.OPERATOR} == OPERATES
    assert len(READS) + len(WORKS) + len(OPERATES) == len(REQUIRED_ROLES)


@pytest.mark.parametrize("role", Role)
async def test_role_decides_for_every_method(served: ServedNetwork, role: Role) -> None:
    allowed = set()
    async with served.channel() as channel:
        for method in METHODS:
            status = await raw_call(channel, method, bearer(served.secrets[role.name.lower()]))
            assert status not in {"UNAUTHENTICATED", "UNIMPLEMENTED", "INTERNAL"}, method
            if status != "PERMISSION_DENIED":
                allowed.add(method.rpartition("/")[2])
    expected = READS | {"Check"}
    expected |= WORKS if role >= Role.RESEARCHER else set()
    expected |= OPERATES if role >= Role.OPERATOR else set()
    assert allowed == expected


async def test_without_a_token_only_the_health_check_answers(served: ServedNetwork) -> None:
    async with served.channel() as channel:
        statuses = {method: await raw_call(channel, method) for method in METHODS}
        assert await raw_call(channel, "/stratlab.v1.CampaignService/Nothing") == "UNAUTHENTICATED"
    assert statuses.pop("/grpc.health.v1.Health/Check") == OK
    assert set(statuses.values()) == {"UNAUTHENTICATED"}


async def test_unknown_method_is_unimplemented_for_whoever_has_a_token(
    served: ServedNetwork,
) -> None:
    # Clients that ask for a newer reflection service fall back only then.
    async with served.channel() as channel:
        status = await raw_call(
            channel,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            bearer(served.secrets["viewer"]),
        )
    assert status == "UNIMPLEMENTED"


async def test_denial_says_which_role_is_needed(served: ServedNetwork) -> None:
    async with served.channel() as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        code, info, _ = await error_of(
            stub.CreateCampaign(
                campaign_service_pb2.CreateCampaignRequest(),
                metadata=bearer(served.secrets["viewer"]),
            )
        )
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert info.reason == "PERMISSION_DENIED"
    assert info.metadata["role"] == "viewer"
    assert info.metadata["needed"] == "researcher"
    assert not served.lab.manager.created


async def test_researcher_steers_own_campaigns_and_an_operator_all(served: ServedNetwork) -> None:
    served.add_token("bob", Role.RESEARCHER)
    served.lab.repository.create_campaign(campaign_of(9), "r9")  # the owner's
    async with served.channel() as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        mine, bobs, operators = (
            bearer(served.secrets[name]) for name in ("researcher", "bob", "operator")
        )
        campaign = await stub.CreateCampaign(
            campaign_service_pb2.CreateCampaignRequest(), metadata=mine
        )
        pause = campaign_service_pb2.PauseCampaignRequest(name=campaign.name)
        resume = campaign_service_pb2.ResumeCampaignRequest(name=campaign.name)
        cancel = campaign_service_pb2.CancelCampaignRequest(name=campaign.name)
        for refused in (
            stub.PauseCampaign(pause, metadata=bobs),
            stub.ResumeCampaign(resume, metadata=bobs),
            stub.CancelCampaign(cancel, metadata=bobs),
            stub.CancelCampaign(
                campaign_service_pb2.CancelCampaignRequest(name="campaigns/c0009"), metadata=mine
            ),
        ):
            code, info, _ = await error_of(refused)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert info.metadata["needed"] == "operator"
        await stub.PauseCampaign(pause, metadata=mine)
        await stub.ResumeCampaign(resume, metadata=operators)
        await stub.CancelCampaign(cancel, metadata=mine)
        nobody = campaign_service_pb2.CancelCampaignRequest(name="campaigns/c0404")
        code, _, _ = await error_of(stub.CancelCampaign(nobody, metadata=bobs))
        assert code is grpc.StatusCode.NOT_FOUND
    events = served.lab.repository.events(campaign.name.removeprefix("campaigns/"))
    assert [json.loads(event.payload)["actor"] for event in events] == [
        "researcher",
        "researcher",
        "operator",
        "researcher",
    ]


async def test_unix_socket_is_the_owners(served: ServedNetwork) -> None:
    async with grpc.aio.insecure_channel(served.server.address) as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        campaign = await stub.CreateCampaign(campaign_service_pb2.CreateCampaignRequest())
        # A token in a call to the socket makes nobody smaller or greater.
        await stub.CancelCampaign(
            campaign_service_pb2.CancelCampaignRequest(name=campaign.name),
            metadata=bearer(served.secrets["viewer"]),
        )
    events = served.lab.repository.events(campaign.name.removeprefix("campaigns/"))
    assert [json.loads(event.payload)["actor"] for event in events] == ["owner", "owner"]
