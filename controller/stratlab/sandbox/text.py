"""Text from a container, made safe to store and to print on a terminal."""

from typing import Final

_KEPT: Final = frozenset("\n\t")


def clean_text(value: str | bytes, limit: int, *, keep: str = "head") -> str:
    """Return ``value`` escaped and cut to about ``limit`` characters.

    Control characters (ANSI sequences among them), bidirectional overrides, lone surrogates
    and bytes that are not UTF-8 become backslash escapes; newline and tab stay.

    Args:
        value: What the container sent.
        limit: Characters that are kept, the marker not counted.
        keep: ``head`` or ``tail``: which end survives the cut.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    dropped = len(value) - limit
    if dropped <= 0:
        return _escaped(value, limit)
    marker = f"[{dropped} characters cut]"
    if keep == "tail":
        return f"{marker} {_escaped(value[-limit:], limit)}"
    return f"{_escaped(value[:limit], limit)} {marker}"


def _escaped(text: str, limit: int) -> str:
    # An escape takes up to ten characters: without the second cut a text of escapes only
    # would come out ten times as long as asked.
    escaped = "".join(
        character
        if character in _KEPT or character.isprintable()
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
    return escaped if len(escaped) <= 4 * limit else escaped[: 4 * limit] + " [cut]"
