"""A real API server over the small lab, in a process of its own.

Run ``python -m benchmarks.support.server HOME SECONDS_PER_BATCH``; prints a line when it serves.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.suites.small_lab import PanelData, small_lab

from stratlab.api.server import ApiServer
from stratlab.campaigns.backtest import Backtester
from stratlab.campaigns.manager import CampaignManager
from stratlab.domain.flag import Flag
from stratlab.domain.ports import Artifacts, MarketData, Repository, Screener
from stratlab.evaluation import HostEvaluator
from stratlab.screening import SubprocessScreener


@dataclass
class Lab:
    """What the server shows; see :class:`stratlab.api.backend.Backend`."""

    repository: Repository
    artifacts: Artifacts
    market_data: MarketData
    screener: Screener
    manager: CampaignManager
    backtester: Backtester
    sandbox_ready: Flag


async def main(home: Path, seconds: float) -> None:
    """Serve until killed."""
    with small_lab(home, seconds=seconds) as small:
        market_data, screener, ready = PanelData(), SubprocessScreener(), Flag()
        ready.set()
        lab = Lab(
            repository=small.repository,
            artifacts=small.artifacts,
            market_data=market_data,
            screener=screener,
            manager=small.manager,
            backtester=Backtester(market_data, small.sandbox, screener, HostEvaluator()),
            sandbox_ready=ready,
        )
        async with ApiServer(lab, address=f"unix:{home / 'stratlab.sock'}"):
            print("serving", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
