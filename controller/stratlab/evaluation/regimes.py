"""Sorts excess returns by the regime of their market, as it was known before each of them.

Source: J. D. Hamilton, "A New Approach to the Economic Analysis of Nonstationary Time Series and
the Business Cycle", Econometrica 57 (2), 1989.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from stratlab.domain.errors import InvalidInputError
from stratlab.domain.statistics import (
    Inconclusive,
    Insufficiency,
    RegimeRow,
    RegimeTable,
)
from stratlab.evaluation.statistics.bounds import annual_mean, sharpe_bound
from stratlab.evaluation.statistics.sharpe import varies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratlab.domain.returns import ExcessReturns

REGIMES = ("calm", "turbulent")
"""By the volatility of the benchmark; a third one is seldom told apart in a few years."""

MINIMUM_FITTED = 250
"""Returns from which a model of regimes is estimated."""


def regime_table(
    returns: "ExcessReturns",
    market: "NDArray[np.float64]",
    fitted_until: int,
    *,
    seed: int = 0,
) -> RegimeTable | Inconclusive:
    """Return what was earned in calm and in turbulent times.

    A Markov-switching model of the market's returns (own mean and variance in each regime) is
    estimated from the beginning, the train tier for instance, and then only filtered: a return
    belongs to the regime that was the likeliest after the return before it. Smoothed
    probabilities, which know how the story ends, are used nowhere. The first return is left out.

    Args:
        returns: Of the strategy, in excess of the benchmark.
        market: The benchmark's own returns in the same periods, shape (T,).
        fitted_until: Number of returns from which the model is estimated.
        seed: Of the bootstraps behind the intervals.

    Raises:
        InvalidInputError: The two are not of the same periods.
    """
    if market.shape != returns.values.shape:
        raise InvalidInputError("a strategy and its market have the same periods")
    known = min(fitted_until, len(market))
    if known < MINIMUM_FITTED:
        return Inconclusive(
            "regime_table",
            Insufficiency.TOO_FEW_OBSERVATIONS,
            f"{known} returns are fewer than {MINIMUM_FITTED}, which a model of regimes takes",
            known,
            MINIMUM_FITTED,
        )
    filtered = filtered_probabilities(market, known) if varies(market[:known]) else None
    if filtered is None:
        return Inconclusive(
            "regime_table",
            Insufficiency.NOT_ESTIMABLE,
            "the market's returns show no two regimes",
            known,
        )
    regime = np.concatenate(([-1], filtered[:-1].argmax(axis=1)))
    return RegimeTable(
        rows=tuple(
            _row(name, regime == number, returns, market, seed)
            for number, name in enumerate(REGIMES)
        ),
        fitted_until=known,
        observations=len(market) - 1,
    )


def filtered_probabilities(
    market: "NDArray[np.float64]", fitted_until: int
) -> "NDArray[np.float64] | None":
    """Return the probability of each regime after each return, given the returns up to it.

    Args:
        market: Returns that vary, shape (T,).
        fitted_until: Number of returns from which the model is estimated.

    Returns:
        Shape (T, 2), the calm regime first; None when no model could be estimated.
    """
    from statsmodels.tools.sm_exceptions import ModelWarning  # noqa: PLC0415 (slow to load)
    from statsmodels.tsa.regime_switching.markov_regression import (  # noqa: PLC0415 (the same)
        MarkovRegression,
    )

    # In units of the deviation that was known when the model was estimated.
    scaled = market / market[:fitted_until].std()

    def model(values: "NDArray[np.float64]") -> MarkovRegression:
        return MarkovRegression(values, k_regimes=len(REGIMES), switching_variance=True)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Whether it converged is asked below.
        warnings.simplefilter("ignore", (ModelWarning, RuntimeWarning))
        try:
            fit = model(scaled[:fitted_until]).fit(disp=False)
        except (ValueError, np.linalg.LinAlgError):
            return None
        names = list(fit.model.param_names)
        variances = [fit.params[names.index(f"sigma2[{number}]")] for number in range(len(REGIMES))]
        if not (fit.mle_retvals["converged"] and np.isfinite(fit.params).all()):
            return None
        found = model(scaled).filter(fit.params).filtered_marginal_probabilities
    probabilities = np.asarray(found, dtype=np.float64)[:, np.argsort(variances)]
    return probabilities if bool(np.isfinite(probabilities).all()) else None


def _row(
    name: str,
    where: "NDArray[np.bool_]",
    returns: "ExcessReturns",
    market: "NDArray[np.float64]",
    seed: int,
) -> RegimeRow:
    count = int(where.sum())
    year = returns.periods_per_year
    return RegimeRow(
        regime=name,
        observations=count,
        share=count / (len(market) - 1),
        volatility=float(market[where].std(ddof=1) * year**0.5) if count > 1 else 0.0,
        mean_return=annual_mean(returns, seed=seed, where=where),
        sharpe=sharpe_bound(returns, seed=seed, where=where),
    )
