"""``stratlab campaign``: estimate, create, run, list, show, watch, and what steers them."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratlab.cli.options import CampaignArgument, JsonOption, settings_of
from stratlab.cli.output import plain, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from stratlab.settings import Settings
    from stratlab_proto.v1 import campaign_service_pb2 as pb

app = typer.Typer(no_args_is_help=True, help="Search for a strategy, from a prompt to a verdict.")

_SpecOption = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="YAML or JSON specification; flags win."),
]
_NameOption = Annotated[str | None, typer.Option("--name", help="Name for people.")]
_DataOption = Annotated[str | None, typer.Option("--data", help="Data set [us-daily].")]
_MarketOption = Annotated[
    list[str] | None,
    typer.Option("--market", help="Symbols traded together, AAPL,MSFT; repeatable [all]."),
]
_PromptOption = Annotated[str | None, typer.Option("--prompt", help="What to look for.")]
_ConstraintOption = Annotated[
    list[str] | None, typer.Option("--constraint", help="A further demand; repeatable.")
]
_GeneratorOption = Annotated[
    str | None,
    typer.Option(
        "--generator",
        help="hybrid, claude, factor_graph or template [hybrid where the controller has a key for "
        "a language model, else factor_graph].",
    ),
]
_TemplateOption = Annotated[
    list[str] | None, typer.Option("--template", help="Template to start from; repeatable [all].")
]
_PointsOption = Annotated[
    int | None, typer.Option("--points", help="Parameter sets tried per iteration [1].")
]
_ScreenOption = Annotated[
    int | None,
    typer.Option("--screen", help="Points that the host tries before them, 0 for none [64]."),
]
_SamplerOption = Annotated[
    str | None, typer.Option("--sampler", help="tpe, random, cmaes or grid [tpe].")
]
_IterationsOption = Annotated[
    int | None, typer.Option("--iterations", help="At most so many [20].")
]
_WallOption = Annotated[
    float | None, typer.Option("--max-seconds", help="At most so much working time [3600].")
]
_GateOption = Annotated[
    list[str] | None,
    typer.Option("--gate", metavar="NAME=BOUND", help="A gate's bound, or off; repeatable."),
]
_StopOption = Annotated[
    list[str] | None,
    typer.Option("--stop", metavar="NAME=BOUND", help="A stop rule's bound, or off; repeatable."),
]
_CostOption = Annotated[
    str | None, typer.Option("--cost-model", help="next_open or zipline [next_open].")
]
_CapitalOption = Annotated[float | None, typer.Option("--capital", help="Starting cash [100000].")]
_SeedOption = Annotated[int | None, typer.Option("--seed", help="Of every random choice [0].")]
_RuntimeOption = Annotated[
    str | None, typer.Option("--runtime", help="Container runtime, runc or runsc [the server's].")
]
_EngineOption = Annotated[
    str | None, typer.Option("--engine", help="fast, or stock for zipline as it comes [fast].")
]
_ReviewOption = Annotated[
    str | None,
    typer.Option("--review", help="auto, or required: a candidate with warnings waits [auto]."),
]
_ArmOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        help="Reference arm to show beside the result: random_search, optuna, buy_and_hold or "
        "equal_weight; repeatable.",
    ),
]
_HoldoutOption = Annotated[
    str | None,
    typer.Option(
        "--holdout", help="once_for_finalist, or manual: only open-holdout [once_for_finalist]."
    ),
]


@app.command("create", help="Create a campaign on the running server and return at once.")
@app.command("run", help="Create a campaign and follow it to its verdict; needs no server.")
@app.command("estimate", help="Say what a campaign would cost, and what its winner must show.")
def start(
    context: typer.Context,
    spec: _SpecOption = None,
    name: _NameOption = None,
    data: _DataOption = None,
    market: _MarketOption = None,
    prompt: _PromptOption = None,
    constraint: _ConstraintOption = None,
    generator: _GeneratorOption = None,
    template: _TemplateOption = None,
    points: _PointsOption = None,
    screen: _ScreenOption = None,
    sampler: _SamplerOption = None,
    iterations: _IterationsOption = None,
    max_seconds: _WallOption = None,
    gate: _GateOption = None,
    stop: _StopOption = None,
    cost_model: _CostOption = None,
    capital: _CapitalOption = None,
    seed: _SeedOption = None,
    runtime: _RuntimeOption = None,
    engine: _EngineOption = None,
    review: _ReviewOption = None,
    arm: _ArmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a campaign, or say what it would cost: all take the same specification."""
    from stratlab.cli.campaign_spec import SpecFlags, build_spec

    message = build_spec(
        SpecFlags(
            file=spec,
            name=name,
            data=data,
            markets=tuple(market or ()),
            prompt=prompt,
            constraints=tuple(constraint or ()),
            generator=generator,
            templates=tuple(template or ()),
            points=points,
            screen_points=screen,
            sampler=sampler,
            iterations=iterations,
            wall_seconds=max_seconds,
            gates=tuple(gate or ()),
            stops=tuple(stop or ()),
            cost_model=cost_model,
            capital=capital,
            seed=seed,
            runtime=runtime,
            engine=engine,
            review=review,
            arms=tuple(arm or ()),
        )
    )
    settings = settings_of(context)
    act = {"run": _run, "estimate": _estimate}.get(context.info_name or "", _create)
    act(settings, message, as_json=as_json)


@app.command("list")
def list_campaigns(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the campaigns, newest first."""
    from stratlab.cli.connection import server_or_records

    with server_or_records(settings_of(context)) as client:
        campaigns = list(client.list_campaigns())
    if as_json:
        print_json([plain(campaign) for campaign in campaigns])
        return
    from stratlab.cli.tables import campaigns_table

    print_table(campaigns_table(campaigns))


@app.command()
def show(context: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Show a campaign: state, iterations, best candidate, verdict."""
    from stratlab.cli.connection import server_or_records
    from stratlab.cli.reports import report_path
    from stratlab.cli.verdict import print_campaign

    settings = settings_of(context)
    with server_or_records(settings) as client:
        found = client.get_campaign(campaign)
        print_campaign(client, found, report_path(settings, found.name), as_json=as_json)


@app.command()
def watch(
    context: typer.Context,
    campaign: CampaignArgument,
    after: Annotated[
        int, typer.Option("--after", min=0, max=2**63 - 1, help="Skip events up to this one.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Follow a campaign on the running server until it ends; --json prints a line per event."""
    from stratlab.cli.connection import running_server
    from stratlab.cli.follow import follow
    from stratlab.cli.reports import report_path
    from stratlab.cli.verdict import campaign_exit_code, print_campaign

    settings = settings_of(context)
    with running_server(settings) as client:
        found = client.get_campaign(campaign)
        on_item = _print_item if as_json else None
        follow(client, found, after=after, on_item=on_item, quiet=as_json)
        found = client.get_campaign(campaign)
        if not as_json:
            print_campaign(client, found, report_path(settings, found.name), as_json=False)
    raise typer.Exit(campaign_exit_code(found))


@app.command()
def pause(context: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Stop a campaign before its next step; nothing is lost."""
    from stratlab.cli.connection import running_server

    with running_server(settings_of(context)) as client:
        _print_state(client.pause_campaign(campaign), as_json=as_json)


@app.command()
def resume(context: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Continue a paused campaign where it stood."""
    from stratlab.cli.connection import running_server

    with running_server(settings_of(context)) as client:
        _print_state(client.resume_campaign(campaign), as_json=as_json)


@app.command()
def approve(
    context: typer.Context,
    campaign: CampaignArgument,
    decline: Annotated[
        bool, typer.Option("--decline", help="Do not run the candidate; go on with the next one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Accept the candidate of a campaign that is paused for review, or decline it."""
    from stratlab.cli.connection import running_server

    with running_server(settings_of(context)) as client:
        _print_state(client.approve_campaign(campaign, decline=decline), as_json=as_json)


@app.command()
def replay(context: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """Run an ended campaign again from its models' recordings, and compare every hash."""
    from stratlab.cli.replay import replay_campaign

    raise typer.Exit(replay_campaign(settings_of(context), campaign, as_json=as_json))


@app.command()
def open_holdout(
    context: typer.Context,
    campaign: CampaignArgument,
    iteration: Annotated[
        int, typer.Option("--iteration", min=0, help="Of the candidate [that of the verdict].")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Let a candidate of an ended campaign see the holdout; counted, and it weakens later looks."""
    from stratlab.cli.connection import running_server
    from stratlab.cli.follow import follow
    from stratlab.cli.reports import report_path
    from stratlab.cli.verdict import campaign_exit_code, print_campaign

    settings = settings_of(context)
    with running_server(settings) as client:
        opened = client.open_holdout(campaign, iteration=iteration)
        follow(client, opened, quiet=True)
        found = client.get_campaign(campaign)
        if found.verdict == opened.verdict:
            print_note("The replay could not be made; the server's log says why. The opening is")
            print_note("counted once: run the same command again, or start the server again.")
        print_campaign(client, found, report_path(settings, found.name), as_json=as_json)
    raise typer.Exit(campaign_exit_code(found))


@app.command()
def cancel(context: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False) -> None:
    """End a campaign and kill its containers."""
    from stratlab.cli.connection import running_server

    with running_server(settings_of(context)) as client:
        _print_state(client.cancel_campaign(campaign), as_json=as_json)


def _create(settings: "Settings", spec: "pb.CampaignSpec", *, as_json: bool) -> None:
    from stratlab.cli.connection import running_server

    with running_server(settings) as client:
        campaign = client.create_campaign(spec)
    if as_json:
        print_json(plain(campaign))
    else:
        print_line(_id(campaign))
        print_note("Follow it with `stratlab campaign watch`.")


def _estimate(settings: "Settings", spec: "pb.CampaignSpec", *, as_json: bool) -> None:
    from stratlab.cli.connection import server_or_records
    from stratlab.cli.estimate import print_estimate

    with server_or_records(settings) as client:
        estimate = client.estimate_campaign(spec)
    if as_json:
        print_json(plain(estimate))
    else:
        print_estimate(estimate)


def _run(settings: "Settings", spec: "pb.CampaignSpec", *, as_json: bool) -> None:
    from stratlab.cli.connection import server_or_lab
    from stratlab.cli.follow import follow
    from stratlab.cli.reports import report_path
    from stratlab.cli.verdict import campaign_exit_code, print_campaign

    with server_or_lab(settings) as client:
        campaign = client.create_campaign(spec)
        generator = plain(campaign)["spec"]["generator"]
        print_note(f"Campaign {_id(campaign)} is created; generator {generator}.")
        try:
            follow(client, campaign, stop_when_paused=True)
        except KeyboardInterrupt:
            print_note(
                f"Interrupted; nothing is lost. A server continues campaign {_id(campaign)}: "
                "start one with `stratlab serve`."
            )
            raise
        campaign = client.get_campaign(campaign.name)
        print_campaign(client, campaign, report_path(settings, campaign.name), as_json=as_json)
    raise typer.Exit(campaign_exit_code(campaign))


def _print_item(item: "pb.WatchCampaignResponse") -> None:
    kind = item.WhichOneof("item") or "event"
    print_json({kind: plain(getattr(item, kind))})


def _print_state(campaign: "pb.Campaign", *, as_json: bool) -> None:
    record = plain(campaign)
    if as_json:
        print_json(record)
    else:
        print_line(f"{_id(campaign)} {record['state']} ({record['state_reason']})")


def _id(campaign: "pb.Campaign") -> str:
    return campaign.name.removeprefix("campaigns/")
