"""The Docker engine behind a thin typed wrapper; nothing else imports the Docker SDK.

Every call blocks and belongs on a thread. Errors of the engine come out as stratlab's own.
"""

import io
import json
import math
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, final

from stratlab.domain.errors import (
    EngineError,
    EngineUnavailableError,
    SandboxNotReadyError,
    UnsafeConfigurationError,
)
from stratlab.sandbox.engine_facts import ContainerState, ContainerSummary, EngineInfo

if TYPE_CHECKING:
    from docker import APIClient

ContainerConfig = Mapping[str, Any]
"""Body of the engine's `POST /containers/create`."""

IMAGE_LABEL = "org.stratlab.inputs"
"""Label that the build puts on the sandbox image: a hash of everything it was made from."""

# All calls but making and starting a container are answered at once by an engine that works,
# and one that hangs must not keep a controller from ending.
_QUICK_SECONDS: Final = 10


@final
class DockerEngine:
    """One Docker engine on this host; usable from any thread.

    Args:
        address: ``unix:///path``; empty for what the Docker command line would use.
        timeout_seconds: For making and starting containers, which may wait for a busy disk.

    Raises:
        UnsafeConfigurationError: The address is not a unix socket. Members reach the
            controller through a directory of this host, and an engine behind TCP would take
            root commands from whoever reaches the port.
    """

    def __init__(self, address: str = "", timeout_seconds: float = 30.0) -> None:
        if address and not address.startswith(("unix://", "http+unix://")):
            raise UnsafeConfigurationError(
                f"the engine address {address!r} is not a unix socket",
                hint="Set sandbox.engine to unix:///path/of/docker.sock of this host.",
            )
        self._address = address
        self._slow_seconds = math.ceil(timeout_seconds)
        self._quick_seconds = min(self._slow_seconds, _QUICK_SECONDS)
        self._clients: dict[int, APIClient] = {}
        self._lock = Lock()

    def ping(self) -> None:
        """Check that the engine answers.

        Raises:
            EngineUnavailableError: It does not.
        """
        with self._translated("ping"):
            self._connect().ping()

    def info(self) -> EngineInfo:
        """Return versions and settings of the engine.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("info"):
            client = self._connect()
            return _read_info(client.info(), client.version())

    def resolve_image(self, tag: str) -> str:
        """Return the id (``sha256:...``) of the image behind ``tag``.

        Raises:
            SandboxNotReadyError: There is no such image, or it is not one of ours.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("inspect image", tag):
            image = self._connect().inspect_image(tag)  # type: ignore[no-untyped-call]  # no stub
            labels = (image.get("Config") or {}).get("Labels") or {}
            image_id = str(image["Id"])
        if not labels.get(IMAGE_LABEL):
            raise SandboxNotReadyError(
                f"the image {tag!r} was not built by stratlab",
                hint="Run `make image`, or set sandbox.image to the tag that it builds.",
                image=tag,
            )
        return image_id

    def create(self, name: str, config: ContainerConfig) -> None:
        """Create a container, not started.

        Raises:
            SandboxNotReadyError: The image is gone.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("create container", name):
            client = self._connect(patient=True)
            client.create_container_from_config(dict(config), name)  # type: ignore[no-untyped-call]  # no stub

    def start(self, name: str) -> None:
        """Start a created container.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("start container", name):
            self._connect(patient=True).start(name)

    def kill(self, name: str) -> None:
        """Kill a container at once; no error when it does not run or exist.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("kill container", name, gone_is_fine=True):
            self._connect().kill(name)

    def remove(self, name: str) -> None:
        """Kill and remove a container; no error when it is gone or going.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("remove container", name, gone_is_fine=True):
            self._connect().remove_container(name, v=True, force=True)

    def state(self, name: str) -> ContainerState | None:
        """Return how a container stands, or None when it does not exist.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        found: ContainerState | None = None
        with self._translated("inspect container", name, gone_is_fine=True):
            state = self._connect().inspect_container(name)["State"]
            found = ContainerState(
                running=bool(state["Running"]),
                exit_code=int(state["ExitCode"]),
                oom_killed=bool(state["OOMKilled"]),
                error=str(state.get("Error") or ""),
            )
        return found  # noqa: RET504 - the block above may end early, without an exception

    def first_process(self, name: str) -> int:
        """Return the host process id of a running container's first process.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused, or the container does not run.
        """
        with self._translated("inspect container", name):
            process = int(self._connect().inspect_container(name)["State"]["Pid"])
        if process <= 0:
            raise EngineError(f"the container {name} ended at once")
        return process

    def read_file(self, name: str, path: str) -> bytes | None:
        """Return a small file as a container sees it, running or not; None when it is not there.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        content: bytes | None = None
        with self._translated("read a file of", name, gone_is_fine=True):
            chunks, _ = self._connect().get_archive(name, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.next()
                file = archive.extractfile(member) if member is not None else None
                content = file.read() if file is not None else None
        return content

    def labelled(self, label: str, value: str) -> tuple[ContainerSummary, ...]:
        """Return every container, running or not, that carries ``label=value``.

        Raises:
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        with self._translated("list containers"):
            found = self._connect().containers(all=True, filters={"label": f"{label}={value}"})
            return tuple(
                ContainerSummary(
                    name=str(item["Names"][0]).lstrip("/"),
                    running=item.get("State") == "running",
                    labels=dict(item.get("Labels") or {}),
                )
                for item in found
                if item.get("Names")
            )

    def run_to_end(
        self, name: str, config: ContainerConfig, timeout_seconds: int
    ) -> tuple[int | None, str]:
        """Run a container until it ends and remove it in any case.

        Returns:
            The exit code, None when the time was up, and the last lines it printed.

        Raises:
            SandboxNotReadyError: The image is gone.
            EngineUnavailableError: No engine answers.
            EngineError: The engine refused.
        """
        try:
            self.create(name, config)
            self.start(name)
            code = self._wait(name, timeout_seconds)
            if code is None:
                self.kill(name)
            with self._translated("read log", name):
                tail = self._connect().logs(name, tail=30)
            return code, bytes(tail).decode("utf-8", "backslashreplace")
        finally:
            self.remove(name)

    def close(self) -> None:
        """Release the connections."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _wait(self, name: str, timeout_seconds: int) -> int | None:
        # The SDK's own timeout error differs between transports, so any of them counts.
        from requests.exceptions import (  # noqa: PLC0415 - keeps start-up fast
            ConnectionError as ConnectionFailedError,
        )
        from requests.exceptions import Timeout  # noqa: PLC0415 - keeps start-up fast

        with self._translated("wait for container", name):
            try:
                return int(self._connect().wait(name, timeout=timeout_seconds)["StatusCode"])
            except (Timeout, ConnectionFailedError):
                state = self.state(name)
                return None if state is None or state.running else state.exit_code

    def _connect(self, *, patient: bool = False) -> "APIClient":
        timeout_seconds = self._slow_seconds if patient else self._quick_seconds
        self._require_listener()
        with self._lock:
            known = self._clients.get(timeout_seconds)
        if known is not None:
            return known
        # Without the lock: an engine that hangs would keep all others waiting for it in turn.
        made = self._new_client(timeout_seconds)
        with self._lock:
            client = self._clients.setdefault(timeout_seconds, made)
        if client is not made:
            made.close()
        return client

    def _require_listener(self) -> None:
        # The SDK leaves the socket of a failed connection open, one more for each try.
        from docker.constants import DEFAULT_UNIX_SOCKET  # noqa: PLC0415 - keeps start-up fast

        path = (self._options().get("base_url") or DEFAULT_UNIX_SOCKET).partition("://")[2]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(self._quick_seconds)
            probe.connect(path)

    def _new_client(self, timeout_seconds: int) -> "APIClient":
        from docker import APIClient  # noqa: PLC0415 - keeps start-up fast

        return APIClient(**self._options(), version="auto", timeout=timeout_seconds)

    def _options(self) -> dict[str, Any]:
        from docker.utils import kwargs_from_env  # noqa: PLC0415 - keeps start-up fast

        options = {"base_url": self._address} if self._address else kwargs_from_env()
        base_url = options.get("base_url", "")
        if base_url and not base_url.startswith(("unix://", "http+unix://")):
            raise UnsafeConfigurationError(
                f"DOCKER_HOST points to {base_url!r}, which is not on this host",
                hint="Unset DOCKER_HOST, or set sandbox.engine to a unix socket.",
            )
        return dict(options)

    @contextmanager
    def _translated(
        self, action: str, name: str = "", *, gone_is_fine: bool = False
    ) -> Iterator[None]:
        from docker.errors import (  # noqa: PLC0415 - keeps start-up fast
            APIError,
            DockerException,
            ImageNotFound,
        )
        from requests.exceptions import RequestException  # noqa: PLC0415 - the same

        what = f"{action} {name}".strip()
        try:
            yield
        except ImageNotFound as error:
            raise SandboxNotReadyError(
                f"the sandbox image is missing: {_explain(error)}", image=name
            ) from error
        except APIError as error:
            status = error.response.status_code if error.response is not None else None
            if gone_is_fine and status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return
            raise EngineError(
                f"the Docker engine refused to {what}: {_explain(error)}", status=status
            ) from error
        except (RequestException, DockerException, OSError) as error:
            raise EngineUnavailableError(
                f"the Docker engine did not answer ({what}): {type(error).__name__}"
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(f"the Docker engine's answer makes no sense ({what})") from error


def _explain(error: Exception) -> str:
    # The engine answers errors with {"message": ...}; the SDK keeps it in `explanation`.
    text = str(getattr(error, "explanation", None) or error)
    with suppress(ValueError, AttributeError):
        text = str(json.loads(text).get("message", text))
    return text.strip()[:500]


def _read_info(info: Mapping[str, Any], version: Mapping[str, Any]) -> EngineInfo:
    return EngineInfo(
        version=str(info.get("ServerVersion", "")),
        kernel=str(info.get("KernelVersion", "")),
        cgroup_version=int(info.get("CgroupVersion", "1")),
        cgroup_driver=str(info.get("CgroupDriver", "none")),
        storage_driver=str(info.get("Driver", "")),
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        components={
            str(part.get("Name", "")): _packaged_version(part, info)
            for part in version.get("Components") or ()
        },
        security_options=tuple(info.get("SecurityOptions") or ()),
        root_directory=str(info.get("DockerRootDir", "")),
        cpus=int(info.get("NCPU", 1)),
        memory_bytes=int(info.get("MemTotal", 0)),
    )


def _packaged_version(part: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    # Debian writes the version of its package where others have a commit; it alone tells whether
    # a fix was ported back.
    name, version = str(part.get("Name", "")), str(part.get("Version", ""))
    commit = (info.get(f"{name.capitalize()}Commit") or {}).get("ID", "")
    return str(commit) if version and str(commit).startswith(version) else version
