"""Words for N: what a campaign would cost, and what counted in one."""

from stratlab.cli.output import plain, print_line
from stratlab_proto.v1 import campaign_service_pb2 as pb


def print_estimate(estimate: pb.CampaignEstimate) -> None:
    """Print an estimate for people."""
    record = plain(estimate)
    required = record["required_sharpe_ratio"]
    print_line(
        f"{estimate.counted_points} points would count (N), chosen by the host's screen among "
        f"{estimate.screened_points}"
        if estimate.screened_points
        else f"{estimate.counted_points} points would count (N); nothing is screened before"
    )
    print_line(
        f"The best of {estimate.counted_points} without skill is expected to show an annual Sharpe "
        f"ratio of {estimate.expected_maximum_sharpe_ratio:.2f} in excess of the benchmark"
    )
    print_line(
        f"over {estimate.sessions} sessions of train and validation; a winner has to show "
        f"{'more than any' if required is None else f'{required:.2f}'} (deflated ratio 0.95)"
    )
    print_line(
        f"{estimate.backtests} backtests, about {_span(record['wall_time'])}: "
        f"{record['backtest_time']:.2f} s each, {_origin(estimate.measured_backtests)}"
    )
    if estimate.model_cost_usd:
        origin = _origin(estimate.measured_model_iterations)
        print_line(f"Language models: about {estimate.model_cost_usd:.2f} US dollars, {origin}")


def print_points(campaign: pb.Campaign) -> None:
    """Print how many points of a campaign count, and what else is registered."""
    registered = ", ".join(
        f"{purpose} {campaign.stats.points[purpose]}" for purpose in sorted(campaign.stats.points)
    )
    print_line(
        f"N = {campaign.stats.counted_points} points (registered: {registered or 'nothing'})"
    )


def _origin(measured: int) -> str:
    return f"the mean of {measured} earlier ones" if measured else "an assumption"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
