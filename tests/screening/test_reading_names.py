"""What names mean, what constants are worth, and what is not mistaken for an attack."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.domain.strategy import Severity
from stratlab.screening.folding import UNKNOWN, fold, fold_text
from stratlab.screening.layers import screen_text
from stratlab.screening.members import surface
from stratlab.screening.names import Names

STRATEGY = "def initialize(context):\n    pass\n\n\n"


def meaning(source: str) -> set[str]:
    """Return what the last expression of a source may mean."""
    tree = ast.parse(source)
    names = Names(tree)
    last = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)][-1].value
    return set(names.origins(last))


def rejections(source: str) -> set[str]:
    report = screen_text(STRATEGY + source)
    return {f.rule for f in report.findings if f.severity is Severity.ERROR}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy as np\nnp.lib.x", {"numpy.lib.x"}),
        ("import os.path\nos.path.join", {"os.path.join"}),
        ("import os.path as p\np.join", {"os.path.join"}),
        ("from a import b as c\nc.d", {"a.b.d"}),
        ("from . import b\nb", {".b"}),
        ("open", {"builtins.open"}),
        ("open = 1\nopen", set()),
        ("if x:\n    open = 1\nopen", {"builtins.open"}),
        ("open = 1\ndel open\nopen", {"builtins.open"}),
        ("open; open = 1", {"builtins.open"}),
        ("from re import compile\ncompile", {"re.compile"}),
        ("from math import *\npow", {"math.pow", "builtins.pow"}),
        ("import a\ngetattr(a, 'b').c", {"a.b.c"}),
        ("import a\nif x:\n    import b as a\na.c", {"a.c", "b.c"}),
        ("def f(open):\n    open", set()),
        ("def f():\n    open = 1\n    def g():\n        open", set()),
        ("def f():\n    global open\n    open = 1\n    open", {"builtins.open"}),
        ("import a\ndef f():\n    a = 1\n    a.b", set()),
        ("def f():\n    import a\n    a.b", {"a.b"}),
        ("class C:\n    import a\n    a.b", {"a.b", "builtins.a.b"}),
        ("class C:\n    open = 1\n    def f(self):\n        open", {"builtins.open"}),
        ("[open for open in x]", set()),
        ("import a\nlambda a: a.b", set()),
        ("x.y", {"builtins.x.y"}),
        ("f().y", set()),
    ],
)
def test_name_means_what_imports_make_of_it(source: str, expected: set[str]) -> None:
    assert meaning(source) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a' + 'b' * 3", "abbb"),
        ("''.join(['a', 'b'])", "ab"),
        ("'abc'[::-1]", "cba"),
        ("f'{\"a\"}b{1}'", UNKNOWN),
        ("f'{\"a\"}b'", "ab"),
        ("chr(95) * 2", "__"),
        ("'%s-%s' % ('a', 'b')", "a-b"),
        ("bytes.fromhex('6162').decode()", "ab"),
        ("bytes([97, 98]).decode()", "ab"),
        ("'AB'.lower().replace('b', 'c')", "ac"),
        ("not 0", True),
        ("1 < 2 and 'x'", "x"),
        ("x or 1", UNKNOWN),
        ("x or 0 or 1", UNKNOWN),
        ("0 and x", 0),
        ("[] == []", True),
        ("-3 // 2", -2),
        ("x", UNKNOWN),
        ("1 / 0", UNKNOWN),
        ("1 // 0", UNKNOWN),
        ("'a'[5]", UNKNOWN),
        ("'a' * 10**9", UNKNOWN),
        ("'a' * 1000000000", UNKNOWN),
        ("[0] * 1000000000", UNKNOWN),
        ("'%1000000000d' % 1", UNKNOWN),
        ("'%*d' % (1000000000, 1)", UNKNOWN),
        ("9999999999 * 9999999999", UNKNOWN),
    ],
)
def test_constant_is_worth_what_python_makes_of_it(text: str, value: object) -> None:
    folded = fold(ast.parse(text, mode="eval").body)
    assert folded is value or (folded == value and type(folded) is type(value))


@given(st.lists(st.text(max_size=5), max_size=5), st.integers(-3, 3))
def test_folded_texts_are_those_of_python(parts: list[str], times: int) -> None:
    text = f"({' + '.join(map(repr, ['', *parts]))}) * {times}"
    assert fold_text(ast.parse(text, mode="eval").body) == eval(text)  # noqa: S307 - of our own


@pytest.mark.parametrize(
    "source",
    [
        # Methods of two classes, and functions of two scopes, are no circle.
        (
            "class A:\n    def f(self):\n        self.g()\n    def g(self):\n        return 1\n"
            "class B:\n    def g(self):\n        self.f()\n    def f(self):\n        return 1\n"
        ),
        "def f(n):\n    if n < 1:\n        return 0\n    return f(n - 1)\n",
        "def f(n):\n    return n and f(n - 1)\n",
        "def f(n):\n    for x in n:\n        f(x)\n",
        "def f(n):\n    try:\n        f(n[0])\n    except TypeError:\n        pass\n",
        "def f(n):\n    assert n > 0\n    f(n - 1)\n",
        "def f():\n    return lambda: f()\n",
        "def f(n):\n    yield n\n    yield from f(n + 1)\n",
        "class A:\n    def f(self):\n        super().f()\n",
    ],
)
def test_recursion_with_a_way_out_passes(source: str) -> None:
    assert rejections(source) == set()


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def save(self):\n        self.dump()\n    def dump(self):\n        pass\n",
        "class Box:\n    def __init__(self):\n        super().__init__()\n        self._x = 1\n",
        "def f(e):\n    return type(e).__name__ + e.__class__.__name__\n",
        "import pandas as pd\npd.options.display.width = 100\n",
        "import numpy as np\nx = getattr(np, 'float64')\ny = hasattr(np, 'x')\n",
        "try:\n    import talib\nexcept ImportError:\n    talib = None\nok = talib is not None\n",
        "import numpy as np\ndef f(np):\n    return [np]\n",
        "x = [1, 2]\ny = '{} {:>{}}'.format(x, x[0], 10)\n",
        "import logging\nlogging.getLogger('{x}').handlers\n",
        "from collections import namedtuple\nP = namedtuple('P', 'x')\nx = P(1)._asdict()\n",
        "def f(frame):\n    return frame.to_csv(), frame.to_json(), frame.to_string()\n",
        "def f(x, kind: type = int) -> 'list[int]':\n    return isinstance(x, kind)\n",
        "from datetime import datetime\nx = datetime.strptime\n",
        "if __name__ == '__main__':\n    print(__doc__)\n",
    ],
)
def test_honest_line_is_not_mistaken(source: str) -> None:
    assert rejections(source) == set()


def test_walk_follows_modules_to_their_home() -> None:
    known = surface()
    chain = ["core", "frame", "np", "lib"]
    assert [place for place, _ in known.walk("pandas", chain)][-2:] == ["numpy", "numpy.lib"]
    assert list(known.walk("pandas", ["io", "common", "os", "x"]))[-1] == (
        "pandas.io.common.os",
        "os",
    )
    assert [foreign for _, foreign in known.walk("datetime", ["time"])] == [None]
