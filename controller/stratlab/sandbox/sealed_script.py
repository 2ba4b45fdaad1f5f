"""What a sealed trial is told, and when: the messages of a feed, made from the host's prices.

Imported by the call that needs it: numpy takes a moment to load.
"""

from collections.abc import Iterator
from dataclasses import dataclass
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
            InvalidSpecError: The bars are not daily, or the window has none.
        """
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
            listings=[market.listing(column) for column in range(len(trial.market.symbols))],
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
@dataclass(frozen=True, slots=True)
class _Market:
    # Columns are in the order in which assets are listed: the trial's own, then by first bar.
    # Rows without a bar have births of ``len(bars)``; assets that live on have deaths of that.
    bars: NDArray[np.int64]
    numbers: NDArray[np.uint32]
    names: tuple[tuple[int, str], ...]
    known: int
    births: NDArray[np.int64]
    deaths: NDArray[np.int64]
    splits: tuple[tuple[int, sealed.SplitNews], ...]
    dividends: tuple[tuple[int, sealed.DividendNews], ...]

    @classmethod
    def of(cls, trial: TrialSpec, data_set: DataSet, prices: PricePanel, end: int) -> Self:
        # Deaths need the whole tier: an asset that trades again after a gap is none. Everything
        # else ends with the window.
        sids = {symbol: sid for sid, symbol in enumerate(sorted(data_set.symbols))}
        present = ~np.isnan(prices.close)
        ever = present.any(axis=0)
        count = len(prices.bars)
        births = np.where(ever, present.argmax(axis=0), count)
        deaths = np.where(ever, count - present[::-1].argmax(axis=0), count)
        own = set(trial.market.symbols)
        listed = [
            -1 if symbol in own else int(birth)
            for symbol, birth in zip(prices.symbols, births, strict=True)
        ]
        order = sorted(range(len(listed)), key=lambda at: (listed[at], sids[prices.symbols[at]]))
        numbers = np.zeros((end, _NUMBERS, len(order)), "<u4")
        for at, field in enumerate(_FIELDS):
            values = getattr(prices, field)[:end, order]
            numbers[:, at] = np.nan_to_num(np.rint(values * _THOUSANDTHS))
        numbers[:, -1] = prices.volume[:end, order]
        rows = {label: row for row, label in enumerate(prices.bars.tolist())}
        labels = set(prices.bars[:end].tolist())
        since = dict(zip(prices.symbols, births.tolist(), strict=True))
        return cls(
            bars=prices.bars,
            numbers=numbers,
            names=tuple((sids[prices.symbols[at]], prices.symbols[at]) for at in order),
            known=len(own),
            births=births[order],
            deaths=deaths[order],
            splits=tuple(
                (
                    rows[split.bar],
                    sealed.SplitNews(sid=sids[split.symbol], session=split.bar, ratio=split.ratio),
                )
                for split in prices.splits
                if rows[split.bar] >= since[split.symbol]
            ),
            dividends=tuple(
                (
                    rows[dividend.ex_bar],
                    sealed.DividendNews(
                        sid=sids[dividend.symbol],
                        session=dividend.ex_bar,
                        # A day after the trial would be news that it has no use for.
                        pay_session=dividend.pay_bar if dividend.pay_bar in labels else 0,
                        amount=dividend.amount,
                    ),
                )
                for dividend in prices.dividends
                if rows[dividend.ex_bar] >= since[dividend.symbol]
            ),
        )

    def listing(self, column: int) -> sealed.Listing:
        sid, symbol = self.names[column]
        return sealed.Listing(sid=sid, symbol=symbol)

    def past(self, until: int) -> Iterator[sealed.Reveal]:
        row = 0
        while row < until:
            size = _NUMBERS * _NUMBER_BYTES * max(1, self._listed(until))
            following = min(until, row + max(1, _PAST_BYTES // size))
            yield self.reveal(row, following)
            row = following

    def reveal(self, row: int, end: int) -> sealed.Reveal:
        return sealed.Reveal(
            sessions=self.bars[row:end].tolist(),
            bars=self.numbers[row:end, :, : self._listed(end)].tobytes(),
            births=[
                sealed.Birth(listing=self.listing(at), session=int(self.bars[self.births[at]]))
                for at in _within(self.births, row, end)
            ],
            deaths=[
                sealed.Death(sid=self.names[at][0], session=int(self.bars[self.deaths[at]]))
                for at in _within(self.deaths, row, end)
            ],
            splits=[news for at, news in self.splits if row <= at < end],
            dividends=[news for at, news in self.dividends if row <= at < end],
        )

    def _listed(self, end: int) -> int:
        # Columns that may be known before row ``end``.
        others = self.births[self.known :]
        return self.known + int(others.searchsorted(end))


def _within(rows: NDArray[np.int64], row: int, end: int) -> list[int]:
    found: list[int] = ((rows >= row) & (rows < end)).nonzero()[0].tolist()
    return found


def _padded(assets: int) -> int:
    # A power of two: the number of assets that there will ever be is news, too.
    return max(_FEWEST_ASSETS, 1 << (assets - 1).bit_length())
