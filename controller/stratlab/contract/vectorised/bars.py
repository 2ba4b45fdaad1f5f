"""The traded bars of one symbol as a compiled strategy sees them: adjusted as of each day."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

from stratlab.contract.nodes import PRICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratlab.contract.vectorised.arrays import Floats, Numbers
    from stratlab.domain.market import PricePanel


_DECIMALS = 3


@final
@dataclass(frozen=True, slots=True)
class SymbolBars:
    """One symbol's bars that traded, oldest first, numbered from 0 to N - 1.

    A strategy sees older prices adjusted for the splits and dividends up to now. Bars between two
    such days share a basis; the bases are numbered from 0 to B - 1.

    Attributes:
        rows: Row of each bar in the panel, shape (N,).
        raw: Open, high, low, close, volume by name: as they traded, shape (N,).
        adjusted: The same fields as of each basis, shape (B, N).
        first: Number of the first bar that is traded; N when there is none.
        bounds: Number of the first bar of each basis and N at the end, shape (B + 1,); the first
            basis begins with the first traded bar.
        split_rows: Panel row of each split after the first traded bar, ascending, shape (J,).
        split_ratios: Shape (J,).
        sessions: Number of each bar's session in the panel, shape (N,).
        session_bars: Bars of the panel in the session of the first traded bar.
        session_minutes: Minutes of that session; 0 where bars are daily.
    """

    rows: "Numbers"
    raw: "Mapping[str, Floats]"
    adjusted: "Mapping[str, Floats]"
    first: int
    bounds: "Numbers"
    split_rows: "Numbers"
    split_ratios: "Floats"
    sessions: "Numbers"
    session_bars: int
    session_minutes: int

    @classmethod
    def of(cls, panel: "PricePanel", column: int, first_bar: int, ratios: "Floats") -> Self:
        """Return one symbol of a panel.

        Args:
            panel: Raw prices.
            column: Which symbol.
            first_bar: Row of the panel's first traded bar.
            ratios: Of :func:`stratlab.domain.valuation.adjustment_ratios`, shape (T, symbols).
        """
        fields = {name: getattr(panel, name)[:, column] for name in PRICES}
        traded = fields["volume"] > 0
        for name in PRICES:
            traded = traded & np.isfinite(fields[name])
        rows = np.flatnonzero(traded)
        raw = {name: np.ascontiguousarray(values[rows]) for name, values in fields.items()}
        first = int(np.searchsorted(rows, first_bar))
        symbol = panel.symbols[column]
        row_of = {int(bar): row for row, bar in enumerate(panel.bars)}
        splits = sorted(
            (row_of[split.bar], split.ratio)
            for split in panel.splits
            if split.symbol == symbol and split.bar in row_of
        )
        bounds, adjusted = _bases(raw, rows, first, ratios[:, column], splits)
        own = [item for item in splits if first < len(rows) and item[0] > rows[first]]
        numbers = np.unique(panel.sessions, return_inverse=True)[1]
        session = numbers == (numbers[rows[first]] if first < len(rows) else 0)
        minutes = panel.intraday_minutes
        return cls(
            rows=rows,
            raw=raw,
            adjusted=adjusted,
            first=first,
            bounds=bounds,
            split_rows=np.array([row for row, _ in own], dtype=np.intp),
            split_ratios=np.array([ratio for _, ratio in own], dtype=np.float64),
            sessions=numbers[rows],
            session_bars=int(session.sum()),
            session_minutes=0 if minutes is None else int(minutes[session].max()),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def starts(self, sessions: "Numbers") -> "Numbers":
        """Return the number of the first bar that indicators read, for each point.

        Args:
            sessions: That a compiled strategy reads, the first traded one included.
        """
        found: Numbers = np.searchsorted(self.sessions, self.sessions[self.first] + 1 - sessions)
        return found


def _bases(
    raw: "Mapping[str, Floats]",
    rows: "Numbers",
    first: int,
    ratios: "Floats",
    splits: list[tuple[int, float]],
) -> tuple["Numbers", dict[str, "Floats"]]:
    count = len(rows)
    if first >= count:
        return np.array([count, count]), {name: values[None] for name, values in raw.items()}
    changes = np.flatnonzero(ratios != 1.0)
    # An adjustment is seen at the first bar that trades on its day or later.
    seen = np.searchsorted(rows, changes)
    later = np.unique(seen[(seen > first) & (seen < count)])
    bounds = np.concatenate([[first], later, [count]]).astype(np.intp)
    shares = np.ones_like(ratios)
    for row, ratio in splits:
        shares[row] *= ratio
    current = {name: values.copy() for name, values in raw.items()}
    touched = 0
    stacks: dict[str, list[Floats]] = {name: [] for name in raw}
    done = 0
    for bound in bounds[:-1]:
        while done < len(changes) and seen[done] <= bound:
            row, older = changes[done], seen[done]
            for name, values in current.items():
                values[:older] *= ratios[row] if name != "volume" else 1.0 / shares[row]
            touched, done = max(touched, older), done + 1
        for name, values in current.items():
            shown = values.copy()
            # Zipline rounds what it has adjusted, volumes as well.
            shown[:touched] = np.round(shown[:touched], _DECIMALS)
            stacks[name].append(shown)
    return bounds, {name: np.stack(stack) for name, stack in stacks.items()}
