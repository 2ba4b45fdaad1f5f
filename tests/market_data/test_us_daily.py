"""The vendored file is what its provenance says."""

import gzip
import hashlib
import subprocess
import sys
from importlib.resources import files

import pytest

from stratlab.market_data.us_daily.derive import SYMBOLS, derive

FOLDER = files("stratlab.market_data.us_daily")


def test_vendored_file_is_the_one_of_the_provenance():
    content = gzip.decompress((FOLDER / "stocks.csv.gz").read_bytes())
    provenance = (FOLDER / "PROVENANCE.md").read_text()
    assert hashlib.sha256(content).hexdigest() in provenance


def test_vendored_file_covers_the_promised_days(us_daily_raw):
    spans = us_daily_raw.groupby("Ticker")["Date"].agg(["min", "max", "count"])
    assert tuple(spans.index) == SYMBOLS
    assert set(spans["max"]) == {"2013-03-01"}
    assert spans["min"].to_dict() == {
        "AAPL": "2000-03-01",
        "GOOG": "2004-08-19",
        "IBM": "2000-03-01",
        "MSFT": "2000-03-01",
    }
    assert spans["count"].to_dict() == {"AAPL": 3270, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}


def test_rounding_changes_as_many_rows_as_the_caveat_says(us_daily_raw):
    prices = us_daily_raw[["Open", "High", "Low", "Close"]]
    moved = ((prices - prices.round(3)).abs() > 1e-9).any(axis=1)
    assert (int(moved.sum()), len(us_daily_raw)) == (616, 11_958)


def test_derive_from_another_file_refused():
    with pytest.raises(ValueError, match="another file"):
        derive(gzip.compress(b"Ticker,Date\n"))


def test_import_of_the_package_loads_no_heavy_library():
    code = (
        "import sys, stratlab.market_data; "
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
