"""Who calls, and what they may do."""

from dataclasses import dataclass
from enum import IntEnum
from typing import final


@final
class Role(IntEnum):
    """What a caller may do; each role may do everything that the ones before it may."""

    VIEWER = 1
    """Read and watch."""
    RESEARCHER = 2
    """Create campaigns and steer those, run backtests, screen source."""
    OPERATOR = 3
    """Steer every campaign."""


@final
@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        name: Name of the token; audit events carry it as ``actor``.
        role: What the caller may do.
    """

    name: str
    role: Role


OWNER = Caller("owner", Role.OPERATOR)
"""Whoever can open the unix socket: the account that the controller runs under."""
