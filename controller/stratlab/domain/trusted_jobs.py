"""The port of trusted jobs: our own programs in the sandbox image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class TrustedJobs(Protocol):
    """Runs our own programs in the sandbox image; never anything generated."""

    def image_id(self) -> str:
        """Return the content address of the sandbox image.

        Raises:
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing.
        """
        ...

    def run(self, module: str, *, read: Mapping[str, Path], write: Mapping[str, Path]) -> None:
        """Run ``python -P -m module`` without network until it ends.

        Args:
            module: A module of ``stratlab_runner``.
            read: Container directory -> host directory, mounted read-only.
            write: Container directory -> host directory, mounted writable.

        Raises:
            EngineUnavailableError: No engine answers.
            SandboxNotReadyError: The image is missing.
            EngineError: The job failed; the message ends with its last lines.
        """
        ...
