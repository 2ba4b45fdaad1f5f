"""What the services need from the lab behind them."""

from collections.abc import AsyncIterator
from typing import Protocol

from stratlab.campaigns.backtest import BacktestReport, BacktestRequest
from stratlab.domain.campaign import Campaign, CampaignSpec
from stratlab.domain.events import Event
from stratlab.domain.ports import Artifacts, MarketData, ProgressListener, Repository, Screener
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import TrialProgress


class CampaignControl(Protocol):
    """Starts and steers campaigns."""

    async def create(self, spec: CampaignSpec, request_id: str, actor: str) -> Campaign:
        """Store a campaign and start it, or return the one of the same request id."""
        ...

    async def replay(self, campaign_id: str, request_id: str, actor: str) -> Campaign:
        """Run a completed campaign again from its models' recordings."""
        ...

    async def pause(self, campaign_id: str, actor: str) -> Campaign:
        """Stop a campaign before its next step."""
        ...

    async def resume(self, campaign_id: str, actor: str) -> Campaign:
        """Continue a paused campaign."""
        ...

    async def approve(self, campaign_id: str, actor: str, *, decline: bool) -> Campaign:
        """Continue a campaign that is paused for review."""
        ...

    async def open_holdout(self, campaign_id: str, actor: str, *, iteration: int) -> Campaign:
        """Open the holdout for a candidate and reach the verdict anew; 0 for the finalist."""
        ...

    async def cancel(self, campaign_id: str, actor: str) -> Campaign:
        """End a campaign."""
        ...

    def watch(
        self, campaign_id: str, *, after: int, include_progress: bool
    ) -> AsyncIterator[Event | TrialProgress]:
        """Replay events from a number, then follow until the campaign ends."""
        ...


class BacktestRunner(Protocol):
    """Runs single backtests."""

    async def run(self, request: BacktestRequest, on_progress: ProgressListener) -> BacktestReport:
        """Screen the source, then run it in a container of its own."""
        ...

    async def smoke(self, request: BacktestRequest) -> ScreeningReport:
        """Screen the source, then run it over one year."""
        ...


class Readiness(Protocol):
    """Comes and goes, as :class:`stratlab.domain.flag.Flag`."""

    async def wait(self) -> object:
        """Return when it is there."""
        ...

    async def wait_cleared(self) -> object:
        """Return when it is not there."""
        ...


class Backend(Protocol):
    """The parts of a lab that its API shows.

    ``Lab`` of :mod:`stratlab.bootstrap` is one; tests bring smaller ones.
    """

    @property
    def repository(self) -> Repository:
        """Everything that is stored."""
        ...

    @property
    def artifacts(self) -> Artifacts:
        """Files of campaigns."""
        ...

    @property
    def market_data(self) -> MarketData:
        """Data sets."""
        ...

    @property
    def screener(self) -> Screener:
        """Judges source without running it."""
        ...

    @property
    def manager(self) -> CampaignControl:
        """Starts and steers campaigns."""
        ...

    @property
    def backtester(self) -> BacktestRunner:
        """Runs single backtests."""
        ...

    @property
    def sandbox_ready(self) -> Readiness:
        """There while every limit is proven, away when the engine is."""
        ...
