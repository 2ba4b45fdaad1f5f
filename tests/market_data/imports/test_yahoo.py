"""The real yfinance client against a local server that answers as Yahoo does.

The client's host names are constants; the tests point the base address of its charts to the local
server and send everything else (cookies) to it as a proxy, which refuses.
"""

import builtins
import importlib
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import pandas as pd
import pytest
from tests.market_data.imports.builders import codes, sessions, walk
from tests.market_data.imports.yahoo_server import Answer, chart, missing, yahoo_server

from stratlab.domain.errors import InvalidInputError, UnavailableError
from stratlab.market_data.imports.importer import ImportOptions, ImportReport, inspect_yahoo

DAYS = sessions()
FIRST, LAST = DAYS[0].date(), DAYS[-1].date()


def raw_bars(seed: int) -> pd.DataFrame:
    table = walk(DAYS, start=80.0, seed=seed).rename(columns=str.lower).drop(columns="date")
    return table.assign(session=DAYS)


def adjusted(raw: pd.DataFrame, at: int, ratio: float) -> pd.DataFrame:
    """Return prices and volumes as Yahoo shows them after a later split."""
    before = np.arange(len(raw)) < at
    table = raw.copy()
    for name in ("open", "high", "low", "close"):
        table[name] = np.where(before, raw[name] / ratio, raw[name])
    table["volume"] = np.where(before, raw["volume"] * ratio, raw["volume"]).round()
    return table


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[ImportReport, list[str]]]]:
    yfinance = importlib.import_module("yfinance")
    base = importlib.import_module("yfinance.base")
    history = importlib.import_module("yfinance.scrapers.history")
    quote = importlib.import_module("yfinance.scrapers.quote")

    def run(answer: Answer, *symbols: str) -> tuple[ImportReport, list[str]]:
        with yahoo_server(answer) as (address, asked):
            for module in (base, history, quote):
                monkeypatch.setattr(module, "_BASE_URL_", address)
            monkeypatch.setattr(quote, "_QUOTE_SUMMARY_URL_", f"{address}/v10/finance/quoteSummary")
            monkeypatch.setattr(quote, "_QUERY1_URL_", address)
            yfinance.config.network.proxy = address
            data = importlib.import_module("yfinance.data").YfData
            # One object for the whole process keeps answers; each test begins afresh.
            data.cache_get.cache_clear()
            return inspect_yahoo(symbols, FIRST, LAST, ImportOptions()), asked

    yield run
    yfinance.config.network.proxy = None


def test_prices_become_raw_and_actions_are_kept(
    ask: Callable[..., tuple[ImportReport, list[str]]],
) -> None:
    raw = {"AAA": raw_bars(1), "EURUSD=X": raw_bars(2)}
    split = raw["AAA"].copy()
    split.loc[60:, ["open", "high", "low", "close"]] /= 2

    def answer(symbol: str) -> tuple[int, object]:
        if symbol == "AAA":
            shown = adjusted(split, 60, 2.0)
            return 200, chart(symbol, shown, {DAYS[60]: (2, 1)}, {DAYS[30]: 0.1, DAYS[90]: 0.2})
        return 200, chart(symbol, raw["EURUSD=X"].assign(volume=0), {}, {})

    report, asked = ask(answer, "AAA", "EURUSD=X")
    content = report.require_content()
    assert content.symbols == ("AAA", "EURUSD_X")
    ours = content.prices[content.prices["symbol"] == "AAA"].reset_index(drop=True)
    np.testing.assert_allclose(ours["close"], split["close"], atol=0.00051)
    np.testing.assert_allclose(ours["volume"], split["volume"], atol=1)
    assert content.splits.to_dict("records") == [
        {"symbol": "AAA", "session": DAYS[60], "ratio": 0.5}
    ]
    # Yahoo's dividends are for the shares of today.
    assert content.dividends["amount"].tolist() == [0.2, 0.2]
    found = codes(report)
    assert found["split_adjusted"] == ["AAA"]
    assert found["assumed_volume"] == ["EURUSD_X"]
    assert any("personal use" in caveat for caveat in report.caveats)
    assert f"{FIRST} to {LAST}" in report.provenance
    assert all("127.0.0.1" in path or path.startswith(("/", "CONNECT")) for path in asked)


def test_same_answers_give_the_same_digest(
    ask: Callable[..., tuple[ImportReport, list[str]]],
) -> None:
    def answer(symbol: str) -> tuple[int, object]:
        return 200, chart(symbol, raw_bars(3), {}, {})

    digests = {ask(answer, "AAA")[0].require_content().digest() for _ in range(2)}
    assert len(digests) == 1


def test_unknown_symbol_is_named(ask: Callable[..., tuple[ImportReport, list[str]]]) -> None:
    def answer(symbol: str) -> tuple[int, object]:
        return 404, missing(symbol)

    with pytest.raises(InvalidInputError, match="Yahoo has no prices of 'NOPE'"):
        ask(answer, "NOPE")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(429, "Too Many Requests", "YFRateLimitError"), (500, "down", ""), (200, "x", "")],
)
def test_yahoo_that_fails_is_unavailable(
    ask: Callable[..., tuple[ImportReport, list[str]]], status: int, body: str, kind: str
) -> None:
    # The client remembers the time zone of symbols it has seen.
    symbol = f"DOWN{status}"
    with pytest.raises(UnavailableError, match=f"'{symbol}': {kind}"):
        ask(lambda _: (status, body), symbol)


def test_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "yfinance":
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnavailableError) as caught:
        inspect_yahoo(("AAA",), FIRST, LAST, ImportOptions())
    assert 'pip install "stratlab[yfinance]"' in caught.value.hint


@pytest.mark.parametrize(("symbols", "last"), [((), LAST), (("AAA",), date(2000, 1, 1))])
def test_nothing_to_ask_for_is_refused(symbols: tuple[str, ...], last: date) -> None:
    with pytest.raises(InvalidInputError):
        inspect_yahoo(symbols, FIRST, last, ImportOptions())
