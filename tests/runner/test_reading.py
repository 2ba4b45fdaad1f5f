"""What is left out of a strategy, and that nothing else changes."""

import ast
from pathlib import Path

import pytest

from stratlab_runner.reading import read_source

TEMPLATE = """\
{top}
def initialize(context):
    pass


def handle_data(context, data):
    {inside}


def analyze(context, results):
    import matplotlib.pyplot as plt
    plt.show()
"""


def read(top: str = "", inside: str = "pass") -> tuple[str, list[tuple[int, str]]]:
    reading = read_source(TEMPLATE.format(top=top, inside=inside))
    return ast.unparse(reading.tree), list(reading.left_out)


def test_analyze_is_left_out() -> None:
    text, left_out = read()
    assert "analyze" not in text
    assert "matplotlib" not in text
    assert left_out == []


def test_analyze_that_is_called_stays() -> None:
    text, _ = read(inside="analyze(context, None)")
    assert "import matplotlib.pyplot as plt" in text


@pytest.mark.parametrize(
    ("top", "remaining", "left_out"),
    [
        ("import shutil", "pass", [(1, "shutil")]),
        ("import shutil, numpy", "import numpy", [(1, "shutil")]),
        ("import os, sys", "import os, sys", []),  # allowed for some of their names
        ("from os import path, sep", "from os import path, sep", []),
        ("from os import system, sep", "from os import sep", [(1, "os.system")]),
        ("import matplotlib.pyplot as plt", "pass", [(1, "matplotlib.pyplot")]),
        ("from shutil import move, copy", "pass", [(1, "shutil.copy"), (1, "shutil.move")]),
        ("from . import secret", "pass", [(1, ".secret")]),
        ("from zipline import run_algorithm", "pass", [(1, "zipline.run_algorithm")]),
        ("from zipline.finance import slippage", "from zipline.finance import slippage", []),
        ("import pandas", "import pandas", []),  # allowed ones are made, used or not
        ("from os import *", "from os import *", []),  # what it would set is not known
        ("from __future__ import annotations", "from __future__ import annotations", []),
    ],
)
def test_unused_import_is_left_out_unless_allowed(
    top: str, remaining: str, left_out: list[tuple[int, str]]
) -> None:
    text, found = read(top)
    assert text.splitlines()[0] == remaining
    assert found == left_out


@pytest.mark.parametrize(
    "inside",
    ["http.get()", "print(http)", "del http", "global http", "x = lambda: http", "http.x = 1"],
)
def test_import_that_is_read_anywhere_stays(inside: str) -> None:
    text, left_out = read("import http.client", inside)
    assert text.startswith("import http.client")
    assert left_out == []


def test_import_inside_a_block_leaves_the_block_whole() -> None:
    top = "try:\n    import matplotlib\nexcept ImportError:\n    matplotlib = None"
    text, left_out = read(top)
    assert text.startswith("try:\n    pass\nexcept ImportError:\n    matplotlib = None")
    assert left_out == [(2, "matplotlib")]


def test_places_are_those_of_the_source() -> None:
    source = (
        "import os\ndef analyze(c, r):\n    os.abort()\n\n\ndef initialize(context):\n    1 / 0\n"
    )
    space: dict[str, object] = {}
    exec(compile(read_source(source).tree, "strategy", "exec"), space)  # noqa: S102 - our own text
    with pytest.raises(ZeroDivisionError) as raised:
        space["initialize"](None)  # type: ignore[operator] # set by exec
    assert raised.traceback[-1].lineno + 1 == 7


@pytest.mark.parametrize("module", ["argparse", "calendar", "heapq", "statistics", "textwrap"])
def test_source_without_ignored_parts_gives_the_same_code(module: str) -> None:
    source = Path(ast.__file__).with_name(f"{module}.py").read_text()
    reading = read_source(source)
    assert reading.left_out == ()
    whole = compile(source, "strategy", "exec", dont_inherit=True)
    assert compile(reading.tree, "strategy", "exec", dont_inherit=True) == whole


def test_long_expression_is_read_like_any_other() -> None:
    reading = read_source("x = " + " + ".join(["1"] * 900))
    assert len(reading.tree.body) == 1
