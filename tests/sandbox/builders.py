"""What the sandbox's tests are made of: trials, a lease table, and market data on disk."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from stratlab.domain.errors import DataSetNotFoundError
from stratlab.domain.market import CostModel, DataSet, MarketSet, PricePanel, Tier, Window
from stratlab.domain.ports import Lease
from stratlab.domain.trial import Limits, TrialBatch, TrialPurpose, TrialSpec

WINDOW = Window(Tier.TRAIN, date(2001, 6, 1), date(2001, 12, 31))
FIRST_BAR = int(datetime(2001, 6, 1, tzinfo=UTC).timestamp())
DAY = 86_400
SOURCE = "def initialize(context):\n    pass\n"


def trial(trial_id: str = "t1", index: int = 0, **changes: object) -> TrialSpec:
    spec = TrialSpec(
        trial_id=trial_id,
        index=index,
        purpose=TrialPurpose.SEARCH,
        market=MarketSet("us-daily", ("AAPL", "IBM")),
        window=WINDOW,
        parameters={"n": 3},
        capital=100_000.0,
        cost_model=CostModel(),
    )
    return replace(spec, **changes)


def batch(
    *trials: TrialSpec, source: str = SOURCE, campaign_id: str = "c1", **limits: object
) -> TrialBatch:
    return TrialBatch(campaign_id, source, trials or (trial(),), replace(Limits(), **limits))


class Clock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class MemoryLeases:
    """The port ``Leases`` in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def acquire(self, lease: Lease) -> Lease:
        with self._lock:
            used = {row.uid for row in self._rows.values()}
            uid = next(uid for uid in range(70_000, 80_000) if uid not in used)
            self._rows[lease.member_id] = replace(lease, uid=uid)
            return self._rows[lease.member_id]

    def assign(self, member_id: str, campaign_id: str, deadline: datetime) -> None:
        with self._lock:
            if member_id in self._rows:
                self._rows[member_id] = replace(
                    self._rows[member_id], campaign_id=campaign_id, deadline=deadline
                )

    def release(self, member_id: str) -> None:
        with self._lock:
            self._rows.pop(member_id, None)

    def live(self) -> Sequence[Lease]:
        with self._lock:
            return list(self._rows.values())


class FolderData:
    """Market data of which only the mounts are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> Sequence[DataSet]:
        return []

    def get(self, name: str) -> DataSet:
        raise DataSetNotFoundError(name)

    def prices(self, market: MarketSet, tier: Tier) -> PricePanel:
        raise DataSetNotFoundError(market.data_set)

    def mount(self, name: str, tier: Tier, world: str = "") -> Path:
        return self._folder

    def verify(self, name: str) -> None:
        raise DataSetNotFoundError(name)
