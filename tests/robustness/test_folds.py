"""What is tested is never trained on, nor anything within purge and embargo of it."""

from itertools import chain, pairwise
from math import comb

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.robustness import WindowScheme
from stratlab.evaluation.cross_validation import combinatorial_splits, path_count
from stratlab.evaluation.walk_forward import walk_forward_folds

gaps = st.integers(0, 12)


def positions(ranges):
    return list(chain.from_iterable(ranges))


@st.composite
def walks(draw):
    scheme = draw(st.sampled_from(WindowScheme))
    train, steps, purge, embargo = (
        draw(st.integers(1, 80)),
        draw(st.integers(1, 9)),
        draw(gaps),
        draw(gaps),
    )
    sessions = train + purge + embargo + draw(st.integers(steps, 200))
    folds = walk_forward_folds(
        sessions, scheme=scheme, train=train, steps=steps, purge=purge, embargo=embargo
    )
    return sessions, scheme, train, steps, purge, embargo, folds


@given(walks())
def test_walk_forward_keeps_train_before_the_gap_before_the_test(walk):
    *_, purge, embargo, folds = walk
    for fold in folds:
        assert max(positions(fold.train)) + purge + embargo + 1 == min(positions(fold.test))


@given(walks())
def test_walk_forward_tests_every_session_behind_the_first_gap_once(walk):
    sessions, _, train, steps, purge, embargo, folds = walk
    tested = [session for fold in folds for session in positions(fold.test)]
    assert tested == list(range(train + purge + embargo, sessions))
    assert len(folds) == steps
    lengths = {len(positions(fold.test)) for fold in folds}
    assert max(lengths) - min(lengths) <= 1


@given(walks())
def test_train_windows_are_anchored_or_roll(walk):
    _, scheme, train, _, _, _, folds = walk
    starts = [fold.train[0].start for fold in folds]
    lengths = [len(fold.train[0]) for fold in folds]
    assert lengths[0] == train
    if scheme is WindowScheme.ANCHORED:
        assert set(starts) == {0}
    else:
        assert set(lengths) == {train}
        assert all(earlier <= later for earlier, later in pairwise(starts))


@st.composite
def splits(draw):
    groups = draw(st.integers(2, 8))
    test_groups = draw(st.integers(1, groups - 1))
    sessions, purge, embargo = draw(st.integers(groups, 300)), draw(gaps), draw(gaps)
    try:
        found = combinatorial_splits(
            sessions, groups=groups, test_groups=test_groups, purge=purge, embargo=embargo
        )
    except InvalidSpecError:
        assume(False)
    return sessions, groups, test_groups, purge, embargo, found


@given(splits())
def test_no_train_session_lies_within_purge_and_embargo_of_a_test(case):
    sessions, _, _, purge, embargo, found = case
    for fold in found.folds:
        tested = set(positions(fold.test))
        forbidden = tested | {
            session + step for session in tested for step in range(-purge, purge + embargo + 1)
        }
        # Nothing forbidden is trained on, and nothing that is allowed is wasted.
        assert positions(fold.train) == [n for n in range(sessions) if n not in forbidden]
        assert all(len(part) > 0 for part in (*fold.train, *fold.test))


@given(splits())
def test_every_session_is_tested_as_often_as_there_are_paths(case):
    sessions, groups, test_groups, _, _, found = case
    counts = [0] * sessions
    for fold in found.folds:
        for session in positions(fold.test):
            counts[session] += 1
    phi = comb(groups, test_groups) * test_groups // groups
    assert set(counts) == {phi} == {path_count(groups, test_groups)} == {len(found.paths)}
    assert len(found.folds) == comb(groups, test_groups)


@given(splits())
def test_every_path_covers_every_session_once_and_no_test_is_used_twice(case):
    sessions, groups, _, _, _, found = case
    assert positions(found.groups) == list(range(sessions))
    used = [(group, fold) for path in found.paths for group, fold in enumerate(path)]
    assert len(used) == len(set(used))
    assert all(group in found.tested[fold] for group, fold in used)
    assert all(len(path) == groups for path in found.paths)


@pytest.mark.parametrize(
    "numbers",
    [
        {"sessions": 100, "train": 90, "steps": 9, "purge": 1, "embargo": 1},
        {"sessions": 100, "train": 0, "steps": 1},
        {"sessions": 100, "train": 10, "steps": 0},
        {"sessions": 100, "train": 10, "steps": 1, "purge": -1},
    ],
)
def test_walk_forward_over_too_few_sessions_is_refused(numbers):
    with pytest.raises(InvalidSpecError):
        walk_forward_folds(numbers.pop("sessions"), scheme=WindowScheme.ROLLING, **numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        {"groups": 2, "test_groups": 2},
        {"groups": 2, "test_groups": 0},
        {"groups": 21, "test_groups": 1},
        {"groups": 4, "test_groups": 2, "purge": 20},
        {"groups": 4, "test_groups": 2, "embargo": -1},
    ],
)
def test_splits_that_leave_nothing_to_train_on_are_refused(numbers):
    with pytest.raises(InvalidSpecError):
        combinatorial_splits(20, **numbers)
