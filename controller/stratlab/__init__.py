"""The controller, client and command line of stratlab."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratlab.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    # Lazily: most of what is below this package needs no gRPC.
    if name == "Client":
        from stratlab.client import Client  # noqa: PLC0415 (keeps start-up fast)

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
