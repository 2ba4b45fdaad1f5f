"""What statistics say about returns: frozen results, each with how it was obtained.

No result holds NaN or infinity. Where data are too few, or have no variation, a function returns
:class:`Inconclusive` instead of a number, so that a caller has to say what it makes of that. All
Sharpe ratios are of returns in excess of the campaign's benchmark unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from stratlab.domain.metrics import AnnualSharpe, PerPeriodSharpe


@final
class Insufficiency(StrEnum):
    """Why a statistic says nothing; the list is closed."""

    TOO_FEW_OBSERVATIONS = "TOO_FEW_OBSERVATIONS"
    TOO_FEW_TRIALS = "TOO_FEW_TRIALS"
    NO_VARIATION = "NO_VARIATION"
    NOT_ESTIMABLE = "NOT_ESTIMABLE"


@final
@dataclass(frozen=True, slots=True)
class Inconclusive:
    """A statistic that cannot be had from these data; it passes no rule and fails none.

    Attributes:
        statistic: Which one, by the name of its function.
        reason: Why.
        message: One sentence.
        observations: What there was: returns or trials, as the reason has it.
        required: What it takes at least; 0 where more of the same would not help.
    """

    statistic: str
    reason: Insufficiency
    message: str
    observations: int
    required: int = 0


@final
@dataclass(frozen=True, slots=True)
class Moments:
    """Shape of a distribution of returns; that of the normal one unless told otherwise.

    Attributes:
        skewness: Third standardised moment.
        kurtosis: Fourth standardised moment (3 for the normal distribution).
    """

    skewness: float = 0.0
    kurtosis: float = 3.0


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with a two-sided interval around it.

    Attributes:
        value: The figure, as observed.
        low, high: Ends, in the unit of the figure.
        confidence: Nominal coverage, 0.95 for instance.
    """

    value: float
    low: float
    high: float
    confidence: float


@final
@dataclass(frozen=True, slots=True)
class SharpeEstimate:
    """A Sharpe ratio with what it takes to judge it.

    Attributes:
        per_period: Mean over standard deviation (one degree of freedom less than returns).
        annual: Scaled as if returns were independent.
        lo_annual: Scaled with the autocorrelations of the returns (Lo 2002); None where they
            leave no variance to the year.
        lags: How many autocorrelations that took in.
        first_autocorrelation: Of the returns, lag 1.
        standard_error: Of ``per_period``, for independent returns of these moments.
        moments: Of the returns.
        observations: Number of returns, T.
        periods_per_year: What the annual figures were scaled with.
    """

    per_period: PerPeriodSharpe
    annual: AnnualSharpe
    lo_annual: AnnualSharpe | None
    lags: int
    first_autocorrelation: float
    standard_error: float
    moments: Moments
    observations: int
    periods_per_year: float


@final
@dataclass(frozen=True, slots=True)
class ProbabilisticSharpe:
    """How probably the true Sharpe ratio is above a threshold (PSR).

    Attributes:
        probability: Between 0 and 1.
        sharpe: As observed.
        threshold: What it is compared with.
        moments: Of the returns.
        observations: Number of returns, T.
    """

    probability: float
    sharpe: PerPeriodSharpe
    threshold: PerPeriodSharpe
    moments: Moments
    observations: int


@final
@dataclass(frozen=True, slots=True)
class MinimumTrackRecord:
    """How many returns it takes before a Sharpe ratio counts as above a threshold (MinTRL).

    Attributes:
        required: Number of returns; None where the ratio is not above the threshold, so that no
            number of them is enough.
        observations: How many there are.
        confidence: Probability that is asked for.
        threshold: What the ratio is compared with.
    """

    required: int | None
    observations: int
    confidence: float
    threshold: PerPeriodSharpe

    @property
    def is_long_enough(self) -> bool:
        """Whether there are as many returns as it takes."""
        return self.required is not None and self.observations >= self.required


@final
class Deflation(StrEnum):
    """What a deflated Sharpe ratio takes for the number and the spread of the trials.

    RAW_COUNT decides: N, see :class:`TrialCount`, variance 1/T. The others are reported only:
    EMPIRICAL_VARIANCE takes N with the variance of the trials' own Sharpe ratios, EFFECTIVE_COUNT
    the number of clusters of trials that earn the same, SCREENED_COUNT every point that the
    host's screen judged besides N; both with variance 1/T.
    """

    RAW_COUNT = "raw_count"
    EMPIRICAL_VARIANCE = "empirical_variance"
    EFFECTIVE_COUNT = "effective_count"
    SCREENED_COUNT = "screened_count"


@final
@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """How probably a Sharpe ratio is above what the luck of so many trials explains (DSR).

    Attributes:
        deflation: Which variant this is.
        probability: Between 0 and 1; more than 0.95 is asked for.
        trials: What was taken for their number.
        variance: What was taken for the variance of their Sharpe ratios per period.
        luck: Sharpe ratio that the best of so many trials without skill is expected to show.
        sharpe: As observed.
        moments: Of the returns.
        observations: Number of returns, T.
    """

    deflation: Deflation
    probability: float
    trials: int
    variance: float
    luck: PerPeriodSharpe
    sharpe: PerPeriodSharpe
    moments: Moments
    observations: int


@final
@dataclass(frozen=True, slots=True)
class DeflatedSharpes:
    """The variants of :class:`Deflation`; only ``raw_count`` decides."""

    raw_count: DeflatedSharpe | Inconclusive
    empirical_variance: DeflatedSharpe | Inconclusive
    effective_count: DeflatedSharpe | Inconclusive
    screened_count: DeflatedSharpe | Inconclusive


@final
@dataclass(frozen=True, slots=True)
class BacktestOverfitting:
    """How often the best trial of one half of the time is below the median of the other (PBO).

    Reported only: on noise it is 0.5 with a wide spread, so it can be no gate.

    Attributes:
        probability: Share of the splits in which that was so.
        median_logit: Of the relative rank in the other half; above zero is better than the median.
        probability_of_loss: Share of the splits in which the chosen trial lost in the other half.
        degradation: Mean Sharpe ratio per period that the chosen trial lost from half to half.
        splits: Ways to choose half of the blocks.
        blocks: Into which time was cut.
        trials: Number of series.
        observations: Number of returns of each.
    """

    probability: float
    median_logit: float
    probability_of_loss: float
    degradation: float
    splits: int
    blocks: int
    trials: int
    observations: int


@final
@dataclass(frozen=True, slots=True)
class Resampling:
    """How a bootstrap was done: the same again gives the same numbers.

    Attributes:
        resamples: How many.
        mean_block: Mean length of a block, in periods.
        seed: Of the generator.
    """

    resamples: int
    mean_block: int
    seed: int


@final
@dataclass(frozen=True, slots=True)
class PredictiveAbility:
    """Whether the best of all trials beats the benchmark, all of them considered (Hansen's SPA).

    Attributes:
        p_value: Of the consistent version, which decides: below 0.05 is asked for.
        p_lower, p_upper: Of the liberal and the conservative version.
        trials: Number of series.
        observations: Number of returns of each.
        resampling: Of the stationary bootstrap.
    """

    p_value: float
    p_lower: float
    p_upper: float
    trials: int
    observations: int
    resampling: Resampling


@final
@dataclass(frozen=True, slots=True)
class SharpeBound:
    """A Sharpe ratio with bounds by the stationary bootstrap, studentised.

    Attributes:
        sharpe: As observed, per period.
        lower: One-sided lower bound, per period: above zero is asked for.
        annual, annual_lower: The same, scaled as if returns were independent.
        confidence: Of ``lower``.
        interval: Two-sided, per period, with the same confidence.
        observations: Number of returns, T.
        resampling: Of the bootstrap.
    """

    sharpe: PerPeriodSharpe
    lower: PerPeriodSharpe
    annual: AnnualSharpe
    annual_lower: AnnualSharpe
    confidence: float
    interval: Interval
    observations: int
    resampling: Resampling


@final
@dataclass(frozen=True, slots=True)
class RegimeRow:
    """What a strategy earned in one regime of its market.

    Attributes:
        regime: Name, ``calm`` or ``turbulent``.
        observations: Number of returns n that were earned in it.
        share: Of all returns, as a fraction.
        volatility: Annual, of the benchmark within the regime.
        mean_return: Annual mean of the excess returns, with its interval; Inconclusive for too
            few of them.
        sharpe: With its bounds, or Inconclusive.
    """

    regime: str
    observations: int
    share: float
    volatility: float
    mean_return: Interval | Inconclusive
    sharpe: SharpeBound | Inconclusive


@final
@dataclass(frozen=True, slots=True)
class RegimeTable:
    """Excess returns by regime of the benchmark, the calmest first.

    A return belongs to the regime that the filtered probabilities of the period *before* hold for
    the likeliest: nothing of what came later, nor of the period itself, is in it.

    Attributes:
        rows: One per regime.
        fitted_until: Number of returns at the beginning from which the model was estimated.
        observations: Number of returns that were sorted.
    """

    rows: tuple[RegimeRow, ...]
    fitted_until: int
    observations: int


@final
@dataclass(frozen=True, slots=True)
class TrialCount:
    """How many trials a result was selected from.

    Attributes:
        counted: N: distinct (candidate, parameters) whose score could influence selection, failed
            ones included.
        by_purpose: Registered entries by purpose, all of them.
        screened_only: Distinct (candidate, parameters) that the host's screen judged and that ran
            in no search: not in N, and reported beside it.
    """

    counted: int
    by_purpose: Mapping[str, int]
    screened_only: int
