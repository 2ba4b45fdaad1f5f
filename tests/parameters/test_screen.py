"""The screen gives candidates the best untried points, from train prices alone."""

from dataclasses import replace

import pytest
from tests.generation.asking import request, summary
from tests.parameters.contracts import Peak, contract_of, metrics_of, whole
from tests.suites.small_lab import SYMBOLS, PanelData

from stratlab.contract.candidate import candidate_from_contract
from stratlab.contract.space import Grid, point_key, with_values
from stratlab.domain.generation import GenerationRequest, IterationSummary
from stratlab.domain.market import CostModel, CostModelKind, MarketSet, Tier
from stratlab.domain.search import ParameterSearch, Sampler
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.domain.trial import Limits
from stratlab.search.parameters_objective import TrainObjective, train_worlds
from stratlab.search.parameters_screen import ParameterScreen

LINEAGE = Lineage(GeneratorKind.TEMPLATE, "template")
CONTRACT = contract_of({"fast": whole(1, 90, 1, 5), "slow": whole(1, 90, 1, 80)})
CANDIDATE = candidate_from_contract(CONTRACT, LINEAGE)
PEAK = {"fast": 40, "slow": 20}


class WatchedData(PanelData):
    """Market data that remember which tiers were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[tuple[str, ...], Tier]] = []

    def prices(self, market: MarketSet, tier: Tier):
        self.read.append((market.symbols, tier))
        return super().prices(market, tier)


def asked(
    history: tuple[IterationSummary, ...] = (), *, points: int = 3, screened: int = 48, **spec
) -> GenerationRequest:
    fields = {
        "data_set": "small",
        "markets": (SYMBOLS,),
        "parameter_points": points,
        "parameter_search": ParameterSearch(Sampler.TPE, screened),
    }
    return request(len(history) + 1, history, **fields | spec)


def test_best_points_of_the_screen_are_what_runs() -> None:
    peak = Peak(PEAK)
    screened = ParameterScreen(WatchedData(), peak).screen(asked(), CANDIDATE)
    assert len(screened.points) == 48
    assert screened.points[0].parameters == CANDIDATE.parameters
    chosen = screened.candidate.parameter_points
    ratios = sorted((peak.score(point.parameters) for point in screened.points), reverse=True)
    assert [peak.score(point) for point in chosen] == ratios[:3]
    # Nothing else of the candidate changes, its identity least of all.
    assert replace(screened.candidate, parameter_points=()) == replace(
        CANDIDATE, parameter_points=()
    )


def test_only_train_prices_of_every_market_set_are_read() -> None:
    data = WatchedData()
    markets = (("AAA",), ("BBB",))
    ParameterScreen(data, Peak(PEAK)).screen(asked(markets=markets), CANDIDATE)
    assert set(data.read) == {(("AAA",), Tier.TRAIN), (("BBB",), Tier.TRAIN)}
    end = data.get("small").tiers[Tier.TRAIN].end
    for world in train_worlds(data, asked(markets=markets).campaign.spec):
        last = world.prices.sessions[-1]
        assert str(end) == str(last.astype("datetime64[s]").astype("datetime64[D]"))
        assert world.prices.sessions[world.first_bar] > world.prices.sessions[0]


def test_same_request_gives_the_same_points_and_another_seed_others() -> None:
    def points(seed: int):
        return ParameterScreen(PanelData(), Peak(PEAK)).screen(asked(seed=seed), CANDIDATE).points

    assert points(1) == points(1)
    assert points(1) != points(2)


def ran(number: int, candidate: Candidate) -> IterationSummary:
    # Compiled source is not kept in the history.
    return summary(number, replace(candidate, source=""), 0.1)


def test_points_never_run_twice_under_other_defaults() -> None:
    screen = ParameterScreen(PanelData(), Peak(PEAK))
    history: list[IterationSummary] = []
    seen: set[frozenset[tuple[str, int | float]]] = set()
    for number in range(1, 7):
        values = {"fast": number + 5, "slow": 80}
        candidate = candidate_from_contract(with_values(CONTRACT, values), LINEAGE)
        screened = screen.screen(asked(tuple(history)), candidate).candidate
        keys = {point_key(point) for point in screened.parameter_points}
        assert len(keys) == 3
        assert not keys & seen
        seen |= keys
        history.append(ran(number, screened))


def test_other_strategies_may_run_at_the_same_points() -> None:
    screen = ParameterScreen(PanelData(), Peak(PEAK))
    first = screen.screen(asked(), CANDIDATE).candidate
    other = contract_of({"fast": whole(1, 91, 1, 5), "slow": whole(1, 90, 1, 80)})
    candidate = candidate_from_contract(other, LINEAGE)
    points = screen.screen(asked((ran(1, first),), screened=400), candidate).points
    # The author's own values among them: the other strategy has run there, this one has not.
    assert points[0].parameters == first.parameters


def test_space_that_was_tried_whole_leaves_the_generators_points() -> None:
    contract = contract_of({"fast": whole(1, 3, 1, 2)})
    candidate = candidate_from_contract(contract, LINEAGE)
    grid = Grid(contract)
    every = tuple(grid.point(number) for number in range(grid.size))
    history = (ran(1, replace(candidate, parameter_points=every)),)
    screened = ParameterScreen(PanelData(), Peak({"fast": 1})).screen(asked(history), candidate)
    assert screened.points == ()
    assert screened.candidate == candidate


@pytest.mark.parametrize(
    ("candidate", "changes"),
    [
        (CANDIDATE, {"screened": 0}),
        (CANDIDATE, {"cost_model": CostModel(CostModelKind.ZIPLINE)}),
        (replace(CANDIDATE, contract=""), {}),
    ],
    ids=["switched off", "zipline's costs", "free code"],
)
def test_what_cannot_be_screened_keeps_its_points(candidate: Candidate, changes) -> None:
    peak = Peak(PEAK)
    screened = ParameterScreen(PanelData(), peak).screen(asked(**changes), candidate)
    assert screened.candidate == candidate
    assert not screened.points
    assert not peak.calls


def test_point_whose_leverage_would_end_its_trial_has_no_score() -> None:
    contract = contract_of({"level": whole(1, 90, 1, 5)})
    scores = [
        TrainObjective(contract, train_worlds(PanelData(), asked(limits=limits).campaign.spec))(
            [{"level": 5}, {"level": 89}]
        )
        for limits in (Limits(max_leverage=2.0), Limits(max_leverage=0.5))
    ]
    # All equity is invested at the low level; nothing ever closes above the high one.
    assert scores[0][0] is not None
    assert scores[1][0] is None
    assert scores[0][1] == scores[1][1]


def test_objective_is_the_mean_over_market_sets_and_undefined_on_one_is_undefined() -> None:
    spec = asked(markets=(("AAA",), ("BBB",))).campaign.spec
    worlds = train_worlds(PanelData(), spec)

    def judge(contract, world, points):
        first = world is worlds[0]
        return [
            metrics_of(None if not first and point["fast"] == 2 else point["fast"] / (1 + first))
            for point in points
        ]

    objective = TrainObjective(CONTRACT, worlds, judge)
    low, undefined, high = objective([{"fast": 1}, {"fast": 2}, {"fast": 3}])
    assert undefined is None
    assert low is not None
    assert high is not None
    assert low < high
