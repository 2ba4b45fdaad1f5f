"""Breaks long lines of generated Python as a person would."""

import re
from collections.abc import Sequence

WIDTH = 96

_STATEMENT = re.compile(r"^(\s*)(return |if |elif |\w+ = )(.*?)(:?)$", re.DOTALL)
_SEPARATORS = (" or ", " and ", " + ", " - ")


def call(head: str, arguments: Sequence[str], tail: str) -> list[str]:
    """Return ``head + arguments + tail`` in one line, or with one argument a line.

    Args:
        head: Indented text up to and including the opening parenthesis.
        arguments: Arguments.
        tail: Text from the closing parenthesis on.
    """
    line = f"{head}{', '.join(arguments)}{tail}"
    if len(line) <= WIDTH:
        return [line]
    indent = head[: len(head) - len(head.lstrip())]
    return [head, *(f"{indent}    {argument}," for argument in arguments), f"{indent}{tail}"]


def statement(line: str) -> list[str]:
    """Return a ``return``, ``if``, ``elif`` or assignment, a long chain one operand a line."""
    found = _STATEMENT.match(line)
    separator = next((item for item in _SEPARATORS if item in line), None)
    if len(line) <= WIDTH or found is None or separator is None:
        return [line]
    indent, head, chain, tail = found.groups()
    first, *others = chain.split(separator)
    operands = [first, *(f"{separator.strip()} {operand}" for operand in others)]
    return [
        f"{indent}{head}(",
        *(f"{indent}    {operand}" for operand in operands),
        f"{indent}){tail}",
    ]


def docstring(text: str, indent: str) -> list[str]:
    """Return a docstring; ``text`` holds neither quotes nor backslashes."""
    lines = [""]
    for word in text.split(" "):
        if len(indent) + len(lines[-1]) + len(word) > WIDTH - len('""".'):
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    if len(lines) == 1:
        return [f'{indent}"""{text}."""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" for line in lines[1:]), f'{indent}"""']
