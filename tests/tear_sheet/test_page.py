"""The whole page: complete, self-contained, and inert whatever a strategy wrote."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from tests.suites.examination_suite import an_examination, an_opening, some_holdout, some_statistics
from tests.suites.samples import a_campaign, a_result, an_iteration, some_metrics

from stratlab.domain.campaign import CampaignState
from stratlab.domain.gates import RuleResult, RuleStatus, Verdict, VerdictKind
from stratlab.domain.market import Tier
from stratlab.domain.points import Point
from stratlab.domain.robustness import (
    Arm,
    ArmResult,
    CapacityLadder,
    CostLadder,
    Degradation,
    ParameterSource,
    Performance,
    Robustness,
    Rung,
    StressKind,
    StressTest,
    WalkForward,
    WindowScheme,
)
from stratlab.domain.spending import Spent
from stratlab.domain.trial import EquityPoint, Outcome, TrialPurpose
from stratlab.tear_sheet import Growth, Sheet, tear_sheet

DAY = 86_400
START = 1_000_000_000
HOSTILE = "</style><script src=http://x/y.js></script><img onerror=alert(1) src=x>"


class Tags(HTMLParser):
    """Collects the tags and the attributes of a page, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.depth = 0

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.depth += tag not in {"meta", "br"}

    def handle_endtag(self, tag):
        self.depth -= 1


def points(count: int) -> tuple[EquityPoint, ...]:
    return tuple(EquityPoint(START + n * DAY, 100_000.0 + 10 * n) for n in range(count))


def robustness() -> Robustness:
    performance = Performance(Outcome.SUCCEEDED, 0.3, 0.05, 0.9, 0.4, -0.2)
    rungs = tuple(Rung(level, performance, 9) for level in (0.5, 1.0, 2.0))
    walk = WalkForward(
        WindowScheme.ANCHORED,
        5,
        5,
        ParameterSource.SCREEN,
        32,
        (),
        points(40),
        points(40),
        performance,
        0.7,
        Degradation(0.2, -0.1, 0.5, 0.95),
    )
    return Robustness(
        "a" * 64,
        {"fast": 5},
        (walk,),
        None,
        (StressTest(StressKind.DOUBLED_COSTS, (performance,)),),
        CostLadder(rungs, 3.5, None),
        CapacityLadder(rungs),
        ("no cross-validation: too short",),
    )


def whole_sheet(text: str = "pilot") -> Sheet:
    rules = (
        RuleResult("causality", RuleStatus.PASSED, 0.0, 0.0, text),
        RuleResult("deflated_sharpe_ratio", RuleStatus.FAILED, 0.5, 0.95, text),
        RuleResult("holdout", RuleStatus.NOT_RUN, None, 0.0, text),
    )
    campaign = a_campaign(state=CampaignState.COMPLETED, display_name=text)
    verdict = Verdict(VerdictKind.ITERATE, "a" * 64, (text,), (), rules)
    campaign = replace(campaign, verdict=verdict, spec=replace(campaign.spec, prompt=text))
    iteration = an_iteration()
    candidate = replace(iteration.candidate, thesis=text, strategy_id=text)
    results = []
    for index, fast in enumerate((5, 6, 7)):
        train = a_result(f"t{index}")
        spec = replace(train.spec, parameters={"fast": fast, "stop": 2.0 + index})
        validation = replace(spec, window=replace(spec.window, tier=Tier.VALIDATION))
        results += [replace(train, spec=spec), replace(train, spec=validation)]
    evaluation = replace(
        iteration.evaluation, parameters={"fast": 5, "stop": 2.0}, validation=some_metrics()
    )
    iteration = replace(
        iteration, candidate=candidate, results=tuple(results), evaluation=evaluation
    )
    bars = tuple(START + n * DAY for n in range(400))
    values = tuple(1 + n / 1000 - (n % 50) / 200 for n in range(400))
    return Sheet(
        campaign,
        [iteration],
        growth=[
            Growth(Tier.TRAIN, bars[:250], values[:250], values[:250]),
            Growth(Tier.VALIDATION, bars[250:], values[250:], values[250:]),
        ],
        examination=an_examination(
            statistics=some_statistics(), robustness=robustness(), holdout=some_holdout()
        ),
        openings=[an_opening(actor=text)],
        arms=[
            ArmResult(Arm.RANDOM_SEARCH, text, {}, 12, equity={"train": points(250)}),
            ArmResult(Arm.OPTUNA, note=text),
        ],
        spent=Spent(1_234_567, 999, calls=3),
        points={TrialPurpose.SEARCH: 40},
        caveats=[text],
    )


def test_page_has_every_part() -> None:
    page = tear_sheet(whole_sheet())
    titles = re.findall(r"<h[23]>(.*?)</h[23]>", page)
    for part in (
        "Verdict: iterate",
        "Performance",
        "Monthly returns",
        "Deepest drawdowns",
        "All trials",
        "Deflated Sharpe ratio by number of trials",
        "Parameters",
        "Lineage",
        "Statistics",
        "Walk-forward, anchored",
        "Stress",
        "Costs",
        "Capacity",
        "Reference arms",
        "Holdout",
        "Openings",
        "Spent on language models",
        "How to repeat it",
    ):
        assert part in titles
    assert page.index("Verdict: iterate") < page.index("<h2>Performance")
    assert "1.2346 USD" in page
    assert page.count("<svg") >= 7
    assert page.count('class="dot marked"') == 2


def test_parameters_are_mapped_by_what_the_screen_scored() -> None:
    sheet = whole_sheet()
    assert "annual Sharpe ratio on train of 3 points" in tear_sheet(sheet)
    screened = [
        Point("c", 1, "a" * 64, {"fast": fast, "stop": 2.0}, TrialPurpose.SCREEN, score=fast / 10)
        for fast in (5, 6, 7, 8)
    ]
    page = tear_sheet(replace(sheet, screened=screened))
    assert "score on train of 4 points" in page
    assert "fast 8, stop 2: score 0.80" in page


def test_page_loads_nothing_and_runs_nothing() -> None:
    tags = Tags()
    tags.feed(page := tear_sheet(whole_sheet()))
    assert tags.depth == 0
    assert not tags.names & {"script", "link", "img", "iframe", "object", "embed", "a", "form"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert not tags.attributes & {"src", "href", "xlink:href", "action"}
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "http:" not in page


def test_hostile_text_changes_no_tag() -> None:
    honest, hostile = Tags(), Tags()
    honest.feed(tear_sheet(whole_sheet()))
    hostile.feed(tear_sheet(whole_sheet(HOSTILE)))
    assert (hostile.names, hostile.attributes, hostile.depth) == (
        honest.names,
        honest.attributes,
        0,
    )


def test_campaign_without_a_verdict_has_a_page() -> None:
    page = tear_sheet(Sheet(a_campaign(state=CampaignState.CANCELLED), []))
    assert "None: the campaign did not complete." in page
    assert "<svg" not in page


def test_same_sheet_gives_the_same_bytes() -> None:
    assert tear_sheet(whole_sheet()) == tear_sheet(whole_sheet())
