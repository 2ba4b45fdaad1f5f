"""Zipline's published examples pass the command line unmodified, on built-in data."""

from pathlib import Path
from typing import Any

import pytest
from tests.zipline_compat import world
from tests.zipline_compat.conftest import EXAMPLES, job, run_plainly, stratlab

from stratlab.cli.exit_codes import ExitCode

pytestmark = [pytest.mark.docker, pytest.mark.load]

# olmar names symbols that us-daily does not have.
DATA_SETS = dict.fromkeys(EXAMPLES, "us-daily") | {"olmar": world.NAME}


@pytest.fixture(scope="module")
def jobs(installed: dict[str, Any], home: Path) -> dict[str, dict[str, Any]]:
    return {
        name: job(name, installed["examples"][name], home, data_set)
        for name, data_set in DATA_SETS.items()
    }


@pytest.fixture(scope="module")
def plain(
    jobs: dict[str, dict[str, Any]], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What zipline alone makes of each on the same mount."""
    results = {}
    for data_set in sorted(set(DATA_SETS.values())):
        names = [name for name in EXAMPLES if DATA_SETS[name] == data_set]
        mount = home / "data" / data_set / "tiers" / "train"
        scratch = tmp_path_factory.mktemp("plain")
        done = run_plainly(mount, [jobs[name] for name in names], scratch)
        results |= dict(zip(names, done, strict=True))
    return results


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_accepted_and_trades_as_in_zipline(
    jobs: dict[str, dict[str, Any]],
    plain: dict[str, dict[str, Any]],
    served_home: Path,
    tmp_path: Path,
    name: str,
) -> None:
    asked, expected = jobs[name], plain[name]
    file = tmp_path / f"{name}.py"
    file.write_text(asked["source"])
    code, answer = stratlab(served_home, "validate", str(file))
    assert code == ExitCode.OK
    assert answer["passed"]
    code, record = stratlab(
        served_home,
        *("backtest", str(file), "--data", DATA_SETS[name], "--cost-model", "zipline"),
        *("--start", asked["start"], "--end", asked["end"], "--capital", str(asked["capital"])),
        *("--max-leverage", "10"),
    )
    assert code == ExitCode.OK, record["reason"]
    mine = [[f["bar_epoch_seconds"], f["symbol"], f["amount"]] for f in record["fills"]]
    assert sorted(mine) == sorted(fill[:3] for fill in expected["fills"])
    growth = expected["equity"][-1][1] / asked["capital"] - 1
    assert record["metrics"]["cum_returns_final"] == pytest.approx(growth, rel=1e-9, abs=1e-12)
