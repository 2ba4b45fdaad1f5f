"""Reads the corpora: sources with the rule that rejects them and a proof that they work."""

import random
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.screening import long_texts

from stratlab.domain.strategy import Author
from stratlab.screening.rules import RULE_BY_ID

CORPUS = Path(__file__).parent / "corpus"
_CASE = re.compile(r"^==== (\S+)\n", re.MULTILINE)
_HEADER = re.compile(r"^(proof|rule|author): (.*)\n")
# Characters that editors would not show, and texts that scanners of this repository would report.
_SIGNS = {
    "rlo": "\u202e",
    "lri": "\u2066",
    "pdi": "\u2069",
    "rlm": "\u200f",
    "rle": "\u202b",
    "pdf": "\u202c",
}
_RANDOM = re.compile(r"\{alnum(\d+)\}")


@dataclass(frozen=True)
class Case:
    """One source that screening has to reject.

    Attributes:
        name: Unique.
        layer, rule: What rejects it.
        author: Who is said to have written it.
        proof: Expression over the names of the source that is true when it ran unscreened.
        source: The text.
    """

    name: str
    layer: str
    rule: str
    author: Author
    proof: str
    source: str


def hostile_cases() -> list[Case]:
    """Return all sources that have to be rejected."""
    files = sorted((CORPUS / "hostile").glob("*.txt"))
    return [*(case for file in files for case in _cases(file.read_text("utf-8"))), *_long_cases()]


def honest_sources() -> dict[str, str]:
    """Return the hand-written sources that have to pass, by name."""
    files = sorted((CORPUS / "honest").glob("*.py"))
    return {file.stem: file.read_text("utf-8") for file in files}


def _cases(text: str) -> Iterator[Case]:
    _, *parts = _CASE.split(text)
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        headers = {}
        rest = body
        while match := _HEADER.match(rest):
            headers[match[1]] = match[2]
            rest = rest[match.end() :]
        rule = headers.get("rule", "").split(" ")[-1] or name.split("/")[0]
        yield Case(
            name=name,
            layer=headers.get("rule", RULE_BY_ID[rule].layer).split(" ")[0],
            rule=rule,
            author=Author(headers.get("author", "human")),
            proof=_filled(headers["proof"]),
            source=_filled(rest),
        )


def _long_cases() -> Iterator[Case]:
    for name, (proof, source) in long_texts.CASES.items():
        rule = name.split("/")[0]
        yield Case(name, RULE_BY_ID[rule].layer, rule, Author.HUMAN, proof, source)


def _filled(text: str) -> str:
    for name, sign in _SIGNS.items():
        text = text.replace(f"{{{name}}}", sign)
    letters = random.Random(7)
    return _RANDOM.sub(
        lambda match: "".join(
            letters.choices(string.ascii_uppercase + string.digits, k=int(match[1]))
        ),
        text,
    )
