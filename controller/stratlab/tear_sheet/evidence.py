"""What was found out about the finalist: statistics, time, stress, arms, holdout."""

from collections.abc import Sequence

from stratlab.domain.examination import Examination, StatisticsEvidence
from stratlab.domain.robustness import (
    CapacityLadder,
    CostLadder,
    Performance,
    Robustness,
    Rung,
    WalkForward,
)
from stratlab.domain.statistics import (
    DeflatedSharpe,
    Inconclusive,
    Interval,
    PredictiveAbility,
    SharpeEstimate,
)
from stratlab.tear_sheet.charts.lines import Line, line_chart
from stratlab.tear_sheet.sheet import Sheet
from stratlab.tear_sheet.text import (
    NOTHING,
    bound_text,
    number,
    percent,
    plain,
    section,
    subsection,
    table,
)


def evidence_sections(sheet: Sheet) -> str:
    """Return what the examination found, one section a check, and what stands beside it."""
    found = sheet.examination
    parts = []
    if found is not None:
        parts = [_causality(found), _statistics(found), _robustness(found.robustness)]
    return "".join([*parts, _arms(sheet), _holdout(sheet)])


def _causality(found: Examination) -> str:
    causality, sealed = found.causality, found.sealed_replay
    if causality is None:
        return ""
    rows = [
        [
            ", ".join(cut.market),
            cut.cut.isoformat(),
            cut.reason.value,
            cut.outcome.value,
            str(cut.compared_orders),
            cut.first_difference or NOTHING,
        ]
        for cut in causality.cuts
    ]
    facts = [["re-runs in worlds with another future", causality.outcome.value, causality.reason]]
    if causality.delay is not None:
        before, after = causality.delay.sharpe, causality.delay.delayed_sharpe
        facts.append(
            ["one bar later", "", f"Sharpe ratio {number(before)} becomes {number(after)}"]
        )
    if causality.warm_up_difference is not None:
        told = causality.warm_up_difference or "the same orders"
        facts.append(["another warm-up", "", told])
    if sealed is not None:
        facts.append(["sealed replay", sealed.outcome.value, sealed.reason])
    head = ["market", "cut", "chosen by", "outcome", "compared orders", "first difference"]
    return section("Causality", table(["test", "outcome", "found"], facts), table(head, rows))


def _statistics(found: Examination) -> str:
    evidence = found.statistics
    if evidence is None:
        return ""
    return section(
        "Statistics",
        table(["statistic", "value", "of"], _figures(evidence)),
        subsection("Regimes", _regimes(evidence)),
        note=(
            "Of daily returns in excess of the campaign's benchmark, train followed by validation."
        ),
    )


def _figures(evidence: StatisticsEvidence) -> list[list[str]]:
    sharpe, psr, record = evidence.sharpe, evidence.probabilistic, evidence.track_record
    rows = [["trials that count, N", str(evidence.counts.counted), ""]]
    if isinstance(sharpe, SharpeEstimate):
        rows += [
            ["Sharpe ratio, annual", number(sharpe.annual), f"{sharpe.observations} returns"],
            ["corrected for autocorrelation (Lo)", number(sharpe.lo_annual), ""],
        ]
    rows.append(["with its bound", bound_text(evidence.bound), "stationary bootstrap"])
    if not isinstance(psr, Inconclusive):
        rows.append(["probabilistic Sharpe ratio", number(psr.probability, 4), "against zero"])
    if not isinstance(record, Inconclusive):
        needed = "no number is enough" if record.required is None else str(record.required)
        rows.append(["minimum track record", needed, f"there are {record.observations}"])
    deflated = evidence.deflated
    for variant in (
        deflated.raw_count,
        deflated.empirical_variance,
        deflated.effective_count,
        deflated.screened_count,
    ):
        if isinstance(variant, DeflatedSharpe):
            name = f"deflated Sharpe ratio, {variant.deflation.value.replace('_', ' ')}"
            rows.append([name, number(variant.probability, 4), f"{variant.trials} trials"])
    spa = evidence.spa
    if isinstance(spa, PredictiveAbility):
        between = f"{number(spa.p_lower, 3)} to {number(spa.p_upper, 3)}, {spa.trials} series"
        rows.append(["Hansen SPA, p", number(spa.p_value, 4), between])
    overfitting = evidence.overfitting
    if not isinstance(overfitting, Inconclusive):
        of = f"{overfitting.splits} splits of {overfitting.trials} series; no gate"
        rows.append(["probability of overfitting (CSCV)", number(overfitting.probability), of])
    inconclusive = (sharpe, psr, record, deflated.raw_count, spa, overfitting)
    rows += [
        [each.statistic.replace("_", " "), "inconclusive", each.message]
        for each in inconclusive
        if isinstance(each, Inconclusive)
    ]
    return rows


def _regimes(evidence: StatisticsEvidence) -> str:
    regimes = evidence.regimes
    if isinstance(regimes, Inconclusive):
        return ""
    rows = [
        [
            row.regime,
            str(row.observations),
            percent(row.volatility),
            _interval(row.mean_return),
            bound_text(row.sharpe),
        ]
        for row in regimes.rows
    ]
    head = ["regime", "n", "volatility of the benchmark", "mean excess a year", "Sharpe ratio"]
    return table(head, rows)


def _interval(interval: Interval | Inconclusive) -> str:
    if isinstance(interval, Inconclusive):
        return interval.message
    return f"{percent(interval.value)} ({percent(interval.low)} to {percent(interval.high)})"


def _robustness(found: Robustness | None) -> str:
    if found is None:
        return ""
    stress = [
        [
            test.kind.value.replace("_", " "),
            str(len(test.runs)),
            _span([run.sharpe_ratio for run in test.runs]),
            _span([run.excess_sharpe for run in test.runs]),
            test.note or NOTHING,
        ]
        for test in found.stress
    ]
    head = ["stress", "runs", "Sharpe ratio", "excess Sharpe ratio", "note"]
    return section(
        "Robustness",
        *(_walk(walk) for walk in found.walk_forwards),
        _paths(found),
        subsection("Stress", table(head, stress)),
        subsection("Costs", _costs(found.costs)),
        subsection("Capacity", _capacity(found.capacity)),
        subsection("Not done", table(["why"], [[note] for note in found.notes])),
        note="Reported; no rule of a promotion depends on it.",
    )


def _walk(walk: WalkForward) -> str:
    start = walk.equity[0].value if walk.equity else 1.0
    lines = [
        Line(name, style, [p.bar for p in points], [p.value / start for p in points])
        for name, style, points in (
            ("out of sample, stitched", "own", walk.equity),
            ("benchmark", "other", walk.benchmark_equity),
        )
        if points
    ]
    chart = line_chart(
        f"Walk-forward, {walk.scheme}",
        lines,
        y_label="growth of 1",
        y_text=lambda value: f"{value:.2f}",
    )
    fall = walk.degradation
    share, ends = percent(fall.confidence, 0), f"{number(fall.low)} to {number(fall.high)}"
    facts = [
        ["windows", f"{len(walk.steps)} (purge {walk.purge}, embargo {walk.embargo} sessions)"],
        ["parameters chosen from", f"{walk.points} points ({walk.source})"],
        ["Sharpe ratio out of sample", number(walk.out_of_sample.sharpe_ratio)],
        ["efficiency", number(walk.efficiency)],
        ["loss of excess Sharpe ratio", f"{number(fall.value)} ({share}: {ends})"],
    ]
    return subsection(f"Walk-forward, {walk.scheme}", chart + table(["", ""], facts))


def _paths(found: Robustness) -> str:
    cross = found.cross_validation
    if cross is None:
        return ""
    ended = dict.fromkeys(path.outcome.value for path in cross.paths)
    told = [
        [
            f"{cross.splits} splits of {cross.groups} groups, {len(cross.paths)} paths",
            ", ".join(ended),
            _span([path.sharpe_ratio for path in cross.paths]),
            _span([path.excess_sharpe for path in cross.paths]),
        ]
    ]
    head = ["", "outcome", "Sharpe ratio", "excess Sharpe ratio"]
    return subsection("Combinatorial purged cross-validation", table(head, told))


def _costs(ladder: CostLadder | None) -> str:
    if ladder is None:
        return ""
    chart = _ladder(ladder.rungs, "multiple of the campaign's costs", "Total return by costs")
    facts = [
        ["costs at which nothing is left", _multiple(ladder.break_even)],
        ["at which the benchmark is no longer beaten", _multiple(ladder.excess_break_even)],
    ]
    return chart + table(["", "multiple"], facts)


def _multiple(value: float | None) -> str:
    return "above the largest tried" if value is None else number(value)


def _capacity(ladder: CapacityLadder | None) -> str:
    if ladder is None:
        return ""
    label = "largest share of a bar's volume"
    rungs = tuple(rung for rung in ladder.rungs if rung.level > 0)
    chart = _ladder(rungs, label, "Total return by capacity", is_logarithmic=True)
    rows = [
        [plain(rung.level), str(rung.fills), percent(rung.performance.cum_returns_final)]
        for rung in ladder.rungs
    ]
    return chart + table([label, "fills", "total return"], rows, style="figures")


def _ladder(
    rungs: tuple[Rung, ...], label: str, title: str, *, is_logarithmic: bool = False
) -> str:
    known = sorted(
        (rung.level, rung.performance.cum_returns_final)
        for rung in rungs
        if rung.performance.cum_returns_final is not None
    )
    line = Line("", "own", [x for x, _ in known], [y for _, y in known], is_marked=True)
    return line_chart(
        title,
        [line],
        x_label=label,
        y_label="total return",
        x_text=plain,
        y_text=lambda value: percent(value, 0),
        levels=(0.0,),
        is_logarithmic=is_logarithmic,
        height=220,
    )


def _span(values: Sequence[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return NOTHING
    middle = known[len(known) // 2]
    if len(known) == 1:
        return number(middle)
    return f"{number(middle)} ({number(known[0])} to {number(known[-1])})"


def _arms(sheet: Sheet) -> str:
    if not sheet.arms:
        return ""
    chosen = sheet.chosen
    evaluation = chosen.evaluation if chosen else None
    rows = [
        [
            arm.arm.value.replace("_", " "),
            arm.strategy_id or arm.note,
            str(arm.points) if arm.points else NOTHING,
            *_both(arm.train),
            *_both(arm.validation),
        ]
        for arm in sheet.arms
    ]
    if evaluation is not None and evaluation.train is not None:
        validation = evaluation.validation
        own = [
            percent(evaluation.train.cum_returns_final),
            number(evaluation.train.sharpe_ratio),
            percent(validation.cum_returns_final if validation else None),
            number(validation.sharpe_ratio if validation else None),
        ]
        name = chosen.candidate.strategy_id if chosen and chosen.candidate else ""
        rows.insert(0, ["this campaign", name, NOTHING, *own])
    head = ["arm", "holds", "points", "train", "Sharpe ratio", "validation", "Sharpe ratio"]
    note = "Each had the campaign's budget; the best by train is shown. Not counted in N."
    return section("Reference arms", table(head, rows), note=note)


def _both(performance: Performance | None) -> tuple[str, str]:
    if performance is None:
        return NOTHING, NOTHING
    return percent(performance.cum_returns_final), number(performance.sharpe_ratio)


def _holdout(sheet: Sheet) -> str:
    found = sheet.examination.holdout if sheet.examination else None
    facts = []
    if found is not None:
        facts = [
            ["outcome", f"{found.outcome}: {found.reason}"],
            ["excess Sharpe ratio", bound_text(found.bound)],
        ]
    rows = [
        [
            str(opening.number),
            opening.at.strftime("%Y-%m-%d %H:%M UTC"),
            opening.data_set,
            str(opening.looks),
            opening.actor or "the lab",
            f"iteration {opening.subject.iteration}, {opening.subject.candidate_hash[:12]}",
        ]
        for opening in sheet.openings
    ]
    head = ["opening", "at", "data set", "looks", "opened by", "for"]
    shown = table(["", ""], facts) + subsection("Openings", table(head, rows))
    return section("Holdout", shown)
