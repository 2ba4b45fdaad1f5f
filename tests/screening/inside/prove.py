"""Runs hostile sources unscreened, each in a process of its own, and prints which proofs hold.

On stdin: JSON, a list of objects with ``name``, ``source`` and ``proof``. On stdout: JSON, for each
name "true" or what happened instead. Working directories are made below the temporary directory.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

SECONDS = 0.3
MEMORY = 400 << 20
"""More than what is loaded."""


class Stand(types.SimpleNamespace):
    """An object that strategies may hang things on."""


class Frozen:
    """A portfolio."""

    cash = 1.0


class Hung(BaseException):
    """Time is up."""


def fake_modules() -> None:
    """Put what strategies import of zipline and of the lab in place, without either."""
    for name in ("zipline", "zipline.api", "stratlab_runner", "stratlab_runner.lab"):
        module = types.ModuleType(name)
        parent, _, child = name.rpartition(".")
        sys.modules[name] = module
        if parent:
            setattr(sys.modules[parent], child, module)
    sys.modules["zipline.api"].order = lambda: "order"  # type: ignore[attr-defined]
    sys.modules["stratlab_runner.lab"].get_algo_instance = (  # type: ignore[attr-defined]
        lambda: "algorithm"
    )


def hangs(function: Callable[..., Any], *arguments: Any) -> bool:
    def stop(*_: Any) -> NoReturn:
        raise Hung

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        # A loop in C looks at signals when its memory has run out, at the earliest.
        with contextlib.suppress(MemoryError):
            function(*arguments)
            signal.setitimer(signal.ITIMER_REAL, 0)
            return False
        time.sleep(SECONDS)
    except Hung:
        pass
    return True


def raises(function: Callable[[], Any], kind: type[BaseException]) -> bool:
    try:
        function()
    except kind:
        return True
    return False


def overflows(function: Callable[..., Any], *arguments: Any) -> bool:
    return raises(lambda: function(*arguments), RecursionError)


def refused(source: str) -> str:
    """Return how compile() refuses a text; it may even crash."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = ""
        try:
            compile(source, "<strategy>", "exec")
        except BaseException as error:  # noqa: BLE001 - whatever it is, is the answer
            answer = type(error).__name__
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return "crash" if status else answer


def run(case: dict[str, str]) -> str:
    """Return "true" if the source does what its proof says."""
    context = Stand(
        blotter=Stand(slippage_models="slippage models"),
        data_portal="the data portal",
        _pipelines="pipelines",
        metrics_tracker=Stand(cash=0),
        portfolio=Frozen(),
        machine=os,
    )
    data = Stand(_data_portal="prices of all time", current_dt=datetime(2009, 1, 2, tzinfo=UTC))
    names: dict[str, Any] = {
        "SOURCE": case["source"],
        "__name__": "strategy",
        "context": context,
        "data": data,
        "exists": lambda path: Path(path).exists(),
        "hangs": hangs,
        "overflows": overflows,
        "raises": raises,
        "refused": refused,
        "text": lambda path: Path(path).read_text(),
    }
    helpers = dict(names)
    if "refused(SOURCE)" not in case["proof"] and "SOURCE.encode" not in case["proof"]:
        exec(compile(case["source"], "<strategy>", "exec", dont_inherit=True), names)  # noqa: S102 - to prove it
    everything = {**helpers, **names, "vars": lambda: names}
    held = eval(case["proof"], everything)  # noqa: S307 - of our own corpus
    return "true" if held else f"false: {case['proof']}"


def in_child(case: dict[str, str], folder: str) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        place = tempfile.mkdtemp(dir=folder)
        os.chdir(place)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + MEMORY,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            answer = run(case)
        except BaseException as error:  # noqa: BLE001 - whatever it is, is the answer
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return answer or f"ended with status {status}"


def main() -> None:
    """Prove all cases."""
    warnings.simplefilter("ignore")
    fake_modules()
    for name in ("numpy", "pandas", "scipy", "numpy.testing", "pandas.io.common"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        cases = json.load(sys.stdin)
        print(json.dumps({case["name"]: in_child(case, folder) for case in cases}))


if __name__ == "__main__":
    main()
