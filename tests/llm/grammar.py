"""What the local server writes: briefs, contracts, code and critiques, good and bad.

Every text follows from the bytes of the request alone, so a request that is repeated after a
crash is answered in the same words.
"""

import json
import random

from tests.llm.server import TRANSIENT, Fault, Seen

from stratlab.contract.document import load_contract
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.generation.authors.forms import ContractForm, contract_document
from stratlab.search.operators import OPERATORS

THESES = (
    "Prices that leave a range keep going, because late buyers must follow.",
    "What fell too fast comes back, because sellers who had to sell are gone.",
    "Slow trends persist, because large orders are spread over weeks.",
)
_STRUCTURE = {"schema_version": "1.0.0", "version": "1.0.0"}


def write(seen: Seen) -> str:
    """Return the text of an answer, in the form that the request asks for."""
    dice = random.Random(seen.number)
    form = seen.body["output_config"]["format"]["schema"]["title"]
    is_repair = "That cannot be used" in seen.text
    good = dice.random() < (0.8 if is_repair else 0.65)
    document = _WRITERS[form](dice, good)
    return _wrapped(document, dice) if good else document


def _wrapped(document: str, dice: random.Random) -> str:
    # Whole, in a fence, or among words: all can be read.
    match dice.randrange(4):
        case 0:
            return f"Here it is:\n```json\n{document}\n```\nGood luck!"
        case 1:
            return f"I thought about it. {document}"
        case _:
            return document


def _brief(dice: random.Random, good: bool) -> str:
    if not good:
        return dice.choice(["I would rather not.", '{"thesis": "half of it', '{"idea": "buy low"}'])
    return json.dumps(
        {
            "thesis": dice.choice(THESES),
            "mechanism": "Somebody is slow.",
            "expected_regime": dice.choice(["trending years", "quiet years"]),
            "invalidation": "A loss in most of the months of that regime.",
        }
    )


def a_form(dice: random.Random) -> dict:
    """Return a good contract in the form of an answer."""
    kind = dice.choice(["cross", "reversion", "breakout", "momentum"])
    name = f"{kind}_{dice.randrange(10**6)}"
    fast, slow = dice.randint(2, 6), dice.randint(8, 16)
    length, level = dice.randint(2, 9), dice.randint(35, 60)
    match kind:
        case "cross":
            indicators = [_indicator("fast", "ema", "$fast"), _indicator("slow", "ema", slow)]
            entry, exit_ = "crosses_above(fast, slow)", "crosses_below(fast, slow)"
            parameters = [_parameter("fast", 2, 7, fast)]
        case "reversion":
            indicators = [_indicator("rsi", "rsi", length)]
            entry, exit_ = "rsi < $level", f"rsi > {level + 5} or bars_held >= 6"
            parameters = [_parameter("level", 30, 65, level)]
        case "breakout":
            indicators = [_indicator("mean", "sma", length)]
            entry = f"close >= highest(high, $length) - {dice.randint(1, 9) / 10}"
            exit_ = "close < mean"
            parameters = [_parameter("length", 2, 12, length)]
        case _:
            indicators = [_indicator("mean", "sma", "$length")]
            entry = f"change(close, {fast}) > 0 and close > mean"
            exit_ = f"bars_held >= {slow}"
            parameters = [_parameter("length", 2, 12, length)]
    return {
        "strategy_id": name,
        "thesis": dice.choice(THESES),
        "indicators": indicators,
        "entry_rules": [{"id": "enter", "side": "long", "when": entry}],
        "exit_rules": [{"id": "leave", "side": "long", "when": exit_}],
        "stop": {"kind": "percent", "value": dice.randint(5, 20)},
        "sizing": {"kind": "percent_equity", "value": 90},
        "parameters": parameters,
    }


def _indicator(name: str, kind: str, length: int | str) -> dict:
    return {"id": name, "name": kind, "params": [{"name": "length", "value": length}]}


def _parameter(name: str, low: int, high: int, value: int) -> dict:
    fields = {"kind": "int", "min": low, "max": high, "step": 1, "value": value}
    return {"name": name, **fields}


def _contract(dice: random.Random, good: bool) -> str:
    form = a_form(dice)
    if not good:
        match dice.randrange(4):
            case 0:
                form["entry_rules"][0]["when"] = "crosses_above(fast, nothing_like_it)"
            case 1:
                form["parameters"].append(_parameter("unused", 1, 5, 2))
            case 2:
                form["strategy_id"] = "no identifier\nimport os"
            case _:
                del form["sizing"]
    return json.dumps(form)


BAD_CODE = (
    "def initialize(context):\n    import os\n    os.system('id')\n",
    "def initialize(context:\n    pass\n",
    "import socket\n\n\ndef initialize(context):\n    pass\n",
    """def initialize(context):
    pass


def handle_data(context, data):
    prices = data.history(context.asset, "price", 30, "1d")
    context.future = prices.shift(-1)
""",
)


def _code(dice: random.Random, good: bool) -> str:
    form = a_form(dice)
    contract = load_contract(contract_document(ContractForm.model_validate(form), _STRUCTURE))
    source = compile_to_zipline(contract) if good else dice.choice(BAD_CODE)
    return json.dumps({"code": source, "contract": form})


def _critique(dice: random.Random, good: bool) -> str:
    if not good:
        return json.dumps({"operator": "make_it_better", "reason": "because"})
    reason = "It trades too rarely in the training years."
    return json.dumps({"operator": dice.choice(("", *OPERATORS)), "reason": reason})


_WRITERS = {
    "Brief": _brief,
    "ContractForm": _contract,
    "CodeForm": _code,
    "CritiqueForm": _critique,
}


def plain_words(seen: Seen, words: str) -> str | None:
    """Return a brief or a critique of nothing but some words; None where a candidate is asked."""
    match seen.body["output_config"]["format"]["schema"]["title"]:
        case "Brief":
            names = ("thesis", "mechanism", "expected_regime", "invalidation")
            return json.dumps(dict.fromkeys(names, words))
        case "CritiqueForm":
            return json.dumps({"reason": words})
    return None


TRANSIENT_SHARE, LASTING_SHARE = 0.22, 0.08


def faults(seen: Seen) -> Fault | None:
    """Return faults for about three requests in ten.

    Those that pass depend on how often a request came, and never come three times in a row, so a
    door that tries three times gets through; the others always come for the same request.
    """
    dice = random.Random(seen.number ^ 1)
    if dice.random() < LASTING_SHARE:
        return dice.choice([Fault.REFUSAL, Fault.MAX_TOKENS, Fault.OVERLOADED, Fault.HTML])
    dice = random.Random(seen.number ^ (2 + seen.earlier))
    if seen.earlier % 3 != 2 and dice.random() < TRANSIENT_SHARE:
        return dice.choice(TRANSIENT)
    return None
