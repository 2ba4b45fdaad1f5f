"""Walk-forward: parameters are chosen on the sessions before those they are tried on."""

from stratlab.domain.errors import InvalidSpecError
from stratlab.domain.robustness import WindowScheme
from stratlab.evaluation.folds import Fold, equal_parts


def walk_forward_folds(
    sessions: int,
    *,
    scheme: WindowScheme,
    train: int,
    steps: int,
    purge: int = 0,
    embargo: int = 0,
) -> tuple[Fold, ...]:
    """Cut sessions into train windows and the test windows behind them.

    Test windows follow one another without a gap up to the last session, so that each session
    behind the first train window and its gap is tested once. Between a train window and its test
    window ``purge + embargo`` sessions belong to neither: nothing is ever trained on behind a
    test, so that the embargo lies before it as well.

    Args:
        sessions: How many there are.
        scheme: Train windows all begin at the first session, or all have the same length.
        train: Sessions of the first train window.
        steps: How many test windows; their lengths differ by one session at most.
        purge: Sessions that what was decided in train may still reach into.
        embargo: Further sessions left out.

    Raises:
        InvalidSpecError: A number is out of bounds, or the sessions are too few.
    """
    if train < 1 or steps < 1 or purge < 0 or embargo < 0:
        raise InvalidSpecError("a walk-forward has sessions to train on, steps, and no gap below 0")
    gap = purge + embargo
    tested = range(train + gap, sessions)
    if len(tested) < steps:
        raise InvalidSpecError(
            f"{sessions} sessions are too few: {train} of train, a gap of {gap}, {steps} tests",
            hint="Shorten the first train window, or take fewer steps.",
        )
    folds = []
    for test in equal_parts(tested, steps):
        stop = test.start - gap
        start = 0 if scheme is WindowScheme.ANCHORED else stop - train
        folds.append(Fold((range(start, stop),), (test,)))
    return tuple(folds)
