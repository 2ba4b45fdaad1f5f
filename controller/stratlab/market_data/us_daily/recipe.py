"""Turns the vendored file into the data set ``us-daily``."""

from datetime import date
from importlib.resources import files
from pathlib import Path

from stratlab.domain.market import DataSet, Tier, TierRange
from stratlab.domain.trusted_jobs import TrustedJobs
from stratlab.market_data.actions import recover_actions
from stratlab.market_data.builder import build_data_set
from stratlab.market_data.content import Content, canonical

NAME = "us-daily"

TIERS = {
    Tier.TRAIN: TierRange(date(2001, 6, 1), date(2006, 12, 31)),
    Tier.VALIDATION: TierRange(date(2007, 1, 1), date(2009, 12, 31)),
    Tier.HOLDOUT: TierRange(date(2010, 1, 1), date(2013, 3, 1)),
}

PROVENANCE = (
    "Quandl WIKI Prices (declared public domain by Quandl) by way of an archived copy, from "
    "stocks.csv.gz of the PyPI package bokeh_sampledata 2026.1; see PROVENANCE.md beside the "
    "vendored file."
)

CAVEATS = (
    "Survivorship: the four shares were chosen because they did well and lived on.",
    "Splits and dividends are recovered from the adjusted close.",
    "The source has no pay dates: a dividend is paid on its ex date.",
    "Prices are rounded to 0.001, the finest that zipline stores (616 of 11,958 rows change).",
    "GOOG (Google's class A share) starts on 2004-08-19; no symbol is ever delisted.",
)


def load_us_daily() -> Content:
    """Return the content of ``us-daily`` from the vendored file.

    Raises:
        InvalidInputError: The vendored file was changed and makes no sense any more.
    """
    import pandas as pd  # noqa: PLC0415 - keeps start-up fast

    resource = files(__package__) / "stocks.csv.gz"
    with resource.open("rb") as file:
        raw = pd.read_csv(
            file, compression="gzip", parse_dates=["Date"], float_precision="round_trip"
        )
    raw.columns = ["symbol", "session", "open", "high", "low", "close", "volume", "adjusted_close"]
    splits, dividends = [], []
    for symbol, rows in raw.groupby("symbol"):
        actions = recover_actions(
            str(symbol),
            [day.date() for day in rows["session"]],
            rows["close"].to_numpy(),
            rows["adjusted_close"].to_numpy(),
        )
        splits += [(symbol, day, ratio) for day, ratio in actions.splits]
        dividends += [(symbol, day, day, amount) for day, amount in actions.dividends]
    columns = ["symbol", "ex_session", "pay_session", "amount"]
    return canonical(
        calendar="XNYS",
        timeframe="1d",
        prices=raw,
        splits=pd.DataFrame(splits, columns=["symbol", "session", "ratio"]).astype(
            {"session": "datetime64[ns]"}
        ),
        dividends=pd.DataFrame(dividends, columns=columns).astype(
            {"ex_session": "datetime64[ns]", "pay_session": "datetime64[ns]"}
        ),
        tiers=TIERS,
    )


def build_us_daily(home: Path, jobs: TrustedJobs) -> DataSet:
    """Build ``us-daily`` below ``home``, or return it when it exists.

    Args:
        home: The controller's home directory.
        jobs: Runs the part that needs zipline.

    Raises:
        AlreadyExistsError: The directory holds other content under this name.
        EngineUnavailableError: No engine answers.
        SandboxNotReadyError: The image is missing.
        EngineError: The job failed.
    """
    return build_data_set(home, NAME, load_us_daily(), jobs, provenance=PROVENANCE, caveats=CAVEATS)
