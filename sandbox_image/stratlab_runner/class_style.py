"""Runs strategies that are written as a class: ``should_trade`` decides, ``execute`` orders.

Nothing but the standard library is imported here: the controller reads sources with it too, and
exported strategies carry the text of this file.
"""

import ast
from collections.abc import Callable
from typing import Any

CLASS_SUFFIX = "Strategy"
"""How the name of a strategy's class ends."""

CLASS_METHODS = ("should_trade", "execute")
"""What a strategy's class has; ``initialize(self, context)`` may be there too."""


def strategy_class(tree: ast.Module) -> ast.ClassDef | None:
    """Return the class that a source is, None when it is written as functions.

    That is its only top-level class whose name ends in ``Strategy``, in a source that defines
    no ``initialize``.

    Args:
        tree: The source.
    """
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if any(isinstance(node, functions) and node.name == "initialize" for node in tree.body):
        return None
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith(CLASS_SUFFIX)
    ]
    return classes[0] if len(classes) == 1 else None


def class_functions(kind: Any) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return ``initialize`` and ``handle_data`` that run a strategy's class.

    One object is made for each run, in ``initialize``. On every bar it is asked
    ``should_trade(context, data)``, and if it says so, told to ``execute(context, data)``.

    Args:
        kind: The class; its constructor takes no arguments.

    Raises:
        TypeError: It is no class, or a method is missing.
    """
    missing = [name for name in CLASS_METHODS if not callable(getattr(kind, name, None))]
    if not isinstance(kind, type) or missing:
        raise TypeError(f"the strategy's class has no method {', '.join(missing or CLASS_METHODS)}")
    made = []

    def initialize(context: Any) -> None:
        strategy = kind()
        made.append(strategy)
        prepare = getattr(strategy, "initialize", None)
        if prepare is not None:
            prepare(context)

    def handle_data(context: Any, data: Any) -> None:
        strategy = made[-1]
        if strategy.should_trade(context, data):
            strategy.execute(context, data)

    return initialize, handle_data
