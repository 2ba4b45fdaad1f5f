"""Opens the real sandbox, and asks the real engine what is left of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.builders import Clock, MemoryLeases

from stratlab.domain.ports import POOL
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerEngine, DockerSandbox, installation_id
from stratlab.sandbox.engine_facts import ContainerSummary
from stratlab.sandbox.labels import INSTALLATION_LABEL
from stratlab.settings import SandboxSettings


@dataclass(frozen=True)
class RealSandbox:
    """The sandbox with what a test looks at from outside."""

    sandbox: DockerSandbox
    engine: DockerEngine
    leases: MemoryLeases
    installation: str

    def containers(self) -> list[str]:
        return [container.name for container in self._found()]

    def running(self) -> list[str]:
        return [container.name for container in self._found() if container.running]

    def at_work(self) -> list[str]:
        """Containers that a campaign uses; a name is free again before its lease is."""
        used = {row.member_id for row in self.leases.live() if row.campaign_id != POOL}
        return [name for name in self.running() if name in used]

    def _found(self) -> tuple[ContainerSummary, ...]:
        return self.engine.labelled(INSTALLATION_LABEL, self.installation)


@asynccontextmanager
async def open_real_sandbox(
    home: Path, pool_low: int = 0, leases: MemoryLeases | None = None
) -> AsyncIterator[RealSandbox]:
    # Sandboxes of one home directory share their leases: whoever sweeps ends what has none.
    engine, leases = DockerEngine(), leases or MemoryLeases()
    settings = SandboxSettings(members=2, pool_low=pool_low)
    async with DockerSandbox.open(settings, home, leases, Catalogue(home), Clock()) as sandbox:
        await sandbox.ready.wait()
        opened = RealSandbox(sandbox, engine, leases, installation_id(home))
        yield opened
    assert opened.containers() == []
    assert leases.live() == []
    engine.close()
