"""What an import found in the data: hard findings refuse it, soft ones become caveats."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

# Examples that a finding shows; the count says how many there are.
EXAMPLES = 5


@final
class Severity(StrEnum):
    """What a finding does to the import."""

    HARD = "hard"
    SOFT = "soft"


@final
@dataclass(frozen=True, slots=True)
class ImportFinding:
    """One kind of problem in one symbol.

    Attributes:
        code: Stable name of the check.
        severity: Whether it refuses the import.
        symbol: Where it is; empty for the whole data set.
        count: How often.
        message: What it is and what was done or has to be done.
        examples: The first places.
    """

    code: str
    severity: Severity
    symbol: str
    count: int
    message: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the finding as one line."""
        where = f"{self.symbol}: " if self.symbol else ""
        shown = f" ({', '.join(self.examples)}{', ...' if self._cut else ''})"
        return f"{where}{self.message}{shown if self.examples else ''}"

    @property
    def _cut(self) -> bool:
        return self.count > len(self.examples)


@final
@dataclass(slots=True)
class Findings:
    """Collects findings in the order of the checks."""

    items: list[ImportFinding] = field(default_factory=list)

    def hard(self, code: str, symbol: str, message: str, places: Sequence[str] = ()) -> None:
        """Add a finding that refuses the import."""
        self._add(code, Severity.HARD, symbol, message, places)

    def soft(self, code: str, symbol: str, message: str, places: Sequence[str] = ()) -> None:
        """Add a finding that becomes a caveat."""
        self._add(code, Severity.SOFT, symbol, message, places)

    def either(
        self, severity: Severity, code: str, symbol: str, message: str, places: Sequence[str] = ()
    ) -> None:
        """Add a finding whose severity depends."""
        self._add(code, severity, symbol, message, places)

    def __iter__(self) -> Iterator[ImportFinding]:
        return iter(self.items)

    @property
    def refusing(self) -> tuple[ImportFinding, ...]:
        """The hard findings."""
        return tuple(item for item in self.items if item.severity is Severity.HARD)

    def _add(
        self, code: str, severity: Severity, symbol: str, message: str, places: Sequence[str]
    ) -> None:
        self.items.append(
            ImportFinding(
                code, severity, symbol, max(len(places), 1), message, tuple(places[:EXAMPLES])
            )
        )


def caveats_of(findings: Iterable[ImportFinding], *, symbols_shown: int = 6) -> tuple[str, ...]:
    """Return one sentence for each kind of soft finding, whatever the number of symbols."""
    grouped: dict[str, list[ImportFinding]] = {}
    for finding in findings:
        if finding.severity is Severity.SOFT:
            grouped.setdefault(finding.code, []).append(finding)
    caveats = []
    for code, group in grouped.items():
        if len(group) == 1:
            caveats.append(f"{code}: {group[0]}")
            continue
        names = [finding.symbol for finding in group]
        listed = ", ".join(names[:symbols_shown]) + (", ..." if len(names) > symbols_shown else "")
        total = sum(finding.count for finding in group)
        caveats.append(
            f"{code}: {total} cases in {len(group)} symbols ({listed}); for example {group[0]}"
        )
    return tuple(caveats)
