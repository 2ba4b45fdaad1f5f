"""What screening found in a candidate, and what to do when a campaign waits for a word on it."""

from collections.abc import Sequence

from stratlab.cli.output import clean, plain, print_line, print_table
from stratlab.cli.tables import findings_table
from stratlab.client import Client
from stratlab.domain.campaign import REVIEW_REASON
from stratlab_proto.v1 import campaign_service_pb2 as pb


def waits_for_review(campaign: pb.Campaign) -> bool:
    """Return whether a campaign stands still until its candidate is approved or declined."""
    return campaign.state == pb.Campaign.STATE_PAUSED and campaign.state_reason == REVIEW_REASON


def review_lines(client: Client, campaign: pb.Campaign) -> list[str]:
    """Return what was found in the candidate that waits, and the next step, line by line."""
    iteration = client.get_iteration(campaign.name, campaign.iteration)
    lines = []
    for finding in map(plain, iteration.findings):
        place = f"line {finding['line']}: " if finding["line"] else ""
        what = f"{finding['severity']} {finding['rule']}: {place}{clean(finding['message'])}"
        lines.append(f"  {what}")
    return [*lines, next_line(campaign)]


def next_line(campaign: pb.Campaign) -> str:
    """Return how to decide on a campaign that waits for a review."""
    approve = f"stratlab campaign approve {campaign.name.removeprefix('campaigns/')}"
    return (
        f"  next: with a server (`stratlab serve`), `{approve}` runs the candidate, "
        f"`{approve} --decline` goes on without it"
    )


def print_findings(campaign: pb.Campaign, iterations: Sequence[pb.Iteration]) -> None:
    """Print what was found in the candidate that matters now; nothing when nothing was found.

    That is the one that the verdict is about, and before there is a verdict the latest one.
    """
    chosen = campaign.verdict.candidate
    for iteration in reversed(iterations):
        if not chosen or iteration.candidate.hash == chosen:
            if iteration.findings:
                print_line()
                print_line(f"Findings of screening in iteration {iteration.number}:")
                print_table(findings_table(iteration.findings))
            return
