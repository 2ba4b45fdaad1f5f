"""Where the log of a process goes: never to stdout."""

import logging
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast, final

from stratlab.domain.errors import from_os_error

LOG_NAME = "stratlab.log"


@contextmanager
def logging_to(stream: TextIO) -> Iterator[None]:
    """Send structured logs, and warnings of libraries, to a stream while the context lasts.

    Lines that cannot be written, on a full disk or to a reader that has gone, are lost: whoever
    logs has more important things to do.
    """
    import structlog  # noqa: PLC0415 (keeps start-up fast)

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Forgiving(stream))),
    )
    handler = logging.StreamHandler(_Forgiving(stream))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()


@contextmanager
def logging_to_home(home: Path) -> Iterator[None]:
    """Do the same with ``stratlab.log`` in the home directory."""
    try:
        log = (home / LOG_NAME).open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    except OSError as error:
        raise from_os_error(error) from None
    try:
        with logging_to(log):
            yield
    finally:
        with suppress(OSError):
            log.close()


def record_traceback(error: BaseException) -> Path | None:
    """Write an unexpected error to a file and return its path, None when that fails too.

    Not into the home directory: the settings may be what is broken.
    """
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="stratlab-",
            suffix=".log",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as log:
            log.write(f"timestamp={stamp} event=unexpected_error argv={sys.argv[1:]!r}\n")
            log.write("".join(traceback.format_exception(error)))
    except OSError:
        return None
    return Path(log.name)


@final
class _Forgiving:
    # A stream whose writes never fail.

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
