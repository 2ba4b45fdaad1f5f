"""Broken rules and documents by the thousand: raw bytes, and mutations that know the grammar."""

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import yaml
from tests.contract.random_contracts import LONGER, random_contract

WORDS = (
    *("close", "open", "high", "fast", "macd.line", "macd", "trend", "nope", "close@1w", "fast@2d"),
    *("crosses_above(", "rising(", "highest(", "change(", "abs(", "max(", "min(", "f("),
    *("and", "or", "not", "true", "false", "<", ">", "<=", ">=", "==", "!=", "=", "+", "-", "*"),
    *("/", "(", ")", "[", "]", "[1]", "[501]", ",", ".", "@", "@1w", "$", "$mult", "$slow", "$x"),
    *("0", "1", "20", "2.5", "1e3", "1e999", "9" * 30, "bars_held", "entry_price", "_", "__init__"),
    *("'", '"', "\\", "\0", "\n", "é", "\u202e", "😀", ";", "#", "%", "if", "lambda", "import os"),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**63,
        10**400,
        1.5,
        -0.0,
        1e308,
        5e-324,
        "",
        "x",
        "$x",
        "$mult",
    ),
    *("\0", "\u2028", "a" * 5000, "close > 1", "1d", "60m", "999M", "1.0.0", "long", "atr", "ema"),
    *([], {}, [[]], {"": {}}, [None], {"kind": "atr"}, {"a": {"a": {"a": {}}}}, "../../etc/passwd"),
)


def rules(random: Random, count: int) -> Iterator[str]:
    """Yield texts that look like rules: words in a row, and valid rules with a few errors."""
    seeds = [
        rule.when
        for seed in range(12)
        for contract in (random_contract(seed, longer=LONGER),)
        for rule in (*contract.entry_rules, *contract.exit_rules)
    ]
    for _ in range(count):
        if random.random() < 0.4:
            words = random.choices(WORDS, k=random.randint(1, 14))
            yield random.choice(["", " "]).join(words)
        else:
            yield _garbled(random, random.choice(seeds), random.randint(1, 4))


def raw_bytes(random: Random, count: int) -> Iterator[bytes]:
    """Yield bytes of all kinds, a few of them long."""
    alphabets = (
        bytes(range(256)),
        b'{}[]":, \n-&*!|>%@',
        b"abc: -\n  {}[]\"'#?",
        b"0123456789eE+-.",
    )
    for _ in range(count):
        size = random.choice((3, 10, 40)) if random.random() < 0.999 else 20_000
        alphabet = random.choice(alphabets)
        head = random.choice((b"", b"{", b"\xef\xbb\xbf", b"a: ", b"- ", b'{"a":'))
        yield head + bytes(random.choices(alphabet, k=size))


def garbled_texts(random: Random, count: int) -> Iterator[bytes]:
    """Yield valid documents in which some characters were changed, removed or put in."""
    valid = [random_contract(seed, longer=LONGER).model_dump(mode="json") for seed in range(4)]
    # Small ones, for YAML is slow to read.
    texts = [json.dumps(fields) for fields in valid] * 6 + [yaml.safe_dump(valid[0])[:700]]
    for _ in range(count):
        text = _garbled(random, random.choice(texts), random.randint(1, 6))
        yield text.encode("utf-8", "surrogatepass")


def mutated_documents(random: Random, count: int) -> Iterator[dict[str, Any]]:
    """Yield valid documents in which values were exchanged, removed, repeated or replaced."""
    valid = [random_contract(seed, longer=LONGER).model_dump(mode="json") for seed in range(24)]
    words = list(rules(random, 200))
    for _ in range(count):
        fields = deepcopy(random.choice(valid))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            _mutate(random, fields, random.choice(valid), words)
        yield fields


def _mutate(random: Random, fields: dict, other: dict, words: list[str]) -> None:
    places = list(_places(fields))
    if not places:
        return
    owner, key = random.choice(places)
    match random.randrange(6):
        case 0:
            owner[key] = random.choice(VALUES)
        case 1:
            _, taken = place = random.choice(list(_places(other)))
            owner[key] = deepcopy(place[0][taken])
        case 2:
            del owner[key]
        case 3 if isinstance(owner, list):
            owner.append(deepcopy(owner[key]))
        case 3:
            owner[random.choice(WORDS)] = owner[key]
        case 4 if isinstance(owner[key], int | float) and not isinstance(owner[key], bool):
            owner[key] += random.choice((-1, 1, 0.5, 1e-12, 1e9))
        case _:
            rules = fields.get("entry_rules")
            if isinstance(rules, list) and rules and isinstance(rules[0], dict):
                rules[0]["when"] = random.choice(words)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _garbled(random: Random, text: str, changes: int) -> str:
    for _ in range(changes):
        at = random.randrange(len(text) + 1)
        until = at + random.choice((0, 0, 1, 1, 2, 8))
        put = random.choice(("", random.choice(WORDS), chr(random.randrange(0x3000))))
        text = text[:at] + put + text[until:]
    return text
