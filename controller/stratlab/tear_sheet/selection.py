"""What the candidate was selected from: trials, luck, parameters, ancestors."""

from collections.abc import Mapping, Sequence
from html import escape

from stratlab.domain.campaign import Iteration
from stratlab.domain.lineage import family_tree
from stratlab.domain.market import Tier
from stratlab.domain.points import point_digest
from stratlab.domain.statistics import DeflatedSharpe
from stratlab.domain.trial import Parameters, TrialPurpose, TrialResult
from stratlab.evaluation.overfitting import (
    expected_maximum_sharpe,
    null_variance,
    probabilistic_sharpe_ratio,
)
from stratlab.tear_sheet.charts.dots import Dot, dot_chart
from stratlab.tear_sheet.charts.lines import Line, line_chart
from stratlab.tear_sheet.sheet import Sheet
from stratlab.tear_sheet.text import number, plain, section, subsection, table

_STEPS_PER_DECADE = 8
_MAX_DECADES = 5
_AXES = 2


def selection_section(sheet: Sheet) -> str:
    """Return the cloud of trials, the deflation, the parameters and the lineage."""
    return section(
        "What it was selected from",
        subsection("All trials", _cloud(sheet)),
        subsection("Deflated Sharpe ratio by number of trials", _deflation(sheet)),
        subsection("Parameters", _parameters(sheet)),
        subsection("Lineage", _lineage(sheet)),
        subsection("Registry of trials", _registry(sheet)),
    )


def _cloud(sheet: Sheet) -> str:
    chosen = sheet.chosen
    winner = None
    if chosen and chosen.evaluation:
        winner = chosen.number, point_digest(chosen.evaluation.parameters)
    dots, alone = [], 0
    for iteration in sheet.iterations:
        for digest, tiers in _sharpes(iteration).items():
            train, validation = tiers.get(Tier.TRAIN), tiers.get(Tier.VALIDATION)
            if train is None:
                continue
            if validation is None:
                alone += 1
                continue
            name = iteration.candidate.strategy_id if iteration.candidate else ""
            text = f"iteration {iteration.number}, {name}: {train:.2f}, {validation:.2f}"
            dots.append(Dot(train, validation, text, (iteration.number, digest) == winner))
    chart = dot_chart(
        "Sharpe ratio of every trial on train and on validation",
        dots,
        x_label="annual Sharpe ratio, train",
        y_label="validation",
        text=plain,
        has_diagonal=True,
    )
    if not chart:
        return ""
    return chart + (
        f"<p class='note'>{len(dots)} points with both figures; the chosen one is marked. {alone} "
        "more were left behind on train. On the dashed line both are the same.</p>"
    )


def _sharpes(iteration: Iteration) -> Mapping[str, Mapping[Tier, float]]:
    # Of several market sets the mean.
    found: dict[str, dict[Tier, list[float]]] = {}
    for result in _searched(iteration):
        sharpe = result.metrics.sharpe_ratio if result.metrics else None
        if sharpe is not None:
            point = found.setdefault(point_digest(result.spec.parameters), {})
            point.setdefault(result.spec.window.tier, []).append(sharpe)
    return {
        point: {tier: sum(values) / len(values) for tier, values in tiers.items()}
        for point, tiers in found.items()
    }


def _searched(iteration: Iteration) -> list[TrialResult]:
    return [r for r in iteration.results if r.spec.purpose is TrialPurpose.SEARCH]


def _deflation(sheet: Sheet) -> str:
    statistics = sheet.examination.statistics if sheet.examination else None
    found = statistics.deflated.raw_count if statistics else None
    if not isinstance(found, DeflatedSharpe):
        return escape(found.message) if found else ""
    counts = sorted(
        {
            round(10 ** (step / _STEPS_PER_DECADE))
            for step in range(_MAX_DECADES * _STEPS_PER_DECADE + 1)
        }
        | {found.trials}
    )
    curve = [_deflated(found, count) for count in counts]
    chart = line_chart(
        "Deflated Sharpe ratio by number of trials",
        [
            Line("if it had been the best of so many", "own", counts, curve),
            Line(
                f"N = {found.trials}",
                "third",
                [found.trials, found.trials],
                [0.0, found.probability],
                is_marked=True,
            ),
        ],
        x_label="number of trials",
        y_label="deflated Sharpe ratio",
        x_text=plain,
        y_text=plain,
        levels=(0.95,),
        is_logarithmic=True,
    )
    return chart + (
        f"<p class='note'>At N = {found.trials}: {found.probability:.4f}; above the line at 0.95 a "
        "promotion is possible.</p>"
    )


def _deflated(found: DeflatedSharpe, trials: int) -> float:
    luck = expected_maximum_sharpe(trials, null_variance(found.observations))
    return probabilistic_sharpe_ratio(found.sharpe, found.observations, luck, found.moments)


def _parameters(sheet: Sheet) -> str:
    chosen = sheet.chosen
    if chosen is None or chosen.candidate is None or chosen.evaluation is None:
        return ""
    best = chosen.evaluation.parameters
    rows = [[name, plain(value)] for name, value in sorted(best.items())]
    screened = [(p.parameters, p.score) for p in sheet.screened if p.score is not None]
    if screened:
        heat = _map(screened, best, "score")
    else:
        heat = _map(_trained(sheet, chosen.candidate.hash), best, "annual Sharpe ratio")
    return table(["parameter", "chosen"], rows, style="figures") + heat


def _trained(sheet: Sheet, candidate: str) -> list[tuple[Parameters, float]]:
    # The points of one candidate that ran on train, whichever iteration ran them.
    points: dict[str, tuple[Parameters, float]] = {}
    for iteration in sheet.iterations:
        if iteration.candidate is None or iteration.candidate.hash != candidate:
            continue
        for result in _searched(iteration):
            sharpe = result.metrics.sharpe_ratio if result.metrics else None
            if sharpe is not None and result.spec.window.tier is Tier.TRAIN:
                parameters = result.spec.parameters
                points.setdefault(point_digest(parameters), (parameters, sharpe))
    return list(points.values())


def _map(points: Sequence[tuple[Parameters, float]], best: Parameters, what: str) -> str:
    names = sorted(best, key=lambda name: (-len({p[name] for p, _ in points}), name))
    if len(names) < _AXES or len(points) < _AXES:
        return ""
    first, second = names[:_AXES]
    largest = max(abs(value) for _, value in points) or 1.0
    mark = point_digest(best)
    dots = [
        Dot(
            parameters[first],
            parameters[second],
            f"{first} {plain(parameters[first])}, {second} {plain(parameters[second])}: "
            f"{what} {value:.2f}",
            is_marked=point_digest(parameters) == mark,
            shade=value / largest,
        )
        for parameters, value in points
    ]
    chart = dot_chart(
        f"{what} on train by {first} and {second}",
        dots,
        x_label=first,
        y_label=second,
        text=plain,
    )
    note = (
        f"{what} on train of {len(dots)} points: blue is above zero, orange below, the deeper the"
    )
    return f"{chart}<p class='note'>{note} further; other parameters vary.</p>"


def _lineage(sheet: Sheet) -> str:
    chosen = sheet.chosen
    if chosen is None or chosen.candidate is None:
        return ""
    # The same candidate may stand in several iterations: the first one counts.
    made = {i.candidate.hash: (i, i.candidate) for i in reversed(sheet.iterations) if i.candidate}
    parents = {key: found.lineage.parents for key, (_, found) in made.items()}
    rows = []
    for ancestor in family_tree(chosen.candidate.hash, parents):
        iteration, candidate = made[ancestor.candidate]
        score = iteration.evaluation.score if iteration.evaluation else None
        rows.append(
            [
                f"{'· ' * ancestor.depth}{candidate.strategy_id}",
                str(iteration.number),
                candidate.lineage.operator,
                str(candidate.lineage.generation),
                str(candidate.lineage.island),
                number(score, 4),
            ]
        )
    head = ["candidate", "iteration", "operator", "generation", "island", "score"]
    return table(head, rows)


def _registry(sheet: Sheet) -> str:
    rows = [[purpose.value, str(count)] for purpose, count in sheet.points.items()]
    return table(["purpose", "registered points"], rows, style="figures")
