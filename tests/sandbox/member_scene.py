"""A workplace with a stand-in engine, after which nothing may be left."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.sandbox.builders import Clock, MemoryLeases
from tests.sandbox.stand_in import (
    Behaviour,
    StandInEngine,
    stand_in_engine,
)

from stratlab.domain.trial import TrialBatch, TrialProgress
from stratlab.sandbox.containers import Site, Workplace
from stratlab.sandbox.identity import controller_id
from stratlab.sandbox.member import Member, MemberReport
from stratlab.sandbox.policy import HostTraits
from stratlab.sandbox.seccomp import SeccompProfile
from stratlab.sandbox.threads import Threads
from stratlab.sandbox.warm_member import WarmMember


@dataclass
class Scene:
    engine: StandInEngine
    leases: MemoryLeases
    workplace: Workplace
    folder: Path
    progress: list[TrialProgress]

    async def warm(self, work: TrialBatch, startup_seconds: float = 10.0) -> WarmMember:
        site = Site(
            "sha256:" + "a" * 64,
            "runc",
            HostTraits(cpus=2),
            work.limits,
            data_directory=self.folder,
        )
        return await WarmMember.start(
            self.workplace,
            site,
            startup_seconds,
            campaign_id=work.campaign_id,
            lifetime_seconds=60.0,
        )

    async def run(
        self, work: TrialBatch, startup_seconds: float = 10.0, lanes: int = 1
    ) -> MemberReport:
        warm = await self.warm(work, startup_seconds)
        try:
            member = Member(self.workplace, warm, work, self.progress.append, warm.startup_seconds)
            return await member.run(work.trials, lanes=lanes)
        finally:
            await warm.close()


@asynccontextmanager
async def scene(*behaviours: Behaviour, tidy: bool = True) -> AsyncIterator[Scene]:
    """Open a workplace; after it nothing may be left (unless not ``tidy``)."""
    threads = Threads()
    with TemporaryDirectory(prefix="sl-") as folder:
        async with stand_in_engine(*behaviours) as engine:
            leases = MemoryLeases()
            workplace = Workplace(
                engine=engine,
                threads=threads,
                leases=leases,
                clock=Clock(),
                profile=SeccompProfile("{}", "d" * 64),
                installation="0123456789abcdef",
                controller=controller_id(),
                socket_root=Path(folder),
            )
            made = Scene(engine, leases, workplace, Path(folder), [])
            yield made
            if tidy:
                assert leases.live() == []
                assert engine.configs == {}
                await asyncio.sleep(0)
                assert engine.running == []
            assert os.listdir(folder) == []  # noqa: PTH208 - a Path would count as blocking
    threads.close()
