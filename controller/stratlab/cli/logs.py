"""Where the log of a process goes: never to stdout."""

import logging
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

LOG_NAME = "stratlab.log"


@contextmanager
def logging_to(stream: TextIO) -> Iterator[None]:
    """Send structured logs, and warnings of libraries, to a stream while the context lasts."""
    import structlog  # noqa: PLC0415 (keeps start-up fast)

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()


@contextmanager
def logging_to_home(home: Path) -> Iterator[None]:
    """Do the same with ``stratlab.log`` in the home directory."""
    with (home / LOG_NAME).open("a", encoding="utf-8", buffering=1) as log, logging_to(log):
        yield


def record_traceback(error: BaseException) -> Path:
    """Write an unexpected error to a file and return its path.

    Not into the home directory: the settings may be what is broken.
    """
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.NamedTemporaryFile(
        "w", prefix="stratlab-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"timestamp={stamp} event=unexpected_error argv={sys.argv[1:]!r}\n")
        log.write("".join(traceback.format_exception(error)))
    return Path(log.name)
