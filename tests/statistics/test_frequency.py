"""An annual number cannot enter a formula of single periods: the type checker refuses it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.statistics.series import with_sharpe

from stratlab.domain.metrics import AnnualSharpe, PeriodRatio, PerPeriodSharpe
from stratlab.evaluation.overfitting import probabilistic_sharpe_ratio
from stratlab.evaluation.statistics.sharpe import estimate_sharpe

ROOT = Path(__file__).parents[2]

HEAD = """
from stratlab.domain.metrics import AnnualSharpe, PeriodRatio, PerPeriodSharpe
from stratlab.domain.statistics import SharpeEstimate
from stratlab.evaluation.overfitting import minimum_track_record_length, probabilistic_sharpe_ratio

def formula(annual: AnnualSharpe, period: PerPeriodSharpe, estimate: SharpeEstimate) -> object:
"""

ALLOWED = (
    "    return probabilistic_sharpe_ratio(period, 1000, estimate.per_period)",
    "    return probabilistic_sharpe_ratio(PerPeriodSharpe.of_annual(annual, 252), 1000, period)",
    "    return period.annual(252) > annual",
)
REFUSED = (
    "    return probabilistic_sharpe_ratio(annual, 1000, period)",
    "    return probabilistic_sharpe_ratio(period, 1000, estimate.annual)",
    "    return probabilistic_sharpe_ratio(period, 1000, estimate.lo_annual)",
    "    return minimum_track_record_length(annual, period)",
    "    return minimum_track_record_length(period, 0.5)",
    "    return PerPeriodSharpe(annual)",
    "    return PerPeriodSharpe(period.annual(252))",
    "    return period > annual",
    "    return period.value.annual(252)",
)


def test_type_checker_refuses_annual_ratios_where_single_periods_are_meant(tmp_path: Path) -> None:
    program = tmp_path / "mixed.py"
    bodies = (*ALLOWED, *REFUSED)
    heads = [HEAD if number == 0 else HEAD.splitlines()[-1] + "\n" for number in range(len(bodies))]
    heads = [head.replace("formula", f"formula{n}") for n, head in enumerate(heads)]
    program.write_text("\n".join(head + body for head, body in zip(heads, bodies, strict=True)))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
        check=False,
    )
    lines = program.read_text().splitlines()
    wrong = {int(line.split(":")[1]) for line in done.stdout.splitlines() if "error:" in line}
    assert {lines[number - 1] for number in wrong} == set(REFUSED), done.stdout


def test_annual_ratio_is_refused_at_run_time_too() -> None:
    with pytest.raises(AttributeError):
        probabilistic_sharpe_ratio(AnnualSharpe(1.0), 1000, PerPeriodSharpe(PeriodRatio(0.0)))  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("year", [252, 260, 365])
def test_ratio_goes_to_a_year_and_back(year: int) -> None:
    sharpe = PerPeriodSharpe(PeriodRatio(0.05))
    annual = sharpe.annual(year)
    assert annual == pytest.approx(0.05 * year**0.5)
    assert PerPeriodSharpe.of_annual(annual, year).value == pytest.approx(0.05)


def test_annual_figures_carry_the_calendar_of_the_returns() -> None:
    estimate = estimate_sharpe(with_sharpe(1.25))
    assert estimate.annual == pytest.approx(1.25)
    assert estimate.per_period.value == pytest.approx(1.25 / 252**0.5)
