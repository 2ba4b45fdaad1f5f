"""The paths of this process as the engine sees them: not the same when we run in a container."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, final

from stratlab.domain.errors import UnsafeConfigurationError

_RUN_FOLDER: Final = "run"
_HINT: Final = (
    "Set sandbox.host_home to the host directory that is mounted as the home directory, "
    "see docs/deployment.md."
)


@final
@dataclass(frozen=True, slots=True)
class HostPaths:
    """Translates what we want mounted into paths of the engine's host.

    Attributes:
        home: Home directory as this process sees it.
        host_home: The same directory as the engine sees it; None when both see the same paths.
    """

    home: Path = Path("/")
    host_home: Path | None = None

    @classmethod
    def of(cls, home: Path, host_home: str) -> Self:
        """Read the setting ``sandbox.host_home``.

        Raises:
            UnsafeConfigurationError: It is not an absolute path below ``/``.
        """
        if not host_home:
            return cls()
        path = Path(host_home)
        if not path.is_absolute() or ".." in path.parts or path == Path("/") or "\0" in host_home:
            raise UnsafeConfigurationError(
                f"sandbox.host_home is {host_home!r}, not an absolute path below /", hint=_HINT
            )
        return cls(home.resolve(), path)

    def of_host(self, path: Path) -> Path:
        """Return ``path`` as the engine sees it.

        Raises:
            UnsafeConfigurationError: The engine cannot see it: it lies outside the home directory.
        """
        if self.host_home is None:
            return path
        if not path.is_relative_to(self.home):
            raise UnsafeConfigurationError(
                f"{str(path)!r} lies outside the home directory {str(self.home)!r}, so the "
                "engine does not see it",
                hint="Keep data sets below the home directory itself, not behind links.",
            )
        return self.host_home / path.relative_to(self.home)

    def socket_parent(self) -> Path | None:
        """Return the directory for sockets that the engine sees too; None for the usual one."""
        return None if self.host_home is None else self.home / _RUN_FOLDER


SAME_PATHS: Final = HostPaths()
"""The engine sees every directory under the path that this process knows."""
