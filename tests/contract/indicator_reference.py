"""The canonical indicators once more, written down directly over whole numpy arrays."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


def _windows(values: Array, length: int, reduce) -> Array:
    out = np.full(len(values), np.nan)
    if len(values) >= length:
        out[length - 1 :] = reduce(sliding_window_view(values, length))
    return out


def sma(values: Array, length: int) -> Array:
    return _windows(values, length, lambda windows: windows.mean(axis=1))


def wma(values: Array, length: int) -> Array:
    weights = np.arange(1, length + 1) / (length * (length + 1) / 2)
    return _windows(values, length, lambda windows: windows @ weights)


def stdev(values: Array, length: int) -> Array:
    return _windows(values, length, lambda windows: windows.std(axis=1))


def _smoothed(values: Array, length: int, alpha: float) -> Array:
    # Seeded with the mean of the first `length` defined values.
    out = np.full(len(values), np.nan)
    defined = np.flatnonzero(~np.isnan(values))
    if len(defined) < length:
        return out
    seed = defined[length - 1]
    out[seed] = values[defined[:length]].mean()
    for bar in range(seed + 1, len(values)):
        out[bar] = alpha * values[bar] + (1 - alpha) * out[bar - 1]
    return out


def ema(values: Array, length: int) -> Array:
    return _smoothed(values, length, 2 / (length + 1))


def rma(values: Array, length: int) -> Array:
    return _smoothed(values, length, 1 / length)


def rsi(values: Array, length: int) -> Array:
    change = np.diff(values, prepend=np.nan)
    up = rma(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), length)
    down = rma(np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), length)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 100 - 100 / (1 + up / down)
    return np.where(down == 0, 100.0, value)


def true_range(high: Array, low: Array, close: Array) -> Array:
    before = np.concatenate([[np.nan], close[:-1]])
    gaps = np.fmax(np.abs(high - before), np.abs(low - before))
    return np.fmax(high - low, gaps)


def atr(high: Array, low: Array, close: Array, length: int) -> Array:
    return rma(true_range(high, low, close), length)


def macd(values: Array, fast: int, slow: int, signal: int) -> dict[str, Array]:
    line = ema(values, fast) - ema(values, slow)
    average = ema(line, signal)
    return {"line": line, "signal": average, "hist": line - average}


def bbands(values: Array, length: int, mult: float) -> dict[str, Array]:
    mid, width = sma(values, length), mult * stdev(values, length)
    return {"mid": mid, "upper": mid + width, "lower": mid - width}


def donchian(high: Array, low: Array, close: Array, length: int) -> dict[str, Array]:
    return {
        "upper": _windows(high, length, lambda windows: windows.max(axis=1)),
        "lower": _windows(low, length, lambda windows: windows.min(axis=1)),
    }


def stoch(
    high: Array, low: Array, close: Array, length: int, smooth_k: int, smooth_d: int
) -> dict[str, Array]:
    channel = donchian(high, low, close, length)
    height = channel["upper"] - channel["lower"]
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = np.where(height == 0, np.nan, 100 * (close - channel["lower"]) / height)
    k = sma(raw, smooth_k)
    return {"k": k, "d": sma(k, smooth_d)}


def adx(high: Array, low: Array, close: Array, length: int, smoothing: int) -> dict[str, Array]:
    up = np.diff(high, prepend=np.nan)
    down = -np.diff(low, prepend=np.nan)
    # A tie within rounding errors is no movement at all.
    rises = (up - down > 1e-10) & (up > 1e-10)
    falls = (down - up > 1e-10) & (down > 1e-10)
    plus = np.where(np.isnan(up), np.nan, np.where(rises, up, 0.0))
    minus = np.where(np.isnan(up), np.nan, np.where(falls, down, 0.0))
    mean_range = atr(high, low, close, length)
    with np.errstate(divide="ignore", invalid="ignore"):
        di_plus = np.where(mean_range == 0, 0.0, 100 * rma(plus, length) / mean_range)
        di_minus = np.where(mean_range == 0, 0.0, 100 * rma(minus, length) / mean_range)
        total = di_plus + di_minus
        index = np.where(total == 0, 0.0, np.abs(di_plus - di_minus) / total)
    undefined = np.isnan(rma(plus, length))
    di_plus[undefined] = di_minus[undefined] = index[undefined] = np.nan
    return {"plus": di_plus, "minus": di_minus, "adx": 100 * rma(index, smoothing)}


def indicator(name: str, source: str, bars: dict[str, Array], params: dict) -> dict[str, Array]:
    """Return the outputs of an indicator by name, "" for the only one."""
    function = globals()[name]
    if source == "bar":
        found = function(bars["high"], bars["low"], bars["close"], **params)
    else:
        found = function(bars[source], **params)
    return found if isinstance(found, dict) else {"": found}
