"""Hostile sources that are too long, or too odd, for a file."""

from typing import Final

_STRATEGY: Final = "def initialize(context):\n    pass\n"
_LIMIT: Final = 256 * 1024
_TOO_LONG: Final = f"len(SOURCE.encode()) > {_LIMIT}"
_COMPILES: Final = "refused(SOURCE) == ''"
_REFUSED: Final = "refused(SOURCE) in {'ValueError', 'SyntaxError'}"
_BREAKS: Final = "refused(SOURCE) in {'RecursionError', 'MemoryError', 'crash'}"

CASES: Final[dict[str, tuple[str, str]]] = {
    "source_too_large/comment": (_TOO_LONG, _STRATEGY + "#" * _LIMIT),
    "source_too_large/prices_in_the_source": (
        _TOO_LONG,
        "PRICES = [" + "123.45, " * 40_000 + "]\n" + _STRATEGY,
    ),
    "source_too_large/three_bytes_a_letter": (
        _TOO_LONG,
        "NAME = '" + "\u20ac" * 90_000 + "'\n" + _STRATEGY,
    ),
    "source_too_large/blank_lines": (_TOO_LONG, _STRATEGY + "\n" * (_LIMIT + 1)),
    "source_too_large/copies_of_itself": (
        _TOO_LONG,
        "".join(f"def rule_{n}(x):\n    return x\n" for n in range(10_000)) + _STRATEGY,
    ),
    "nul_byte/at_the_end": (_REFUSED, _STRATEGY + "\0"),
    "nul_byte/in_a_text": (_REFUSED, "NAME = 'a\0b'\n" + _STRATEGY),
    "nul_byte/in_a_comment": (_REFUSED, "# a\0b\n" + _STRATEGY),
    "nul_byte/utf_16": (_REFUSED, "".join(f"{letter}\0" for letter in _STRATEGY)),
    "nul_byte/hides_what_follows": (_REFUSED, _STRATEGY + "\0\nimport os\nos.abort()\n"),
    "unparsable/minus_signs": (_BREAKS, "x = " + "-" * 100_000 + "1\n" + _STRATEGY),
    "unparsable/long_sum": (_BREAKS, "x = 1" + " + 1" * 20_000 + "\n" + _STRATEGY),
    "unparsable/chain_of_attributes": (_BREAKS, "x = a" + ".b" * 50_000 + "\n" + _STRATEGY),
    "unparsable/chain_of_calls": (_BREAKS, "x = a" + "()" * 50_000 + "\n" + _STRATEGY),
    "unparsable/chain_of_branches": (
        _BREAKS,
        "if 0:\n    pass\n" + "elif 0:\n    pass\n" * 8_000 + _STRATEGY,
    ),
    "unparsable/nested_not": (_BREAKS, "x = " + "not " * 50_000 + "1\n" + _STRATEGY),
    "nesting/lists": (_COMPILES, "x = " + "[" * 60 + "]" * 60 + "\n" + _STRATEGY),
    "nesting/lambdas": (_COMPILES, "f = " + "lambda: " * 60 + "1\n" + _STRATEGY),
    "nesting/sum": (_COMPILES, "x = 1" + " + 1" * 100 + "\n" + _STRATEGY),
    "nesting/branches": (
        _COMPILES,
        "if 0:\n    pass\n" + "elif 0:\n    pass\n" * 60 + _STRATEGY,
    ),
    "nesting/calls": (_COMPILES, "x = abs" + "(abs" * 60 + "(1)" + ")" * 60 + "\n" + _STRATEGY),
    "nesting/blocks": (
        _COMPILES,
        "".join(f"{' ' * depth}if 1:\n" for depth in range(45)) + f"{' ' * 45}pass\n" + _STRATEGY,
    ),
}
"""A proof and a source by name."""
