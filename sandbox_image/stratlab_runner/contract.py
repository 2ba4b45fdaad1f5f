"""What the sandbox expects of a strategy's source: standard library only, shared with the host."""

from typing import Final

RUNNER_VERSION: Final = "0.1.0"
"""Sent in the first frame; image and controller are always of one version."""

MAX_SOURCE_BYTES: Final = 256 * 1024
"""Largest source in UTF-8."""

STRATEGY_FILE: Final = "<strategy>"
"""File name of the strategy in tracebacks."""

REQUIRED_FUNCTIONS: Final = ("initialize",)
"""Functions without which a source is no strategy."""

OPTIONAL_FUNCTIONS: Final = ("before_trading_start", "handle_data")
"""Functions that zipline calls when they are there."""

IGNORED_FUNCTIONS: Final = frozenset({"analyze", "_test_args"})
"""Functions that no backtest calls; they and the imports that only they need are left out."""

CONTEXT_ATTRIBUTES: Final = ("params", "symbols", "timeframe")
"""Set on ``context`` before ``initialize``: parameters by name, the trial's market set, and the
length of its bars (``1d``, ``1h``, ...)."""

LAB_MODULE: Final = "stratlab_runner.lab"
"""Imported by strategies as ``from stratlab_runner import lab``; nothing else of the package is."""

LAB_NAMES: Final = (
    "Bracket",
    "BracketError",
    "TimeframeError",
    "bar_time",
    "bars_per_session",
    "days_per_week",
    "on_bar",
    "order_bracket",
    "risk",
    "session_bars",
    "window",
)
"""What a strategy may use of it."""

RISK_NAMES: Final = (
    "RiskError",
    "percent_distance",
    "percent_equity",
    "range_distance",
    "risk_percent",
)
"""What a strategy may use of ``lab.risk``."""

BRACKET_ATTRIBUTES: Final = (
    "amount",
    "close",
    "entry_price",
    "is_open",
    "is_pending",
    "move_stop",
    "stop_level",
    "take_level",
)
"""Public attributes of ``lab.Bracket``."""

ALLOWED_MODULES: Final = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "bottleneck",
        "calendar",
        "cmath",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "empyrical",
        "enum",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "json",
        "logging",
        "math",
        "numbers",
        "numpy",
        "operator",
        "pandas",
        "pytz",
        "random",
        "re",
        "scipy",
        "statistics",
        "statsmodels",
        "string",
        LAB_MODULE,
        "talib",
        "textwrap",
        "typing",
        "warnings",
        "zipline.api",
        "zipline.assets",
        "zipline.errors",
        "zipline.finance.asset_restrictions",
        "zipline.finance.cancel_policy",
        "zipline.finance.commission",
        "zipline.finance.execution",
        "zipline.finance.slippage",
        "zipline.pipeline",
        "zipline.utils.events",
        "zipline.utils.math_utils",
    }
)
"""Modules that a strategy may import, each with all that lies below it; of those in
:data:`NAMES_OF` the names there alone.

This is feedback to whoever writes the strategy, not a wall: the sandbox is the wall.
"""

NAMES_OF: Final = {
    LAB_MODULE: frozenset(LAB_NAMES),
    "os": frozenset({"curdir", "extsep", "fspath", "linesep", "name", "path", "pathsep", "sep"}),
    "os.path": frozenset(
        {"basename", "commonprefix", "dirname", "isabs", "join", "normcase", "normpath"}
        | {"pathsep", "relpath", "sep", "split", "splitext"}
    ),
    "sys": frozenset(
        {"byteorder", "float_info", "getrecursionlimit", "getsizeof", "hash_info", "int_info"}
        | {"maxsize", "maxunicode", "platform", "stderr", "stdout", "version", "version_info"}
    ),
}
"""Modules of which a strategy may use some names alone."""
