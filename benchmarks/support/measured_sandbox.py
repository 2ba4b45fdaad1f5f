"""The product's own sandbox over us-daily, opened for measuring, and stamps it does not give."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import structlog

from stratlab.bootstrap import SystemClock, build_data_set
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.ports import Leases
from stratlab.domain.trial import Limits, Outcome, TrialBatch, TrialClaim, TrialPurpose, TrialSpec
from stratlab.market_data import Catalogue
from stratlab.sandbox import DockerSandbox
from stratlab.sandbox.link import Link
from stratlab.sandbox.warm_member import WarmMember
from stratlab.settings import Settings
from stratlab.store import open_repository
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

IBM = MarketSet("us-daily", ("IBM",))
ONE_YEAR = Window(Tier.TRAIN, date(2001, 6, 1), date(2002, 5, 31))
ALL_YEARS = Window(Tier.HOLDOUT, date(2000, 6, 1), date(2013, 2, 28))
"""All that us-daily has, less three months to warm up."""


@dataclass
class Stamps:
    """What the sandbox does not tell.

    Attributes:
        sent: When code was handed to gRPC last, by the wall clock, which containers share.
        teardowns: Seconds that each container's end took.
    """

    sent: float = 0.0
    teardowns: list[float] = field(default_factory=list)

    def attach(self) -> None:
        """Measure from now on."""
        send, close = Link.send, WarmMember.close

        async def stamped_send(link: Link, response: pb.AttachResponse) -> None:
            if response.HasField("run"):
                self.sent = time.time()
            await send(link, response)

        async def timed_close(member: WarmMember) -> None:
            began = time.monotonic()
            await close(member)
            self.teardowns.append(time.monotonic() - began)

        Link.send = stamped_send  # type: ignore[method-assign]  # measured from outside
        WarmMember.close = timed_close  # type: ignore[method-assign]  # the same


@contextmanager
def home_with_data() -> Iterator[Path]:
    """Build us-daily in a home directory that lasts as long as the block."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = Path(directory)
        build_data_set(Settings(home=home), "us-daily")
        yield home


@asynccontextmanager
async def opened(home: Path, **options: float) -> AsyncIterator[tuple[DockerSandbox, Leases]]:
    """Open a proven sandbox with changed settings."""
    settings = Settings(home=home)
    repository = open_repository(settings.store_url)
    changed = settings.sandbox.model_copy(update=options)
    async with DockerSandbox.open(
        changed, home, repository.leases(), Catalogue(home), SystemClock(), alone=True
    ) as sandbox:
        await sandbox.ready.wait()
        yield sandbox, repository.leases()
    repository.close()


async def idle(sandbox: DockerSandbox, count: int) -> None:
    """Wait until so many containers wait for work."""
    while sandbox.pool_stats.idle < count:  # noqa: ASYNC110 - raises no event
        await asyncio.sleep(0.005)


def batch(
    source: str,
    *points: Mapping[str, int | float],
    window: Window = ONE_YEAR,
    campaign: str = "benchmark",
    runtime: str = "runc",
    limits: Limits | None = None,
) -> TrialBatch:
    """Return a batch with a trial for each point of parameters, zipline's own costs apart."""
    trials = tuple(
        TrialSpec(
            trial_id=f"t{number}",
            index=number,
            purpose=TrialPurpose.ADHOC,
            market=IBM,
            window=window,
            parameters=dict(point),
            capital=1_000_000.0,
            cost_model=CostModel(),
        )
        for number, point in enumerate(points)
    )
    return TrialBatch(campaign, source, trials, limits or Limits(), runtime)


async def run_one(sandbox: DockerSandbox, work: TrialBatch) -> TrialClaim:
    """Run a batch of one trial, which must succeed."""
    (claim,) = await sandbox.run(work, lambda _: None)
    assert claim.outcome is Outcome.SUCCEEDED, claim
    return claim
