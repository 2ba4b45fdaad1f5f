"""Ctrl-C and SIGTERM: once ends in order, twice says what is waited for, three times is enough."""

import os
import signal
import sys
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130

_seen = 0


def install() -> None:
    """Let the first signal raise KeyboardInterrupt, so that containers end before we do."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    del number, frame
    global _seen  # noqa: PLW0603 (signals are a matter of the whole process)
    _seen += 1
    if _seen == 1:
        raise KeyboardInterrupt
    if _seen == 2:  # noqa: PLR2004 (the second time)
        text = "Ending containers and calls; once more leaves at once, the next start cleans up.\n"
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, text.encode())
        return
    os._exit(INTERRUPTED)
