"""Prints what the installed zipline publishes, as JSON: named examples, and names to call.

Usage: installed.py EXAMPLE...
"""

import json
import sys
from importlib.resources import files

import zipline.api
from zipline import examples
from zipline._protocol import BarData
from zipline.algorithm import TradingAlgorithm
from zipline.finance import execution
from zipline.pipeline import classifiers, factors, filters

from stratlab_runner.simulation import TrialAlgorithm


def public(owner: object) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def main() -> None:
    styles = [name for name in public(execution) if name.endswith("Order")]
    print(
        json.dumps(
            {
                "examples": {
                    name: files(examples).joinpath(f"{name}.py").read_text()
                    for name in sys.argv[1:]
                },
                "added_to_context": sorted({*public(TrialAlgorithm)} - {*public(TradingAlgorithm)}),
                "names": {
                    "api": sorted({*zipline.api.__all__, *public(zipline.api)}),
                    "data": public(BarData),
                    "date_rules": public(zipline.api.date_rules),
                    "time_rules": public(zipline.api.time_rules),
                    "execution": styles,
                    "factors": sorted(factors.__all__),
                    "filters": sorted(filters.__all__),
                    "classifiers": sorted(classifiers.__all__),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
