"""The grid of ``benchmarks.screen`` with vectorbt, in the benchmark's own environment for it.

Started as ``python vectorbt_screen.py BARS.npz``; answers one line of JSON for each line it reads.
Signals of a close are traded at the next open, stops inside bars, with slippage and a fee.
Distinct averages are computed once; everything else is vectorbt's own and already compiled.
"""

import json
import sys
import time

import numpy as np
import vectorbt as vbt


def screen(
    bars: dict[str, np.ndarray], points: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the figures of all points."""
    close, columns = bars["close"], len(points["fast"])
    lengths = np.unique(np.concatenate([points["fast"], points["slow"]]))
    means = vbt.MA.run(close, window=lengths, ewm=True).ma.to_numpy()
    fast = means[:, np.searchsorted(lengths, points["fast"])]
    slow = means[:, np.searchsorted(lengths, points["slow"])]
    # An exponential mean of span 27 is Wilder's of length 14.
    ranges = vbt.ATR.run(bars["high"], bars["low"], close, window=27, ewm=True).atr.to_numpy()
    above = fast > slow
    entries, exits = np.zeros_like(above), np.zeros_like(above)
    # One bar later, at whose open they are filled.
    entries[2:] = above[1:-1] & ~above[:-2]
    exits[2:] = ~above[1:-1] & above[:-2]
    entries[np.arange(len(close))[:, None] <= points["slow"] + 1] = False
    stops = np.full((len(close), columns), np.nan)
    stops[1:] = (ranges[:-1] / close[:-1])[:, None] * points["stop"]
    portfolio = vbt.Portfolio.from_signals(
        close[:, None],
        entries,
        exits,
        price=bars["open"][:, None],
        open=bars["open"][:, None],
        high=bars["high"][:, None],
        low=bars["low"][:, None],
        sl_stop=stops,
        stop_entry_price="fillprice",
        stop_exit_price="stopmarket",
        size=0.95,
        size_type="percent",
        direction="longonly",
        slippage=0.0005,
        fees=0.00002,
        init_cash=100_000.0,
        freq="1D",
    )
    return (
        portfolio.total_return().to_numpy(),
        portfolio.sharpe_ratio().to_numpy(),
        portfolio.max_drawdown().to_numpy(),
        portfolio.trades.count().to_numpy(),
    )


def main() -> None:
    """Answer until the input ends."""
    with np.load(sys.argv[1]) as file:
        given = dict(file)
    bars = {name: given[name] for name in ("open", "high", "low", "close")}
    points = {name: given[name] for name in ("fast", "slow", "stop")}
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        returns, sharpe, drawdown, trades = screen(bars, points)
        answer = {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "returns": returns.tolist(),
            "sharpe": np.nan_to_num(sharpe).tolist(),
            "drawdown": drawdown.tolist(),
            "trades": trades.tolist(),
            "version": vbt.__version__,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
