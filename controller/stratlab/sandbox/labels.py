"""What our containers say about themselves, so that a reaper finds them without the store."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self, final

from stratlab.domain.errors import UnsafeConfigurationError

_PREFIX: Final = "org.stratlab."
INSTALLATION_LABEL: Final = _PREFIX + "installation"
"""The label by which all containers of one home directory are found."""

_KIND: Final = _PREFIX + "kind"
_CONTROLLER: Final = _PREFIX + "controller"
_MEMBER: Final = _PREFIX + "member"
_CAMPAIGN: Final = _PREFIX + "campaign"
_DEADLINE: Final = _PREFIX + "deadline"
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


@final
class ContainerKind(StrEnum):
    """What a container is for: a member has a lease, a job has none."""

    MEMBER = "member"
    JOB = "job"


@final
@dataclass(frozen=True, slots=True)
class ContainerLabels:
    """The labels of one container.

    Attributes:
        installation: Id of the home directory that it belongs to.
        controller: Identity of the controller process that made it.
        member: Container name.
        campaign: Who uses it.
        deadline: UTC epoch seconds; past it anybody of this installation removes it.
        kind: What it is for.
    """

    installation: str
    controller: str
    member: str
    campaign: str
    deadline: int
    kind: ContainerKind = ContainerKind.MEMBER

    def as_mapping(self) -> dict[str, str]:
        """Return the labels by name.

        Raises:
            UnsafeConfigurationError: A value is empty, long or has unusual characters.
        """
        labels = {
            INSTALLATION_LABEL: self.installation,
            _KIND: self.kind.value,
            _CONTROLLER: self.controller,
            _MEMBER: self.member,
            _CAMPAIGN: self.campaign,
            _DEADLINE: str(self.deadline),
        }
        for name, value in labels.items():
            if _VALUE.fullmatch(value) is None:
                raise UnsafeConfigurationError(f"the label {name} has the value {value!r}")
        return labels

    @classmethod
    def from_mapping(cls, labels: Mapping[str, str]) -> Self:
        """Read labels back; what is missing or broken reads as long expired."""
        deadline = labels.get(_DEADLINE, "")
        kind = labels.get(_KIND, "")
        return cls(
            installation=labels.get(INSTALLATION_LABEL, ""),
            controller=labels.get(_CONTROLLER, ""),
            member=labels.get(_MEMBER, ""),
            campaign=labels.get(_CAMPAIGN, ""),
            deadline=int(deadline) if deadline.isascii() and deadline.isdecimal() else 0,
            kind=ContainerKind.JOB if kind == ContainerKind.JOB.value else ContainerKind.MEMBER,
        )
