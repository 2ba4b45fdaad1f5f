"""Data sets: immutable, content-addressed directories of prices with one mount for each tier.

Importing this package is cheap; numpy, pandas and pyarrow are loaded by the calls that need them.
"""

from stratlab.market_data.catalogue import Catalogue
from stratlab.market_data.us_daily.recipe import build_us_daily

__all__ = ["Catalogue", "build_us_daily"]
