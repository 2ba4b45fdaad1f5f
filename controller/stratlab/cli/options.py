"""Options that several commands share, and the settings they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

if TYPE_CHECKING:
    from stratlab.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="End with 3 when there are warnings.")]
CampaignArgument = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="Id or name (campaigns/ID).")
]


@final
@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Options in front of the command."""

    home: Path | None = None
    address: str | None = None


def settings_of(context: typer.Context) -> "Settings":
    """Return the settings: file < environment < command line.

    Raises:
        InvalidInputError: A setting is unknown or has a wrong value; names it.
    """
    # keeps start-up fast: pydantic is the largest import of most commands
    from pydantic import ValidationError  # noqa: PLC0415

    from stratlab.domain.errors import InvalidInputError  # noqa: PLC0415 (keeps start-up fast)
    from stratlab.settings import Settings  # noqa: PLC0415 (keeps start-up fast)

    options = context.find_object(GlobalOptions) or GlobalOptions()
    changes: dict[str, Any] = {}
    if options.home is not None:
        changes["home"] = options.home
    if options.address is not None:
        changes["server"] = {"address": options.address}
    try:
        return Settings(**changes)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        text = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
            for detail in details[:5]
        )
        raise InvalidInputError(
            f"settings: {text}", hint="Correct stratlab.toml or the STRATLAB_* variables."
        ) from None
    except ValueError as error:  # the file is no TOML
        raise InvalidInputError(f"settings: {error}", hint="Correct stratlab.toml.") from None
