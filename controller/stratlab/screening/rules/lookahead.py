"""The look-ahead lint: hints that a rule may use what it cannot know yet. Never proof.

What looks ahead is found out by scrambling the future; this only saves a round.
"""

from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.screening.rule import Layer, Rule


def _warning(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.SECURITY, Severity.WARNING, message, hint, rationale)


NEGATIVE_SHIFT: Final = _warning(
    "lookahead_shift",
    "{name} by {amount} moves later values to earlier places",
    "Shift by a positive number of bars.",
    "The usual way to put tomorrow's return next to today's signal.",
)
CENTRED_WINDOW: Final = _warning(
    "lookahead_centred_window",
    "a window around each bar contains bars after it",
    "Leave center=True out.",
    "Half of a centred window is the future of its middle.",
)
BACKWARD_FILL: Final = _warning(
    "lookahead_backward_fill",
    "{name} fills a gap with a later value",
    "Fill forward (ffill), or drop the gap.",
    "The filled value was not known at its place.",
)
FORWARD_MERGE: Final = _warning(
    "lookahead_forward_merge",
    "merge_asof with direction={direction} may take a later row",
    'Use direction="backward".',
    "The matched row may lie in the future.",
)
FUTURE_INDEX: Final = _warning(
    "lookahead_index",
    "{text} reads beyond the current place",
    "Index with the current place or an earlier one.",
    "In a loop over bars, i + 1 is the bar that has not happened.",
)
FULL_SAMPLE: Final = _warning(
    "lookahead_full_sample",
    "{name} scales early values by later ones",
    "Scale by a rolling or expanding window that ends at the bar.",
    "Mean, deviation and rank of the whole sample contain its end.",
)
WALL_CLOCK: Final = _warning(
    "wall_clock",
    "{name} asks the computer's clock",
    "Use data.current_dt or zipline.api.get_datetime().",
    "A backtest has its own time; the same trial must end the same way tomorrow.",
)

RULES: Final = (
    NEGATIVE_SHIFT,
    CENTRED_WINDOW,
    BACKWARD_FILL,
    FORWARD_MERGE,
    FUTURE_INDEX,
    FULL_SAMPLE,
    WALL_CLOCK,
)
