"""What contracts may ask for that the numpy back-end cannot do."""

from typing import TYPE_CHECKING

from stratlab.contract import nodes
from stratlab.contract.language import parse_rule
from stratlab.domain.errors import InvalidContractError

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract


def refuse_what_is_missing(contract: "StrategyContract") -> None:
    """Refuse what only other back-ends can do.

    Raises:
        InvalidContractError: The contract asks for it.
    """
    if contract.execution.intrabar != "tv_path":
        raise InvalidContractError(
            "execution.intrabar: the numpy evaluator fills along tv_path only",
            hint="Set execution.intrabar to tv_path.",
        )
    parts = [
        node
        for rule in (*contract.entry_rules, *contract.exit_rules)
        for node in nodes.walk(parse_rule(rule.when))
    ]
    longer = {item.timeframe for item in contract.indicators}
    longer |= {node.timeframe for node in parts if isinstance(node, nodes.Reference)}
    if longer - {None, ""}:
        raise InvalidContractError(
            "the numpy evaluator reads no longer timeframes yet",
            hint="Set screen_points to 0, or use the strategy's own timeframe.",
        )
