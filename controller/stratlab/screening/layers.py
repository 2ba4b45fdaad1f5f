"""Runs the layers over a source, in order, until one of them rejects it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from stratlab.domain.strategy import Author, Finding, LayerRun, ScreeningReport, Severity
from stratlab.screening import (
    attributes,
    bandit_tests,
    builtins_use,
    code_text,
    control_flow,
    convention,
    coverage,
    dates,
    imports,
    integration,
    iterators,
    lookahead,
    members,
    recursion,
    secrets,
    static,
)
from stratlab.screening.compiled import is_compiled
from stratlab.screening.rule import Layer
from stratlab.screening.source import StrategySource

MAX_FINDINGS: Final = 100
"""Of one layer: who has that many needs no more."""

_Check = Callable[[StrategySource], Iterable[Finding]]
_CHECKS: Final[dict[Layer, tuple[_Check, ...]]] = {
    Layer.STATIC: (static.check, control_flow.check, iterators.check, recursion.check),
    Layer.SECURITY: (
        imports.check,
        builtins_use.check,
        attributes.check,
        code_text.check,
        dates.check,
        secrets.check,
        bandit_tests.check,
        lookahead.check,
    ),
    Layer.CONVENTION: (convention.check,),
    Layer.INTEGRATION: (integration.check,),
    Layer.COVERAGE: (coverage.check,),
}
_ADVICE: Final = frozenset({Layer.CONVENTION, Layer.INTEGRATION, Layer.COVERAGE})


def screen_text(text: str, author: Author = Author.HUMAN) -> ScreeningReport:
    """Return what the layers that read sources say of one.

    Not for the controller's own process: hostile text may exhaust stack and memory.
    """
    began = time.perf_counter()
    reading = static.read_text(text)
    if isinstance(reading, Finding):
        run = LayerRun(Layer.STATIC, time.perf_counter() - began)
        return ScreeningReport((reading,), (run,))
    source = StrategySource(text, reading, author)
    found: list[Finding] = []
    runs: list[LayerRun] = []
    for layer, checks in _CHECKS.items():
        if layer in _ADVICE and is_compiled(source):
            checks = ()  # noqa: PLW2901 - it ran, and has nothing to say
        own = _in_order(islice((f for check in checks for f in check(source)), 10 * MAX_FINDINGS))
        found += own
        ended = time.perf_counter()
        runs.append(LayerRun(layer, ended - began))
        began = ended
        if any(finding.severity is Severity.ERROR for finding in own):
            break
    return ScreeningReport(tuple(_in_characters(found, text)), tuple(runs))


def warm_up() -> None:
    """Load what takes longer than a source."""
    members.surface()
    secrets.warm_up()
    bandit_tests.warm_up()


def _in_characters(findings: Iterable[Finding], text: str) -> Iterable[Finding]:
    # The parser counts bytes of UTF-8; people, editors and SARIF count characters.
    if text.isascii():
        return findings
    # Bytes end lines where Python does; text has more kinds of line ends.
    lines = text.encode("utf-8", "replace").splitlines()
    return [
        replace(finding, column=_characters(lines[finding.line - 1][: finding.column - 1]) + 1)
        if finding.column and 0 < finding.line <= len(lines)
        else finding
        for finding in findings
    ]


def _characters(content: bytes) -> int:
    return len(content.decode("utf-8", "replace"))


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    # Errors are never cut off by warnings; what is kept is in the order of the source.
    unique = list(dict.fromkeys(findings))
    unique.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    return sorted(unique[:MAX_FINDINGS], key=lambda f: (f.line, f.column, f.rule))
