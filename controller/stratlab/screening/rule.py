"""What a rule of screening is, and how it becomes a finding at a place of the source."""

import ast
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from stratlab.domain.strategy import Author, Finding, Severity

_MAX_VALUE: Final = 80
"""Characters of the source that a message quotes at most."""


@final
class Layer(StrEnum):
    """The layers, in the order in which they run; the first one with an error is the last."""

    STATIC = "static"
    SECURITY = "security"
    CONVENTION = "convention"
    INTEGRATION = "integration"
    COVERAGE = "coverage"
    SMOKE = "smoke"
    CAUSALITY = "causality"


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that screening looks for.

    Attributes:
        id: Stable and unique among all layers.
        layer: Which layer finds it.
        severity: Weight of a finding.
        message: One line with ``{names}`` for what the source says.
        hint: The next step for whoever writes the strategy.
        rationale: Why the rule exists, for the public list.
        for_models: Another severity in source that a model wrote, None for the same.
    """

    id: str
    layer: Layer
    severity: Severity
    message: str
    hint: str
    rationale: str
    for_models: Severity | None = None

    def at(
        self, node: ast.AST | None = None, /, *, author: Author = Author.HUMAN, **values: object
    ) -> Finding:
        """Return the finding at a node of the source, or at no place.

        Args:
            node: Where; a module counts as no place.
            author: Who wrote the source.
            **values: What the names of the message stand for.
        """
        return self.at_place(
            getattr(node, "lineno", 0),
            getattr(node, "col_offset", -1) + 1,
            author=author,
            **values,
        )

    def at_place(
        self, line: int, column: int = 0, /, *, author: Author = Author.HUMAN, **values: object
    ) -> Finding:
        """Return the finding at a 1-based line and column, 0 for none; see :meth:`at`."""
        is_models = author is Author.MODEL and self.for_models is not None
        return Finding(
            layer=self.layer,
            rule=self.id,
            severity=self.for_models if is_models and self.for_models else self.severity,
            line=line,
            column=column,
            message=self.message.format(**{name: _short(value) for name, value in values.items()}),
            hint=self.hint,
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."
