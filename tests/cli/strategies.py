"""Strategy files for tests of the command line: a clean one, one with warnings, a rejected one."""

from pathlib import Path

BAD = "def initialize(context):\n    eval('1')\n\n\ndef handle_data(context, data):\n    pass\n"
WARNS = "def initialize(context):\n    pass\n"
CLEAN = '''\
"""Buys a rise and leaves with a fixed risk."""
import logging

from stratlab_runner import lab
from zipline.api import record, symbol

log = logging.getLogger(__name__)


def initialize(context):
    context.asset = symbol(context.symbols[0])
    context.bracket = None


def signal(context, data):
    closes = data.history(context.asset, "close", context.params["window"], "1d")
    return closes.iloc[-1] / closes.iloc[0] - context.params["threshold"]


def enter(context, data, strength):
    price = data.current(context.asset, "price")
    risk = price * context.params["risk"]
    shares = context.params["shares"]
    if strength > context.params["confidence"] and is_free(context):
        context.bracket = lab.order_bracket(context.asset, shares, stop_distance=risk)
        log.info("entered at %s", price)


def is_free(context):
    bracket = context.bracket
    return bracket is None or not (bracket.is_pending or bracket.is_open)


def handle_data(context, data):
    if not data.can_trade(context.asset):
        return
    strength = signal(context, data)
    record(strength=strength)
    enter(context, data, strength)
'''


def checkout(folder: Path) -> Path:
    """Make a folder with all of them, and with what is no strategy."""
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name, text in {
        "a.py": CLEAN,
        "b/c.py": WARNS,
        "b/d.py": BAD,
        "b/__init__.py": "",
        ".hidden/e.py": BAD,
        "notes.txt": "no strategy",
    }.items():
        (folder / name).write_text(text)
    return folder
