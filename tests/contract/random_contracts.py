"""Random valid contracts over the whole language, from a seed."""

from collections.abc import Sequence
from random import Random

from stratlab.contract.document import load_contract
from stratlab.contract.indicators import REGISTRY
from stratlab.contract.model import StrategyContract
from stratlab.domain.errors import InvalidContractError

SERIES = ("open", "high", "low", "close")
LONGER = ("2d", "1w", "1M")


def random_contract(
    seed: int, timeframe: str = "1d", longer: Sequence[str] = ()
) -> StrategyContract:
    """Return the contract of a seed; drafts that break a rule of the model are drawn again.

    Args:
        seed: Of everything that is drawn.
        timeframe: Of the bars that it trades.
        longer: Timeframes that it may read besides, :data:`LONGER` over daily bars.
    """
    random = Random(seed)
    while True:
        try:
            return load_contract(_Draft(random, timeframe, longer).document())
        except InvalidContractError as error:
            # Anything else would be a fault of this module that hides part of the language.
            if "has more than" not in error.message and "deeper" not in error.message:
                raise


class _Draft:
    def __init__(self, random: Random, timeframe: str, longer: Sequence[str]) -> None:
        self.random = random
        self.timeframe = timeframe
        self.longer = longer
        self.indicators: dict[str, dict] = {}
        self.space: dict[str, dict] = {}

    def document(self) -> dict:
        random = self.random
        sides = random.choice([["long"], ["short"], ["long", "short"], ["long", "long"]])
        entries = [
            {"id": f"enter_{place}", "side": side, "when": self.condition(3, position=False)}
            for place, side in enumerate(sides)
        ]
        exits = [
            {"id": f"leave_{place}", "side": side, "when": self.condition(2, position=True)}
            for place, side in enumerate(sides)
            if random.random() < 0.8
        ]
        risk = self.risk()
        return {
            "schema_version": "1.0.0",
            "strategy_id": "random_strategy",
            "version": "0.1.0",
            "thesis": "None at all.",
            "timeframes": [self.timeframe],
            "indicators": list(self.indicators.values()),
            "entry_rules": entries,
            "exit_rules": exits,
            "risk_model": risk,
            "optimization_space": self.space,
        } | (self.rest() if self.longer else {})

    def rest(self) -> dict:
        random = self.random
        for space in self.space.values():
            space["enabled"] = random.random() < 0.8
        return {
            "markets": random.sample(["AAA", "BBB", "CCC"], random.randint(0, 3)),
            "gates": {"max_drawdown": 0.4, "min_total_trades": random.randint(0, 9)},
            "execution": {"intrabar": "tv_path", "pyramiding": 0},
        }

    def risk(self) -> dict:
        random, risk = self.random, {}
        for leg, chance in (("stop", 0.7), ("take", 0.4)):
            if random.random() < chance:
                risk[leg] = self.distance()
        if random.random() < 0.3:
            risk["breakeven"] = {
                "trigger": self.distance(),
                "offset_ticks": random.choice([0, 3, 25]),
            }
        if random.random() < 0.3:
            risk["trailing"] = {"distance": self.distance()}
        sizings = [
            {"kind": "units", "units": random.randint(1, 500)},
            {"kind": "percent_equity", "percent": random.uniform(10, 95)},
        ]
        if "stop" in risk:
            step = random.choice([1, 10])
            sizings.append({"kind": "risk_percent", "percent": 2.0, "unit_step": step})
        return risk | {"sizing": random.choice(sizings)}

    def distance(self) -> dict:
        kind = self.random.choice(["atr", "percent", "ticks"])
        value = round(self.random.uniform(0.8, 4), 2)
        if kind == "atr":
            return {"kind": kind, "indicator": self.indicator("atr"), "mult": self.real(value)}
        scale = 2 if kind == "percent" else 40
        return {"kind": kind, "value": self.real(round(value * scale, 1))}

    def real(self, value: float):
        return self.parameter("float", value) if self.random.random() < 0.4 else value

    def whole(self, low: int, high: int):
        value = self.random.randint(low, high)
        return self.parameter("int", value) if self.random.random() < 0.3 else value

    def parameter(self, kind: str, value: float) -> str:
        name = f"p{len(self.space)}"
        step = 1 if kind == "int" else 0.5
        low = 1 if kind == "int" else min(value, 0.1)
        bounds = {"min": max(value - step, low), "max": value + 2 * step}
        self.space[name] = {"kind": kind, "step": step, "value": value, **bounds}
        return f"${name}"

    def indicator(self, name: str = "") -> str:
        random = self.random
        name = name or random.choice(sorted(REGISTRY))
        kind = REGISTRY[name]
        same = [item["id"] for item in self.indicators.values() if item["name"] == name]
        if same and random.random() < 0.5:
            return random.choice(same)
        identifier = f"i{len(self.indicators)}"
        params = {
            key: self.whole(2, 12) if limits.whole else self.real(round(random.uniform(0.5, 3), 2))
            for key, limits in kind.parameters.items()
        }
        self.indicators[identifier] = {"id": identifier, "name": name, "params": params}
        if not kind.reads_bars:
            sources = (*SERIES, *(["volume"] if self.longer else ()))
            self.indicators[identifier]["source"] = random.choice(sources)
        if self.longer and random.random() < 0.25:
            self.indicators[identifier]["timeframe"] = random.choice(self.longer)
        return identifier

    def reference(self) -> str:
        random = self.random
        # Volume is adjusted in its own way, which the first seeds leave out.
        text, longer = random.choice((*SERIES, *(["volume"] if self.longer else ()))), self.longer
        if random.random() < 0.6:
            text = self.indicator()
            longer = () if "timeframe" in self.indicators[text] else longer
            outputs = REGISTRY[self.indicators[text]["name"]].outputs
            text += f".{random.choice(outputs)}" if outputs else ""
        if longer and random.random() < 0.25:
            text += f"@{random.choice(longer)}"
        return text + (f"[{random.randint(1, 4)}]" if random.random() < 0.25 else "")

    def series(self, depth: int) -> str:
        random = self.random
        choice = random.random()
        if depth == 0 or choice < 0.4:
            return self.reference()
        if choice < 0.65:
            operator = random.choice("+-*/")
            return f"({self.series(depth - 1)} {operator} {self.number(depth - 1)})"
        if choice < 0.8:
            function = random.choice(["highest", "lowest", "change"])
            return f"{function}({self.series(depth - 1)}, {self.whole(1, 6)})"
        if choice < 0.9:
            function = random.choice(["min", "max"])
            return f"{function}({self.series(depth - 1)}, {self.number(depth - 1)})"
        if choice < 0.95:
            return f"abs({self.series(depth - 1)})"
        return f"-{self.series(depth - 1)}"

    def number(self, depth: int, *, position: bool = False) -> str:
        random = self.random
        if random.random() < 0.6:
            return self.series(depth)
        if position and random.random() < 0.5:
            return random.choice(["bars_held", "entry_price", "(entry_price * 1.02)"])
        value = round(random.choice([random.uniform(0, 3), random.uniform(20, 80)]), 2)
        return str(self.real(value))

    def condition(self, depth: int, *, position: bool) -> str:
        random = self.random
        choice = random.random()
        if depth == 0 or choice < 0.45:
            operator = random.choice(["<", ">", "<=", ">="])
            left, right = self.series(2), self.number(2, position=position)
            return f"{left} {operator} {right}"
        if choice < 0.6:
            function = random.choice(["crosses_above", "crosses_below"])
            fixed = "entry_price" if position else "45"
            right = fixed if random.random() < 0.4 else self.series(1)
            return f"{function}({self.series(1)}, {right})"
        if choice < 0.7:
            function = random.choice(["rising", "falling"])
            return f"{function}({self.series(1)}, {self.whole(1, 3)})"
        if choice < 0.78:
            return f"not ({self.condition(depth - 1, position=position)})"
        if choice < 0.8:
            return random.choice(["true", "false"])
        operator = random.choice([" and ", " or "])
        return operator.join(f"({self.condition(depth - 1, position=position)})" for _ in range(2))
