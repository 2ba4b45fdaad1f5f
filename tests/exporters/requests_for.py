"""Export requests for tests."""

from dataclasses import replace

from stratlab.contract.candidate import candidate_from_contract, candidate_hash
from stratlab.contract.document import load_contract
from stratlab.domain.strategy import Candidate, GeneratorKind, Lineage
from stratlab.generation import load_templates
from stratlab_exporters import ExportRequest

LINEAGE = Lineage(GeneratorKind.TEMPLATE, "template")

FREE_CODE = '''\
"""Buys whenever the close has risen."""
from __future__ import annotations

from zipline.api import order_target, symbol
from stratlab_runner import lab


def initialize(context):
    context.assets = [symbol(name) for name in context.symbols]
    context.brackets = {}


def handle_data(context, data):
    for asset in context.assets:
        held = context.brackets.get(asset)
        if held is not None and (held.is_pending or held.is_open):
            continue
        closes = data.history(asset, "close", 3, "1d")
        if data.can_trade(asset) and closes.iloc[-1] > closes.iloc[0]:
            shares = context.params["shares"]
            context.brackets[asset] = lab.order_bracket(asset, shares, 1.5, 2.5)
'''

RISK_CODE = '''\
"""Sizes by what is lost at the stop, with exits as far away as bars are long."""
from zipline.api import symbol
from stratlab_runner import lab


def initialize(context):
    context.assets = [symbol(name) for name in context.symbols]
    context.brackets = {}


def handle_data(context, data):
    for asset in context.assets:
        held = context.brackets.get(asset)
        if held is not None and (held.is_pending or held.is_open):
            continue
        if not data.can_trade(asset):
            continue
        stop = lab.risk.range_distance(data, asset, 10, 2.0)
        take = lab.risk.percent_distance(data, asset, 4.0)
        shares = lab.risk.risk_percent(context, data, asset, context.params["percent"], stop)
        if shares:
            context.brackets[asset] = lab.order_bracket(asset, shares, stop, take)
'''

CLASS_CODE = '''\
"""Buys for a few bars whenever the close has risen."""
from zipline.api import order, order_target, symbol


class RiseStrategy:
    def initialize(self, context):
        self.assets = [symbol(name) for name in context.symbols]
        self.bars = 0

    def should_trade(self, context, data):
        self.bars += 1
        return self.bars > 3 and self.bars % 4 == 0

    def execute(self, context, data):
        for asset in self.assets:
            closes = data.history(asset, "close", 3, "1d")
            if data.can_trade(asset) and closes.iloc[-1] > closes.iloc[0]:
                order(asset, context.params["shares"])
            else:
                order_target(asset, 0)
'''


def template_request(name: str, **changes: object) -> ExportRequest:
    """Return the request of a template at its defaults."""
    candidate = candidate_from_contract(load_templates()[name], LINEAGE)
    request = ExportRequest(candidate, candidate.parameters, ("AAPL", "MSFT"))
    return replace(request, **changes)


def contract_request(fields: dict, **changes: object) -> ExportRequest:
    """Return the request of a contract."""
    candidate = candidate_from_contract(load_contract(fields), LINEAGE)
    request = ExportRequest(candidate, candidate.parameters, ("AAPL", "MSFT"))
    return replace(request, **changes)


def source_request(source: str, **changes: object) -> ExportRequest:
    """Return the request of free code."""
    candidate = Candidate(
        hash=candidate_hash("", source),
        strategy_id="free_code",
        thesis="",
        source=source,
        contract="",
        parameters={"shares": 10},
        lineage=LINEAGE,
    )
    return replace(ExportRequest(candidate, {}, ("AAPL",)), **changes)
