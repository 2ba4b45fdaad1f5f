"""What every implementation of the registry of points has to do.

A test module derives from :class:`PointSuite` and gives the fixture ``repository``.
"""

from dataclasses import replace

import pytest
from tests.suites.samples import a_campaign, an_iteration

from stratlab.domain.errors import InvalidInputError, NotFoundError
from stratlab.domain.points import Point
from stratlab.domain.trial import TrialPurpose


def a_point(number: int = 0, **changes: object) -> Point:
    point = Point(
        campaign_id="c1",
        iteration=1,
        candidate="a" * 64,
        parameters={"fast": number, "stop": 2.5},
        purpose=TrialPurpose.SEARCH,
    )
    return replace(point, **changes)


class PointSuite:
    """Conformance tests; one instance of the repository per test."""

    def register(self, repository, *points, campaign_id="c1"):
        with repository.transaction() as transaction:
            return transaction.register_points(campaign_id, points)

    def test_points_return_as_registered_and_in_order(self, repository):
        repository.create_campaign(a_campaign(), "")
        points = [
            a_point(3, score=0.1 + 0.2),
            a_point(1, purpose=TrialPurpose.SCREEN),
            a_point(2, iteration=7, candidate="b" * 64, occasion="t1/2"),
        ]
        assert self.register(repository, *points) == 3
        stored = repository.points("c1")
        assert list(stored) == points
        assert [type(value) for value in stored[0].parameters.values()] == [int, float]
        assert list(repository.points("c1", after=1, limit=1)) == points[1:2]
        assert list(repository.points("c1", after=3)) == []
        assert list(repository.points("none")) == []

    def test_point_registered_again_changes_nothing(self, repository):
        repository.create_campaign(a_campaign(), "")
        first = a_point(1, score=0.5)
        assert self.register(repository, first, first) == 1
        again = (replace(first, iteration=9, score=0.7), a_point(2))
        assert self.register(repository, *again) == 1
        assert list(repository.points("c1")) == [first, a_point(2)]

    def test_point_is_one_whatever_the_order_and_kind_of_its_numbers(self, repository):
        repository.create_campaign(a_campaign(), "")
        same = a_point(1, parameters={"stop": 2.5, "fast": 1.0})
        assert self.register(repository, a_point(1), same) == 1

    def test_points_differ_by_candidate_parameters_purpose_and_occasion(self, repository):
        repository.create_campaign(a_campaign(), "")
        points = [
            a_point(1),
            a_point(2),
            a_point(1, candidate="b" * 64),
            a_point(1, purpose=TrialPurpose.SCREEN),
            a_point(1, purpose=TrialPurpose.RERUN, occasion="t1/2"),
            a_point(1, purpose=TrialPurpose.RERUN, occasion="t1/3"),
        ]
        assert self.register(repository, *points) == len(points)
        assert repository.point_counts("c1") == {
            TrialPurpose.SEARCH: 3,
            TrialPurpose.SCREEN: 1,
            TrialPurpose.RERUN: 2,
        }

    def test_counts_of_campaigns_are_apart(self, repository):
        for campaign in ("c1", "c2"):
            repository.create_campaign(a_campaign(campaign), "")
        self.register(repository, a_point(1), a_point(2))
        self.register(repository, a_point(1, campaign_id="c2"), campaign_id="c2")
        assert repository.point_counts("c1") == {TrialPurpose.SEARCH: 2}
        assert repository.point_counts("c2") == {TrialPurpose.SEARCH: 1}
        assert repository.point_counts("none") == {}

    def test_point_that_cannot_be_stored_is_refused_and_nothing_with_it(self, repository):
        repository.create_campaign(a_campaign(), "")
        for bad in (
            a_point(2, campaign_id="c2"),
            a_point(2, score=float("nan")),
            a_point(2, parameters={"x": float("inf")}),
        ):
            with pytest.raises(InvalidInputError):
                self.register(repository, a_point(1), bad)
        with pytest.raises(NotFoundError):
            self.register(repository, campaign_id="none")
        assert list(repository.points("c1")) == []

    def test_points_of_a_transaction_that_fails_are_gone_with_it(self, repository):
        repository.create_campaign(a_campaign(), "")
        with pytest.raises(ZeroDivisionError), repository.transaction() as transaction:  # noqa: PT012 (what fails is the transaction)
            transaction.save_iteration(an_iteration())
            transaction.register_points("c1", [a_point()])
            _ = 1 / 0
        assert list(repository.points("c1")) == []
        assert self.register(repository, a_point()) == 1

    def test_many_points_are_registered_at_once(self, repository):
        repository.create_campaign(a_campaign(), "")
        points = [a_point(number, purpose=TrialPurpose.SCREEN) for number in range(3000)]
        assert self.register(repository, *points) == 3000
        assert self.register(repository, *points, a_point(3000)) == 1
        assert [len(repository.points("c1", after=n, limit=2000)) for n in (0, 2000)] == [
            2000,
            1001,
        ]
