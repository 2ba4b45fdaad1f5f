"""A server that answers in the format of Yahoo's chart API, on the loopback interface."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse
from zoneinfo import ZoneInfo

import pandas as pd

NEW_YORK = ZoneInfo("America/New_York")
OPEN = time(9, 30)


def chart(
    symbol: str,
    bars: pd.DataFrame,
    splits: dict[pd.Timestamp, tuple[int, int]],
    dividends: dict[pd.Timestamp, float],
) -> dict[str, object]:
    """Return the answer for a symbol: prices adjusted for splits, as Yahoo's are."""

    def stamp(day: pd.Timestamp) -> int:
        return int(datetime.combine(day.date(), OPEN, NEW_YORK).timestamp())

    meta = {
        "currency": "USD",
        "symbol": symbol,
        "instrumentType": "EQUITY",
        "exchangeName": "NMS",
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
        "firstTradeDate": stamp(bars["session"].iloc[0]),
        "regularMarketTime": stamp(bars["session"].iloc[-1]),
    }
    quote = {name: bars[name].tolist() for name in ("open", "high", "low", "close", "volume")}
    events = {
        "dividends": {
            str(stamp(day)): {"amount": amount, "date": stamp(day)}
            for day, amount in dividends.items()
        },
        "splits": {
            str(stamp(day)): {
                "date": stamp(day),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for day, (new, old) in splits.items()
        },
    }
    result = {
        "meta": meta,
        "timestamp": [stamp(day) for day in bars["session"]],
        "events": events,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]},
    }
    return {"chart": {"result": [result], "error": None}}


def missing(symbol: str) -> dict[str, object]:
    """Return the answer for a symbol that does not exist."""
    error = {"code": "Not Found", "description": f"No data found for {symbol}, may be delisted"}
    return {"chart": {"result": None, "error": error}}


Answer = Callable[[str], tuple[int, object]]
"""Symbol -> status and body."""


@contextmanager
def yahoo_server(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Serve and yield the base address and the list of requests so far.

    It is a proxy, too: what the client sends to other hosts ends here and is refused.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlparse(self.path)
            if "/v8/finance/chart/" not in parts.path:
                self._send(404, {"error": "not here"})
                return
            assert parse_qs(parts.query)["interval"] == ["1d"]
            self._send(*answer(parts.path.rsplit("/", 1)[1]))

        def do_CONNECT(self) -> None:
            asked.append(f"CONNECT {self.path}")
            self._send(403, {"error": "loopback only"})

        def _send(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
