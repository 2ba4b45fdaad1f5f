"""Wires ports to adapters: the one place that knows which implementation stands behind a port."""

import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TextIO, final

from stratlab.campaigns.arms import ReferenceArms
from stratlab.campaigns.backtest import Backtester
from stratlab.campaigns.causality import CampaignCausality, CausalityTest
from stratlab.campaigns.desks import make_examiner
from stratlab.campaigns.event_bus import EventBus
from stratlab.campaigns.exports import export_best
from stratlab.campaigns.manager import CampaignManager
from stratlab.campaigns.reports import Reports
from stratlab.campaigns.robustness import RobustnessExaminer
from stratlab.campaigns.trials import TrialDesk
from stratlab.campaigns.workshop import Workshop
from stratlab.domain.errors import DataSetNotFoundError, WrongStateError, from_os_error
from stratlab.domain.flag import Flag
from stratlab.domain.market import DataSet
from stratlab.domain.ports import Artifacts, Generator, MarketData, Repository, Screener
from stratlab.domain.strategy import GeneratorKind
from stratlab.domain.trusted_jobs import TrustedJobs
from stratlab.evaluation import HostEvaluator
from stratlab.generation import TemplateGenerator, templates_for
from stratlab.generation.catalogue import sandbox_surface
from stratlab.market_data import Catalogue, build_us_daily
from stratlab.market_data.worlds import WorldCache
from stratlab.sandbox import (
    DockerEngine,
    DockerJobs,
    DockerSandbox,
    HostPaths,
    installation_id,
)
from stratlab.screening import SubprocessScreener
from stratlab.search import FactorGraphGenerator
from stratlab.search.parameters_screen import ParameterScreen
from stratlab.settings import Settings
from stratlab.store import FileArtifacts, open_repository
from stratlab.store.home import make_home
from stratlab.wiring_models import open_authors


@final
class SystemClock:
    """Implements the ``Clock`` port with the machine's clocks."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back."""
        return monotonic()


@final
@dataclass(frozen=True, slots=True)
class Lab:
    """A running controller without its network face."""

    settings: Settings
    repository: Repository
    artifacts: Artifacts
    market_data: MarketData
    screener: Screener
    manager: CampaignManager
    backtester: Backtester
    sandbox_ready: Flag


@asynccontextmanager
async def open_lab(
    settings: Settings,
    *,
    generators: Mapping[GeneratorKind, Generator] | None = None,
    screener: Screener | None = None,
) -> AsyncIterator[Lab]:
    """Open the store, continue unfinished campaigns, and prove the sandbox in the background.

    Reads can be served as soon as this returns; trials wait until the sandbox is proven.

    Args:
        settings: All of them.
        generators: In place of those that there are, for a selftest.
        screener: The same.

    Raises:
        WrongStateError: Another controller uses this home directory.
        StoreError: The database cannot be opened.
    """
    home, clock = settings.home_path, SystemClock()
    market_data = Catalogue(home)
    with (
        _exclusive(home),
        contextlib.closing(open_repository(settings.store_url)) as repository,
        open_authors(
            settings, repository, market_data, clock, lambda: _image_surface(settings)
        ) as authors,
    ):
        artifacts = FileArtifacts(home, repository)
        screener, evaluator = screener or SubprocessScreener(), HostEvaluator()
        async with DockerSandbox.open(
            settings.sandbox, home, repository.leases(), market_data, clock, alone=True
        ) as sandbox:
            reports = Reports(repository, artifacts, market_data, export_best)
            worlds = WorldCache(home, partial(trusted_jobs, settings))
            causality = CausalityTest(market_data, sandbox, worlds)
            workshop = Workshop(
                repository=repository,
                artifacts=artifacts,
                desk=TrialDesk(
                    repository=repository,
                    artifacts=artifacts,
                    market_data=market_data,
                    sandbox=sandbox,
                    evaluator=evaluator,
                    clock=clock,
                ),
                screener=screener,
                generators={
                    GeneratorKind.TEMPLATE: TemplateGenerator(),
                    GeneratorKind.FACTOR_GRAPH: FactorGraphGenerator(templates_for),
                    **authors.generators,
                    **(generators or {}),
                },
                parameters=ParameterScreen(market_data),
                critic=authors.critic,
                evaluator=evaluator,
                examiner=make_examiner(
                    repository=repository,
                    artifacts=artifacts,
                    market_data=market_data,
                    sandbox=sandbox,
                    evaluator=evaluator,
                    clock=clock,
                    causality=CampaignCausality(
                        causality.also_on(settings.sandbox.second_runtime), repository
                    ),
                    robustness=RobustnessExaminer(repository, market_data, sandbox, evaluator),
                    strict_runtime=settings.sandbox.strict_runtime,
                ),
                arms=ReferenceArms(repository, artifacts, market_data, sandbox, evaluator),
                ledger=repository.ledger(),
                reports=reports,
                bus=EventBus(),
                clock=clock,
            )
            manager = CampaignManager(workshop, market_data)
            await manager.start()
            try:
                yield Lab(
                    settings=settings,
                    repository=repository,
                    artifacts=artifacts,
                    market_data=market_data,
                    screener=screener,
                    manager=manager,
                    backtester=Backtester(market_data, sandbox, screener, evaluator, causality),
                    sandbox_ready=sandbox.ready,
                )
            finally:
                sandbox.stop_warming()
                await manager.stop()


def build_data_set(settings: Settings, name: str) -> DataSet:
    """Build one of the data sets that come with stratlab, or return it when it exists.

    Raises:
        DataSetNotFoundError: No data set of that name comes with stratlab.
        EngineUnavailableError, SandboxNotReadyError: The trusted job cannot be run.
    """
    recipe = {"us-daily": build_us_daily}.get(name)
    if recipe is None:
        raise DataSetNotFoundError(
            f"no data set {name!r} comes with stratlab", hint="The only one is us-daily."
        )
    with trusted_jobs(settings) as jobs:
        return recipe(settings.home_path, jobs)


@contextmanager
def trusted_jobs(settings: Settings) -> Iterator[TrustedJobs]:
    """Open what runs our own programs in the sandbox image; makes the home directory.

    Raises:
        EngineUnavailableError: No engine answers.
    """
    home = make_home(settings.home_path)
    sandbox = settings.sandbox
    with contextlib.closing(DockerEngine(sandbox.engine, sandbox.engine_seconds)) as engine:
        jobs = DockerJobs(
            engine,
            SystemClock(),
            sandbox.image,
            installation_id(home),
            sandbox.cgroup_parent,
            paths=HostPaths.of(home, sandbox.host_home),
        )
        yield jobs


def _image_surface(settings: Settings) -> Mapping[str, Any]:
    with trusted_jobs(settings) as jobs:
        return sandbox_surface(settings.home_path, jobs)


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    # Two controllers on one home would run every campaign twice; the kernel frees the lock of
    # one that was killed.
    with _lock_file(make_home(home)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WrongStateError(
                f"another controller uses {home}",
                hint="Use that one, stop it, or choose another home (STRATLAB_HOME).",
            ) from None
        yield


def _lock_file(home: Path) -> TextIO:
    try:
        return (home / "controller.lock").open("w")
    except OSError as error:
        raise from_os_error(error) from None
