"""Takes secrets out of texts before they are kept, logged or handed on."""

from collections.abc import Iterable
from typing import final

MARK = "[redacted]"


@final
class Redactor:
    """Replaces known secrets in texts.

    Args:
        secrets: What no text may hold; empty ones are passed over.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first: one secret may be a part of another.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, MARK)
        return text

    def __repr__(self) -> str:
        """Tell nothing."""
        return f"Redactor({len(self._secrets)} secrets)"
