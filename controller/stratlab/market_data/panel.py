"""Reads the host's own prices of a market set from a data set's parquet files."""

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from stratlab.domain.market import Dividend, PricePanel, Split
from stratlab.market_data.content import PRICE_FIELDS, PRICE_UNITS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PRICES = "prices.parquet"
SPLITS = "splits.parquet"
DIVIDENDS = "dividends.parquet"


@lru_cache(maxsize=32)
def load_panel(directory: Path, digest: str, symbols: tuple[str, ...], last: date) -> PricePanel:
    """Return raw prices of ``symbols`` from the first session of the data set to ``last``.

    The arrays are read-only and shared between calls. Prices are the very doubles that zipline's
    reader returns for the mounts of the same data set.

    Args:
        directory: The data set.
        digest: Its digest; a rebuilt data set is read again.
        symbols: Column order.
        last: Last session.
    """
    # pandas takes half a second to load, and a server that only lists data sets never needs it.
    import numpy as np  # noqa: PLC0415 - keeps start-up fast
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    del digest
    end = pd.Timestamp(last)
    prices = pd.read_parquet(directory / PRICES, filters=[("session", "<=", end)])
    sessions = pd.DatetimeIndex(prices["session"].unique()).sort_values()
    columns: dict[str, NDArray[np.float64]] = {}
    for name in (*PRICE_FIELDS, "volume"):
        wide = prices.pivot_table(index="session", columns="symbol", values=name, sort=False)
        columns[name] = wide.reindex(index=sessions, columns=list(symbols)).to_numpy("float64")
    for name in PRICE_FIELDS:
        # Multiplied, not divided: that is how zipline turns its stored thousandths into a double.
        columns[name] = np.rint(columns[name] * PRICE_UNITS) * (1 / PRICE_UNITS)
    columns["volume"] = np.nan_to_num(columns["volume"])
    bars = sessions.to_numpy().astype("datetime64[s]").astype("int64")
    for array in (bars, *columns.values()):
        array.flags.writeable = False
    return PricePanel(
        bars=bars,
        symbols=symbols,
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        volume=columns["volume"],
        splits=_splits(directory, symbols, end),
        dividends=_dividends(directory, symbols, end),
        auto_close=_auto_close(symbols, bars, columns["volume"]),
    )


def _splits(
    directory: Path, symbols: tuple[str, ...], end: "pd.Timestamp"
) -> tuple[Split, ...]:
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    table = pd.read_parquet(directory / SPLITS, filters=[("session", "<=", end)])
    table = table[table["symbol"].isin(symbols)].sort_values(["session", "symbol"])
    return tuple(
        Split(_epoch(row.session), row.symbol, row.ratio) for row in table.itertuples(index=False)
    )


def _dividends(
    directory: Path, symbols: tuple[str, ...], end: "pd.Timestamp"
) -> tuple[Dividend, ...]:
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    table = pd.read_parquet(directory / DIVIDENDS, filters=[("ex_session", "<=", end)])
    table = table[table["symbol"].isin(symbols)].sort_values(["ex_session", "symbol"])
    return tuple(
        Dividend(_epoch(row.ex_session), _epoch(row.pay_session), row.symbol, row.amount)
        for row in table.itertuples(index=False)
    )


def _auto_close(
    symbols: tuple[str, ...], bars: "NDArray[np.int64]", volume: "NDArray[np.float64]"
) -> dict[str, int]:
    # The first session after a symbol's last bar; a symbol with a bar in the last one lives on.
    closes = {}
    for column, symbol in enumerate(symbols):
        (traded,) = volume[:, column].nonzero()
        if len(traded) and traded[-1] + 1 < len(bars):
            closes[symbol] = int(bars[traded[-1] + 1])
    return closes


def _epoch(session: "pd.Timestamp") -> int:
    return int(session.timestamp())
