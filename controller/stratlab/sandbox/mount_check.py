"""Proves that a mount shows the engine the very directory that this process sees."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.sandbox.engine import DockerEngine
from stratlab.sandbox.labels import ContainerLabels
from stratlab.sandbox.policy import HostTraits, job_config

_TARGET: Final = "/check"
_MODULE: Final = "stratlab_runner.canary_probe"  # never started
_HINT: Final = (
    "When the controller runs in a container, mount its home directory from the host and set "
    "sandbox.host_home to the host's path of it, see docs/deployment.md."
)


def check_mounts(
    engine: DockerEngine,
    image_id: str,
    host: HostTraits,
    labels: ContainerLabels,
    directories: Sequence[Path],
) -> None:
    """Write a random file into each directory and read it back through a container's mount.

    The container is made and removed but never started. Blocks.

    Raises:
        SandboxNotReadyError: The engine sees another directory, or none.
        UnsafeConfigurationError: A directory lies outside the home directory.
        EngineUnavailableError: No engine answers.
        EngineError: The engine refused for another reason.
    """
    targets = {f"{_TARGET}/{number}": path for number, path in enumerate(directories)}
    config = job_config(
        image_id=image_id,
        user="65534:65534",
        module=_MODULE,
        read=targets,
        write={},
        labels=labels,
        host=host,
    )
    try:
        engine.create(labels.member, config)
        for target, directory in targets.items():
            _compare(engine, labels.member, target, directory, host.paths.of_host(directory))
    except EngineError as error:
        if "bind source path" not in error.message:
            raise
        raise SandboxNotReadyError(
            f"the engine does not see our directories: {error.message}", hint=_HINT
        ) from error
    finally:
        engine.remove(labels.member)


def _compare(
    engine: DockerEngine, container: str, target: str, directory: Path, host_directory: Path
) -> None:
    token = secrets.token_hex(16)
    file = directory / f".mount-check-{token[:8]}"
    try:
        file.write_text(token, "ascii")
        seen = engine.read_file(container, f"{target}/{file.name}")
    except OSError as error:
        raise SandboxNotReadyError(
            f"{str(directory)!r} cannot be written: {error.strerror}",
            hint="Give the controller's user the home directory, see docs/deployment.md.",
        ) from error
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    if seen != token.encode():
        raise SandboxNotReadyError(
            f"a mount of {str(host_directory)!r} does not show what the controller has in "
            f"{str(directory)!r}",
            hint=_HINT,
            directory=directory,
            host_directory=host_directory,
        )
