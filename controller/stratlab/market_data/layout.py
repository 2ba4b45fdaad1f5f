"""Names of the files and folders of a data set."""

# Below the controller's home directory; one directory for each data set.
FOLDER = "data"

MANIFEST = "manifest.json"
PRICES = "prices.parquet"
SPLITS = "splits.parquet"
DIVIDENDS = "dividends.parquet"
# Only where the calendar has sessions on which no symbol has a bar.
EMPTY_SESSIONS = "empty_sessions.parquet"
# One mount for each tier.
TIERS = "tiers"
# Worlds of the causality test, beside the data sets; the dot hides them from the catalogue.
WORLDS = ".worlds"
