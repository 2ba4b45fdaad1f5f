"""Implements the ``Screener`` port with processes that fork a child for each source."""

import json
import os
import select
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from threading import Lock
from typing import Final, final

from stratlab.domain.errors import UnavailableError
from stratlab.domain.strategy import Author, Finding, LayerRun, ScreeningReport, Severity
from stratlab.screening.rule import Layer
from stratlab.screening.rules.static import UNSCREENABLE
from stratlab.screening.worker import ANSWER, REQUEST
from stratlab_runner import contract

TIMEOUT_SECONDS: Final = 15.0
START_SECONDS: Final = 60.0
# As many as `stratlab validate` asks at the same time.
_KEPT: Final = max(2, os.cpu_count() or 1)
_CHUNK: Final = 1 << 16


@final
class SubprocessScreener:
    """Screens in a process of its own; no text makes it raise. Safe from any thread.

    A source costs a fork, not the start of an interpreter. Sources that are screened at the same
    time get processes of their own, so that a slow one keeps nobody waiting.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: list[_Worker] = []

    def screen(self, source: str, author: Author = Author.HUMAN) -> ScreeningReport:
        """Return the findings of all layers that ran.

        Raises:
            UnavailableError: No process can be started for it; no fault of the source.
        """
        content = source.encode("utf-8", "replace")
        # What is far too large is not even handed over; the static layer explains it.
        content = content[: contract.MAX_SOURCE_BYTES + 1]
        try:
            status, answer = self._exchange(content, author)
        except TimeoutError:
            return _unscreenable("screening took too long")
        except OSError:
            return _unscreenable("the screening process ended")
        if status != 0:
            return _unscreenable(f"screening ended with status {status}")
        report = json.loads(answer)
        return ScreeningReport(
            tuple(_finding(record) for record in report["findings"]),
            tuple(LayerRun(**record) for record in report["layers"]),
        )

    def _exchange(self, content: bytes, author: Author) -> tuple[int, bytes]:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is not None:
            # It may have been killed while it waited, which is no fault of this source.
            with suppress(BrokenPipeError, ConnectionResetError):
                return self._ask(worker, content, author)
        return self._ask(_Worker(), content, author)

    def _ask(self, worker: "_Worker", content: bytes, author: Author) -> tuple[int, bytes]:
        try:
            answer = worker.ask(content, author)
        except BaseException:
            worker.stop()
            raise
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append(worker)
                return answer
        worker.stop()
        return answer


@final
class _Worker:
    # One process of `screening.worker`. It ends with us: its stdin does.
    def __init__(self) -> None:
        try:
            process = _start()
        except OSError as error:
            raise UnavailableError(f"screening cannot start: {error}") from None
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._answers = process.stdin, process.stdout
        self.process_id = process.pid
        self.stop = weakref.finalize(self, _stop, process)
        try:
            self._read(ANSWER.size, time.monotonic() + START_SECONDS)
        except OSError:
            self.stop()
            raise UnavailableError("the screening process does not start") from None

    def ask(self, content: bytes, author: Author) -> tuple[int, bytes]:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        self._requests.write(REQUEST.pack(len(content), author is Author.MODEL))
        # Reads all of a request before it does anything, so this cannot block for long.
        view = memoryview(content)
        while view:
            view = view[self._requests.write(view) :]
        status, size = ANSWER.unpack(self._read(ANSWER.size, deadline))
        return status, self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            left = max(deadline - time.monotonic(), 0.0)
            ready, _, _ = select.select([self._answers], [], [], left)
            if not ready:
                raise TimeoutError
            part = os.read(self._answers.fileno(), min(size - len(parts), _CHUNK))
            if not part:
                raise ConnectionResetError
            parts += part
        return bytes(parts)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "stratlab.screening.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        # Ctrl-C is for the controller; the worker ends when that says so.
        start_new_session=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.kill()
    process.wait()


def _finding(record: dict[str, str | int]) -> Finding:
    return Finding(
        layer=str(record["layer"]),
        rule=str(record["rule"]),
        severity=Severity(str(record["severity"])),
        line=int(record["line"]),
        column=int(record["column"]),
        message=str(record["message"]),
        hint=str(record["hint"]),
    )


def _unscreenable(message: str) -> ScreeningReport:
    return ScreeningReport((UNSCREENABLE.at(reason=message),), (LayerRun(Layer.STATIC, 0.0),))
