"""``stratlab sensitivity``: what a small change of parameters does to a strategy."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import clean, plain, print_caveats, print_json, print_line, print_table
from stratlab.cli.reading import parse_list, read_text
from stratlab.domain.errors import InvalidContractError, InvalidInputError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from stratlab_proto.v1 import strategy_service_pb2 as pb

_MAX_CONTRACT_BYTES = 256 * 1024
# Changes of the annual Sharpe ratio at which a cell is as red or as green as it gets.
_FULL_COLOUR = 0.5
_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


def sensitivity(
    context: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CONTRACT_FILE|CAMPAIGN", help="A strategy contract, or a campaign's id."
        ),
    ],
    iteration: Annotated[
        int, typer.Option("--iteration", min=0, help="Of the campaign [its best].")
    ] = 0,
    data: Annotated[
        str | None, typer.Option("--data", help="Data set for a contract [us-daily].")
    ] = None,
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbols", help="AAPL,MSFT for a contract; repeatable [all]."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Move every parameter by a step and by 10 %, alone and in pairs, on the train tier."""
    from stratlab.cli.connection import server_or_records
    from stratlab_proto.v1 import strategy_service_pb2 as pb

    request = pb.MeasureSensitivityRequest(
        iteration=iteration, data_set=data or "", symbols=parse_list(symbols or ())
    )
    path = Path(subject)
    if path.suffix in _SUFFIXES or path.is_file():
        if iteration:
            raise InvalidInputError("--iteration: a contract has none", hint="Leave it out.")
        request.contract = read_text(path, _MAX_CONTRACT_BYTES, InvalidContractError)
    else:
        if data or symbols:
            raise InvalidInputError(
                "--data and --symbols: a campaign has its own", hint="Leave them out."
            )
        request.campaign = subject
    with server_or_records(settings_of(context)) as client:
        answer = client.measure_sensitivity(request)
    if as_json:
        print_json(plain(answer))
    else:
        _print(answer)


def _print(answer: "pb.Sensitivity") -> None:
    record = plain(answer)
    of = f", iteration {answer.iteration} of {answer.campaign}" if answer.campaign else ""
    print_line(f"{clean(answer.strategy_id)}{of} at {record['parameters']}")
    for heat_map in answer.heat_maps:
        print_line()
        print_table(heat_map_table(heat_map, record["sharpe_ratio"]))
    print_line()
    print_line(f"Annual Sharpe ratio on the train tier: {_figure(record['sharpe_ratio'])}")
    print_line(
        f"Around it on average {_signed(record['mean_change'])}, at worst "
        f"{_signed(record['worst_change'])}"
    )
    registered = f", {answer.registered} newly registered" if answer.campaign else ""
    print_line(f"{answer.points} points in {record['wall_time']:.2f} s{registered}")
    print_caveats(answer.caveats)


def heat_map_table(heat_map: "pb.HeatMap", centre: float | None) -> "Table":
    """Return the annual Sharpe ratios of two parameters, coloured by their distance to a centre.

    Args:
        heat_map: Values and ratios.
        centre: Ratio that the others are compared with, None where it is undefined.
    """
    from rich.table import Table

    width = max(len(heat_map.column_values), 1)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{heat_map.row} | {heat_map.column}" if heat_map.column else heat_map.row)
    for place in range(width):
        title = f"{heat_map.column_values[place]:g}" if heat_map.column else "Sharpe"
        table.add_column(title, justify="right")
    for number, value in enumerate(heat_map.row_values):
        row = heat_map.sharpe_ratios[number * width : (number + 1) * width]
        table.add_row(f"{value:g}", *(_cell(sharpe, centre) for sharpe in row))
    return table


def _cell(sharpe: float, centre: float | None) -> "Text":
    from rich.text import Text

    if math.isnan(sharpe):
        return Text("-")
    if centre is None:
        return Text(f"{sharpe:.2f}")
    share = max(-1.0, min(1.0, (sharpe - centre) / _FULL_COLOUR))
    strength = round(90 * abs(share))
    red, green = (40 + strength, 40) if share < 0 else (40, 40 + strength)
    return Text(f" {sharpe:.2f} ", style=f"white on #{red:02x}{green:02x}28")


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.3f}"
