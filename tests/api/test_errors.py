"""Every error class keeps its meaning on the wire."""

from types import SimpleNamespace

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from structlog.testing import capture_logs
from tests.api.fake_lab import FakeLab

from stratlab.api.errors import STATUS_CODES, status_of
from stratlab.client.errors import error_classes
from stratlab.domain.errors import StratlabError, WrongStateError
from stratlab_proto.v1 import campaign_service_pb2 as pb
from stratlab_proto.v1 import common_pb2

CLASSES = sorted(error_classes().values(), key=lambda kind: kind.reason)


def test_reasons_of_domain_and_proto_are_the_same() -> None:
    values = common_pb2.ErrorReason.DESCRIPTOR.values
    in_proto = {value.name.removeprefix("ERROR_REASON_") for value in values}
    assert {kind.reason for kind in CLASSES} == in_proto - {"UNSPECIFIED"}


def test_every_class_has_a_reason_of_its_own() -> None:
    def tree(kind: type[StratlabError]) -> list[type[StratlabError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    ours = [kind for kind in tree(StratlabError) if kind.__module__ == "stratlab.domain.errors"]
    assert len({kind.reason for kind in ours}) == len(ours)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.reason)
async def test_error_class_arrives_as_status_with_error_info(
    lab: FakeLab, api: SimpleNamespace, kind: type[StratlabError]
) -> None:
    lab.manager.raises = kind("It broke.", hint="Mend it.", field="capital", count=3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CreateCampaign(pb.CreateCampaignRequest())
    status = await rpc_status.aio.from_call(FinishedCall(caught.value))
    expected = next(STATUS_CODES[base] for base in kind.__mro__ if base in STATUS_CODES)
    assert caught.value.code().value[0] == status.code == expected
    assert caught.value.details() == "It broke."
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "stratlab"
    assert info.reason == kind.reason
    assert dict(info.metadata) == {"hint": "Mend it.", "field": "capital", "count": "3"}


async def test_unexpected_error_is_internal_logged_and_tells_nothing(
    lab: FakeLab, api: SimpleNamespace
) -> None:
    lab.manager.raises = RuntimeError("password=hunter2 in /srv/secret.py")
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CreateCampaign(pb.CreateCampaignRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    everything = repr(caught.value.details()) + repr(caught.value.trailing_metadata())
    assert "hunter2" not in everything
    assert "secret.py" not in everything
    (entry,) = [entry for entry in logs if entry["event"] == "unexpected_error"]
    assert entry["method"] == "/stratlab.v1.CampaignService/CreateCampaign"
    assert "hunter2" in str(entry["exc_info"])


async def test_huge_error_still_arrives(lab: FakeLab, api: SimpleNamespace) -> None:
    lab.manager.raises = WrongStateError(
        "é\udc80" * 50_000, hint="ü" * 50_000, **{f"key{i}": "ß" * 5000 for i in range(50)}
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.campaigns.CreateCampaign(pb.CreateCampaignRequest())
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details().startswith("é?é?")


def test_status_of_subclass_uses_the_nearest_listed_parent() -> None:
    class NewError(WrongStateError):
        pass

    assert status_of(NewError("x")).code == status_of(WrongStateError("x")).code
    del NewError


async def test_malformed_request_bytes_fail_alone(api: SimpleNamespace) -> None:
    raw = api.channel.unary_unary("/stratlab.v1.CampaignService/GetCampaign")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    answer = await api.campaigns.ListCampaigns(pb.ListCampaignsRequest())
    assert list(answer.campaigns) == []


class FinishedCall:
    # grpc_status reads coroutines of a call; a caught error has the values already.
    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self._error = error

    async def code(self) -> grpc.StatusCode:
        return self._error.code()

    async def details(self) -> str:
        return self._error.details()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return self._error.trailing_metadata()
