"""What a finished campaign shows: verdict, iterations, best candidate, report."""

from stratlab.cli.estimate import print_points
from stratlab.cli.evolution import lineage_records, print_evolution
from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.output import plain, print_caveats, print_json, print_line, print_table
from stratlab.cli.review import next_line, print_findings, waits_for_review
from stratlab.cli.tables import iterations_table, metrics_table, rules_table
from stratlab.client import Client
from stratlab.client.errors import error_classes
from stratlab.domain.campaign import REVIEW_REASON
from stratlab.domain.errors import StratlabError
from stratlab.domain.trial import Outcome
from stratlab_proto.v1 import campaign_service_pb2 as pb

_ASKED_FOR = ("PAUSED_BY_USER", REVIEW_REASON)


def campaign_record(client: Client, campaign: pb.Campaign) -> dict[str, object]:
    """Return a campaign with its iterations and the family of its best, for JSON output."""
    iterations = list(client.list_iterations(campaign.name))
    return plain(campaign) | {
        "iterations": [plain(iteration) for iteration in iterations],
        "lineage": lineage_records(campaign, iterations),
        "caveats": data_caveats(client, campaign),
    }


def data_caveats(client: Client, campaign: pb.Campaign) -> list[str]:
    """Return what to know about the data of a campaign."""
    name = campaign.spec.data_set
    for data_set in client.list_datasets():
        if data_set.name == f"datasets/{name}" and data_set.digest == campaign.data_digest:
            return list(data_set.caveats)
    return [f"The data set {name} of this campaign was removed or replaced."]


def print_campaign(client: Client, campaign: pb.Campaign, report: str, *, as_json: bool) -> None:
    """Print all there is to say about a campaign.

    Args:
        client: The connection.
        campaign: The campaign with its figures.
        report: Where the report is, "" when there is none.
        as_json: Print one JSON object.
    """
    if as_json:
        print_json(campaign_record(client, campaign) | {"report": report or None})
        return
    record, title = plain(campaign), campaign.spec.display_name
    print_line(f"Campaign {campaign.name.removeprefix('campaigns/')}: {title}")
    print_line(
        f"State {record['state']} ({record['state_reason']}), iteration {campaign.iteration}"
    )
    iterations = list(client.list_iterations(campaign.name))
    if campaign.state == pb.Campaign.STATE_PAUSED:
        _print_next(client, campaign)
    if iterations:
        print_line()
        print_table(iterations_table(iterations))
        print_findings(campaign, iterations)
    print_evolution(campaign, iterations)
    print_points(campaign)
    if campaign.HasField("verdict"):
        _print_best(campaign, iterations)
        print_line()
        print_line(f"Verdict: {record['verdict']['kind']}")
        # With rules, the reasons between the first and the last one repeat the table.
        reasons = campaign.verdict.reasons
        for reason in [reasons[0], reasons[-1]] if campaign.verdict.rules else reasons:
            print_line(f"- {reason}")
        if campaign.verdict.rules:
            print_table(rules_table(campaign.verdict))
        if campaign.verdict.missing_checks:
            missing = ", ".join(campaign.verdict.missing_checks)
            print_line(f"Checks that a promotion needs and that did not run: {missing}")
        for opening in campaign.holdout_openings:
            print_line(_opening(opening))
        print_line(f"Result hash: {campaign.result_hash}")
    print_caveats(data_caveats(client, campaign))
    if report:
        print_line(f"Report: {report}")


def _opening(opening: pb.HoldoutOpening) -> str:
    who = opening.actor or "the lab"
    return (
        f"Holdout opening {opening.number}: {who} for iteration {opening.iteration} on "
        f"{opening.time.ToJsonString()[:10]}, look {opening.looks} at {opening.data_set}"
    )


def campaign_exit_code(campaign: pb.Campaign) -> ExitCode:
    """Return the exit code that stands for how a campaign ended."""
    match campaign.state:
        case pb.Campaign.STATE_COMPLETED if campaign.verdict.kind == pb.Verdict.KIND_REJECT:
            return ExitCode.STRATEGY
        case pb.Campaign.STATE_FAILED:
            return ExitCode.INFRASTRUCTURE
        case pb.Campaign.STATE_CANCELLED:
            return ExitCode.INTERRUPTED
        case pb.Campaign.STATE_PAUSED if campaign.state_reason not in _ASKED_FOR:
            return ExitCode.INFRASTRUCTURE
        case pb.Campaign.STATE_PAUSED:
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.OK


def _print_next(client: Client, campaign: pb.Campaign) -> None:
    # Why it stands still, and what to do before `resume`.
    resume = f"`stratlab campaign resume {campaign.name.removeprefix('campaigns/')}`"
    if waits_for_review(campaign):
        print_line(next_line(campaign))
        return
    if campaign.state_reason == "PAUSED_BY_USER":
        print_line(f"  next: {resume}")
        return
    if campaign.iteration:
        current = plain(client.get_iteration(campaign.name, campaign.iteration))
        for trial in current["trials"]:
            if trial["outcome"] == Outcome.INFRASTRUCTURE:
                print_line(f"  trial {trial['trial_id']}: {trial['reason']}")
    cause = error_classes().get(campaign.state_reason, StratlabError)
    print_line(f"  next: {cause.default_hint} Then {resume}.")


def _print_best(campaign: pb.Campaign, iterations: list[pb.Iteration]) -> None:
    chosen = campaign.verdict.candidate
    best = next((i for i in iterations if chosen and i.candidate.hash == chosen), None)
    if best is None or not best.HasField("evaluation"):
        return
    judged = best.evaluation
    parameters = plain(judged)["parameters"]
    print_line()
    print_line(
        f"Best candidate: {best.candidate.strategy_id} of iteration {best.number}, "
        f"parameters {parameters}"
    )
    print_table(
        metrics_table(
            [
                ("train", judged.train if judged.HasField("train") else None),
                (
                    "benchmark",
                    judged.benchmark_train if judged.HasField("benchmark_train") else None,
                ),
                ("validation", judged.validation if judged.HasField("validation") else None),
                (
                    "benchmark",
                    judged.benchmark_validation
                    if judged.HasField("benchmark_validation")
                    else None,
                ),
            ]
        )
    )
