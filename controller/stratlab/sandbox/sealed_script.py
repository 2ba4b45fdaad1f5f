"""What a sealed trial is told, and when: the messages of a feed, made from the host's prices.

Imported by the call that needs it: numpy takes a moment to load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self, final

import numpy as np
from numpy.typing import NDArray

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.market import DAILY, DataSet, PricePanel
from stratlab.domain.trial import TrialSpec
from stratlab_proto.runner.v1 import sealed_replay_pb2 as sealed

_FIELDS: Final = ("open", "high", "low", "close")
_NUMBERS: Final = len(_FIELDS) + 1
_NUMBER_BYTES: Final = 4
_THOUSANDTHS: Final = 1000
_PAST_BYTES: Final = 1 << 19
_FEWEST_ASSETS: Final = 8


@final
@dataclass(frozen=True, slots=True)
class Script:
    """The messages of one trial's feed; each may be sent once those before it were.

    Attributes:
        labels: UTC epoch seconds of the bars of the trial's window, at least one.
        opening: The first message, and those about the past.
    """

    labels: tuple[int, ...]
    opening: tuple[bytes, ...]
    _market: "_Market"
    _first: int

    @classmethod
    def of(cls, trial: TrialSpec, data_set: DataSet, prices: PricePanel) -> Self:
        """Return the script of a trial.

        Args:
            trial: The trial.
            data_set: Where its market comes from.
            prices: All symbols of the data set, to the end of the trial's tier.

        Raises:
            InvalidSpecError: The bars are not daily, the window has none, or a symbol is unknown.
        """
        if unknown := sorted(set(trial.market.symbols) - set(prices.symbols)):
            raise InvalidSpecError(
                f"data set {data_set.name!r} has no symbol {', '.join(unknown)[:100]!r}",
                hint=f"Known: {', '.join(prices.symbols[:10])}.",
            )
        if data_set.timeframe != DAILY:
            raise InvalidSpecError(
                f"data set {data_set.name!r} has bars of {data_set.timeframe}, "
                "and only daily bars can be revealed one by one",
                hint="Use a data set of daily bars, or run the trial with its tier mounted.",
            )
        days = prices.bars.astype("datetime64[s]").astype("datetime64[D]")
        first = int(days.searchsorted(np.datetime64(trial.window.start)))
        end = int(days.searchsorted(np.datetime64(trial.window.end), side="right"))
        if first >= end:
            raise InvalidSpecError(
                f"no bar between {trial.window.start} and {trial.window.end}",
                hint="Choose a window inside the tier.",
            )
        market = _Market.of(trial, data_set, prices, end)
        opening = sealed.Opening(
            data_set=data_set.name,
            tier=trial.window.tier.value,
            digest=data_set.digest,
            calendar=data_set.calendar,
            first_session=str(days[0]),
            last_session=str(days[end - 1]),
            past_sessions=first,
            most_assets=_padded(len(data_set.symbols)),
            listings=market.listings[: market.known],
        )
        past = [message.SerializeToString() for message in market.past(first)]
        labels = tuple(prices.bars[first:end].tolist())
        return cls(labels, (opening.SerializeToString(), *past), market, first)

    def reveal(self, number: int) -> bytes:
        """Return the message about one of the window's bars.

        Args:
            number: 0 for the first.
        """
        row = self._first + number
        return self._market.reveal(row, row + 1).SerializeToString()


@final
@dataclass(slots=True)
class _News:
    # What is told about one row beside its numbers.
    births: list[sealed.Birth] = field(default_factory=list)
    deaths: list[sealed.Death] = field(default_factory=list)
    splits: list[sealed.SplitNews] = field(default_factory=list)
    dividends: list[sealed.DividendNews] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class _Market:
    # Columns are in the order in which assets are listed: the trial's own, then by first bar.
    sessions: list[int]
    numbers: NDArray[np.uint32]
    listings: list[sealed.Listing]
    known: int
    first_bars: NDArray[np.int64]
    news: dict[int, _News]

    @classmethod
    def of(cls, trial: TrialSpec, data_set: DataSet, prices: PricePanel, end: int) -> Self:
        # Deaths need the whole tier: an asset that trades again after a gap is none. Everything
        # else ends with the window.
        present = ~np.isnan(prices.close)
        ever, count = present.any(axis=0), len(prices.bars)
        firsts = np.where(ever, present.argmax(axis=0), count)
        gone = np.where(ever, count - present[::-1].argmax(axis=0), count)
        sids = {symbol: sid for sid, symbol in enumerate(sorted(data_set.symbols))}
        own = set(trial.market.symbols)
        listed = [
            -1 if symbol in own else int(first)
            for symbol, first in zip(prices.symbols, firsts, strict=True)
        ]
        order = sorted(range(len(listed)), key=lambda at: (listed[at], sids[prices.symbols[at]]))
        numbers = np.zeros((end, _NUMBERS, len(order)), "<u4")
        for at, name in enumerate(_FIELDS):
            values = getattr(prices, name)[:end, order]
            numbers[:, at] = np.nan_to_num(np.rint(values * _THOUSANDTHS))
        numbers[:, -1] = prices.volume[:end, order]
        names = [prices.symbols[at] for at in order]
        listings = [sealed.Listing(sid=sids[name], symbol=name) for name in names]
        sessions = prices.bars.tolist()
        news: dict[int, _News] = {}
        for listing, first, last in zip(listings, firsts[order], gone[order], strict=True):
            if first < end:
                birth = sealed.Birth(listing=listing, session=sessions[first])
                news.setdefault(int(first), _News()).births.append(birth)
            if last < end:
                death = sealed.Death(sid=listing.sid, session=sessions[last])
                news.setdefault(int(last), _News()).deaths.append(death)
        market = cls(sessions[:end], numbers, listings, len(own), firsts[order], news)
        market._add_actions(prices, sids, dict(zip(prices.symbols, listed, strict=True)))
        return market

    def past(self, until: int) -> Iterator[sealed.Reveal]:
        row = 0
        while row < until:
            size = _NUMBERS * _NUMBER_BYTES * max(1, self._listed(until))
            following = min(until, row + max(1, _PAST_BYTES // size))
            yield self.reveal(row, following)
            row = following

    def reveal(self, row: int, end: int) -> sealed.Reveal:
        reveal = sealed.Reveal(
            sessions=self.sessions[row:end],
            bars=self.numbers[row:end, :, : self._listed(end)].tobytes(),
        )
        for at in range(row, end):
            news = self.news.get(at)
            if news is not None:
                reveal.births.extend(news.births)
                reveal.deaths.extend(news.deaths)
                reveal.splits.extend(news.splits)
                reveal.dividends.extend(news.dividends)
        return reveal

    def _listed(self, end: int) -> int:
        # Columns that may be known before row ``end``.
        return self.known + int(self.first_bars[self.known :].searchsorted(end))

    def _add_actions(
        self, prices: PricePanel, sids: Mapping[str, int], listed: Mapping[str, int]
    ) -> None:
        # Nobody can have ordered what was not listed yet.
        rows = {session: row for row, session in enumerate(self.sessions)}
        for split in prices.splits:
            row = rows.get(split.bar, -1)
            if row >= max(0, listed[split.symbol]):
                told = sealed.SplitNews(
                    sid=sids[split.symbol], session=split.bar, ratio=split.ratio
                )
                self.news.setdefault(row, _News()).splits.append(told)
        for dividend in prices.dividends:
            row = rows.get(dividend.ex_bar, -1)
            if row >= max(0, listed[dividend.symbol]):
                paid = sealed.DividendNews(
                    sid=sids[dividend.symbol],
                    session=dividend.ex_bar,
                    # A day after the trial would be news that it has no use for.
                    pay_session=dividend.pay_bar if dividend.pay_bar in rows else 0,
                    amount=dividend.amount,
                )
                self.news.setdefault(row, _News()).dividends.append(paid)


def _padded(assets: int) -> int:
    # A power of two: the number of assets that there will ever be is news, too.
    return max(_FEWEST_ASSETS, 1 << (assets - 1).bit_length())
