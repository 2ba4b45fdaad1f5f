"""Pages of lists: bounded by count and bytes, continued by opaque tokens."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from stratlab.domain.errors import InvalidInputError

MAX_PAGE_SIZE = 1000
# Below the 4 MiB that any gRPC client accepts without configuration.
MAX_PAGE_BYTES = 3 * 1024 * 1024
_KEYS = 2**63  # what every store can hold as an integer

Item = TypeVar("Item")
Key = TypeVar("Key", str, int)
Converted = TypeVar("Converted", bound=Message)


def page_size(asked: int, default: int) -> int:
    """Return the size of a page.

    Raises:
        InvalidInputError: It is negative or above 1000.
    """
    if not 0 <= asked <= MAX_PAGE_SIZE:
        raise InvalidInputError(
            f"page_size: {asked} is not between 0 and {MAX_PAGE_SIZE}", field="page_size"
        )
    return asked or default


def encode_token(scope: str, after: str | int) -> str:
    """Return the token that continues the list ``scope`` behind the key ``after``."""
    return base64.urlsafe_b64encode(json.dumps([scope, after]).encode()).decode()


def decode_token(scope: str, token: str, start: Key) -> Key:
    """Return the key to continue behind, ``start`` for an empty token.

    Args:
        scope: The list; a token of another list is refused.
        token: What the caller sent.
        start: Key before the first item; its type is the type of every key.

    Raises:
        InvalidInputError: This server did not make the token for this list.
    """
    if not token:
        return start
    try:
        found, after = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        found, after = None, None
    usable = type(after) is type(start) and (isinstance(after, str) or 0 <= after < _KEYS)
    if found != scope or not usable:
        raise InvalidInputError(
            "page_token: not a token of this list",
            hint="Send the next_page_token of the answer before, with the same parent.",
            field="page_token",
        )
    return type(start)(after)


def cut_page(
    items: Sequence[Item],
    size: int,
    scope: str,
    convert: Callable[[Item], Converted],
    key: Callable[[Item], str | int],
) -> tuple[list[Converted], str]:
    """Convert at most ``size`` items, fewer when they would exceed the byte bound.

    Args:
        items: One more than ``size`` when the list goes on.
        size: Bound of the count.
        scope: The list, for the token.
        convert: Makes the message of an item.
        key: Returns what the list is continued behind.

    Returns:
        The messages, and the token of the next page or "".
    """
    page: list[Converted] = []
    used = 0
    for item in items[:size]:
        message = convert(item)
        used += message.ByteSize()
        if page and used > MAX_PAGE_BYTES:
            break
        page.append(message)
    is_last = len(page) == len(items)
    return page, "" if is_last else encode_token(scope, key(items[len(page) - 1]))
