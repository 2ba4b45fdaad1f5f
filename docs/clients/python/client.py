"""A stratlab client in Python: creates, watches and cancels campaigns, runs backtests.

Usage: client.py create [DATA_SET] | watch CAMPAIGN [AFTER] | cancel CAMPAIGN | backtest FILE
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from stratlab import Client
from stratlab.domain.errors import StratlabError
from stratlab_proto.v1 import backtest_service_pb2 as backtest_pb
from stratlab_proto.v1 import campaign_service_pb2 as campaign_pb
from stratlab_proto.v1.common_pb2 import Outcome


def connect() -> Client:
    """Return a client for the server that the environment names."""
    address = os.environ["STRATLAB_CLIENT__ADDRESS"]
    if address.startswith("unix:"):  # private by its mode
        return Client(address)
    return Client(
        address,
        token=Path(os.environ["STRATLAB_CLIENT__TOKEN_FILE"]).read_text().strip(),
        ca=Path(os.environ["STRATLAB_CLIENT__CA"]),
        certificate=Path(os.environ["STRATLAB_CLIENT__CERTIFICATE"]),
        key=Path(os.environ["STRATLAB_CLIENT__KEY"]),
    )


def create(client: Client, data_set: str = "us-daily") -> None:
    """Create a campaign; the client repeats the call under one request_id if nobody answers."""
    spec = campaign_pb.CampaignSpec(
        display_name="from Python",
        data_set=data_set,
        markets=[campaign_pb.MarketSet(symbols=["IBM"])],
        stop_rules=campaign_pb.StopRules(max_iterations=50, max_wall_time=Duration(seconds=3600)),
    )
    print(client.create_campaign(spec).name)


def watch(client: Client, name: str, after: str = "0") -> None:
    """Print the events behind one, then follow; a lost connection is made again."""
    for item in client.watch_campaign(name, after=int(after)):
        event = item.event
        state = event.payload.fields["to"].string_value if "to" in event.payload.fields else ""
        print(f"{event.number} {event.kind} {state}".rstrip(), flush=True)


def cancel(client: Client, name: str) -> None:
    """End a campaign."""
    print(campaign_pb.Campaign.State.Name(client.cancel_campaign(name).state))


def backtest(client: Client, path: str) -> None:
    """Run one strategy once."""
    request = backtest_pb.RunBacktestRequest(source=Path(path).read_text(), symbols=["IBM"])
    request.parameters["shares"] = 100
    for item in client.run_backtest(request):
        if item.HasField("progress"):
            print(f"progress {item.progress.fraction:.2f}", flush=True)
            continue
        trial = item.result.trial
        print(f"outcome {Outcome.Name(trial.outcome)}")
        print(f"fills {len(trial.fills)}")
        if trial.equity:
            print(f"equity {trial.equity[-1].value:.2f}")


COMMANDS: dict[str, Callable[..., None]] = {
    "create": create,
    "watch": watch,
    "cancel": cancel,
    "backtest": backtest,
}


def main() -> int:
    """Run one command; what the server refuses is raised with its reason and next step."""
    command, *arguments = sys.argv[1:] or [""]
    if command not in COMMANDS:
        print("usage: client.py create|watch|cancel|backtest [ARGUMENT]...", file=sys.stderr)
        return 2
    with connect() as client:
        try:
            COMMANDS[command](client, *arguments)
        except StratlabError as error:
            print(f"{error.reason}: {error.message}\nhint: {error.hint}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
