"""Tokens: the file, what counts as a token, and the commands that make and revoke them."""

import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.access.network import ServedNetwork, bearer, error_of, raw_call
from tests.api.samples import campaign_of
from tests.cli.conftest import Ended, home, stratlab  # noqa: F401 (fixtures)

from stratlab.api.access.tokens import TokenFile
from stratlab.domain.access import Caller, Role
from stratlab.domain.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnsafeConfigurationError,
)
from stratlab_proto.v1 import campaign_service_pb2, campaign_service_pb2_grpc

LIST = "/stratlab.v1.CampaignService/ListCampaigns"
WATCH = "/stratlab.v1.CampaignService/WatchCampaign"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Program = Callable[..., Ended]


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json", now=lambda: NOW)


def test_token_stands_for_its_name_and_role_and_is_not_stored(
    file: TokenFile, tmp_path: Path
) -> None:
    secret = file.create("alice", Role.RESEARCHER)
    assert re.fullmatch(r"stratlab_[A-Za-z0-9_-]{43}", secret)
    assert file.authenticate(secret) == Caller("alice", Role.RESEARCHER)
    text = (tmp_path / "tokens.json").read_text()
    assert secret.removeprefix("stratlab_") not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600


def test_token_counts_until_it_expires_or_is_revoked(tmp_path: Path) -> None:
    now = NOW
    file = TokenFile(tmp_path / "tokens.json", now=lambda: now)
    short = file.create("short", Role.VIEWER, NOW + timedelta(hours=1))
    other = file.create("other", Role.OPERATOR)
    now = NOW + timedelta(minutes=59)
    assert file.authenticate(short).name == "short"
    now = NOW + timedelta(hours=1)
    with pytest.raises(UnauthenticatedError, match="short expired"):
        file.authenticate(short)
    TokenFile(tmp_path / "tokens.json").revoke("other")  # by another process
    with pytest.raises(UnauthenticatedError, match="unknown or was revoked"):
        file.authenticate(other)


@given(secret=st.one_of(st.text(), st.text(alphabet="stratlab_0", max_size=400), st.just("\ud800")))
def test_nothing_but_a_token_is_a_token(
    secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "shared-tokens.json"
    file = TokenFile(path)
    if not path.exists():
        file.create("alice", Role.VIEWER)
    with pytest.raises(UnauthenticatedError):
        file.authenticate(secret)


def test_part_of_a_token_is_no_token(file: TokenFile) -> None:
    secret = file.create("alice", Role.VIEWER)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    for wrong in (secret[:-1], secret + "A", secret.upper(), digest, f" {secret}"):
        with pytest.raises(UnauthenticatedError):
            file.authenticate(wrong)


@pytest.mark.parametrize(
    "name", ["", "owner", "Alice", "a b", "-a", "a\n", "a" * 64, "ä", "../x", "a\0"]
)
def test_name_that_cannot_stand_in_the_audit_is_refused(file: TokenFile, name: str) -> None:
    with pytest.raises(InvalidInputError):
        file.create(name, Role.VIEWER)


def test_name_is_used_once_and_can_be_used_again_after_revoking(file: TokenFile) -> None:
    first = file.create("alice", Role.VIEWER)
    with pytest.raises(AlreadyExistsError):
        file.create("alice", Role.OPERATOR)
    file.revoke("alice")
    second = file.create("alice", Role.OPERATOR)
    assert file.authenticate(second).role is Role.OPERATOR
    with pytest.raises(UnauthenticatedError):
        file.authenticate(first)
    with pytest.raises(NotFoundError):
        file.revoke("bob")


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    names = [f"t{number}" for number in range(12)]
    threads = [
        threading.Thread(target=TokenFile(path).create, args=(name, Role.VIEWER)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token.name for token in TokenFile(path).tokens()) == sorted(names)
    assert {entry.name for entry in tmp_path.iterdir()} == {"tokens.json", "tokens.json.lock"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_file_that_others_can_use_is_refused(file: TokenFile, tmp_path: Path, mode: int) -> None:
    secret = file.create("alice", Role.VIEWER)
    (tmp_path / "tokens.json").chmod(mode)
    with pytest.raises(UnsafeConfigurationError, match="chmod 600"):
        file.tokens()
    with pytest.raises(UnavailableError):
        file.authenticate(secret)
    with pytest.raises(UnsafeConfigurationError):
        file.create("bob", Role.OPERATOR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"version": 2, "tokens": []}',
        '{"version": 1, "tokens": [{"name": "a", "role": "root", "sha256": "%s"}]}' % ("0" * 64),
        '{"version": 1, "tokens": [{"name": "a", "role": "viewer", "sha256": "0"}]}',
        '{"version": 1, "tokens": [{"name": "owner", "role": "viewer", "sha256": "%s"}]}'
        % ("0" * 64),
        '{"version": 1, "tokens": [], "more": 1}',
        '{"version": 1, "tokens": []}' + " " * 1024 * 1024,
        "\0",
        "[" * 100_000,
    ],
    ids=range(11),
)
def test_broken_file_lets_nobody_in_and_loses_nothing(
    file: TokenFile, tmp_path: Path, text: str
) -> None:
    secret = file.create("alice", Role.VIEWER)
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match="no token file"):
        file.tokens()
    with pytest.raises(UnavailableError) as caught:
        file.authenticate(secret)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(InvalidInputError):
        file.create("bob", Role.VIEWER)
    assert path.read_text() == text


def test_pipe_or_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises((UnsafeConfigurationError, InvalidInputError)):
            TokenFile(tmp_path / name).tokens()


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer "),),
        (("authorization", "Basic YWxpY2U6c2VjcmV0"),),
        (("authorization", "Bearer " + "A" * 5000),),
        (("authorization-bin", b"Bearer x"),),
        bearer("stratlab_" + "A" * 43),
    ],
    ids=range(8),
)
async def test_call_with_a_missing_or_garbage_token_is_refused(
    served: ServedNetwork, metadata: tuple[tuple[str, str], ...]
) -> None:
    async with served.channel() as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        request = campaign_service_pb2.ListCampaignsRequest()
        code, info, _ = await error_of(stub.ListCampaigns(request, metadata=metadata))
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert info.reason == "UNAUTHENTICATED"


async def test_two_tokens_in_one_call_are_refused(served: ServedNetwork) -> None:
    both = bearer(served.secrets["viewer"]) + bearer(served.secrets["operator"])
    async with served.channel() as channel:
        assert await raw_call(channel, LIST, both) == "UNAUTHENTICATED"


async def test_scheme_is_read_without_regard_to_case(served: ServedNetwork) -> None:
    async with served.channel() as channel:
        for scheme in ("Bearer", "bearer", "BEARER"):
            metadata = (("authorization", f"{scheme} {served.secrets['viewer']}"),)
            assert await raw_call(channel, LIST, metadata) == "OK"


async def test_expired_and_revoked_tokens_are_refused_at_the_next_call(
    served: ServedNetwork, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.json"
    brief = bearer(served.add_token("brief", Role.OPERATOR, datetime(2099, 1, 1, tzinfo=UTC)))
    viewer = bearer(served.secrets["viewer"])
    async with served.channel() as channel:
        assert await raw_call(channel, LIST, brief) == "OK"
        assert await raw_call(channel, LIST, viewer) == "OK"
        served.file.revoke("viewer")
        assert await raw_call(channel, LIST, viewer) == "UNAUTHENTICATED"
        file.write_text(file.read_text().replace("2099-01-01", "2001-01-01"))
        assert await raw_call(channel, LIST, brief) == "UNAUTHENTICATED"


async def test_revoked_token_ends_its_streams(served: ServedNetwork) -> None:
    served.lab.repository.create_campaign(campaign_of(1), "r")
    async with served.channel() as channel:
        stub = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        request = campaign_service_pb2.WatchCampaignRequest(name="campaigns/c0001")
        watch = stub.WatchCampaign(request, metadata=bearer(served.secrets["viewer"]))
        assert (await watch.read()).event.number == 1
        served.file.revoke("viewer")
        served.lab.manager.append("c0001", 1)
        code, _, _ = await error_of(watch.read())
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_unusable_file_closes_the_network_and_not_the_socket(
    served: ServedNetwork, tmp_path: Path
) -> None:
    (tmp_path / "tokens.json").chmod(0o644)
    with capture_logs() as logs:
        async with served.channel() as channel:
            status = await raw_call(channel, LIST, bearer(served.secrets["operator"]))
    assert status == "UNAVAILABLE"
    assert any("chmod 600" in str(line.get("cause")) for line in logs)
    async with grpc.aio.insecure_channel(served.server.address) as channel:
        assert await raw_call(channel, LIST) == "OK"
    (tmp_path / "tokens.json").chmod(0o600)
    async with served.channel() as channel:
        assert await raw_call(channel, LIST, bearer(served.secrets["operator"])) == "OK"


async def test_log_of_refused_calls_holds_no_secret(served: ServedNetwork) -> None:
    with capture_logs() as logs:
        async with served.channel() as channel:
            await raw_call(channel, LIST, bearer("stratlab_secret"))
            await raw_call(
                channel,
                "/stratlab.v1.CampaignService/CreateCampaign",
                bearer(served.secrets["viewer"]),
            )
    assert [line["reason"] for line in logs] == ["UNAUTHENTICATED", "PERMISSION_DENIED"]
    assert "secret" not in str(logs)
    assert served.secrets["viewer"] not in str(logs)


def test_commands_create_list_and_revoke(stratlab: Program, home: Path) -> None:  # noqa: F811
    created = stratlab("token", "create", "alice", "--role", "researcher", "--expires", "90d")
    assert created.code == 0
    secret = created.out.strip()
    assert re.fullmatch(r"stratlab_[A-Za-z0-9_-]{43}", secret)
    as_json = stratlab("token", "create", "bob", "--role", "viewer", "--json")
    assert json.loads(as_json.out)["token"].startswith("stratlab_")
    listed = json.loads(stratlab("token", "list", "--json").out)
    assert [(record["name"], record["role"], record["expired"]) for record in listed] == [
        ("alice", "researcher", False),
        ("bob", "viewer", False),
    ]
    assert secret not in stratlab("token", "list").out
    assert stratlab("token", "create", "alice", "--role", "viewer").code == 2
    assert stratlab("token", "revoke", "alice").code == 0
    assert stratlab("token", "revoke", "alice").code == 2
    with pytest.raises(UnauthenticatedError):
        TokenFile(home / "tokens.json").authenticate(secret)


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("30m", True), ("12h", True), ("2099-01-31", True), ("2099-01-31T12:00:00+02:00", True),
        ("0d", False), ("-1d", False), ("90", False), ("2001-01-01", False), ("soon", False),
        ("99999d", True), ("1y", False),
    ],
)  # fmt: skip
def test_expiry_is_an_age_or_a_date_in_the_future(
    stratlab: Program,  # noqa: F811
    text: str,
    usable: bool,
) -> None:
    ended = stratlab("token", "create", "alice", "--role", "viewer", "--expires", text)
    assert ended.code == (0 if usable else 2)
    assert len(json.loads(stratlab("token", "list", "--json").out)) == usable


def test_list_without_a_file_is_empty(stratlab: Program, tmp_path: Path) -> None:  # noqa: F811
    missing = str(tmp_path / "none.json")
    assert json.loads(stratlab("token", "list", "--file", missing, "--json").out) == []
