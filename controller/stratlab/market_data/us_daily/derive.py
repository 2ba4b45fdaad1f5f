"""Derive ``stocks.csv.gz`` from the file that ``bokeh_sampledata`` ships; run once, by hand.

Usage: ``python derive.py path/to/bokeh_sampledata/_data/stocks.csv.gz``. Equal input gives equal
bytes, so anybody can check the vendored file against the package named in PROVENANCE.md.
"""

import gzip
import hashlib
import sys
from pathlib import Path

ORIGINAL_SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")


def derive(original: bytes) -> bytes:
    """Return the vendored file: the rows of :data:`SYMBOLS`, untouched and in their order.

    Args:
        original: Content of the package's ``stocks.csv.gz``.

    Raises:
        ValueError: The content is not the one that the provenance describes.
    """
    digest = hashlib.sha256(original).hexdigest()
    if digest != ORIGINAL_SHA256:
        raise ValueError(f"this is another file: sha256 {digest}, expected {ORIGINAL_SHA256}")
    header, *rows = gzip.decompress(original).splitlines(keepends=True)
    wanted = tuple(f"{symbol},".encode() for symbol in SYMBOLS)
    kept = b"".join([header, *(row for row in rows if row.startswith(wanted))])
    return gzip.compress(kept, compresslevel=9, mtime=0)


if __name__ == "__main__":
    target = Path(__file__).with_name("stocks.csv.gz")
    target.write_bytes(derive(Path(sys.argv[1]).read_bytes()))
