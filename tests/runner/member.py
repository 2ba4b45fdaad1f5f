"""Plays the controller for one container: a gRPC server on its socket, and the full policy."""

import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_proto.runner.v1.runner_service_pb2_grpc import (
    RunnerServiceServicer,
    add_RunnerServiceServicer_to_server,
)

IMAGE = "stratlab-sandbox:0.1.0"
ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "docker" / "seccomp.json"
UID = 70_123
NONCE = b"a nonce that no strategy knows"
MEMORY_MIB = 768
PIDS = 64


def policy(*, profile: Path = PROFILE) -> list[str]:
    """The flags that every container gets."""
    return [
        "--network=none", "--read-only", "--cap-drop=ALL", "--ipc=none", "--hostname=member",
        "--security-opt=no-new-privileges", f"--security-opt=seccomp={profile}",
        f"--user={UID}:{UID}", f"--memory={MEMORY_MIB}m", f"--memory-swap={MEMORY_MIB}m",
        "--memory-swappiness=0", "--cpus=1", f"--pids-limit={PIDS}", "--oom-score-adj=1000",
        "--ulimit=nofile=1024", f"--ulimit=nproc={PIDS}", "--ulimit=fsize=67108864",
        "--ulimit=core=0",
        f"--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m,nr_inodes=4k,mode=0700,uid={UID}",
    ]  # fmt: skip


class Member(RunnerServiceServicer):
    """A container of the sandbox image with its link; a context manager."""

    def __init__(self, tier: Path) -> None:
        self._tier = tier
        self._scratch = tempfile.TemporaryDirectory(prefix="member-")
        self._socket = Path(self._scratch.name) / "link.sock"
        self._frames: queue.Queue[pb.AttachRequest | None] = queue.Queue()
        self._commands: queue.Queue[pb.AttachResponse | None] = queue.Queue()
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        self._sequence = 0
        self.container = ""
        self.startup_seconds = 0.0

    def Attach(  # noqa: N802 - the name of the rpc
        self, request_iterator: Iterator[pb.AttachRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.AttachResponse]:
        def collect() -> None:
            try:
                for frame in request_iterator:
                    self._frames.put(frame)
            except grpc.RpcError:
                pass
            self._frames.put(None)

        threading.Thread(target=collect, daemon=True).start()
        self._socket.unlink()  # nobody else may connect
        while (command := self._commands.get()) is not None:
            yield command

    def __enter__(self) -> Self:
        Path(self._scratch.name).chmod(0o755)
        add_RunnerServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()
        self._socket.chmod(0o666)
        self.container = docker(
            "run", "--detach", *policy(),
            f"--volume={self._scratch.name}:/run/stratlab:ro", f"--volume={self._tier}:/data:ro",
            IMAGE,
        ).strip()  # fmt: skip
        assert self.frame().WhichOneof("frame") == "hello"
        self._commands.put(pb.AttachResponse(welcome=pb.Welcome(nonce=NONCE)))
        ready = self.frame()
        assert ready.WhichOneof("frame") == "ready"
        self.startup_seconds = ready.ready.startup_seconds
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(docker("logs", self.container))
        self.disconnect()
        docker("rm", "--force", self.container)
        self._scratch.cleanup()

    def disconnect(self) -> None:
        """Go away, as a killed controller does."""
        self._commands.put(None)
        self._server.stop(None).wait()

    def frame(self, timeout: float = 30.0) -> pb.AttachRequest:
        """The next frame, with sequence and nonce checked."""
        frame = self._frames.get(timeout=timeout)
        assert frame is not None, docker("logs", self.container)
        assert frame.sequence == self._sequence
        assert frame.nonce == (NONCE if self._sequence else b"")
        self._sequence += 1
        return frame

    def closed(self, timeout: float = 30.0) -> bool:
        """Whether the container ends the stream now."""
        return self._frames.get(timeout=timeout) is None

    def exit_code(self, timeout: float = 30.0) -> int:
        """Wait until the container has ended by itself."""
        deadline = time.monotonic() + timeout
        while docker("inspect", "--format={{.State.Running}}", self.container).strip() == "true":
            assert time.monotonic() < deadline, "the container still runs"
            time.sleep(0.1)
        return int(docker("inspect", "--format={{.State.ExitCode}}", self.container))

    def send(self, command: pb.AttachResponse) -> None:
        """Send a command as it is."""
        self._commands.put(command)

    def run(self, source: str, timeout: float = 60.0, **changes: Any) -> "Result":
        """Run one trial and collect its frames up to the last."""
        result = Result()
        began = time.monotonic()
        self.send(pb.AttachResponse(run=trial(source, **changes)))
        while True:
            frame = self.frame(timeout - (time.monotonic() - began))
            result.add(frame)
            if frame.WhichOneof("frame") in {"finished", "failed"}:
                return result


class Result:
    """Everything that one trial said."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.log: list[pb.LogEntry] = []
        self.fills: list[pb.Fill] = []
        self.equity: list[tuple[int, float]] = []
        self.progress: list[pb.TrialProgress] = []
        self.output = pb.Output()
        self.failed: pb.TrialFailed | None = None
        self.usage = pb.Usage()
        self.bars = 0

    @property
    def cause(self) -> str:
        """Name of the failure's cause, "" for success."""
        return pb.TrialFailed.Cause.Name(self.failed.cause) if self.failed else ""

    def add(self, frame: pb.AttachRequest) -> None:
        """Take a frame in."""
        kind = frame.WhichOneof("frame")
        self.kinds.append(kind)
        match kind:
            case "started":
                self.bars = frame.started.bars
            case "log":
                self.log += frame.log.entries
            case "fills":
                self.fills += frame.fills.fills
            case "equity":
                self.equity += zip(frame.equity.bars, frame.equity.values, strict=True)
            case "progress":
                self.progress.append(frame.progress)
            case "output":
                self.output = frame.output
            case "finished":
                self.usage = frame.finished.usage
            case "failed":
                self.failed = frame.failed
                self.usage = frame.failed.usage


def trial(source: str, **changes: Any) -> pb.RunTrial:
    """A trial on the test tier; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "trial_id": "trial-1",
        "source": source,
        "parameters_json": json.dumps(changes.pop("parameters", {})),
        "start": "2020-01-02",
        "end": "2020-12-31",
        "capital": 100_000.0,
        "cost_model": "next_open",
        "slippage_bps": 10.0,
        "commission_per_share": 0.01,
        "volume_limit": 0.1,
        "max_leverage": 10.0,
        "max_position_shares": 0,
        "cpu_seconds": 20,
        "seed": 7,
        "output_tail_bytes": 4096,
        "max_output_bytes": 4 << 20,
        "symbols": ["AAA", "BBB"],
    }
    return pb.RunTrial(**(fields | changes))


def docker(*arguments: str) -> str:
    """Run the client and return what it printed."""
    result = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0 or arguments[0] == "rm", result.stderr
    return result.stdout + (result.stderr if arguments[0] == "logs" else "")
