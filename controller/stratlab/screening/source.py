"""A source as the checks see it: its tree, its nodes, and what its names mean."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar, final

from stratlab.domain.strategy import Author
from stratlab.screening.names import Function, Names, is_function
from stratlab_runner.class_style import strategy_class
from stratlab_runner.reading import Reading

_Node = TypeVar("_Node", bound=ast.AST)


@final
@dataclass(slots=True, eq=False)
class StrategySource:
    """What is known about a source that can be parsed and is not nested too deeply.

    Attributes:
        text: As it came.
        reading: What is judged and run of it.
        author: Who wrote it.
        names: What its names mean.
        nodes: All nodes of the tree.
    """

    text: str
    reading: Reading
    author: Author
    names: Names = field(init=False)
    nodes: tuple[ast.AST, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.tree)
        self.nodes = tuple(self.names.parents)

    @property
    def tree(self) -> ast.Module:
        """The part that is run."""
        return self.reading.tree

    def all(self, *kinds: type[_Node]) -> Iterable[_Node]:
        """Return the nodes of these kinds, in the order of the source."""
        return (node for node in self.nodes if isinstance(node, kinds))

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node that contains another one, None for the module."""
        return self.names.parents.get(node)

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the function statement around a node."""
        around = self.parent(node)
        while around is not None and not is_function(around):
            around = self.parent(around)
        return around

    def functions(self) -> dict[str, ast.FunctionDef]:
        """Return the functions of the module itself by name; of equal names the last one."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    def strategy_class(self) -> ast.ClassDef | None:
        """Return the class that the strategy is, None when it is written as functions."""
        return strategy_class(self.tree)


def methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """Return the methods of a class by name."""
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
