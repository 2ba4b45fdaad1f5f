"""Latency of the store: what a step of a campaign pays, and what a reader waits for.

Run ``python benchmarks/store.py [DIRECTORY]``; the directory should be on the disk that the
controller will use, because a commit waits for it. Prints one JSON object; times are in
milliseconds, wall clock.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Iteration
from stratlab.domain.events import EventKind
from stratlab.domain.market import CostModel, MarketSet, Tier, Window
from stratlab.domain.trial import EquityPoint, Outcome, TrialPurpose, TrialResult, TrialSpec
from stratlab.store import open_repository
from stratlab.store.artifacts import FileArtifacts
from stratlab.store.audit import verify_audit
from stratlab.store.repository import SqlRepository
from stratlab.store.series import equity_to_parquet

WRITES = 500
READS = 200
ITERATIONS = 20
TRIALS = 8
BARS = 1500
START = "import sys; from stratlab.store import open_repository as o; o(sys.argv[1]).close()"


def measure(count: int, work: Callable[[int], object]) -> dict[str, float]:
    """Return median and 95th percentile of ``work(0..count-1)``."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - began) * 1e3)
    return {
        "p50": round(statistics.median(times), 3),
        "p95": round(statistics.quantiles(times, n=20)[-1], 3),
    }


def fill(repository: SqlRepository) -> Campaign:
    """Store a campaign of ordinary size and return it."""
    now = datetime.now(UTC)
    window = Window(Tier.TRAIN, now.date(), now.date())
    market = MarketSet("us-daily", ("AAPL", "IBM", "MSFT"))
    campaign = repository.create_campaign(
        Campaign(
            id="bench",
            spec=CampaignSpec("bench", "us-daily", (market.symbols,)),
            data_digest="0" * 64,
            state=CampaignState.CAMPAIGN_RUNNING,
            created_at=now,
            updated_at=now,
        ),
        "",
    )
    for number in range(1, ITERATIONS + 1):
        with repository.transaction() as transaction:
            transaction.save_iteration(Iteration("bench", number, now, patch="+ line\n" * 300))
            for index in range(TRIALS):
                spec = TrialSpec(
                    trial_id=f"{number}-{index}",
                    index=index,
                    purpose=TrialPurpose.SEARCH,
                    market=market,
                    window=window,
                    parameters={"fast": 5, "slow": 20.0},
                    capital=1e5,
                    cost_model=CostModel(),
                )
                transaction.save_result("bench", number, TrialResult(spec, Outcome.SUCCEEDED))
    return campaign


def main(directory: Path) -> None:
    """Measure and print."""
    url = f"sqlite:///{directory / 'stratlab.db'}"
    began = time.perf_counter()
    repository = open_repository(url)
    figures: dict[str, object] = {
        "first_open_with_migration": round((time.perf_counter() - began) * 1e3, 1)
    }
    campaign = fill(repository)
    artifacts = FileArtifacts(directory, repository)
    series = [
        equity_to_parquet([EquityPoint(86_400 * bar, 1e5 + bar + n) for bar in range(BARS)], [])
        for n in range(50)
    ]

    def write(number: int) -> None:
        nonlocal campaign
        with repository.transaction() as transaction:
            transaction.append_event(
                "bench", datetime.now(UTC), EventKind.TRIAL_FINISHED, {"trial": number}
            )
            campaign = transaction.save_campaign(replace(campaign, iteration=number))

    figures["append_event_and_save_campaign"] = measure(WRITES, write)
    figures["get_campaign"] = measure(READS, lambda _: repository.get_campaign("bench"))
    figures["get_iteration_8_trials"] = measure(
        READS, lambda n: repository.get_iteration("bench", 1 + n % ITERATIONS)
    )
    figures["last_5_iterations"] = measure(
        READS, lambda _: repository.list_iterations("bench", after=ITERATIONS - 5)
    )
    figures["last_20_events"] = measure(
        READS, lambda _: repository.events("bench", after=WRITES - 20)
    )
    figures["put_artifact_1500_bars"] = measure(
        len(series), lambda n: artifacts.put("bench", f"t{n}.parquet", "a/b", series[n])
    )
    figures["verify_audit_501_events"] = measure(20, lambda _: verify_audit(repository))
    repository.close()
    figures["process_start_import_open_close"] = measure(
        7, lambda _: subprocess.run([sys.executable, "-c", START, url], check=True)
    )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as chosen:
        main(Path(chosen))
