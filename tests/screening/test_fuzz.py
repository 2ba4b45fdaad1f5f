"""Whatever text comes in, the screener answers."""

import ast
import random
import warnings
from collections.abc import Callable

import pytest
from tests.screening.corpus_files import hostile_cases
from tests.screening.test_honest_corpus import SOURCES

from stratlab.domain.strategy import Author
from stratlab.screening.layers import MAX_FINDINGS, screen_text
from stratlab.screening.rules import RULE_BY_ID

CI_SOURCES = 10_000
ALL_SOURCES = 100_000
LONGEST = 4_000
TOKENS = [
    *("if", "else", "elif", "while", "for", "in", "def", "class", "lambda", "return", "yield"),
    *("match", "case", "import", "from", "as", "with", "try", "except", "finally", "global"),
    *("nonlocal", "del", "async", "await", "not", "and", "or", "is", "None", "True", "pass"),
    *("(", ")", "[", "]", "{", "}", ":", ",", ".", ";", "=", ":=", "+", "-", "*", "**", "%"),
    *("==", "<", ">", "@", "->", "...", "|", "~", "\n", "\n    ", "\n        ", "\\\n", "\t"),
    *("x", "self", "context", "np", "pd", "os", "eval", "getattr", "type", "__class__", "format"),
    *("'a'", '"__dict__"', "f'{x}'", "b'\\xff'", "0", "1e9", "2008", "'2008-09-15'", "10**12"),
    *("\0", "\ufeff", "\u202e", "\ud800", "é", "\uff45", "#", "# coding: rot13\n", "'''", '"""'),
]
CORPUS = [text for text in (*SOURCES.values(), *(c.source for c in hostile_cases()))
          if len(text) < 20_000]  # fmt: skip


def tokens(rng: random.Random) -> str:
    return rng.choice(["", " "]).join(rng.choices(TOKENS, k=rng.randrange(60)))


def letters(rng: random.Random) -> str:
    codes = rng.choices([range(128), range(0x3000), range(0x11_0000)], k=rng.randrange(80))
    return "".join(chr(rng.choice(block)) for block in codes)


def damaged(rng: random.Random) -> str:
    text = rng.choice(CORPUS)[:LONGEST]
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        end = min(at + rng.randrange(30), len(text))
        text = text[:at] + rng.choice(["", rng.choice(TOKENS), text[at:end] * 3]) + text[end:]
    return text


def spliced(rng: random.Random) -> str:
    # Statements of several sources, so that the later layers are reached.
    body: list[ast.stmt] = []
    for text in rng.choices(CORPUS, k=3):
        try:
            body += ast.parse(text[:LONGEST]).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    rng.shuffle(body)
    expressions = [node for part in body[:8] for node in ast.walk(part) if hasattr(node, "value")]
    for node in rng.sample(expressions, min(3, len(expressions))):
        donor = rng.choice(expressions)
        if isinstance(node.value, ast.expr) and isinstance(donor.value, ast.expr):
            node.value = ast.parse(ast.unparse(donor.value), mode="eval").body
    return ast.unparse(ast.fix_missing_locations(ast.Module(body[:8], [])))


MAKERS: list[Callable[[random.Random], str]] = [tokens, letters, damaged, spliced]


def screen_many(count: int, seed: int) -> int:
    rng = random.Random(seed)
    reached = 0
    with warnings.catch_warnings():
        # The compiler's, about the sources.
        warnings.simplefilter("ignore")
        for number in range(count):
            source = MAKERS[number % len(MAKERS)](rng)
            author = rng.choice(list(Author))
            report = screen_text(source, author)
            reached += len(report.layers) > 1
            assert len(report.findings) <= len(report.layers) * MAX_FINDINGS
            for finding in report.findings:
                rule = RULE_BY_ID[finding.rule]
                assert (finding.layer, finding.hint) == (rule.layer, rule.hint)
                assert finding.severity in {rule.severity, rule.for_models}
                assert "\n" not in finding.rule
                assert 0 <= finding.line <= source.count("\n") + source.count("\r") + 1
                assert finding.column >= 0
    return reached


def test_screener_answers_to_any_text() -> None:
    assert screen_many(CI_SOURCES, seed=1) > CI_SOURCES / 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_screener_answers_to_more_texts(seed: int) -> None:
    assert screen_many(ALL_SOURCES // 10, seed) > 0
