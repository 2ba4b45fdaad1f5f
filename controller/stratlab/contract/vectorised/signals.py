"""Rules of one point at every bar of a panel, to compare back-ends with each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, final

import numpy as np

from stratlab.contract.lowering import lower
from stratlab.contract.python_rules import uses_position
from stratlab.contract.vectorised.bars import SymbolBars
from stratlab.contract.vectorised.desk import prepared
from stratlab.contract.vectorised.points import Points
from stratlab.domain.valuation import adjustment_ratios

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.contract.vectorised.arrays import Truths
    from stratlab.domain.market import PricePanel
    from stratlab.domain.trial import Parameters


@final
@dataclass(frozen=True, slots=True)
class RuleSignals:
    """Rules by their ids; every array has shape (T,), one value for each row of the panel.

    Attributes:
        holds: Where a rule holds; nowhere before the warm-up, and where no bar traded.
        ties: Where rounding may decide one of its comparisons, whatever the rule says.
    """

    holds: "Mapping[str, Truths]"
    ties: "Mapping[str, Truths]"


def signals(
    contract: "StrategyContract",
    panel: "PricePanel",
    symbol: str,
    parameters: "Parameters",
    *,
    first_bar: int = 0,
    position: Mapping[str, float] | None = None,
) -> RuleSignals:
    """Return when the rules of a contract hold on one symbol.

    Args:
        contract: The contract.
        panel: Prices.
        symbol: One of its symbols.
        parameters: Values; names that are left out have their defaults.
        first_bar: Row of the first bar that is decided on.
        position: ``bars_held`` and ``entry_price`` that exit rules find at every bar; rules that
            read them are left out without.

    Raises:
        InvalidContractError: The panel's bars make no bars of a timeframe that rules read.
        InvalidParametersError: The parameters are not those of the contract.
        ValueError: The panel has no such symbol.
    """
    lowered, points = lower(contract), Points(contract, [parameters])
    column = panel.symbols.index(symbol)
    bars = SymbolBars.of(panel, column, first_bar, adjustment_ratios(panel))
    holds: dict[str, Truths] = {}
    ties: dict[str, Truths] = {}
    rules = [
        rule
        for rule in (*lowered.entries, *lowered.exits)
        if position is not None or not uses_position(rule)
    ]
    if bars.first == len(bars):
        nothing = np.zeros(len(panel.bars), dtype=bool)
        return RuleSignals(*({rule.id: nothing for rule in rules} for _ in range(2)))
    table, warm = prepared(lowered, points, panel, bars)
    rows, reach = bars.rows[bars.first :], points.reach(lowered)
    places = table.place - reach
    decided = np.arange(len(rows)) >= warm[0]
    for rule in rules:
        evaluator = table.evaluator(np.zeros(1, dtype=np.intp), reach, position, notes_ties=True)
        found = evaluator.rule(rule.expression)
        noted = reduce(np.logical_or, evaluator.ties, np.zeros((1, 1), dtype=bool))
        for results, values in ((holds, found), (ties, noted)):
            everywhere = np.broadcast_to(values, (1, len(table.stretches) - reach))[0]
            results[rule.id] = np.zeros(len(panel.bars), dtype=bool)
            results[rule.id][rows] = decided & everywhere[places]
    return RuleSignals(holds, ties)
