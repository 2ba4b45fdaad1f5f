"""A contract being changed: factors go in under fresh names, unused parts fall out."""

from typing import TYPE_CHECKING, Any, final

from stratlab.contract import nodes
from stratlab.contract.document import load_contract
from stratlab.contract.language import parse_rule
from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.search.factors import Factor

_MAX_NAME = 32


@final
class Draft:
    """Plain fields of a contract, to be changed and finished.

    Args:
        contract: Where to start; it is not changed.

    Attributes:
        fields: The document, as a contract file would hold it.
    """

    def __init__(self, contract: "StrategyContract") -> None:
        self.fields: dict[str, Any] = contract.model_dump(mode="json")

    def instantiate(self, factor: "Factor", side: str) -> nodes.Expression:
        """Add a factor's indicators and parameters and return its condition.

        Args:
            factor: From the catalogue.
            side: ``long`` or ``short``.
        """
        space = self.fields["optimization_space"]
        parameters = {
            name: _fresh(f"{factor.name}_{name}", space) for name in sorted(factor.parameters)
        }
        for name, own in parameters.items():
            space[own] = factor.parameters[name].model_dump(mode="json")
        identifiers = {}
        for name, indicator in factor.indicators.items():
            taken = {item["id"] for item in self.fields["indicators"]}
            identifiers[name] = _fresh(f"{factor.name}_{name}", taken)
            item = indicator.model_dump(mode="json") | {"id": identifiers[name]}
            item["params"] = {
                key: f"${parameters[value[1:]]}" if isinstance(value, str) else value
                for key, value in item["params"].items()
            }
            self.fields["indicators"].append(item)
        text = (factor.long if side == "long" else factor.short).format(**identifiers)
        return _with_parameters(parse_rule(text), parameters)

    def finish(self) -> "StrategyContract | None":
        """Drop what nothing uses and return the contract, None when it is not valid."""
        self._prune()
        try:
            return load_contract(self.fields)
        except InvalidContractError:
            return None

    def _prune(self) -> None:
        rules = (*self.fields["entry_rules"], *self.fields["exit_rules"])
        risk = self.fields["risk_model"]
        holders = (
            risk["stop"],
            risk["take"],
            (risk["breakeven"] or {}).get("trigger"),
            (risk["trailing"] or {}).get("distance"),
        )
        distances = [distance for distance in holders if distance]
        series = {distance.get("indicator") for distance in distances}
        names = {value for distance in distances for value in distance.values()}
        for rule in rules:
            for node in nodes.walk(parse_rule(rule["when"])):
                if isinstance(node, nodes.Reference):
                    series.add(node.name)
                elif isinstance(node, nodes.Parameter):
                    names.add(f"${node.name}")
        used = [item for item in self.fields["indicators"] if item["id"] in series]
        names |= {value for item in used for value in item["params"].values()}
        self.fields["indicators"] = used
        self.fields["optimization_space"] = {
            name: space
            for name, space in self.fields["optimization_space"].items()
            if f"${name}" in names
        }


def _with_parameters(node: nodes.Expression, names: dict[str, str]) -> nodes.Expression:
    if isinstance(node, nodes.Parameter):
        return nodes.Parameter(names[node.name])
    parts = tuple(_with_parameters(part, names) for part in nodes.children(node))
    return nodes.with_children(node, parts)


def _fresh(stem: str, taken: Any) -> str:  # noqa: ANN401 - any container of names
    name, number = stem[:_MAX_NAME], 1
    while name in taken:
        number += 1
        name = f"{stem[: _MAX_NAME - 4]}_{number}"
    return name
