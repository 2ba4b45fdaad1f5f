"""Daily bars as dense arrays: compiled once from a zipline reader, saved, and mapped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PRICES: Final = ("open", "high", "low", "close")
FIELDS: Final = (*PRICES, "volume")
BLOCK: Final = 256
"""Assets that are read at a time; what is compiled need not fit into memory twice."""


@final
@dataclass(frozen=True, slots=True)
class DayBars:
    """Raw daily bars of a bundle.

    Attributes:
        sessions: All sessions, without time zone.
        columns: Number of an asset -> its column.
        arrays: Field -> sessions x assets, as zipline's reader loads them: prices float64, NaN
            where there is no bar; volume uint32, zero there.
        lives: Rows of each column's first and last bar; between them zipline knows the asset.
        rows: Nanoseconds since 1970-01-01 of a session -> its row.
    """

    sessions: pd.DatetimeIndex
    columns: dict[int, int]
    arrays: dict[str, NDArray[Any]]
    lives: NDArray[np.int64]
    rows: dict[int, int]

    @classmethod
    def compile(cls, reader: Any, folder: Path | None = None) -> Self:
        """Read everything that a bundle has.

        Args:
            reader: Zipline's BcolzDailyBarReader.
            folder: Existing directory for the arrays, which are then mapped; None keeps them in
                memory.
        """
        # Where zipline's own reader begins and ends to know an asset; it tells nobody else.
        begins, ends = reader._first_rows, reader._last_rows  # noqa: SLF001 - see above
        offsets = reader._calendar_offsets  # noqa: SLF001 - see above
        sids = sorted(begins)
        lives = np.array(
            [(offsets[sid], offsets[sid] + ends[sid] - begins[sid]) for sid in sids], "int64"
        ).reshape(-1, 2)
        sessions, shape = reader.sessions, (len(reader.sessions), len(sids))
        arrays: dict[str, NDArray[Any]] = {}
        for field in FIELDS:
            dtype = "uint32" if field == "volume" else "float64"
            if folder is None:
                arrays[field] = np.empty(shape, dtype)
            else:
                arrays[field] = np.lib.format.open_memmap(
                    folder / f"{field}.npy", mode="w+", dtype=dtype, shape=shape
                )
        for start in range(0, len(sids), BLOCK):
            block = sids[start : start + BLOCK]
            loaded = reader.load_raw_arrays(list(FIELDS), sessions[0], sessions[-1], block)
            for field, array in zip(FIELDS, loaded, strict=True):
                arrays[field][:, start : start + BLOCK] = array
        if folder is not None:
            np.save(folder / "sids.npy", np.array(sids, "int64"))
            np.save(folder / "lives.npy", lives)
            return cls.open(folder, sessions)
        return cls._of(sessions, sids, arrays, lives)

    @classmethod
    def open(cls, folder: Path, sessions: pd.DatetimeIndex) -> Self:
        """Map what :meth:`compile` saved, read-only.

        Args:
            folder: Its directory.
            sessions: Those of the reader that it was compiled from.

        Raises:
            OSError: A file is missing.
            ValueError: The arrays do not fit the sessions.
        """
        # Views without the mapping's own class, whose every slice would cost more.
        arrays = {
            field: np.asarray(np.load(folder / f"{field}.npy", mmap_mode="r")) for field in FIELDS
        }
        sids = np.load(folder / "sids.npy").tolist()
        for field, array in arrays.items():
            if array.shape != (len(sessions), len(sids)):
                raise ValueError(f"{field}.npy has the shape {array.shape}")
        return cls._of(sessions, sids, arrays, np.load(folder / "lives.npy"))

    @classmethod
    def _of(
        cls,
        sessions: pd.DatetimeIndex,
        sids: list[int],
        arrays: dict[str, NDArray[Any]],
        lives: NDArray[np.int64],
    ) -> Self:
        rows = {value: row for row, value in enumerate(sessions.asi8.tolist())}
        return cls(sessions, {sid: at for at, sid in enumerate(sids)}, arrays, lives, rows)
