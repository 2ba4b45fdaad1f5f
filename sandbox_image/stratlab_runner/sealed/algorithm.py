"""One sealed trial: zipline under the harness, with a look at the market before each session."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, final

import pandas as pd
from zipline.gens.sim_engine import SESSION_START

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.reporter import Reporter
from stratlab_runner.sealed.feed import Feed, FeedClosedError
from stratlab_runner.simulation import TrialAlgorithm
from stratlab_runner.tier_data import TierData

if TYPE_CHECKING:
    from stratlab_runner.sealed.market import SealedMarket


@final
class SealedReporter(Reporter):
    """A reporter that gives orders to the feed, which commits them before the next bar.

    Args:
        descriptor: Blocking pipe.
        trial_id: Repeated in every frame.
        feed: Where orders go.
    """

    def __init__(self, descriptor: int, trial_id: str, feed: Feed) -> None:
        super().__init__(descriptor, trial_id)
        self._feed = feed

    def log(self, entry: pb.LogEntry) -> None:
        """Report an order or a cancel with the next commit."""
        self._feed.place(entry)

    def finished(self) -> None:
        """Commit the last orders, then report success."""
        self._feed.end()
        super().finished()

    def failed(self, failure: pb.TrialFailed) -> None:
        """Commit the last orders, then report a failure."""
        with suppress(FeedClosedError):
            self._feed.end()
        super().failed(failure)


@final
class SealedAlgorithm(TrialAlgorithm):
    """The harness's algorithm over a market that is revealed.

    No order can be changed between a session's start and the moment its bar has filled what it
    fills, so everything about a session may be known at its start.

    Args:
        request: The trial.
        tier: Of a sealed market.
        reporter: Where orders, fills and equity go.
        functions: The strategy's functions by their zipline names.
        engine: Only the fast one can do this, whatever is asked for.
    """

    def __init__(
        self, request: pb.RunTrial, tier: TierData, reporter: Reporter, *functions: Any
    ) -> None:
        assert tier.market is not None
        self._market: SealedMarket = tier.market
        super().__init__(request, tier, reporter, *functions)

    def attach_pipeline(
        self,
        pipeline: Any,
        name: str,
        chunks: Any = None,
        eager: bool = True,  # noqa: FBT001, FBT002 - zipline's signature
    ) -> Any:
        """Attach a pipeline, as zipline does, to be computed for one day at a time."""
        del chunks, eager
        return super().attach_pipeline(pipeline, name, chunks=0, eager=False)

    def _create_clock(self) -> Iterator[tuple[pd.Timestamp, int]]:
        for moment, action in super()._create_clock():
            if action == SESSION_START:
                self._look(moment.tz_localize(None))
            yield moment, action

    def _look(self, session: pd.Timestamp) -> None:
        if self._market.advance(session):
            self.data_portal.forget_actions()
            self.metrics_tracker.forget_actions()
