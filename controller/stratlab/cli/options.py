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
    token_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def as_settings(self) -> dict[str, Any]:
        """Return the settings that were given, in the form of the sections."""
        address, server = self.address, {}
        if address is not None and address.startswith("unix:"):
            # Where `serve` listens, too.
            address, server = "", {"address": self.address}
        client = {
            "address": address,
            "token_file": self.token_file,
            "ca": self.ca,
            "certificate": self.certificate,
            "key": self.key,
        }
        sections = {
            "server": server,
            "client": {name: str(value) for name, value in client.items() if value is not None},
        }
        given: dict[str, Any] = {name: section for name, section in sections.items() if section}
        return given if self.home is None else {"home": self.home, **given}


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
    hint = "Correct stratlab.toml, the STRATLAB_* variables or the options before the command."
    try:
        return Settings(**options.as_settings())
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        text = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc'])}: "
            f"{detail['msg'].removeprefix('Value error, ')}"
            for detail in details[:5]
        )
        raise InvalidInputError(f"settings: {text}", hint=hint) from None
    except (OSError, ValueError) as error:  # the file is no TOML, or cannot be read
        raise InvalidInputError(f"settings: {error}", hint=hint) from None
