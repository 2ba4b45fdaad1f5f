"""Rules of layer 1: can this text be a strategy at all?"""

from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.screening.rule import Layer, Rule


def _error(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.STATIC, Severity.ERROR, message, hint, rationale)


UNSCREENABLE: Final = _error(
    "unscreenable",
    "{reason}",
    "Simplify the source.",
    "What exhausts the screening process is not worth a container.",
)
SOURCE_TOO_LARGE: Final = _error(
    "source_too_large",
    "the source has {size} bytes, the limit is {limit}",
    "Keep data out of the source.",
    "It has to fit into one message to the sandbox; data belongs into data sets.",
)
NUL_BYTE: Final = _error(
    "nul_byte",
    "the source contains a NUL byte",
    "Send plain text.",
    "Python cannot compile it, and text tools cut it off there.",
)
SYNTAX: Final = _error(
    "syntax",
    "{error}",
    "Correct the syntax at this place.",
    "It is no Python of the version in the sandbox.",
)
UNPARSABLE: Final = _error(
    "unparsable",
    "the source cannot be parsed: {error}",
    "Nest less deeply, and use plain UTF-8 text.",
    "It breaks the parser: nested too deeply, or in an encoding that does not exist.",
)
NESTING: Final = _error(
    "nesting",
    "blocks and expressions are nested {depth} deep, the limit is {limit}",
    "Split the code into functions.",
    "Deep trees exhaust the stack of whatever reads them; honest code stays far below.",
)
ENTRY_POINT: Final = _error(
    "entry_point",
    "{reason}",
    "Define initialize(context) at the top level, or one class XStrategy with should_trade and "
    "execute.",
    "Without an entry point there is nothing that the sandbox could call.",
)
ENTRY_SIGNATURE: Final = _error(
    "entry_signature",
    "{function} cannot be called with {wanted}",
    "Take exactly these parameters.",
    "The call would fail in the container, after everything has been paid for.",
)
ENDLESS_LOOP: Final = _error(
    "endless_loop",
    "this loop cannot end: {reason}",
    "Bound the loop, or leave it with break or return.",
    "It would use all of a trial's processor time and trade nothing.",
)
ENDLESS_RECURSION: Final = _error(
    "endless_recursion",
    "{function} always calls itself again",
    "Return before the call when there is nothing left to do.",
    "It ends in RecursionError at the first bar.",
)
ENDLESS_ITERATOR: Final = _error(
    "endless_iterator",
    "{iterator} never ends, and nothing here stops",
    "Take a bounded part of it (itertools.islice), or leave the loop with break or return.",
    "It would use all of a trial's processor time or memory.",
)
IMPORT_LEFT_OUT: Final = Rule(
    "import_left_out",
    Layer.STATIC,
    Severity.WARNING,
    "{name} is not imported: strategies may not, and nothing that runs needs it",
    "Remove the import.",
    "Published algorithms import plotting for analyze, which no backtest calls; the container "
    "leaves such imports out instead of failing.",
)

RULES: Final = (
    UNSCREENABLE,
    SOURCE_TOO_LARGE,
    NUL_BYTE,
    SYNTAX,
    UNPARSABLE,
    NESTING,
    ENTRY_POINT,
    ENTRY_SIGNATURE,
    ENDLESS_LOOP,
    ENDLESS_RECURSION,
    ENDLESS_ITERATOR,
    IMPORT_LEFT_OUT,
)
