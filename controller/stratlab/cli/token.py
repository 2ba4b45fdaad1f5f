"""``stratlab token``: who may call the controller over the network."""
# ruff: noqa: PLC0415 (keeps start-up fast: `--help` imports none of it)

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from stratlab.cli.options import JsonOption, settings_of
from stratlab.cli.output import print_json, print_line, print_note, print_table
from stratlab.domain.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from stratlab.api.access.tokens import Token, TokenFile

app = typer.Typer(no_args_is_help=True, help="Make and revoke tokens for callers over TCP.")

_AGE = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who uses the token.")]
_FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Token file [server.tokens, HOME/tokens.json]."),
]


@final
class RoleName(StrEnum):
    """What a token allows."""

    VIEWER = "viewer"
    RESEARCHER = "researcher"
    OPERATOR = "operator"


@app.command()
def create(
    context: typer.Context,
    name: _NameArgument,
    role: Annotated[
        RoleName,
        typer.Option(
            "--role",
            help="viewer: read; researcher: also create, run, and steer what it created; "
            "operator: steer everything.",
        ),
    ],
    expires: Annotated[
        str, typer.Option("--expires", metavar="WHEN", help="90d, 12h, 30m or 2030-01-31 (UTC).")
    ] = "",
    file: _FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it; it cannot be shown again."""
    from stratlab.domain.access import Role

    until = _moment(expires) if expires else None
    secret = _tokens(context, file).create(name, Role[role.name], until)
    if as_json:
        print_json(
            {
                "name": name,
                "role": role.value,
                "expires": until and until.isoformat(),
                "token": secret,
            }
        )
        return
    print_line(secret)
    print_note("Keep it: it cannot be shown again. Callers give it as --token-file FILE (0600).")


@app.command("list")
def list_tokens(
    context: typer.Context, file: _FileOption = None, as_json: JsonOption = False
) -> None:
    """List names, roles and expiry of the tokens."""
    tokens = _tokens(context, file)
    try:
        records = [_record(token) for token in tokens.tokens()]
    except NotFoundError:
        records = []
    if as_json:
        print_json(records)
        return
    from rich.table import Table

    table = Table("name", "role", "expires")
    for record in records:
        state = " (expired)" if record["expired"] else ""
        table.add_row(record["name"], record["role"], f"{record['expires'] or 'never'}{state}")
    print_table(table)


@app.command()
def revoke(
    context: typer.Context,
    name: _NameArgument,
    file: _FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a token; a running controller refuses it at once."""
    _tokens(context, file).revoke(name)
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        print_line(f"{name} is revoked.")


def _tokens(context: typer.Context, file: Path | None) -> "TokenFile":
    from stratlab.api.access.tokens import TokenFile
    from stratlab.cli.hosting import private_home

    settings = settings_of(context)
    if file is None and not settings.server.tokens:
        private_home(settings)
    return TokenFile(file or settings.token_path)


def _record(token: "Token") -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role.name.lower(),
        "expires": token.expires and token.expires.isoformat(),
        "expired": token.expires is not None and token.expires <= datetime.now(UTC),
    }


def _moment(text: str) -> datetime:
    age = _AGE.fullmatch(text)
    if age:
        return datetime.now(UTC).replace(microsecond=0) + timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"--expires: {text[:100]!r} is no time", hint="Write 90d, 12h, 30m or 2030-01-31."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
