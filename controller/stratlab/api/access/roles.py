"""The one table of who may call what."""

from collections.abc import Mapping
from types import MappingProxyType

from stratlab.domain.access import Caller, Role
from stratlab.domain.errors import PermissionDeniedError

_READ = Role.VIEWER
_WORK = Role.RESEARCHER

REQUIRED_ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "/stratlab.v1.CampaignService/CreateCampaign": _WORK,
        "/stratlab.v1.CampaignService/EstimateCampaign": _READ,
        "/stratlab.v1.CampaignService/ReplayCampaign": _WORK,
        "/stratlab.v1.CampaignService/GetCampaign": _READ,
        "/stratlab.v1.CampaignService/ListCampaigns": _READ,
        # Of campaigns that others created, the servicer asks for an operator.
        "/stratlab.v1.CampaignService/PauseCampaign": _WORK,
        "/stratlab.v1.CampaignService/ResumeCampaign": _WORK,
        "/stratlab.v1.CampaignService/ApproveCampaign": _WORK,
        # Every look at it weakens what it can still say, for all campaigns on the data set.
        "/stratlab.v1.CampaignService/OpenHoldout": Role.OPERATOR,
        "/stratlab.v1.CampaignService/CancelCampaign": _WORK,
        "/stratlab.v1.CampaignService/WatchCampaign": _READ,
        "/stratlab.v1.CampaignService/ListIterations": _READ,
        "/stratlab.v1.CampaignService/GetIteration": _READ,
        "/stratlab.v1.CampaignService/ListArtifacts": _READ,
        "/stratlab.v1.CampaignService/DownloadArtifact": _READ,
        "/stratlab.v1.BacktestService/RunBacktest": _WORK,
        "/stratlab.v1.BacktestService/ListDatasets": _READ,
        "/stratlab.v1.StrategyService/ValidateStrategy": _WORK,
        "/stratlab.v1.StrategyService/MeasureSensitivity": _WORK,
        "/grpc.health.v1.Health/Watch": _READ,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _READ,
    }
)
"""The least role of each method, by its path."""

OPEN_METHODS = frozenset({"/grpc.health.v1.Health/Check"})
"""Methods that need no token, for probes."""


def require_role(caller: Caller, method: str) -> None:
    """Check that a caller may call a method; what is not in the table needs an operator.

    Raises:
        PermissionDeniedError: The caller's role is too low.
    """
    needed = REQUIRED_ROLES.get(method, Role.OPERATOR)
    if caller.role < needed:
        raise denied(caller, needed, f"call {method.rpartition('/')[2]}")


def denied(caller: Caller, needed: Role, action: str) -> PermissionDeniedError:
    """Return the error of a caller whose role is too low for an action."""
    role, least = caller.role.name.lower(), needed.name.lower()
    return PermissionDeniedError(
        f"{caller.name} is a {role} and may not {action}",
        hint=f"Use the token of a {least}.",
        role=role,
        needed=least,
    )
