"""Candidates and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from stratlab.domain.trial import Parameters


@final
class GeneratorKind(StrEnum):
    """Who writes the strategy.

    ``AUTO`` stands in specifications on their way to the server only, which stores what it became.
    """

    AUTO = "auto"
    TEMPLATE = "template"
    FACTOR_GRAPH = "factor_graph"
    CLAUDE = "claude"
    HYBRID = "hybrid"


@final
@dataclass(frozen=True, slots=True)
class Lineage:
    """How a candidate came to be.

    Attributes:
        generator: Who wrote it.
        operator: ``template``, ``vary_parameters``, ``add_factor`` ...
        parents: Hashes of the parent candidates.
        generation: 0 for a template, one more than the oldest parent otherwise.
        note: One sentence for people.
        island: Population that it belongs to, from 0.
        model: Language model that wrote it, "" for none.
        prompt: Version of the prompt that it answers, "" for none.
        is_blind: Whether symbols, dates and price levels were hidden from its author.
        may_foreknow: Whether the model could see what it trades, and may know the holdout's years.
    """

    generator: GeneratorKind
    operator: str
    parents: tuple[str, ...] = ()
    generation: int = 0
    note: str = ""
    island: int = 0
    model: str = ""
    prompt: str = ""
    is_blind: bool = True
    may_foreknow: bool = False


@final
@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy under judgement.

    Attributes:
        hash: sha256 of contract and source, hex; the candidate's identity.
        strategy_id: Identifier from the contract.
        thesis: Why it should work, for people only.
        source: Zipline Python that the sandbox runs.
        contract: Canonical JSON of the strategy contract, "" for free code.
        parameters: Default values of its optimization space.
        parameter_points: Points to try: the best of the screen first, or the defaults.
        lineage: Where it comes from.
        described_by: Of free code the contract that its author says it follows, canonical JSON,
            "" for none; it is compared with the code, never run.
    """

    hash: str
    strategy_id: str
    thesis: str
    source: str
    contract: str
    parameters: Parameters
    lineage: Lineage
    parameter_points: tuple[Parameters, ...] = ()
    described_by: str = ""


@final
class Severity(StrEnum):
    """Weight of a finding: an error rejects, a warning is shown and stored."""

    ERROR = "error"
    WARNING = "warning"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One result of screening (1-based line and column, 0 when it has no place)."""

    layer: str
    rule: str
    severity: Severity
    line: int
    column: int
    message: str
    hint: str


@final
class Author(StrEnum):
    """Who wrote a source: some rules of screening are harder on models."""

    HUMAN = "human"
    MODEL = "model"


@final
@dataclass(frozen=True, slots=True)
class LayerRun:
    """A layer of screening that ran.

    Attributes:
        layer: Its name, as in the findings.
        seconds: How long it took; says nothing about the source.
    """

    layer: str
    seconds: float = field(compare=False)


@final
@dataclass(frozen=True, slots=True)
class ScreeningReport:
    """What screening found.

    Attributes:
        findings: Of all layers that ran, in order.
        layers: Those layers; a layer with an error is the last one.
    """

    findings: tuple[Finding, ...] = ()
    layers: tuple[LayerRun, ...] = ()

    def of_layer(self, layer: str) -> tuple[Finding, ...]:
        """Return the report of one layer."""
        return tuple(finding for finding in self.findings if finding.layer == layer)

    @property
    def passed(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


@final
@dataclass(frozen=True, slots=True)
class Critique:
    """The next change, from training metrics and coarse validation rank only.

    Attributes:
        operator: Name of the operator that the generator should apply, "" for its choice.
        parent: Candidate hash to start from, "" for none.
        reason: Why, for people.
        arguments: Operator arguments.
    """

    operator: str
    parent: str
    reason: str
    arguments: Mapping[str, str] = field(default_factory=dict)
