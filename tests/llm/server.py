"""A local HTTP server that speaks the Messages API, fails as told, and keeps its own bill."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-ant-canary-0123456789abcdef"
PRICES = {
    "claude-test": (2_000_000, 10_000_000, 4_000_000, 200_000),
    "claude-cheap": (500_000, 2_500_000, 1_000_000, 50_000),
}
"""Model -> micro-dollars for a million tokens: input, output, cache write, cache read."""


class Fault(StrEnum):
    """What the server does instead of answering well."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    SILENCE = "silence"
    HANG_UP = "hang_up"
    TRUNCATED_JSON = "truncated_json"
    HTML = "html"
    WRONG_SCHEMA = "wrong_schema"
    CUT_STREAM = "cut_stream"
    REFUSAL = "refusal"
    MAX_TOKENS = "max_tokens"
    SPENDING_LIMIT = "spending_limit"
    UNAUTHORISED = "unauthorised"
    BAD_REQUEST = "bad_request"


TRANSIENT = (
    Fault.RATE_LIMITED,
    Fault.OVERLOADED,
    Fault.SERVER_ERROR,
    Fault.HANG_UP,
    Fault.TRUNCATED_JSON,
    Fault.HTML,
    Fault.WRONG_SCHEMA,
)
"""Faults after which the same request may succeed."""

_STATUS = {
    Fault.RATE_LIMITED: (429, "rate_limit_error", "too many requests"),
    Fault.OVERLOADED: (529, "overloaded_error", "overloaded"),
    Fault.SERVER_ERROR: (500, "api_error", "internal server error"),
    Fault.SPENDING_LIMIT: (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the API.",
    ),
    Fault.UNAUTHORISED: (401, "authentication_error", f"invalid x-api-key {KEY}"),
    Fault.BAD_REQUEST: (400, "invalid_request_error", "messages: this cannot be answered"),
}


@dataclass(frozen=True)
class Seen:
    """A request as it came.

    Attributes:
        body: Parsed.
        raw: Its bytes.
        earlier: How often the same bytes came before.
    """

    body: dict[str, Any]
    raw: bytes
    earlier: int

    @property
    def text(self) -> str:
        """What the last turn says."""
        return str(self.body["messages"][-1]["content"])

    @property
    def number(self) -> int:
        """A number that follows from the bytes alone."""
        return int.from_bytes(hashlib.sha256(self.raw).digest()[:8], "big")


Author = Callable[[Seen], str]
FaultPlan = Callable[[Seen], Fault | None]


def no_faults(seen: Seen) -> Fault | None:
    return None


@dataclass
class MessagesServer:
    """What a test steers and looks at.

    Attributes:
        author: Writes the text of an answer.
        faults: Says how a request fails, None when it does not.
        retry_after: Header of 429 and 529, "" for none.
        bytes_per_token: How this server counts tokens; 1 is the worst case.
        silence_seconds: How long it is silent before it closes the connection.
        micro_usd: Its bill.
        seen: Every request.
        faulty: Which faults happened, and how often.
        key: Which it asks for, "" for none.
    """

    author: Author = lambda seen: "hello"
    faults: FaultPlan = no_faults
    retry_after: str = ""
    bytes_per_token: int = 3
    silence_seconds: float = 2.0
    micro_usd: int = 0
    seen: list[Seen] = field(default_factory=list)
    faulty: Counter[Fault] = field(default_factory=Counter)
    url: str = ""
    key: str = KEY
    _counts: Counter[bytes] = field(default_factory=Counter)
    _cached: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, raw: bytes) -> Seen:
        with self._lock:
            seen = Seen(json.loads(raw), raw, self._counts[raw])
            self._counts[raw] += 1
            self.seen.append(seen)
            return seen

    def write(self, seen: Seen, fault: Fault | None) -> dict[str, Any]:
        """Return a message and put it on the bill, whatever becomes of it on the way."""
        text = self.author(seen)
        if fault is Fault.REFUSAL:
            text = ""
        if fault is Fault.MAX_TOKENS:
            text = text[: len(text) // 2]
        stop = {Fault.REFUSAL: "refusal", Fault.MAX_TOKENS: "max_tokens"}.get(fault, "end_turn")
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": seen.body["model"],
            "content": [{"type": "text", "text": text}] if text else [],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": self._charge(seen, text),
        }

    def _charge(self, seen: Seen, written: str) -> dict[str, int]:
        stable = seen.body["system"][0]["text"]
        with self._lock:
            is_cached = stable in self._cached
            self._cached.add(stable)
            cached = self._tokens(stable)
            rest = self._tokens(json.dumps(seen.body["messages"], ensure_ascii=False))
            output = min(self._tokens(written), seen.body["max_tokens"])
            prices = PRICES.get(seen.body["model"], (0, 0, 0, 0))
            price = rest * prices[0] + output * prices[1] + cached * prices[3 if is_cached else 2]
            self.micro_usd += -(-price // 1_000_000)
        return {
            "input_tokens": rest,
            "output_tokens": output,
            "cache_creation_input_tokens": 0 if is_cached else cached,
            "cache_read_input_tokens": cached if is_cached else 0,
        }

    def _tokens(self, text: str) -> int:
        return -(-len(text.encode()) // self.bytes_per_token)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        key = self.server.state.key
        if problem := _problem(self.path, self.headers, raw):
            self._error(400, "invalid_request_error", problem)
        elif self.headers["authorization"] != (f"Bearer {key}" if key else None):
            self._error(401, "authentication_error", "invalid bearer token")
        else:
            self._answer(self.server.state.arrive(raw))

    def _answer(self, seen: Seen) -> None:
        state = self.server.state
        fault = state.faults(seen)
        if fault is not None:
            state.faulty[fault] += 1
        if fault in _STATUS:
            self._error(*_STATUS[fault])
            return
        message = json.dumps(state.write(seen, fault)).encode()
        match fault:
            case Fault.SILENCE:
                time.sleep(state.silence_seconds)
                self.close_connection = True
            case Fault.HANG_UP:
                self.close_connection = True
                self.connection.shutdown(2)
            case Fault.TRUNCATED_JSON:
                self._send(200, "application/json", message[:-20])
            case Fault.HTML:
                self._send(200, "text/html", b"<html><body>Sign in first</body></html>")
            case Fault.WRONG_SCHEMA:
                self._send(200, "application/json", b'{"ok": true, "data": []}')
            case _ if seen.body.get("stream"):
                self._stream(json.loads(message), cut=fault is Fault.CUT_STREAM)
            case _:
                self._send(200, "application/json", message)

    def _error(self, status: int, kind: str, message: str) -> None:
        body = {"type": "error", "error": {"type": kind, "message": message}}
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if status in {429, 529} and self.server.state.retry_after:
            self.send_header("retry-after", self.server.state.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, message: dict[str, Any], *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        events = list(_events(message))
        for kind, data in events[: len(events) // 2] if cut else events:
            self.wfile.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, state: MessagesServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is killed hangs up; that is no news."""


def _problem(path: str, headers: Any, raw: bytes) -> str:
    # What the real API insists on; the first problem, "" for none.
    body = json.loads(raw)
    roles = [turn["role"] for turn in body.get("messages", [])]
    unknown = set(body) - {
        "model", "max_tokens", "messages", "system", "output_config", "stream"
    }  # fmt: skip
    form = body.get("output_config", {}).get("format", {"schema": {"additionalProperties": False}})
    problems = {
        f"no such path: {path}": path != "/v1/messages",
        "anthropic-version: header is required": not headers.get("anthropic-version"),
        f"{sorted(unknown)}: extra inputs are not permitted": bool(unknown),
        "max_tokens: field required": not body.get("max_tokens"),
        "messages: the first turn and the last are the user's": {*roles[:1], *roles[-1:]}
        != {"user"},
        "output_config: additionalProperties must be false": form["schema"].get(
            "additionalProperties"
        )
        is not False,
    }
    return next((problem for problem, is_there in problems.items() if is_there), "")


def _events(message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    usage = message["usage"]
    begun = message | {
        "content": [],
        "stop_reason": None,
        "usage": usage | {"output_tokens": 1},
    }
    yield "message_start", {"type": "message_start", "message": begun}
    text = "".join(block["text"] for block in message["content"])
    block = {"type": "text", "text": ""}
    yield (
        "content_block_start",
        {"type": "content_block_start", "index": 0, "content_block": block},
    )
    for start in range(0, len(text), 40):
        delta = {"type": "text_delta", "text": text[start : start + 40]}
        yield (
            "content_block_delta",
            {"type": "content_block_delta", "index": 0, "delta": delta},
        )
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    ended = {"output_tokens": usage["output_tokens"]}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": ended}
    yield "message_stop", {"type": "message_stop"}


@contextmanager
def messages_server(**state: Any) -> Iterator[MessagesServer]:
    """Serve on a free port of loopback."""
    steered = MessagesServer(**state)
    server = _Server(steered)
    steered.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield steered
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
