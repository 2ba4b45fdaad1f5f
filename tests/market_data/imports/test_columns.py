"""Guessing columns from the headers that real sources write."""

import pytest

from stratlab.domain.errors import InvalidInputError
from stratlab.market_data.imports.columns import guess_columns

ALPHA = "7. dividend amount,8. split coefficient"
HEADERS = {
    "Yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume",
        "Date,,Open,High,Low,Close,Volume,Adj Close,,",
    ),
    "yfinance with actions": (
        "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits",
        "Date,,Open,High,Low,Close,Volume,Adj Close,Dividends,Stock Splits",
    ),
    "stooq": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        "<DATE>,<TICKER>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,,,",
    ),
    "Alpha Vantage": (
        f"timestamp,1. open,2. high,3. low,4. close,5. adjusted close,6. volume,{ALPHA}",
        f"timestamp,,1. open,2. high,3. low,4. close,6. volume,5. adjusted close,{ALPHA}",
    ),
    "Quandl WIKI": (
        "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_open,adj_close",
        "date,ticker,open,high,low,close,volume,adj_close,ex-dividend,split_ratio",
    ),
    "Kaggle's S&P 500": (
        "date,open,high,low,close,volume,Name",
        "date,Name,open,high,low,close,volume,,,",
    ),
    "Nasdaq's site": (
        "Date,Close/Last,Volume,Open,High,Low",
        "Date,,Open,High,Low,Close/Last,Volume,,,",
    ),
    "Polygon": ("t,o,h,l,c,v,ticker", None),
    "currencies without volume": (
        "Datetime,OPEN,HIGH,LOW,CLOSE",
        "Datetime,,OPEN,HIGH,LOW,CLOSE,,,,",
    ),
}
CANONICAL = ("date", "symbol", "open", "high", "low", "close", "volume")
CANONICAL += ("adj_close", "dividend", "split")


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_header_of_a_known_source_is_understood(header: str, expected: str | None) -> None:
    names = header.split(",")
    if expected is None:  # one name cannot be guessed and has to be given
        with pytest.raises(InvalidInputError, match="looks like date"):
            guess_columns(names, {}, "f.csv")
        expected = "t,ticker,o,h,l,c,v,,,"
        found = guess_columns(names, {"date": "t"}, "f.csv")
    else:
        found = guess_columns(names, {}, "f.csv")
    assert [found.get(name, "") for name in CANONICAL] == expected.split(",")


def test_given_column_goes_before_the_guess() -> None:
    names = ["date", "open", "high", "low", "close", "last"]
    assert guess_columns(names, {}, "f")["close"] == "close"
    assert guess_columns(names, {"close": "last"}, "f")["close"] == "last"


@pytest.mark.parametrize(
    ("names", "columns", "complaint"),
    [
        (["date", "open", "high", "low"], {}, "looks like close"),
        ([], {}, "looks like date, open, high, low, close"),
        (["date", "open", "high", "low", "close"], {"close": "Last"}, "no column 'Last'"),
        (["date", "open", "high", "low", "close"], {"price": "open"}, "none of date, symbol"),
    ],
)
def test_column_that_is_missing_is_named(
    names: list[str], columns: dict[str, str], complaint: str
) -> None:
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        guess_columns(names, columns, "some.csv")
    assert "--column" in caught.value.hint
