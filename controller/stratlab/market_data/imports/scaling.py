"""Chooses how a symbol's numbers are stored, so that zipline's 32-bit thousandths hold them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.market import Scale
from stratlab.market_data.content import PRICE_FIELDS, PRICE_UNITS, UINT32_MAX
from stratlab.market_data.imports.findings import Findings

# Rounding to 0.001 that changes a price by more than a basis point asks for a scale.
TOLERATED = 1e-4
# Orders are rounded to cents, so the last decimal of a price becomes at least a cent.
TICK_DECIMALS = 2
MAX_DECIMALS = 8
# Noise of doubles.
CLOSE = 1e-9
# One share (a lot of units) must stay affordable.
DEAREST_LOT = 5_000.0


def choose_scales(
    bars: pd.DataFrame, lots: dict[str, float], findings: Findings
) -> dict[str, Scale]:
    """Return the scale of every symbol whose numbers are not stored as they are.

    Args:
        bars: Columns symbol, volume and the prices.
        lots: What the user said: symbol -> units in one share that trades, a power of ten.
        findings: Where the choice is told.

    Raises:
        InvalidInputError: A lot is no power of ten, is for no symbol, or cannot hold the prices.
    """
    symbols = set(bars["symbol"].unique())
    for name, lot in lots.items():
        if name not in symbols:
            raise InvalidInputError(f"--lot: there is no symbol {name!r}", symbol=name)
        if lot <= 0 or not float(np.log10(lot)).is_integer():
            raise InvalidInputError(
                f"--lot {name}={lot:g}: a lot is a power of ten", hint=f"Try --lot {name}=1000."
            )
    scales = {}
    for symbol, rows in bars.groupby("symbol", sort=True):
        name = str(symbol)
        prices = rows[list(PRICE_FIELDS)].to_numpy("float64").ravel()
        lot = lots[name] if name in lots else _lot(prices)
        if not _fits(prices * lot):
            raise InvalidInputError(
                f"{name}: prices from {prices.min():g} to {prices.max():g} do not fit zipline's "
                f"numbers with lots of {lot:g} units",
                hint="Choose another --lot, or cut the history.",
                symbol=name,
            )
        scale = Scale(lot, _volume_scale(rows["volume"].to_numpy("float64"), lot))
        if scale != Scale():
            scales[name] = scale
            _tell(scale, name, findings)
        error = _error(prices, lot)
        if error > TOLERATED:
            findings.soft(
                "rounded_price", name, f"storing prices changes them by up to {error * 1e4:.1f} bp"
            )
    return scales


def _lot(prices: NDArray[np.float64]) -> float:
    largest = float(prices.max())
    lot = 1.0
    while largest * lot * PRICE_UNITS > UINT32_MAX:
        lot /= 10.0
    if lot < 1.0 or _error(prices, 1.0) <= TOLERATED:
        return lot
    decimals = next(
        (n for n in range(3, MAX_DECIMALS + 1) if _error(prices, 10.0**n / PRICE_UNITS) < CLOSE),
        MAX_DECIMALS,
    )
    lot = 10.0 ** (decimals - TICK_DECIMALS)
    while lot > 1.0 and largest * lot > DEAREST_LOT:
        lot /= 10.0
    return lot


def _volume_scale(volume: NDArray[np.float64], lot: float) -> float:
    scale = 1.0 / lot
    while float(volume.max()) * scale > UINT32_MAX:
        scale /= 10.0
    return float(f"{scale:.0e}")


def _fits(stored: NDArray[np.float64]) -> bool:
    units = np.rint(stored * PRICE_UNITS)
    return bool((units >= 1).all() and (units <= UINT32_MAX).all())


def _error(prices: NDArray[np.float64], lot: float) -> float:
    units = lot * PRICE_UNITS
    return float(np.abs(np.rint(prices * units) / units / prices - 1.0).max())


def _tell(scale: Scale, symbol: str, findings: Findings) -> None:
    if scale.price != 1:
        findings.soft(
            "lots",
            symbol,
            f"one share that trades is {scale.lot:g} units (a strategy sees prices times "
            f"{scale.price:g}); results are in the source's units",
        )
    if abs(scale.price * scale.volume - 1.0) > CLOSE:
        findings.soft(
            "scaled_volume",
            symbol,
            f"a strategy sees volumes times {scale.volume:g}, and so does the volume limit",
        )
