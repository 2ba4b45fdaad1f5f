"""Prints what the allowed modules carry besides their own, as JSON.

On stdin: JSON with ``allowed``, the modules of the allow-list, ``members``, dotted names of what
may not be used of them, ``dangerous``, other modules, and ``harmless``, names of functions and
classes of those. Keys of the answer:

* ``modules``: public modules at and below the allowed ones.
* ``foreign``: attribute names under which they carry modules that are not allowed.
* ``carried``: attribute names that always mean the same allowed module.
* ``carried_here``: for modules, attributes that are allowed modules and mean others elsewhere.
* ``own``: for modules and classes, attributes that are called like a foreign module and are none.
* ``aliases``: other names of members.
* ``functions``: functions and classes of dangerous modules that public modules carry.
* ``opens``: functions and classes whose code opens files, runs text, or starts programs. To read
  when the image changes: what is dangerous among them belongs into the members.
"""

import contextlib
import importlib
import inspect
import io
import json
import pkgutil
import sys
import types
import warnings
from collections.abc import Iterator

TESTS = {"tests", "test", "testing", "conftest", "setup", "_testing"}
# Of these a strategy may import everything; so names of all that lies below matter.
BUILTINS = {"open", "exec", "eval", "compile", "__import__"}
MODULES = {
    "builtins", "code", "ctypes", "cffi", "distutils", "fcntl", "ftplib", "glob", "http",
    "importlib", "io", "marshal", "mmap", "multiprocessing", "os", "pathlib", "pickle", "posix",
    "requests", "runpy", "shelve", "shutil", "signal", "socket", "sqlite3", "sqlalchemy", "ssl",
    "subprocess", "tarfile", "tempfile", "threading", "urllib", "webbrowser", "zipfile", "gzip",
    "bz2", "lzma", "codecs",
}  # fmt: skip


def is_public(name: str) -> bool:
    parts = name.split(".")
    return not any(part.startswith("_") or part in TESTS for part in parts)


def below(root: types.ModuleType) -> Iterator[types.ModuleType]:
    yield root
    for found in pkgutil.iter_modules(getattr(root, "__path__", [])):
        name = f"{root.__name__}.{found.name}"
        if not is_public(name):
            continue
        with contextlib.suppress(BaseException):
            yield from below(importlib.import_module(name))


def is_allowed(name: str, allowed: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in allowed for end in range(1, len(parts) + 1))


def codes(value: object) -> Iterator[tuple[types.CodeType, dict[str, object]]]:
    functions = [value] if inspect.isfunction(value) else []
    if inspect.isclass(value):
        functions = [item for item in vars(value).values() if inspect.isfunction(item)]
    for function in functions:
        stack = [function.__code__]
        while stack:
            code = stack.pop()
            yield code, function.__globals__
            stack += [each for each in code.co_consts if isinstance(each, types.CodeType)]


def what_it_uses(value: object, denied: dict[int, str]) -> list[str]:
    used = set()
    for code, known in codes(value):
        for name in code.co_names:
            found = known.get(name)
            if isinstance(found, types.ModuleType):
                inner = [getattr(found, other, None) for other in code.co_names]
                used |= {denied[id(each)] for each in inner if id(each) in denied}
            if id(found) in denied:
                used.add(denied[id(found)])
            if name in BUILTINS and name not in known:
                used.add(name)
            elif str(getattr(found, "__module__", "")).split(".")[0] in MODULES - {"builtins"}:
                used.add(f"{found.__module__}.{name}")
            elif isinstance(found, types.ModuleType) and found.__name__.split(".")[0] in MODULES:
                used |= {f"{found.__name__}.{other}" for other in code.co_names
                         if hasattr(found, other)}  # fmt: skip
    return sorted(used)


def home_of(attribute: str, value: types.ModuleType, owner: str) -> str | None:
    """Return the name of a module that another one carries, None if it is its own."""
    name = value.__name__
    return None if name == f"{owner}.{attribute}" or attribute.startswith("_") else name


def find(name: str) -> object:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        with contextlib.suppress(BaseException):
            value: object = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                value = getattr(value, part)
            return value
    return None


def carried_modules(
    modules: dict[str, types.ModuleType], allowed: set[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, str]]]:
    """Return foreign modules, and allowed ones that mean the same everywhere, and here."""
    meanings: dict[str, set[str]] = {}
    foreign: dict[str, str] = {}
    places: list[tuple[str, str, str]] = []
    for name, module in modules.items():
        for attribute, value in vars(module).items():
            is_module = isinstance(value, types.ModuleType)
            home = home_of(attribute, value, name) if is_module else None
            meanings.setdefault(attribute, set()).add(home or "")
            if home is not None and is_allowed(home, allowed):
                places.append((name, attribute, home))
            elif home is not None:
                foreign[attribute] = home
    everywhere = {word: home for _, word, home in places if len(meanings[word]) == 1}
    here: dict[str, dict[str, str]] = {}
    for name, attribute, home in places:
        if attribute not in everywhere:
            here.setdefault(name, {})[attribute] = home
    return foreign, everywhere, here


def own_attributes(
    modules: dict[str, types.ModuleType], foreign: dict[str, str], allowed: set[str]
) -> dict[str, list[str]]:
    """Return for modules and classes what is called like a foreign module and is none."""
    own: dict[str, list[str]] = {}
    for name, attribute, value in members(modules):
        is_foreign = isinstance(value, types.ModuleType) and not is_allowed(value.__name__, allowed)
        if attribute in foreign and not is_foreign:
            own.setdefault(name, []).append(attribute)
        if inspect.isclass(value) and (inside := sorted(filter(value.__dict__.get, foreign))):
            own[f"{name}.{attribute}"] = inside
    return own


def members(modules: dict[str, types.ModuleType]) -> Iterator[tuple[str, str, object]]:
    for name, module in modules.items():
        for attribute, value in vars(module).items():
            if not attribute.startswith("_"):
                yield name, attribute, value


def dangerous_home(value: object, asked: dict[str, list[str]]) -> str | None:
    """Return the full name of a function or class of a dangerous module."""
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        return None
    home, name = str(getattr(value, "__module__", "") or ""), getattr(value, "__name__", "")
    is_one = home.partition(".")[0] in asked["dangerous"] and name not in asked["harmless"]
    return f"{home}.{name}" if is_one else None


def describe(asked: dict[str, list[str]]) -> dict[str, object]:
    allowed = set(asked["allowed"])
    modules = {
        module.__name__: module
        for name in sorted(allowed)
        for module in below(importlib.import_module(name))
    }
    foreign, everywhere, here = carried_modules(modules, allowed)
    denied = {id(value): name for name in asked["members"] if (value := find(name)) is not None}
    aliases: dict[str, str] = {}
    functions: dict[str, str] = {}
    opens: dict[str, list[str]] = {}
    for name, attribute, value in members(modules):
        full = f"{name}.{attribute}"
        if not isinstance(value, types.ModuleType) and denied.get(id(value), full) != full:
            aliases[full] = denied[id(value)]
        if (home := dangerous_home(value, asked)) is not None:
            functions[full] = home
        if getattr(value, "__module__", None) == name and (uses := what_it_uses(value, denied)):
            opens[full] = uses
    return {
        "modules": dict.fromkeys(sorted(modules), 1),
        "foreign": foreign,
        "carried": everywhere,
        "carried_here": here,
        "own": own_attributes(modules, foreign, allowed),
        "aliases": aliases,
        "functions": functions,
        "opens": opens,
    }


def main() -> None:
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = describe(asked)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
