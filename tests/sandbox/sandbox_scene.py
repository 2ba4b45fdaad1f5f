"""A sandbox over a stand-in engine whose limits are proven at once, after which nothing is left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tenacity import wait_none
from tests.sandbox.builders import Clock, FolderData, MemoryLeases
from tests.sandbox.stand_in import Behaviour, StandInEngine, stand_in_engine

from stratlab.sandbox import attempts, readiness
from stratlab.sandbox.canary import REMEDIES, CanaryReport, LimitFinding
from stratlab.sandbox.scheduler import DockerSandbox
from stratlab.settings import SandboxSettings

ALL_PROVEN = CanaryReport(
    "sha256:" + "a" * 64,
    "runc",
    "d" * 64,
    tuple(LimitFinding(name, proven=True, detail="") for name in REMEDIES),
    0.0,
)


def prove_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def proven(*_: object) -> CanaryReport:
        return ALL_PROVEN

    monkeypatch.setattr(readiness, "prove", proven)
    monkeypatch.setattr(readiness, "check_mounts", lambda *_: None)
    monkeypatch.setattr(attempts, "wait_random_exponential", lambda **_: wait_none())


@asynccontextmanager
async def leased_sandbox(
    home: Path, *behaviours: Behaviour, **options: float
) -> AsyncIterator[tuple[DockerSandbox, StandInEngine, MemoryLeases]]:
    async with stand_in_engine(*behaviours) as engine:
        leases = MemoryLeases()
        made = DockerSandbox(
            settings=SandboxSettings(**options),
            home=home,
            engine=engine,
            leases=leases,
            market_data=FolderData(home),
            clock=Clock(),
        )
        await made.start()
        yield made, engine, leases
        await made.stop()
        assert leases.live() == []
        assert engine.configs == {}


@asynccontextmanager
async def sandbox(
    home: Path, *behaviours: Behaviour, members: int = 2, sweep_processes: int = 1
) -> AsyncIterator[tuple[DockerSandbox, StandInEngine]]:
    """One without containers that wait for work."""
    options = {"members": members, "sweep_processes": sweep_processes, "pool_low": 0}
    async with leased_sandbox(home, *behaviours, **options) as (made, engine, _):
        yield made, engine
