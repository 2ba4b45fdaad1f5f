"""Writes the tables of docs/contract.md from the registries.

Run: python -m tests.contract.page
"""

import re
from pathlib import Path

from stratlab.contract.surface import contract_surface
from stratlab.contract.timeframes import parse_timeframe
from stratlab.domain.market import TIMEFRAMES

TARGET = Path(__file__).resolve().parents[2] / "docs" / "contract.md"
LONGER = ("5m", "90m", "1h", "4h", "1d", "2d", "1w", "1M", "3M")

_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """Return the page with its tables as the registries have them."""
    tables = _tables()
    return _PLACE.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}", page)


def _tables() -> dict[str, str]:
    surface = contract_surface()
    functions = [
        [f"`{each['name']}({each['arguments']})`", each["type"], each["meaning"]]
        for each in surface["functions"]
    ]
    position = [
        [f"`{each['name']}`", "number", f"{each['meaning']} ({each['in']} only)"]
        for each in surface["position"]
    ]
    prices = [[f"`{name}`", "series", "of the bar that closed"] for name in surface["prices"]]
    indicators = [
        [
            f"`{each['name']}`",
            ", ".join(_bounds(name, limits) for name, limits in each["parameters"].items()),
            ", ".join(each["sources"]),
            ", ".join(f"`.{name}`" for name in each["outputs"]) or "one value",
            each["meaning"],
        ]
        for each in surface["indicators"]
    ]
    found = {
        "functions": _table(["name", "type", "meaning"], [*prices, *functions, *position]),
        "timeframes": _table(["bars", *(f"`@{name}`" for name in LONGER)], _timeframes()),
        "indicators": _table(["name", "parameters", "source", "outputs", "what it is"], indicators),
        "fields": [line for part in surface["parts"] for line in _part(part)],
        "limits": _table(
            ["at most", "of"], [[str(most), what] for what, most in surface["limits"].items()]
        ),
    }
    return {name: "\n".join(lines) for name, lines in found.items()}


def _part(part: dict) -> list[str]:
    rows = [
        [f"`{each['name']}`", each["type"], _code(each["default"]), _marked(each["meaning"])]
        for each in part["fields"]
    ]
    return [
        f"### {part['name']}\n",
        f"{_marked(part['meaning'])}\n",
        *_table(["field", "type", "default", "meaning"], rows),
    ]


def _timeframes() -> list[list[str]]:
    return [
        [f"`{base}`", *("yes" if _makes(base, longer) else "" for longer in LONGER)]
        for base in TIMEFRAMES
    ]


def _makes(base: str, longer: str) -> bool:
    return parse_timeframe(longer).is_longer_than(parse_timeframe(base))


def _bounds(name: str, limits: dict) -> str:
    return f"`{name}` {limits['min']:g} to {limits['max']:g}{'' if limits['whole'] else ' (real)'}"


def _marked(text: str) -> str:
    return text.replace("``", "`")


def _code(default: str) -> str:
    return default if default in {"required", "empty", "its own"} else f"`{default}`"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


if __name__ == "__main__":
    TARGET.write_text(render(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
