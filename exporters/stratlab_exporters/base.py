"""What an exporter is given and what it returns; third parties implement :class:`Exporter`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, final

from stratlab.domain.market import DAILY, CostModel
from stratlab.domain.strategy import Candidate, Severity
from stratlab.domain.trial import Parameters


@final
@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A candidate with everything that a backtest of it depends on.

    Attributes:
        candidate: The strategy.
        parameters: Values for ``context.params``; names it lacks keep the candidate's defaults.
        symbols: The market set.
        cost_model: Fills and fees.
        capital: Starting cash in account currency.
        calendar: Name of the exchange calendar.
        timeframe: Length of the bars.
    """

    candidate: Candidate
    parameters: Parameters
    symbols: tuple[str, ...]
    cost_model: CostModel = field(default_factory=CostModel)
    capital: float = 100_000.0
    calendar: str = "XNYS"
    timeframe: str = DAILY


@final
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that an exporter has to say.

    Attributes:
        target: Exporter that says it.
        code: Stable code, UPPER_SNAKE.
        severity: An error means that no file was written.
        path: Part of the contract, or ``source:LINE``; "" for the whole.
        message: What it is.
        hint: The next step.
    """

    target: str
    code: str
    severity: Severity
    path: str
    message: str
    hint: str


@final
@dataclass(frozen=True, slots=True)
class ExportResult:
    """Files of one target, none when a diagnostic is an error.

    Attributes:
        target: Exporter that made it.
        files: File name -> content; equal requests give equal bytes.
        diagnostics: In the order in which they were found.
    """

    target: str
    files: Mapping[str, bytes]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether no diagnostic is an error."""
        return all(item.severity is not Severity.ERROR for item in self.diagnostics)


class Exporter(Protocol):
    """Writes candidates for one target.

    A class that is named in the entry point group ``stratlab.exporters`` and takes no arguments.
    """

    @property
    def target(self) -> str:
        """Name of the target, as users write it."""
        ...

    @property
    def codes(self) -> Mapping[str, str]:
        """Every diagnostic code it may use, with one sentence for the documentation."""
        ...

    def export(self, request: ExportRequest) -> ExportResult:
        """Return the files of a candidate; what cannot be exported is a diagnostic."""
        ...
