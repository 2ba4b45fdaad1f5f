"""Puts together the desks of an examination from the ports that they stand on."""

from stratlab.campaigns.examination import Desks, Examiner
from stratlab.campaigns.finalist_statistics import FinalistStatistics
from stratlab.campaigns.holdout import Holdout
from stratlab.campaigns.sealed_trials import SealedTrials
from stratlab.domain.causality import CausalityDesk
from stratlab.domain.checks import RobustnessDesk
from stratlab.domain.ports import Artifacts, Clock, Evaluator, MarketData, Repository
from stratlab.domain.sealed import SealedSandbox


def make_examiner(
    *,
    repository: Repository,
    artifacts: Artifacts,
    market_data: MarketData,
    sandbox: SealedSandbox,
    evaluator: Evaluator,
    clock: Clock,
    causality: CausalityDesk,
    robustness: RobustnessDesk,
    strict_runtime: str = "",
) -> Examiner:
    """Return an examiner with every desk.

    Args:
        repository: Where examinations are.
        artifacts: Where series are.
        market_data: The host's prices.
        sandbox: What replays.
        evaluator: What settles.
        clock: For ledger and audit.
        causality: What puts candidates to the causality test.
        robustness: What puts them under stress.
        strict_runtime: Container runtime of sealed replays, "" for the campaign's own.
    """
    sealed = SealedTrials(repository, market_data, sandbox, evaluator, strict_runtime)
    return Examiner(
        repository,
        clock,
        Desks(
            causality=causality,
            sealed=sealed,
            statistics=FinalistStatistics(repository, artifacts, market_data),
            robustness=robustness,
            holdout=Holdout(repository, artifacts, market_data, sealed, clock),
        ),
    )
