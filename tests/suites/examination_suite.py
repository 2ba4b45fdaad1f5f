"""What every implementation of the store of examinations and of the holdout ledger has to do.

A test module derives from :class:`ExaminationSuite` and gives the fixture ``repository``.
"""

from dataclasses import replace

import pytest
from tests.suites.samples import START, a_campaign, an_iteration, some_metrics

from stratlab.domain.errors import NotFoundError
from stratlab.domain.examination import (
    CausalityEvidence,
    CheckName,
    Examination,
    HoldoutEvidence,
    HoldoutOpening,
    StatisticsEvidence,
    Subject,
)
from stratlab.domain.metrics import AnnualSharpe, PerPeriodSharpe
from stratlab.domain.robustness import Robustness
from stratlab.domain.statistics import (
    BacktestOverfitting,
    DeflatedSharpe,
    DeflatedSharpes,
    Deflation,
    Inconclusive,
    Insufficiency,
    Interval,
    MinimumTrackRecord,
    Moments,
    PredictiveAbility,
    ProbabilisticSharpe,
    Resampling,
    SharpeBound,
    SharpeEstimate,
    TrialCount,
)
from stratlab.domain.trial import Outcome

SUBJECT = Subject("c1", 1, "a" * 64, {"fast": 5, "stop": 2.5})
NOTHING = Inconclusive("sharpe_ratio", Insufficiency.TOO_FEW_OBSERVATIONS, "too few", 3, 20)
_SHARPE = PerPeriodSharpe(0.1)
_RESAMPLING = Resampling(2000, 9, 7)
BOUND = SharpeBound(
    sharpe=_SHARPE,
    lower=PerPeriodSharpe(0.02),
    annual=AnnualSharpe(1.59),
    annual_lower=AnnualSharpe(0.32),
    confidence=0.95,
    interval=Interval(0.1, 0.01, 0.2, 0.95),
    observations=800,
    resampling=_RESAMPLING,
)


def some_statistics(**changes: object) -> StatisticsEvidence:
    moments = Moments(0.1, 3.5)
    deflated = DeflatedSharpe(
        Deflation.RAW_COUNT, 0.97, 40, 1 / 2000, PerPeriodSharpe(0.05), _SHARPE, moments, 2000
    )
    evidence = StatisticsEvidence(
        counts=TrialCount(40, {"search": 40, "screen": 64}, 24),
        sharpe=SharpeEstimate(
            _SHARPE, AnnualSharpe(1.59), AnnualSharpe(1.5), 5, 0.02, 0.03, moments, 2000, 252
        ),
        bound=BOUND,
        probabilistic=ProbabilisticSharpe(0.99, _SHARPE, PerPeriodSharpe(0.0), moments, 2000),
        track_record=MinimumTrackRecord(300, 2000, 0.95, PerPeriodSharpe(0.0)),
        deflated=DeflatedSharpes(deflated, NOTHING, NOTHING, NOTHING),
        spa=PredictiveAbility(0.01, 0.009, 0.012, 40, 2000, _RESAMPLING),
        overfitting=BacktestOverfitting(0.3, 0.4, 0.1, 0.02, 70, 8, 40, 1400),
        regimes=NOTHING,
    )
    return replace(evidence, **changes)


def an_opening(number: int = 1, **changes: object) -> HoldoutOpening:
    opening = HoldoutOpening(number, "us-daily", "d" * 64, SUBJECT, "l", number, "", START)
    return replace(opening, **changes)


def some_holdout(**changes: object) -> HoldoutEvidence:
    evidence = HoldoutEvidence(
        an_opening(),
        Outcome.SUCCEEDED,
        "replayed",
        BOUND,
        some_metrics(),
        some_metrics(),
        "e" * 64,
    )
    return replace(evidence, **changes)


def an_examination(**changes: object) -> Examination:
    return replace(Examination(SUBJECT), **changes)


class ExaminationSuite:
    """Conformance tests; one instance of the repository per test."""

    def prepare(self, repository, *campaigns):
        for campaign_id in campaigns or ("c1",):
            repository.create_campaign(a_campaign(campaign_id), "")
            with repository.transaction() as transaction:
                for number in (1, 2):
                    transaction.save_iteration(an_iteration(campaign_id, number))

    def open(self, repository, subject=SUBJECT, **changes):
        entry = {
            "data_set": "us-daily",
            "data_digest": "d" * 64,
            "look": "first",
            "actor": "",
            "at": START,
        }
        with repository.transaction() as transaction:
            return transaction.open_holdout(subject, **entry | changes)

    def test_examination_returns_as_saved_and_the_last_one_stands(self, repository):
        self.prepare(repository)
        assert repository.examination("c1", 1) is None
        steps = [
            an_examination(causality=CausalityEvidence(Outcome.LOOKAHEAD, "peeked")),
            an_examination(statistics=some_statistics()),
            an_examination(
                statistics=some_statistics(spa=NOTHING, sharpe=NOTHING, overfitting=NOTHING),
                robustness=Robustness("a" * 64, {"fast": 5}),
                holdout=some_holdout(),
                failures={CheckName.ROBUSTNESS: "it rained"},
            ),
            an_examination(holdout=some_holdout(bound=NOTHING)),
            an_examination(holdout=some_holdout(bound=None, metrics=None)),
        ]
        for examination in steps:
            with repository.transaction() as transaction:
                transaction.save_examination(examination)
            assert repository.examination("c1", 1) == examination
        second = an_examination(subject=replace(SUBJECT, iteration=2))
        with repository.transaction() as transaction:
            transaction.save_examination(second)
        assert list(repository.examinations("c1")) == [steps[-1], second]
        assert list(repository.examinations("none")) == []

    def test_examination_of_nothing_is_refused(self, repository):
        self.prepare(repository)
        with pytest.raises(NotFoundError), repository.transaction() as transaction:
            transaction.save_examination(an_examination(subject=replace(SUBJECT, iteration=3)))

    def test_opening_is_numbered_and_counted_by_data_set(self, repository):
        self.prepare(repository, "c1", "c2")
        other = replace(SUBJECT, campaign_id="c2")
        first = self.open(repository)
        assert first == an_opening(1, look="first")
        second = self.open(repository, other, look="second", actor="eve")
        assert (second.number, second.looks, second.actor) == (2, 2, "eve")
        elsewhere = self.open(repository, other, data_set="fx", data_digest="f" * 64)
        assert (elsewhere.number, elsewhere.looks) == (3, 1)
        assert list(repository.holdout_openings()) == [first, second, elsewhere]
        assert list(repository.holdout_openings(campaign_id="c1")) == [first]
        assert list(repository.holdout_openings(data_set="us-daily")) == [first, second]
        assert list(repository.holdout_openings(campaign_id="c2", data_set="fx")) == [elsewhere]

    def test_same_look_is_entered_again_and_not_counted_again(self, repository):
        self.prepare(repository)
        self.open(repository)
        self.open(repository, look="second")
        again = self.open(repository)
        assert (again.number, again.looks) == (3, 1)
        assert self.open(repository, look="third").looks == 3

    def test_data_set_under_another_name_or_built_anew_is_the_same_market(self, repository):
        self.prepare(repository)
        self.open(repository)
        assert self.open(repository, look="copy", data_set="copied").looks == 2
        assert self.open(repository, look="anew", data_digest="f" * 64).looks == 2

    def test_opening_of_a_transaction_that_fails_is_gone_with_it(self, repository):
        self.prepare(repository)
        with pytest.raises(ZeroDivisionError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
            transaction.open_holdout(
                SUBJECT, data_set="us-daily", data_digest="d", look="l", actor="", at=START
            )
            _ = 1 / 0
        assert list(repository.holdout_openings()) == []
        with pytest.raises(NotFoundError):
            self.open(repository, replace(SUBJECT, campaign_id="none"))
