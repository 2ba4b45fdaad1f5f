"""A socket between the controller and the real Docker engine that a test lets misbehave."""

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

REAL_ENGINE = "/var/run/docker.sock"
_HEADER_END = b"\r\n\r\n"


@dataclass
class Fault:
    """What happens to matching requests.

    Attributes:
        pattern: Searched in ``METHOD /path``.
        action: ``"409"`` or ``"500"`` answers so, ``"hang"`` never answers, ``"cut"`` ends the
            connection, ``"garbage"`` answers with no HTTP, ``"half"`` sends half an answer.
        times: How many requests.
    """

    pattern: str
    action: str
    times: int = 10**9


class EngineProxy:
    """Forwards every request on a connection of its own; runs in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = f"unix://{path}"
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self._healed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-proxy")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        self._call(self._end_tasks)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen, as an engine that has come back."""

        async def listen() -> None:
            self._server = await asyncio.start_unix_server(self._serve, self.path)

        self._call(listen)

    def die(self) -> None:
        """Stop listening and cut every connection, as an engine that was killed."""

        async def end() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._open):
                writer.transport.abort()
            self.path.unlink(missing_ok=True)

        self._call(end)

    def fail(self, pattern: str, action: str, times: int = 10**9) -> None:
        """Let the next requests that match misbehave."""
        self._loop.call_soon_threadsafe(self._healed.clear)
        self.faults.append(Fault(pattern, action, times))

    def heal(self) -> None:
        """Forward everything again; requests that hang are cut."""
        self.faults.clear()
        self._loop.call_soon_threadsafe(self._healed.set)

    def _call(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(timeout=30)

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, EOFError):
                while head := await _read_head(reader):
                    body = await _read_body(reader, head)
                    if not await self._answer(head, body, writer):
                        break
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
        request = b" ".join(head.split(b" ", 2)[:2]).decode()
        self.seen.append(request)
        fault = self._fault_of(request)
        match fault.action if fault else "":
            case "":
                await _forward(head, body, writer)
                return False
            case "hang":
                await self._healed.wait()
                return False
            case "cut":
                return False
            case "garbage":
                writer.write(b"\x00\xff SSH-2.0 hello\r\n" * 10)
            case "half":
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"Id": "')
            case status:
                text = json.dumps({"message": "planned by the test"}).encode()
                writer.write(
                    f"HTTP/1.1 {status} Planned\r\nContent-Type: application/json\r\n"
                    f"Connection: close\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                    + text
                )
        await writer.drain()
        return False

    def _fault_of(self, request: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, request):
                fault.times -= 1
                return fault
        return None


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(_HEADER_END)
    except asyncio.IncompleteReadError:
        return b""


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    found = re.search(rb"(?i)content-length: *(\d+)", head)
    return await reader.readexactly(int(found[1])) if found else b""


async def _forward(head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
    # One request per connection, so that the end of the answer is the end of the stream.
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    lines[1:1] = [b"Connection: close"]
    engine_reader, engine_writer = await asyncio.open_unix_connection(REAL_ENGINE)
    try:
        engine_writer.write(b"\r\n".join(lines) + body)
        await engine_writer.drain()
        while piece := await engine_reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        engine_writer.close()
