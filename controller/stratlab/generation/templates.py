"""The built-in templates: contracts in ``contracts/``, one file each."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from stratlab.contract.document import load_contract
from stratlab.contract.space import with_bounds
from stratlab.domain.errors import InvalidParametersError, InvalidSpecError
from stratlab.domain.market import TIMEFRAMES, CostModelKind

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.campaign import CampaignSpec

# The pilot comes first, then trend and reversion in turn.
_ORDER = (
    "ema_cross_atr",
    "rsi_mean_reversion",
    "donchian_breakout",
    "bollinger_reversion",
    "macd_trend",
    "dual_momentum",
)


@lru_cache(maxsize=1)
def load_templates() -> Mapping[str, "StrategyContract"]:
    """Return all templates by name, in the order in which campaigns use them."""
    folder = files("stratlab.generation").joinpath("contracts")
    return {name: load_contract(folder.joinpath(f"{name}.yaml").read_bytes()) for name in _ORDER}


def templates_for(spec: "CampaignSpec") -> tuple["StrategyContract", ...]:
    """Return the templates that a campaign starts from, with its timeframes and bounds.

    Raises:
        InvalidSpecError: A template is unknown, or the campaign's costs or bars are not those of
            contracts.
        InvalidParametersError: No template has a parameter that the campaign bounds, or a bound
            is not allowed.
    """
    if spec.cost_model.kind is not CostModelKind.NEXT_OPEN:
        raise InvalidSpecError(
            "templates need the cost model next_open: only it fills stops and takes inside a bar",
            hint="Choose the cost model next_open.",
        )
    unsupported = [name for name in spec.timeframes if name not in TIMEFRAMES]
    if unsupported:
        raise InvalidSpecError(
            f"templates cannot trade bars of {', '.join(unsupported)}",
            hint=f"Choose among {', '.join(TIMEFRAMES)}.",
        )
    known = load_templates()
    unknown = [name for name in spec.templates if name not in known]
    if unknown:
        raise InvalidSpecError(
            f"unknown template {unknown[0]!r}; known: {', '.join(known)}",
            hint="Choose among the templates that exist, or leave the list empty for all.",
        )
    chosen = [known[name] for name in dict.fromkeys(spec.templates or known)]
    names = {name for contract in chosen for name in contract.optimization_space}
    for name in spec.parameter_space:
        if name not in names:
            raise InvalidParametersError(
                f"unknown parameter {name!r}; known: {', '.join(sorted(names))}",
                hint="Bound only parameters of the chosen templates.",
            )
    return tuple(
        with_bounds(contract, spec.parameter_space).model_copy(
            update={"timeframes": spec.timeframes}
        )
        for contract in chosen
    )
