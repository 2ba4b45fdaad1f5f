"""Runs cases of the abuse suite through a controller, and looks at the host during and after."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, final

from stratlab.abuse.case import FILTER_ROW, AbuseCase, results_of
from stratlab.api.convert.values import date_to_proto
from stratlab.client import Client
from stratlab.domain.errors import EngineError, EngineUnavailableError, StratlabError
from stratlab.domain.trial import Outcome
from stratlab.sandbox import DockerEngine
from stratlab.sandbox.cgroups import MemberCgroups
from stratlab.sandbox.engine_facts import ContainerSummary
from stratlab.sandbox.labels import INSTALLATION_LABEL, ContainerLabels
from stratlab.sandbox.policy import HostTraits, is_gvisor
from stratlab_proto.v1 import backtest_service_pb2, common_pb2

SLACK_SECONDS: Final = 1.0
"""How long after its deadline a trial may take to be reported."""

HEALTH_SECONDS: Final = 2.0
"""The longest that a health check may take meanwhile."""

_TIDY_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 0.1
_MEMORY_SHARE: Final = 0.05
_MEMORY_BYTES: Final = 512 << 20
_DISK_BYTES: Final = 16 << 20
_BLOCK_BYTES: Final = 512
_ID_LENGTH: Final = 64
_OURS: Final = frozenset({"canary", "mount-check", "job"})
_START: Final = "2001-06-01"
_END: Final = "2001-06-29"


@final
@dataclass(frozen=True, slots=True)
class CaseReport:
    """How one case went.

    Attributes:
        name, group: Of the case.
        runtime: Under which it ran.
        outcome: Of the trial, "" for what is no trial.
        seconds: Wall time, the start of the container included.
        complaints: What was not as it should be; empty when the case holds.
        results: Result of each of its rows.
        defence: What held.
    """

    name: str
    group: str
    runtime: str
    outcome: str
    seconds: float
    complaints: tuple[str, ...]
    results: dict[str, str] = field(default_factory=dict)
    defence: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything was as it should be."""
        return not self.complaints


@final
class Bench:
    """One controller, one engine and one runtime, on which cases are run one after the other.

    Args:
        client: Of the controller.
        engine: Which it uses.
        installation: Id of its home directory.
        home: That directory.
        runtime: Of every case.
        data_set: With daily bars of 2001.
        cgroup_parent: From the settings.
    """

    def __init__(
        self,
        client: Client,
        engine: DockerEngine,
        installation: str,
        home: Path,
        runtime: str,
        data_set: str = "us-daily",
        cgroup_parent: str = "",
    ) -> None:
        self.client = client
        self.home = home
        self.runtime = runtime
        self._engine = engine
        self._installation = installation
        self._data_set = data_set
        self._seen: set[str] = set()
        self._cgroups = MemberCgroups(
            HostTraits(cgroup_version=engine.info().cgroup_version, cgroup_parent=cgroup_parent)
        )

    def run(self, case: AbuseCase) -> CaseReport:
        """Run one case and judge it."""
        complaints: list[str] = []
        results: dict[str, str] = {}
        outcome = ""
        began = time.monotonic()
        with self.watched(complaints):
            try:
                trial = self.backtest(case.source, case.all_limits())
            except StratlabError as error:
                complaints.append(f"no result: {error}")
            else:
                outcome = common_pb2.Outcome.Name(trial.outcome).removeprefix("OUTCOME_")
                results = results_of(trial.output_tail)
                complaints += self._judge(case, trial, outcome, results)
        return CaseReport(
            case.name,
            case.group,
            self.runtime,
            outcome,
            time.monotonic() - began,
            tuple(complaints),
            results,
            case.defence,
        )

    def backtest(self, source: str, limits: dict[str, int]) -> common_pb2.Trial:
        """Run a source past screening, and return its trial.

        Raises:
            StratlabError: The controller refused, or is gone.
        """
        for item in self.client.run_backtest(self.request(source, limits)):
            if item.HasField("result"):
                return item.result.trial
        raise EngineError("the controller ended the backtest without a result")

    def request(
        self, source: str, limits: dict[str, int]
    ) -> backtest_service_pb2.RunBacktestRequest:
        """Return the request of a backtest of one month."""
        return backtest_service_pb2.RunBacktestRequest(
            source=source,
            data_set=self._data_set,
            symbols=["AAPL", "IBM"],
            start=date_to_proto(date.fromisoformat(_START)),
            end=date_to_proto(date.fromisoformat(_END)),
            runtime=self.runtime,
            skip_screening=True,
            limits=common_pb2.Limits(**limits),
        )

    def members(self, installation: str = "") -> set[str]:
        """Return the names of all containers of the controller, or of another installation."""
        return {container.name for container in self._containers(installation)}

    def running(self, installation: str = "", *, trials_only: bool = False) -> set[str]:
        """Return the names of those that run; for trials only, canaries apart."""
        return {
            container.name
            for container in self._containers(installation)
            if container.running
            and not (
                trials_only and ContainerLabels.from_mapping(container.labels).campaign in _OURS
            )
        }

    def command(self, home: Path, *arguments: str) -> list[str]:
        """Return the command line of this program with another home directory."""
        program = "from stratlab.cli.entry import run; run()"
        command = [sys.executable, "-P", "-c", program, "--home", str(home), *arguments]
        return [*command, "--runtime", self.runtime]

    def _containers(self, installation: str) -> tuple[ContainerSummary, ...]:
        with suppress(EngineError, EngineUnavailableError):
            return self._engine.labelled(INSTALLATION_LABEL, installation or self._installation)
        return ()

    @contextmanager
    def watched(self, complaints: list[str]) -> Iterator[None]:
        """Look at controller and host while the block runs, and after it for what is left.

        What is not as it should be is added to ``complaints``.
        """
        memory, disk = _free_memory(), _used_disk(self.home)
        watch = _Watch(self.client, self._engine, self._cgroups, self.members)
        watch.start()
        try:
            yield
        finally:
            watch.stop()
        complaints += watch.complaints
        if again := watch.names & self._seen:
            complaints.append(f"used again: {', '.join(sorted(again))}")
        self._seen |= watch.names
        complaints += self._left(watch, memory, disk)

    def _judge(
        self, case: AbuseCase, trial: common_pb2.Trial, outcome: str, results: dict[str, str]
    ) -> Iterator[str]:
        wanted = case.outcomes_under(self.runtime)
        if Outcome(outcome) not in wanted:
            yield f"{outcome} ({trial.reason}) is none of {', '.join(sorted(wanted))}"
        allowed = case.all_limits()["wall_seconds"] + SLACK_SECONDS
        if trial.usage.wall_seconds > allowed:
            yield f"took {trial.usage.wall_seconds:.1f} s, allowed are {allowed:g}"
        if case.shown and case.shown not in trial.output_tail:
            yield f"{case.shown!r} is not in its output: {trial.output_tail[-200:]!r}"
        has_filter = results.get(FILTER_ROW, "2") != "0" or not is_gvisor(self.runtime)
        for row in case.rows:
            result = results.get(row.name)
            if result is None:
                yield f"{row.name}: no result"
            elif not row.is_harmless(result, self.runtime, has_filter=has_filter):
                yield f"{row.name}: {result}"

    def _left(self, watch: "_Watch", memory: int, disk: int) -> list[str]:
        deadline = time.monotonic() + _TIDY_SECONDS
        while True:
            left = list(self._leftovers(watch, memory, disk))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(_WATCH_SECONDS)

    def _leftovers(self, watch: "_Watch", memory: int, disk: int) -> Iterator[str]:
        if names := self.members():
            yield f"containers left: {', '.join(sorted(names))}"
        # No process can leave its group, and a group with a process cannot be removed.
        if groups := [str(group) for group in watch.groups if group.exists()]:
            yield f"control groups left, maybe with processes: {', '.join(sorted(groups))}"
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        missing = memory - _free_memory()
        if missing > max(_MEMORY_BYTES, _MEMORY_SHARE * total):
            yield f"{missing >> 20} MiB of the host's memory are missing"
        # Containers have no disk to write to; what remains is what the controller keeps.
        if (grown := _used_disk(self.home) - disk) > _DISK_BYTES:
            yield f"the home directory grew by {grown >> 20} MiB"


@final
class _Watch(threading.Thread):
    # Asks the controller for its health all the time, and notes what containers there are.
    def __init__(
        self,
        client: Client,
        engine: DockerEngine,
        cgroups: MemberCgroups,
        members: Callable[[], set[str]],
    ) -> None:
        super().__init__(name="abuse-watch", daemon=True)
        self._client = client
        self._engine = engine
        self._cgroups = cgroups
        self._members = members
        self._ended = threading.Event()
        self.names: set[str] = set()
        self.groups: set[Path] = set()
        self.complaints: list[str] = []

    def run(self) -> None:
        slowest = 0.0
        while not self._ended.wait(_WATCH_SECONDS):
            began = time.monotonic()
            if not self._client.is_serving():
                self.complaints.append("the controller did not answer its health check")
            slowest = max(slowest, time.monotonic() - began)
            self._note(self._members())
        if slowest > HEALTH_SECONDS:
            self.complaints.append(f"a health check took {slowest:.1f} s")

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _note(self, names: set[str]) -> None:
        for name in names - self.names:
            self.groups |= set(self._cgroups.directories(name))
            with suppress(EngineError, EngineUnavailableError):
                group = self._cgroups.group_of(self._engine.first_process(name))
                # A group of its own has the container's id for a name; nothing else is watched.
                if len(group.name.removeprefix("docker-").removesuffix(".scope")) == _ID_LENGTH:
                    self.groups.add(group)
        self.names |= names


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def _used_disk(home: Path) -> int:
    used = 0
    for folder, _, names in os.walk(home):
        for name in names:
            with suppress(OSError):
                used += os.lstat(Path(folder) / name).st_blocks * _BLOCK_BYTES
    return used
