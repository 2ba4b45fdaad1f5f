"""What the names of a source mean: their scopes, and the modules that they come from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeGuard, final

Import = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

BUILTINS: Final = "builtins"
_HARMLESS: Final = frozenset(
    {"__all__", "__author__", "__doc__", "__future__", "__init__", "__main__", "__name__"}
    | {"__post_init__", "__qualname__", "__slots__", "__version__"}
)
_NOTHING: Final[frozenset[str]] = frozenset()


def is_function(node: ast.AST | None) -> TypeGuard[Function]:
    """Return whether a node is a function statement."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def is_dunder(name: str) -> bool:
    """Return whether a name is Python's own, and not one of those that anybody may use."""
    return (
        name.startswith("__")
        and name.endswith("__")
        and name.strip("_") != ""
        and name not in _HARMLESS
    )


def literal_step(node: ast.AST) -> tuple[ast.expr, str] | None:
    """Return what ``getattr(x, "name")`` looks at, None for everything else."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[of, ast.Constant(value=str(name)), *_]):
            return of, name
        case _:
            return None


def imported(node: Import) -> Iterator[tuple[str, str]]:
    """Yield the name that each part of an import binds, and what it then means."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            origin = "." * node.level + ".".join(filter(None, (node.module, alias.name)))
            yield alias.asname or alias.name, origin
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            root = alias.name.split(".")[0]
            yield root, root


@final
@dataclass(slots=True, eq=False)
class _Scope:
    # Of a module, class, function, lambda or comprehension. `bound` holds for each name what
    # imports may make of it; nothing, where something else binds it.
    outer: "_Scope | None"
    is_class: bool = False
    bound: dict[str, set[str]] = field(default_factory=dict)
    outside: dict[str, "_Scope"] = field(default_factory=dict)

    def bind(self, name: str, origin: str | None = None) -> None:
        scope = self.outside.get(name, self)
        origins = scope.bound.setdefault(name, set())
        if origin is not None:
            origins.add(origin)

    def module(self) -> "_Scope":
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope


@final
class Names:
    """The names of one tree; not for trees that are nested too deeply for Python's stack."""

    def __init__(self, tree: ast.Module) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, _Scope] = {}
        self._stars: list[str] = []
        self._removed: set[str] = set()
        self._first_bound: dict[str, int] = {}
        self._known: dict[ast.AST, frozenset[str]] = {}
        self._module = _Scope(None)
        self._tree = tree
        for statement in tree.body:
            self._note_first(statement)
        self._visit(tree, self._module)

    def origins(self, node: ast.AST) -> frozenset[str]:
        """Return the dotted names that an expression may mean, as of its imports.

        Builtins are ``builtins.x``. Nothing for values: what a call returns, what a function was
        given, what was assigned.
        """
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = self._origins(node)
        return found

    def _origins(self, node: ast.AST) -> frozenset[str]:
        if isinstance(node, ast.Name):
            return self._meaning(node)
        if isinstance(node, ast.Attribute):
            return frozenset(f"{origin}.{node.attr}" for origin in self.origins(node.value))
        if isinstance(node, ast.NamedExpr):
            return self.origins(node.value)
        if (step := literal_step(node)) is not None:
            return frozenset(f"{origin}.{step[1]}" for origin in self.origins(step[0]))
        return _NOTHING

    def _meaning(self, node: ast.Name) -> frozenset[str]:
        name = node.id
        scope: _Scope | None = self._scopes.get(node, self._module)
        own, origins = scope, set[str]()
        while scope is not None and scope.outer is not None:
            scope = scope.outside.get(name, scope)
            if scope.outer is None:
                break
            if name in scope.bound and (not scope.is_class or scope is own):
                origins |= scope.bound[name]
                if not scope.is_class:
                    return frozenset(origins)
            scope = scope.outer
        origins |= self._module.bound.get(name, _NOTHING)
        if not self._is_surely_bound(node):
            origins.add(f"{BUILTINS}.{name}")
        if name not in self._module.bound:
            origins |= {f"{module}.{name}" for module in self._stars}
        return frozenset(origins)

    def _is_surely_bound(self, node: ast.Name) -> bool:
        # By a statement of the module itself that comes before, and is never taken back.
        line = self._first_bound.get(node.id)
        return line is not None and line < node.lineno and node.id not in self._removed

    def _note_first(self, statement: ast.stmt) -> None:
        names: list[str] = []
        if is_function(statement) or isinstance(statement, ast.ClassDef):
            names = [statement.name]
        elif isinstance(statement, Import):
            names = [name for name, _ in imported(statement)]
        elif isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        for name in names:
            self._first_bound.setdefault(name, statement.end_lineno or statement.lineno)

    def _visit(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            self._scopes[node] = scope
            if not isinstance(node.ctx, ast.Load):
                scope.bind(node.id)
            if isinstance(node.ctx, ast.Del):
                self._removed.add(node.id)
        elif isinstance(node, Import):
            self._visit_import(node, scope)
        else:
            self._visit_statement(node, scope)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self._visit_function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._visit_in(node, scope, _Scope(scope, is_class=True), {"body"})
        elif isinstance(node, _Comprehension):
            self._visit_in(node, scope, _Scope(scope), set(node._fields))
        else:
            self._visit_in(node, scope, scope, set())

    def _visit_statement(self, node: ast.AST, scope: _Scope) -> None:
        match node:
            case ast.Global(names=names):
                for name in names:
                    scope.outside[name] = scope.module()
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                scope.bind(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                scope.bind(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                scope.bind(name)
            case ast.AsyncFunctionDef(name=name):
                scope.bind(name)
            case _:
                return

    def _visit_in(self, node: ast.AST, scope: _Scope, inner: _Scope, fields: set[str]) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST):
                    self.parents[child] = node
                    self._visit(child, inner if name in fields else scope)

    def _visit_function(self, node: Function | ast.Lambda, scope: _Scope) -> None:
        inner = _Scope(scope)
        given = node.args
        for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs):
            inner.bind(argument.arg)
        for rest in (given.vararg, given.kwarg):
            if rest is not None:
                inner.bind(rest.arg)
        self._visit_in(node, scope, inner, {"body"})

    def _visit_import(self, node: Import, scope: _Scope) -> None:
        for name, origin in imported(node):
            if name == "*":
                self._stars.append(origin.removesuffix(".*"))
            else:
                scope.bind(name, origin)
