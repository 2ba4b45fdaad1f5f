"""What a model is told of a campaign's past: training figures and coarse ranks, within a budget."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from stratlab.generation.authors.quoting import quoted

if TYPE_CHECKING:
    from stratlab.domain.generation import IterationSummary
    from stratlab.generation.authors.blinding import Blindfold

PAST_BYTES = 12_000
"""Of the whole summary; no token is shorter than a byte."""

_ELITES = 6
_FAILURES = 6
_IDLE = 8


def past_text(
    history: "Sequence[IterationSummary]", hide: "Blindfold", budget: int = PAST_BYTES
) -> str:
    """Return the summary of a campaign's past, the most useful first.

    Args:
        history: Earlier iterations in order.
        hide: Hides names, dates and prices.
        budget: Bytes of UTF-8.
    """
    lines: list[str] = []
    left = budget
    for line in _lines(history, hide):
        left -= len(line.encode()) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(lines) or "Nothing yet: this is the first iteration."


def name_of(summary: "IterationSummary") -> str:
    """Return what prompts call the candidate of an iteration."""
    return f"C{summary.number}"


def best_first(history: "Iterable[IterationSummary]") -> "list[IterationSummary]":
    """Return iterations whose candidates have a training score, the best first, no repetitions."""
    scored = {
        item.candidate.hash: item
        for item in history
        if item.candidate is not None and item.train_score is not None and not item.duplicate_of
    }
    return sorted(
        scored.values(),
        key=lambda item: (not item.passed_gates, -(item.train_score or 0.0), item.number),
    )


def summary_text(item: "IterationSummary", hide: "Blindfold") -> str:
    """Return one iteration in a line: what it was, what training years made of it."""
    candidate, feedback = item.candidate, item.feedback
    what = f"{name_of(item)} {hide(candidate.strategy_id)}" if candidate else name_of(item)
    if item.train_score is not None:
        gates = "passed every gate" if item.passed_gates else "failed a gate"
        rank = f", later years: {item.validation_rank} third" if item.validation_rank else ""
        what = f"{what}: training score {item.train_score:.3f}, {gates}{rank}"
    if feedback is not None:
        said = f"{feedback.summary}; {feedback.analysis}; {feedback.hint}"
        what = f"{what}. {quoted(hide(said), 'result')}"
    return what


def _lines(history: "Sequence[IterationSummary]", hide: "Blindfold") -> Iterator[str]:
    best = best_first(history)
    if best:
        yield "The champion so far:"
        yield f"- {summary_text(best[0], hide)}"
        thesis = best[0].candidate.thesis if best[0].candidate else ""
        if thesis:
            yield f"  Its thesis: {quoted(hide(thesis), 'thesis')}"
    others = _distinct(best[1:])[:_ELITES]
    if others:
        yield "Other good candidates:"
        yield from (f"- {summary_text(item, hide)}" for item in others)
    failed = [item for item in reversed(history) if item.train_score is None][:_FAILURES]
    if failed:
        yield "What failed lately, and why:"
        yield from (f"- {summary_text(item, hide)}" for item in failed)
    shown = {item.number for item in (*best[:1], *others)}
    idle = [item for item in reversed(best) if item.number not in shown][:_IDLE]
    if idle:
        yield "What was tried and did not help:"
        yield from (f"- {summary_text(item, hide)}" for item in idle)


def _distinct(items: "Iterable[IterationSummary]") -> "list[IterationSummary]":
    # One for each strategy: variants of the champion teach little.
    seen: dict[str, IterationSummary] = {}
    for item in items:
        if item.candidate is not None:
            seen.setdefault(item.candidate.strategy_id, item)
    return list(seen.values())
