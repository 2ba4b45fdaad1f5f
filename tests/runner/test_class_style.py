"""Strategies as classes: which class is one, and how it is run."""

import ast
import sys
from pathlib import Path

import pytest
from tests.runner.member import Member
from tests.runner.test_contract import imported_modules

import stratlab_runner
from stratlab_runner.class_style import class_functions, strategy_class

CLASS_STYLE = """
from zipline.api import order, symbol


class DipStrategy:
    made = 0

    def __init__(self):
        DipStrategy.made += 1
        self.asked = self.executed = 0

    def initialize(self, context):
        assert DipStrategy.made == 1
        self.asset = symbol(context.symbols[0])

    def should_trade(self, context, data):
        self.asked += 1
        return self.asked % context.params["every"] == 0

    def execute(self, context, data):
        self.executed += 1
        order(self.asset, self.executed)
        print(self.asked, self.executed)
"""


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (CLASS_STYLE, "DipStrategy"),
        ("class Strategy:\n    pass\n", "Strategy"),
        ("class A:\n    pass\nclass BStrategy(A):\n    pass\n", "BStrategy"),
        ("class AStrategy:\n    pass\nclass BStrategy:\n    pass\n", None),
        ("class AStrategy:\n    pass\ndef initialize(context):\n    pass\n", None),
        ("class AStrategy:\n    pass\nasync def initialize(context):\n    pass\n", None),
        ("if True:\n    class AStrategy:\n        pass\n", None),
        ("class StrategyA:\n    pass\n", None),
        ("AStrategy = 1\n", None),
        ("", None),
    ],
)
def test_class_of_a_source_is_its_only_one_without_initialize(
    source: str, name: str | None
) -> None:
    found = strategy_class(ast.parse(source))
    assert (found.name if found else None) == name


def test_class_is_made_once_a_run_and_asked_on_every_bar() -> None:
    calls: list[object] = []

    class Strategy:
        def __init__(self) -> None:
            calls.append("made")

        def initialize(self, context: object) -> None:
            calls.append(("initialize", context))

        def should_trade(self, context: object, data: int) -> bool:
            calls.append(("asked", data))
            return data % 2 == 1

        def execute(self, context: object, data: int) -> None:
            calls.append(("executed", data))

    initialize, handle_data = class_functions(Strategy)
    assert calls == []
    initialize("context")
    for data in range(3):
        handle_data("context", data)
    assert calls == [
        *("made", ("initialize", "context"), ("asked", 0)),
        *(("asked", 1), ("executed", 1), ("asked", 2)),
    ]


def test_class_without_initialize_is_run() -> None:
    class Strategy:
        def should_trade(self, context: list[int], data: int) -> bool:
            return True

        def execute(self, context: list[int], data: int) -> None:
            context.append(data)

    initialize, handle_data = class_functions(Strategy)
    seen: list[int] = []
    initialize(seen)
    handle_data(seen, 7)
    assert seen == [7]


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (type("A", (), {"execute": print}), "should_trade"),
        (type("A", (), {"should_trade": print, "execute": 3}), "execute"),
        (None, "should_trade, execute"),
    ],
)
def test_class_that_lacks_a_method_is_refused(kind: object, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        class_functions(kind)


def test_class_style_imports_the_standard_library_alone() -> None:
    # The controller imports it, and exported strategies carry its text.
    path = Path(stratlab_runner.__file__).with_name("class_style.py")
    modules = imported_modules(ast.parse(path.read_text()))
    assert {name.split(".")[0] for name in modules} <= sys.stdlib_module_names
    assert "__future__" not in modules


@pytest.mark.docker
def test_class_trades_like_functions_and_every_trial_has_its_own_object(member: Member) -> None:
    functions = """
from zipline.api import order, symbol


def initialize(context):
    context.asked = context.executed = 0
    context.asset = symbol(context.symbols[0])


def handle_data(context, data):
    context.asked += 1
    if context.asked % context.params["every"] == 0:
        context.executed += 1
        order(context.asset, context.executed)
        print(context.asked, context.executed)
"""
    ran = {}
    for every in (20, 50):
        pair = [
            member.run(source, parameters_json=f'{{"every": {every}}}')
            for source in (CLASS_STYLE, functions)
        ]
        assert [result.failed for result in pair] == [None, None]
        first, second = ([entry.SerializeToString() for entry in r.log] for r in pair)
        assert first == second
        assert pair[0].output == pair[1].output
        ran[every] = len(first)
    assert ran[20] > ran[50] > 2


@pytest.mark.docker
@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        (CLASS_STYLE.replace("order(self.asset", "order(1 / 0"), "ZeroDivisionError", 22),
        (CLASS_STYLE.replace("def execute", "def run"), "StrategyContractError", 0),
        (CLASS_STYLE.replace("__init__(self)", "__init__(self, size)"), "TypeError", 0),
        (CLASS_STYLE + "\n\nclass OtherStrategy:\n    pass\n", "StrategyContractError", 0),
    ],
)
def test_class_that_fails_names_its_own_line(
    member: Member, source: str, kind: str, line: int
) -> None:
    result = member.run(source, parameters_json='{"every": 20}')
    assert result.failed is not None
    assert (result.failed.type, result.failed.line) == (kind, line)
