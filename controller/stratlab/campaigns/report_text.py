"""Renders a campaign's report for people, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from stratlab.campaigns.archive_text import islands_section, lineage_section
from stratlab.domain.campaign import Campaign, Evaluation, HallOfFameEntry, Iteration
from stratlab.domain.examination import HoldoutOpening
from stratlab.domain.gates import Verdict
from stratlab.domain.metrics import METRIC_NAMES, Metrics
from stratlab.domain.trial import TrialPurpose

_COUNTS = frozenset({"total_trades"})


def campaign_report(
    campaign: Campaign,
    iterations: Sequence[Iteration],
    hall_of_fame: Sequence[HallOfFameEntry],
    caveats: Sequence[str],
    points: Mapping[TrialPurpose, int],
    openings: Sequence[HoldoutOpening] = (),
) -> str:
    """Return the report: verdict first, then the evidence, then how to repeat it.

    Args:
        campaign: The campaign.
        iterations: All of it.
        hall_of_fame: The champion first.
        caveats: Of the data set.
        points: Entries of the registry by purpose.
        openings: Of the holdout, in order.
    """
    sections = [
        _heading(campaign),
        _verdict(campaign),
        _best(campaign, iterations),
        islands_section(campaign, iterations),
        lineage_section(campaign.verdict.candidate if campaign.verdict else "", iterations),
        _iterations(iterations),
        _hall_of_fame(hall_of_fame),
        _list("What to know about the data", caveats),
        _count(points),
        _openings(openings),
        _repetition(campaign, iterations),
    ]
    return "\n".join(section for section in sections if section)


def _heading(campaign: Campaign) -> str:
    spec = campaign.spec
    markets = "; ".join(", ".join(market) for market in spec.markets)
    return (
        f"# Campaign {campaign.id}: {_plain(spec.display_name)}\n\n"
        f"{_plain(spec.prompt)}\n\n"
        f"Data {spec.data_set}, markets {markets}, costs {spec.cost_model.kind} "
        f"({spec.cost_model.slippage_bps:g} bp, {spec.cost_model.commission_per_share:g} a share), "
        f"generator {spec.generator}, seed {spec.seed}, state {campaign.state} "
        f"({campaign.state_reason}).\n"
    )


def _verdict(campaign: Campaign) -> str:
    verdict = campaign.verdict
    if verdict is None:
        return "## Verdict\n\nNone: the campaign did not complete.\n"
    told = verdict.reasons if not verdict.rules else (verdict.reasons[0], verdict.reasons[-1])
    reasons = "".join(f"- {_plain(reason)}\n" for reason in told)
    missing = ", ".join(verdict.missing_checks)
    checks = (
        f"\nChecks that a promotion needs and that did not run: {missing}.\n" if missing else ""
    )
    return f"## Verdict: {verdict.kind}\n\n{reasons}{checks}{_rules(verdict)}"


def _rules(verdict: Verdict) -> str:
    if not verdict.rules:
        return ""
    rows = "".join(
        f"| {rule.name} | {rule.status} | {_figure(rule.value)} | {rule.bound:g} | "
        f"{_plain(rule.evidence)} |\n"
        for rule in verdict.rules
    )
    return f"\n| rule | status | value | bound | evidence |\n|---|---|---:|---:|---|\n{rows}"


def _openings(openings: Sequence[HoldoutOpening]) -> str:
    return _list(
        "Openings of the holdout",
        [
            f"{opening.at.date()}: {opening.actor or 'the lab'} for iteration "
            f"{opening.subject.iteration}, look {opening.looks} at {opening.data_set}"
            for opening in openings
        ],
    )


def _best(campaign: Campaign, iterations: Sequence[Iteration]) -> str:
    chosen = campaign.verdict.candidate if campaign.verdict else ""
    best = next((i for i in iterations if i.candidate and i.candidate.hash == chosen), None)
    if best is None or best.candidate is None or best.evaluation is None:
        return ""
    lineage = best.candidate.lineage
    gates = "".join(
        f"- {gate.gate}: {'passed' if gate.passed else 'failed'}, "
        f"{_figure(gate.value)} against {gate.bound:g}\n"
        for gate in best.evaluation.gates
    )
    return (
        f"## Best candidate: {best.candidate.strategy_id} (iteration {best.number})\n\n"
        f"{_plain(best.candidate.thesis)}\n\n"
        f"`{best.candidate.hash}`, operator {lineage.operator}, generation {lineage.generation}, "
        f"parameters {dict(best.evaluation.parameters)}.\n\n"
        f"{_metrics_table(best.evaluation)}\n{gates}"
    )


def _metrics_table(evaluation: Evaluation) -> str:
    columns: list[tuple[str, Metrics | None]] = [
        ("train", evaluation.train),
        ("benchmark, train", evaluation.benchmark_train),
        ("validation", evaluation.validation),
        ("benchmark, validation", evaluation.benchmark_validation),
    ]
    head = "| metric | " + " | ".join(name for name, _ in columns) + " |\n"
    rule = "|---|" + "---:|" * len(columns) + "\n"
    rows = "".join(
        f"| {name} | " + " | ".join(_metric(metrics, name) for _, metrics in columns) + " |\n"
        for name in METRIC_NAMES
    )
    return head + rule + rows


def _iterations(iterations: Sequence[Iteration]) -> str:
    if not iterations:
        return ""
    head = (
        "## Iterations\n\n| # | strategy | operator | level | gates | score | "
        "train Sharpe | validation Sharpe | what it taught |\n"
        "|--:|---|---|--:|---|--:|--:|--:|---|\n"
    )
    return head + "".join(_iteration_row(iteration) for iteration in iterations)


def _iteration_row(iteration: Iteration) -> str:
    candidate, evaluation = iteration.candidate, iteration.evaluation
    cells = [
        str(iteration.number),
        candidate.strategy_id if candidate else "none",
        candidate.lineage.operator if candidate else "",
        str(int(evaluation.level)) if evaluation else "0",
        ("passed" if evaluation.passed_gates else "failed") if evaluation else "",
        _figure(evaluation.score) if evaluation else "",
        _metric(evaluation.train, "sharpe_ratio") if evaluation else "",
        _metric(evaluation.validation, "sharpe_ratio") if evaluation else "",
        _plain(iteration.feedback.summary) if iteration.feedback else "",
    ]
    return "| " + " | ".join(cells) + " |\n"


def _hall_of_fame(entries: Sequence[HallOfFameEntry]) -> str:
    return _list(
        "Hall of fame",
        (
            f"{entry.tier}: {entry.strategy_id} (iteration {entry.iteration}), score "
            f"{entry.score:.4f}{', provisional' if entry.provisional else ''}"
            for entry in entries
        ),
    )


def _count(points: Mapping[TrialPurpose, int]) -> str:
    registered = ", ".join(f"{purpose} {count}" for purpose, count in points.items())
    return _list(
        "What was looked at",
        [
            f"N = {points.get(TrialPurpose.SEARCH, 0)} distinct points could influence selection",
            f"registered: {registered or 'nothing'}",
        ],
    )


def _repetition(campaign: Campaign, iterations: Sequence[Iteration]) -> str:
    runs = [result for iteration in iterations for result in iteration.results]
    trials = [result for result in runs if result.spec.purpose is not TrialPurpose.SMOKE]
    identities = sorted(
        {
            f"image {result.sandbox.image_id}, runtime {result.sandbox.runtime}, "
            f"seccomp profile {result.sandbox.seccomp_digest}"
            for result in runs
            if result.sandbox.image_id
        }
    )
    return _list(
        "How to repeat it",
        [
            f"data digest {campaign.data_digest}",
            f"seed {campaign.spec.seed}, {len(iterations)} iterations, {len(trials)} trials",
            *identities,
            f"result hash {campaign.result_hash or 'none'}",
        ],
    )


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"- {_plain(item)}\n" for item in items)
    return f"## {title}\n\n{lines}" if lines else ""


def _metric(metrics: Metrics | None, name: str) -> str:
    if metrics is None:
        return "-"
    value = getattr(metrics, name)
    return str(value) if name in _COUNTS else _figure(value)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _plain(text: str) -> str:
    # Text of users and strategies must not become markup of the report.
    return "".join(" " if c in "\r\n" else f"\\{c}" if c in "|<>`[]" else c for c in text)
