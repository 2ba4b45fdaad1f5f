"""The whole program on a TCP port: `stratlab serve`, a watcher, and SIGTERM."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import grpc
from tests.access.network import bearer, details_of
from tests.api.samples import campaign_of

from stratlab.api.access.tokens import TokenFile
from stratlab.client import Client
from stratlab.domain.access import Role
from stratlab.domain.campaign import CampaignState
from stratlab.store import open_repository
from stratlab_proto.v1 import campaign_service_pb2, campaign_service_pb2_grpc


def test_serve_on_tcp_sends_its_watchers_away_and_ends_with_0(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    secret = TokenFile(home / "tokens.json").create("alice", Role.VIEWER)
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        repository.create_campaign(campaign_of(1, state=CampaignState.PAUSED), "r")
    with subprocess.Popen(
        [sys.executable, "-c", "from stratlab.cli.main import run; run()", "serve", "--json"],
        env={
            **os.environ,
            "STRATLAB_HOME": str(home),
            "STRATLAB_SERVER__LISTEN": "127.0.0.1:0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            address = json.loads(server.stdout.readline())["listen"]
            with Client(f"http://{address}", token=secret) as client:
                assert [each.name for each in client.list_campaigns()] == ["campaigns/c0001"]
            with grpc.insecure_channel(address) as channel:
                watch = campaign_service_pb2_grpc.CampaignServiceStub(channel).WatchCampaign(
                    campaign_service_pb2.WatchCampaignRequest(name="campaigns/c0001"),
                    metadata=bearer(secret),
                )
                assert next(watch).event.number == 1
                server.send_signal(signal.SIGTERM)
                try:
                    next(watch)
                except grpc.RpcError as error:
                    code, info, _ = details_of(error)
                    assert code is grpc.StatusCode.UNAVAILABLE
                    assert info.reason == "SERVER_STOPPING"
                else:
                    raise AssertionError("the stream went on")
        finally:
            server.terminate()
        assert server.wait(timeout=30) == 0
        assert "Traceback" not in server.stderr.read()
