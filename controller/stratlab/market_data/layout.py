"""Names of the files and folders of a data set."""

# Below the controller's home directory; one directory for each data set.
FOLDER = "data"

MANIFEST = "manifest.json"
PRICES = "prices.parquet"
SPLITS = "splits.parquet"
DIVIDENDS = "dividends.parquet"
# One mount for each tier.
TIERS = "tiers"
