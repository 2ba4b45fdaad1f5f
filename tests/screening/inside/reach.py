"""Prints how what may not be imported is reached from modules that may be, as JSON.

On stdin: JSON with ``allowed``, the allow-list, ``dangerous``, modules, and ``harmless``, names of
functions and classes. On stdout: a shortest chain of attributes for each attribute of each
module, within the allowed packages, that is a module outside of the allow-list, or a function or
class of one that reaches files, processes, the network, memory or the interpreter.
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
from collections import deque

# What is looked into on the way: nobody needs to go on from os.
DEEPEST = 8


def is_allowed(name: str, allowed: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in allowed for end in range(1, len(parts) + 1))


def is_dangerous(value: object, asked: dict[str, list[str]]) -> bool:
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        return False
    home = str(getattr(value, "__module__", "") or "").split(".")[0]
    return home in asked["dangerous"] and getattr(value, "__name__", "") not in asked["harmless"]


def load_all(root: types.ModuleType) -> None:
    for found in pkgutil.walk_packages(getattr(root, "__path__", []), f"{root.__name__}."):
        if ".tests" not in found.name and ".conftest" not in found.name:
            with contextlib.suppress(BaseException):
                importlib.import_module(found.name)


def chains(allowed: set[str], asked: dict[str, list[str]]) -> list[str]:
    packages = {name.split(".")[0] for name in allowed}
    found: list[str] = []
    seen: set[int] = set()
    queue = deque((name, importlib.import_module(name)) for name in sorted(allowed))
    while queue:
        chain, value = queue.popleft()
        if id(value) in seen or chain.count(".") > DEEPEST:
            continue
        seen.add(id(value))
        for attribute, inner in list(vars(value).items()):
            if is_wanted(inner, allowed, asked):
                found.append(f"{chain}.{attribute}")
            elif is_part(inner, packages):
                queue.append((f"{chain}.{attribute}", inner))
    return [chain for chain in found if all(map(str.isidentifier, chain.split(".")))]


def is_wanted(value: object, allowed: set[str], asked: dict[str, list[str]]) -> bool:
    if isinstance(value, types.ModuleType):
        return not is_allowed(value.__name__, allowed)
    return is_dangerous(value, asked)


def is_part(value: object, packages: set[str]) -> bool:
    is_module = isinstance(value, types.ModuleType)
    if not is_module and not inspect.isclass(value):
        return False
    home = value.__name__ if is_module else value.__module__
    return str(home).partition(".")[0] in packages


def main() -> None:
    """Find and print."""
    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    allowed = set(asked["allowed"])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for name in sorted(allowed):
            load_all(importlib.import_module(name))
        found = chains(allowed, asked)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
