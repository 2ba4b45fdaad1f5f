"""A contract being changed: parts go in under fresh names, unused ones fall out."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

from stratlab.contract import nodes
from stratlab.contract.document import canonical_json, load_contract
from stratlab.contract.language import format_rule, parse_rule
from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from stratlab.contract.model import OptParam, Rule, StrategyContract
    from stratlab.search.factors import Factor

_MAX_NAME = 32
_ATR_LENGTH = 14


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
        self._before = canonical_json(contract)

    def instantiate(self, factor: "Factor", side: str) -> nodes.Expression:
        """Add a factor's indicators and parameters and return its condition.

        Args:
            factor: From the catalogue.
            side: ``long`` or ``short``.
        """
        parameters = {
            name: self.add_parameter(f"{factor.name}_{name}", space)[1:]
            for name, space in sorted(factor.parameters.items())
        }
        identifiers = {
            name: self._add_indicator(
                f"{factor.name}_{name}", indicator.model_dump(mode="json"), parameters
            )
            for name, indicator in factor.indicators.items()
        }
        text = (factor.long if side == "long" else factor.short).format(**identifiers)
        return _renamed(parse_rule(text), {}, parameters)

    def add_parameter(self, stem: str, space: "OptParam") -> str:
        """Add a parameter under a free name like ``stem`` and return it as ``$name``."""
        own = fresh_name(stem, self.fields["optimization_space"])
        self.fields["optimization_space"][own] = space.model_dump(mode="json")
        return f"${own}"

    def atr(self) -> str:
        """Return the id of an average true range on the strategy's own bars, added if need be."""
        for item in self.fields["indicators"]:
            if item["name"] == "atr" and not item["timeframe"]:
                return str(item["id"])
        document = {"name": "atr", "source": "bar", "params": {"length": _ATR_LENGTH}}
        return self._add_indicator("atr", {**document, "timeframe": None}, {})

    def add_rule(self, path: str, stem: str, side: str, when: str) -> None:
        """Add a rule under a free id like ``stem``.

        Args:
            path: ``entry_rules`` or ``exit_rules``.
            stem: What to call it.
            side: ``long`` or ``short``.
            when: Its condition, of names that the draft has.
        """
        taken = {rule["id"] for rules in _PATHS for rule in self.fields[rules]}
        rule = {"id": fresh_name(stem, taken), "side": side, "when": when, "note": ""}
        self.fields[path].append(rule)

    def graft_rule(self, path: str, rule: "Rule", donor: "StrategyContract") -> None:
        """Add a rule of another contract with the indicators and parameters that feed it."""
        expression = parse_rule(rule.when)
        series, parameters = self._graft(donor, *_used(expression))
        when = format_rule(_renamed(expression, series, parameters))
        self.add_rule(path, rule.id, rule.side, when)

    def graft_risk(self, donor: "StrategyContract") -> None:
        """Take over the risk model of another contract with all that it needs."""
        distances = donor.risk_model.distances.values()
        used = {distance.indicator for distance in distances if distance.kind == "atr"}
        values = [d.mult if d.kind == "atr" else d.value for d in distances]
        names = {value[1:] for value in values if isinstance(value, str)}
        series, parameters = self._graft(donor, used, names)
        risk = donor.risk_model.model_dump(mode="json")
        for distance in _distances(risk):
            for key, value in distance.items():
                if key == "indicator":
                    distance[key] = series[value]
                elif isinstance(value, str) and value.startswith("$"):
                    distance[key] = f"${parameters[value[1:]]}"
        self.fields["risk_model"] = risk

    @property
    def has_way_out(self) -> bool:
        """Whether every position can be closed: by a rule, or by a stop that stays behind it."""
        risk = self.fields["risk_model"]
        closed = {rule["side"] for rule in self.fields["exit_rules"]}
        opened = {rule["side"] for rule in self.fields["entry_rules"]}
        return bool(risk["stop"] or risk["trailing"]) or opened <= closed

    def finish(self) -> "StrategyContract | None":
        """Drop what nothing uses and return the contract.

        None when it is not valid, or the same as the one it was made from.
        """
        self._prune()
        try:
            finished = load_contract(self.fields)
        except InvalidContractError:
            return None
        return None if canonical_json(finished) == self._before else finished

    def _add_indicator(
        self, stem: str, item: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> str:
        own = fresh_name(stem, {known["id"] for known in self.fields["indicators"]})
        params = {
            key: f"${parameters[value[1:]]}" if isinstance(value, str) else value
            for key, value in item["params"].items()
        }
        self.fields["indicators"].append({**item, "id": own, "params": params})
        return own

    def _graft(
        self, donor: "StrategyContract", series: Collection[str], names: Collection[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        # Returns the donor's name -> ours, of indicators and of parameters. What relatives have
        # in common, name and value, is shared.
        needed = [item for item in donor.indicators if item.id in series]
        values = [value for item in needed for value in item.params.values()]
        names = {*names, *(value[1:] for value in values if isinstance(value, str))}
        space, parameters = self.fields["optimization_space"], {}
        for name in sorted(names):
            wanted = donor.optimization_space[name]
            same = space.get(name) == wanted.model_dump(mode="json")
            parameters[name] = name if same else self.add_parameter(name, wanted)[1:]
        known = {item["id"]: item for item in self.fields["indicators"]}
        own = {}
        for item in needed:
            document = item.model_dump(mode="json")
            shared = known.get(item.id) == document and all(
                parameters[value[1:]] == value[1:]
                for value in item.params.values()
                if isinstance(value, str)
            )
            own[item.id] = item.id if shared else self._add_indicator(item.id, document, parameters)
        return own, parameters

    def _prune(self) -> None:
        series: set[str] = set()
        names: set[str] = set()
        for path in _PATHS:
            for rule in self.fields[path]:
                used, parameters = _used(parse_rule(rule["when"]))
                series |= used
                names |= parameters
        for distance in _distances(self.fields["risk_model"]):
            series.add(distance.get("indicator", ""))
            names |= {value[1:] for value in distance.values() if isinstance(value, str)}
        used_items = [item for item in self.fields["indicators"] if item["id"] in series]
        values = [value for item in used_items for value in item["params"].values()]
        names |= {value[1:] for value in values if isinstance(value, str)}
        self.fields["indicators"] = used_items
        self.fields["optimization_space"] = {
            name: space
            for name, space in self.fields["optimization_space"].items()
            if name in names
        }


_PATHS = ("entry_rules", "exit_rules")


def fresh_name(stem: str, taken: Collection[str]) -> str:
    """Return a valid identifier like ``stem`` that is not taken."""
    name, number = stem[:_MAX_NAME].rstrip("_"), 1
    while name in taken:
        number += 1
        name = f"{stem[: _MAX_NAME - 4].rstrip('_')}_{number}"
    return name


def _distances(risk: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    holders = (
        risk["stop"],
        risk["take"],
        (risk["breakeven"] or {}).get("trigger"),
        (risk["trailing"] or {}).get("distance"),
    )
    yield from (distance for distance in holders if distance)


def _used(expression: nodes.Expression) -> tuple[set[str], set[str]]:
    # Names of series (prices and position state among them) and of parameters.
    found = nodes.walk(expression)
    series = {node.name for node in found if isinstance(node, nodes.Reference)}
    return series, {node.name for node in found if isinstance(node, nodes.Parameter)}


def _renamed(
    node: nodes.Expression, series: Mapping[str, str], parameters: Mapping[str, str]
) -> nodes.Expression:
    match node:
        case nodes.Parameter(name=name):
            return nodes.Parameter(parameters.get(name, name))
        case nodes.Reference(name=name, output=output, timeframe=timeframe, offset=offset):
            return nodes.Reference(series.get(name, name), output, timeframe, offset)
    parts = tuple(_renamed(part, series, parameters) for part in nodes.children(node))
    return nodes.with_children(node, parts)
