"""A container that is none: it dials the member's socket from a task and speaks the protocol."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
import grpc.aio
from tests.sandbox.builders import DAY, FIRST_BAR

from stratlab.domain.errors import EngineError
from stratlab.sandbox.engine_facts import ContainerState, ContainerSummary, EngineInfo
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

_METHOD = "/stratlab.runner.v1.RunnerService/Attach"


class Channel:
    """The container's end of the wire, with and without manners."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._channel = grpc.aio.insecure_channel(f"unix:{path}")
        self._call = self._channel.stream_stream(_METHOD)()
        self.sequence = 0
        self.nonce = b""

    async def send_bytes(self, data: bytes) -> None:
        await self._call.write(data)

    async def send(self, **frame: Any) -> None:
        request = pb.AttachRequest(sequence=self.sequence, nonce=self.nonce, **frame)
        self.sequence += 1
        await self.send_bytes(request.SerializeToString())

    async def receive(self) -> pb.AttachResponse:
        data = await self._call.read()
        if not isinstance(data, bytes):
            raise ConnectionError("the controller ended the call")
        return pb.AttachResponse.FromString(data)

    async def hang_up(self) -> None:
        await self._call.done_writing()

    async def close(self) -> None:
        self._call.cancel()
        await self._channel.close()

    async def greet(self) -> None:
        await self.send(hello=pb.Hello(runner_version="stand-in"))
        self.nonce = (await self.receive()).welcome.nonce
        await self.send(ready=pb.Ready(startup_seconds=0.1))

    async def next_run(self) -> pb.RunTrial | None:
        response = await self.receive()
        return response.run if response.WhichOneof("frame") == "run" else None

    async def start_trial(self, trial_id: str) -> None:
        await self.send(started=pb.TrialStarted(trial_id=trial_id, bars=100))

    async def succeed(self, trial_id: str) -> None:
        await self.start_trial(trial_id)
        await self.send(
            progress=pb.TrialProgress(
                trial_id=trial_id, fraction=0.5, bar=FIRST_BAR + DAY, equity=100_000.0
            )
        )
        await self.send(log=pb.LogBatch(trial_id=trial_id, entries=[market_order()]))
        await self.send(
            equity=pb.EquityBatch(
                trial_id=trial_id, bars=[FIRST_BAR, FIRST_BAR + DAY], values=[1e5, 1.1e5]
            )
        )
        await self.finish(trial_id)

    async def finish(self, trial_id: str) -> None:
        usage = pb.Usage(wall_seconds=0.2, cpu_seconds=0.1, max_rss_bytes=1 << 20)
        await self.send(finished=pb.TrialFinished(trial_id=trial_id, usage=usage))


def market_order(number: int = 1, bar: int = FIRST_BAR, **changes: Any) -> pb.LogEntry:
    values = {
        "number": number,
        "bar": bar,
        "phase": pb.LogEntry.PHASE_BAR,
        "symbol": "AAPL",
        "amount": 10,
        "kind": "market",
    }
    return pb.LogEntry(**(values | changes))


Behaviour = Callable[[Channel], Awaitable[None]]


async def honest(channel: Channel) -> None:
    """Run every trial to its end."""
    await channel.greet()
    while (run := await channel.next_run()) is not None:
        await channel.succeed(run.trial_id)


async def hang() -> None:
    """Do nothing until killed."""
    await asyncio.Event().wait()


class StandInEngine:
    """The calls of ``DockerEngine``; a container is a task that runs the next behaviour.

    Attributes:
        behaviours: One per container; the last one serves all further ones.
        exit_state: How a container that ended by itself is found.
        refuse: Number of coming `create` calls that fail.
    """

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours) or [honest]
        self.exit_state = ContainerState(False, 0, False, "")
        self.refuse = 0
        self.refuse_with: Exception = EngineError("no")
        self.configs: dict[str, Any] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.history: list[str] = []
        self.most = 0
        self._lock = Lock()
        self._loop = asyncio.get_running_loop()

    def info(self) -> EngineInfo:
        return EngineInfo("20", "6", 1, "cgroupfs", "overlay2", ("runc",), {}, (), "/", 64, 1 << 34)

    def resolve_image(self, tag: str) -> str:
        return "sha256:" + "a" * 64

    def create(self, name: str, config: Any) -> None:
        with self._lock:
            self.history.append(f"create {name}")
            if self.refuse:
                self.refuse -= 1
                raise self.refuse_with
            self.configs[name] = config
            self.labels[name] = config["Labels"]

    def start(self, name: str) -> None:
        mount = self.configs[name]["HostConfig"]["Mounts"][0]
        behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        asyncio.run_coroutine_threadsafe(
            self._launch(name, behaviour, Path(mount["Source"]) / "link.sock"), self._loop
        ).result()

    async def _launch(self, name: str, behaviour: Behaviour, path: Path) -> None:
        async def life() -> None:
            channel = Channel(path)
            try:
                await behaviour(channel)
            except (ConnectionError, grpc.aio.BaseError, asyncio.InvalidStateError):
                pass
            finally:
                await channel.close()

        self.tasks[name] = asyncio.create_task(life())
        self.most = max(self.most, len(self.running))

    @property
    def running(self) -> list[str]:
        return [name for name, task in self.tasks.items() if not task.done()]

    def kill(self, name: str) -> None:
        with self._lock:
            self.history.append(f"kill {name}")
        task = self.tasks.get(name)
        if task is not None:
            self._loop.call_soon_threadsafe(task.cancel)

    def remove(self, name: str) -> None:
        self.kill(name)
        with self._lock:
            self.configs.pop(name, None)
            self.labels.pop(name, None)

    def state(self, name: str) -> ContainerState | None:
        if name not in self.configs:
            return None
        task = self.tasks.get(name)
        if task is not None and not task.done():
            return ContainerState(True, 0, False, "")
        return self.exit_state

    def labelled(self, label: str, value: str) -> tuple[ContainerSummary, ...]:
        with self._lock:
            return tuple(
                ContainerSummary(name, running=True, labels=labels)
                for name, labels in self.labels.items()
                if labels.get(label) == value
            )

    def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def stand_in_engine(*behaviours: Behaviour) -> AsyncIterator[StandInEngine]:
    engine = StandInEngine(*behaviours)
    try:
        yield engine
    finally:
        for task in engine.tasks.values():
            task.cancel()
        await asyncio.gather(*engine.tasks.values(), return_exceptions=True)
