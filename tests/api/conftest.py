"""A served lab, and stubs that talk to it."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from tests.api.fake_lab import FakeLab, serve

from stratlab_proto.v1 import (
    backtest_service_pb2_grpc,
    campaign_service_pb2_grpc,
    strategy_service_pb2_grpc,
)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[FakeLab]:
    lab = FakeLab(tmp_path)
    yield lab
    lab.repository.close()


@pytest.fixture
async def address(lab: FakeLab, tmp_path: Path) -> AsyncIterator[str]:
    async with serve(lab, tmp_path / "run") as address:
        yield address


@pytest.fixture
async def api(address: str) -> AsyncIterator[SimpleNamespace]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield SimpleNamespace(
            channel=channel,
            campaigns=campaign_service_pb2_grpc.CampaignServiceStub(channel),
            backtests=backtest_service_pb2_grpc.BacktestServiceStub(channel),
            strategies=strategy_service_pb2_grpc.StrategyServiceStub(channel),
        )
