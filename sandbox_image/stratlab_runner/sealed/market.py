"""All that a sealed trial knows of the markets, and how it comes to know more."""

from types import SimpleNamespace
from typing import Any, Final, Self, final

import numpy as np
import pandas as pd

from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed
from stratlab_runner.calendars import open_calendar
from stratlab_runner.fast.day_bars import FIELDS
from stratlab_runner.fast.reader import DayBarReader
from stratlab_runner.sealed.adjustments import LiveAdjustments
from stratlab_runner.sealed.assets import LiveFinder
from stratlab_runner.sealed.bars import LiveBars
from stratlab_runner.sealed.feed import Feed
from stratlab_runner.sealed.lives import LiveLife
from stratlab_runner.sealed.portal import SealedPortal
from stratlab_runner.tier_data import TierData

_SECOND: Final = 10**9


class RevealError(Exception):
    """The controller revealed something else than was asked for; never the strategy's fault."""


@final
class SealedMarket:
    """A market that grows.

    Args:
        feed: To the controller, fresh.

    Attributes:
        feed: As above.
        tier: What there is, in the form of a mounted tier.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        opening = feed.opening()
        first, last = (pd.Timestamp(opening.first_session), pd.Timestamp(opening.last_session))
        calendar = open_calendar(opening.calendar, first, last)
        self._calendar = calendar
        self._sessions = sessions = calendar.sessions_in_range(first, last)
        begin = int(calendar.sessions.searchsorted(first))
        self._last_minutes = calendar.last_minutes_nanos[begin : begin + len(sessions)]
        self._finder = LiveFinder.empty(opening.calendar)
        self._adjustments = LiveAdjustments.empty()
        self._bars = LiveBars(sessions, opening.most_assets, self._adjustments)
        self._lives: dict[int, LiveLife] = {}
        origin = SimpleNamespace(trading_calendar=calendar, first_trading_day=first)
        self._reader = DayBarReader(self._bars.day_bars, origin)
        self._enter(opening.listings)
        self.tier = TierData(
            data_set=opening.data_set,
            tier=opening.tier,
            digest=opening.digest,
            timeframe="1d",
            calendar=calendar,
            first_session=first,
            last_session=last,
            asset_finder=self._finder,
            bar_reader=self._reader,
            adjustment_reader=self._adjustments,
            minute_reader=None,
            labels=np.empty(0, "int64"),
            day_bars=self._bars.day_bars,
            minute_bars=None,
            market=self,
        )
        while self._bars.row + 1 < opening.past_sessions:
            self._take(feed.past())

    @classmethod
    def open(cls, descriptor: int) -> Self:
        """Return the market that the controller offers.

        Args:
            descriptor: Of the feed's socket.

        Raises:
            FeedClosedError: It offers none.
            RevealError: It is not what it says.
        """
        return cls(Feed(descriptor))

    @property
    def past(self) -> pd.DatetimeIndex:
        """The sessions that are known."""
        return self._sessions[: self._bars.row + 1]

    def open_portal(self) -> tuple[SealedPortal, DayBarReader]:
        """Return a portal, and the daily reader for its pipelines."""
        portal = SealedPortal(
            self._bars,
            self._lives,
            self._finder,
            trading_calendar=self._calendar,
            first_trading_day=self._reader.first_trading_day,
            equity_daily_reader=self._reader,
            adjustment_reader=self._adjustments,
        )
        return portal, self._reader

    def advance(self, session: pd.Timestamp) -> bool:
        """Commit what was ordered, and learn what there is up to ``session``.

        Args:
            session: The next one, or one that is known.

        Returns:
            Whether there are splits or dividends in it.

        Raises:
            FeedClosedError: The controller refuses.
            RevealError: It reveals something else.
        """
        row = self._bars.day_bars.rows[session.value]
        if row <= self._bars.row:
            return False
        actions = self._take(self.feed.reveal())
        if row != self._bars.row:
            raise RevealError(f"{session.date()} was not revealed")
        return actions

    def _take(self, reveal: sealed.Reveal) -> bool:
        if reveal.births:
            self._enter(birth.listing for birth in reveal.births)
        shape = (len(reveal.sessions), len(FIELDS), len(self._lives))
        numbers = np.frombuffer(reveal.bars, "<u4").reshape(shape)
        lives = len(reveal.births) + len(reveal.deaths) > 0
        actions = len(reveal.splits) + len(reveal.dividends) > 0
        for session, bars in zip(reveal.sessions, numbers, strict=True):
            self._expect(session)
            if lives or actions:
                self._change(reveal, session)
            self._bars.add(bars)
        if lives:
            self._finder.forget_lifetimes()
        return actions

    def _expect(self, session: int) -> None:
        # A session more than there are is one that was not asked for.
        if self._bars.row + 1 != self._bars.day_bars.rows.get(session * _SECOND):
            raise RevealError(f"{pd.Timestamp(session, unit='s')} is not the next session")

    def _enter(self, listings: Any) -> None:
        fresh = [each for each in listings if each.sid not in self._lives]
        self._finder.enter(((each.sid, each.symbol) for each in fresh), self._sessions[0])
        for listing in fresh:
            column = self._bars.enter(listing.sid)
            self._lives[listing.sid] = LiveLife(column, self._bars)

    def _change(self, reveal: sealed.Reveal, session: int) -> None:
        # Zipline's order on one day: dividends before splits.
        day, last = self._sessions[self._bars.row + 1], self._bars.row
        for birth in reveal.births:
            if birth.session == session:
                sid = birth.listing.sid
                self._bars.begin(sid)
                self._lives[sid].begin(day, self._last_minutes)
                self._finder.dates(sid).start = day
        for death in reveal.deaths:
            if death.session == session:
                self._finish(death.sid, day, last)
        for dividend in reveal.dividends:
            if dividend.session == session:
                sid, paid, amount = dividend.sid, dividend.pay_session, dividend.amount
                close = self._bars.last_raw_close(sid)
                ratio = self._adjustments.add_dividend(sid, day, paid, amount, close)
                if ratio is not None:
                    self._bars.adjust(sid, ratio, is_split=False)
        for split in reveal.splits:
            if split.session == session:
                self._adjustments.add_split(split.sid, day, split.ratio)
                self._bars.adjust(split.sid, split.ratio, is_split=True)

    def _finish(self, sid: int, day: pd.Timestamp, last: int) -> None:
        # As the trusted job writes it for a mount: zipline closes positions at the end of the
        # first session without the asset, and compares that end with this moment.
        reached = self._calendar.session_close(self._sessions[last]).tz_localize(None) >= day
        closing = day + pd.Timedelta(seconds=int(reached))
        dates = self._finder.dates(sid)
        dates.end, dates.auto_close = self._sessions[last], closing
        self._bars.end(sid)
        self._lives[sid].finish(last, closing)
