"""Ends a campaign: the verdict from all that was found out, and the hash over all of it."""

from dataclasses import replace

from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.result_hash import result_hash
from stratlab.campaigns.screening_step import StepEvent
from stratlab.domain.campaign import Campaign
from stratlab.domain.events import EventKind
from stratlab.domain.examination import Examination
from stratlab.domain.ports import Repository
from stratlab.evaluation import reach_verdict


def conclude(
    repository: Repository, campaign: Campaign, finalist: Examination | None, stop_reason: str
) -> tuple[Campaign, StepEvent]:
    """Return the campaign with verdict and result hash, and the event that tells of them.

    Args:
        repository: Its iterations and examinations.
        campaign: Whose search has ended.
        finalist: What is known of its finalist, None without one.
        stop_reason: Why the search ended, one sentence.
    """
    iterations = all_iterations(repository, campaign.id)
    verdict = reach_verdict(iterations, finalist, stop_reason, campaign.spec.holdout)
    examined = repository.examinations(campaign.id)
    digest = result_hash(campaign.data_digest, iterations, verdict, examined)
    payload: dict[str, object] = {
        "verdict": verdict.kind.value,
        "candidate": verdict.candidate,
        "reasons": list(verdict.reasons),
        "missing_checks": list(verdict.missing_checks),
        "rules": [
            {
                "rule": rule.name,
                "status": rule.status.value,
                "value": rule.value,
                "bound": rule.bound,
                "evidence": rule.evidence,
            }
            for rule in verdict.rules
        ],
        "result_hash": digest,
    }
    concluded = replace(campaign, verdict=verdict, result_hash=digest)
    return concluded, (EventKind.VERDICT_REACHED, payload)
