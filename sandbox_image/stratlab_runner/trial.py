"""Runs one trial in a process of its own: limits, seeds, the strategy, and how it ended."""

import errno
import json
import os
import random
import re
import resource
import sys
import traceback
import types
from typing import Any, Final, final

import numpy as np

from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.bars import bind_context
from stratlab_runner.class_style import class_functions, strategy_class
from stratlab_runner.contract import OPTIONAL_FUNCTIONS, REQUIRED_FUNCTIONS, STRATEGY_FILE
from stratlab_runner.fast import engines
from stratlab_runner.kernel import address_space
from stratlab_runner.reading import read_source
from stratlab_runner.reporter import Reporter
from stratlab_runner.sealed.algorithm import SealedAlgorithm, SealedReporter
from stratlab_runner.simulation import TrialAlgorithm, count_bars, tally_of
from stratlab_runner.tier_data import TierData

MAX_MESSAGE: Final = 2000
MAX_TRACEBACK: Final = 8000
MAX_FRAMES: Final = 50
REHEARSED_BARS: Final = 5
_NO_THREAD: Final = "can't start new thread"


@final
class StrategyContractError(Exception):
    """The source lacks a function that every strategy has."""


def run_trial(request: pb.RunTrial, tier: TierData, descriptor: int) -> bool:
    """Run a trial to its end and report it; returns whether it succeeded.

    Nothing that the strategy does is raised: it is reported. Call it in a process that ends
    afterwards, for limits, random generators and the interpreter are left as they are.

    Args:
        request: The trial.
        tier: Data of the tier that is mounted.
        descriptor: Pipe for the frames.
    """
    reporter, kind = _kit(tier, descriptor, request.trial_id)
    functions: dict[str, Any] = {}
    try:
        # The algorithm is built before any foreign code runs: what fails here is our fault.
        algorithm = kind(
            request,
            tier,
            reporter,
            {name: _late(functions, name) for name in (*REQUIRED_FUNCTIONS, *OPTIONAL_FUNCTIONS)},
            request.engine or engines.DEFAULT,
        )
        bind_context(
            algorithm, json.loads(request.parameters_json), request.symbols, tier.timeframe
        )
        _limit(request.cpu_seconds, request.added_memory_bytes)
    except Exception as error:  # noqa: BLE001 - the host must learn of any fault of ours
        cause = pb.TrialFailed.CAUSE_RUNNER
        reporter.failed(pb.TrialFailed(cause=cause, type=type(error).__name__, message=str(error)))
        return False
    random.seed(request.seed)
    np.random.seed(request.seed % 2**32)  # noqa: NPY002 - the generator strategies use
    reporter.started(count_bars(algorithm))
    try:
        functions |= _load(request.source)
        for _ in algorithm.get_generator():
            pass
    except BaseException as error:  # noqa: BLE001 - SystemExit is the strategy's doing too
        _tell_calls(reporter, algorithm)
        reporter.failed(describe_failure(error, request.source))
        return False
    _tell_calls(reporter, algorithm)
    reporter.finished()
    return True


def rehearse(tier: TierData) -> None:
    """Run a strategy that does nothing for a few bars, by each engine.

    What zipline loads and caches at its first run is then there before the fork.

    Args:
        tier: Data of the tier that is mounted.
    """
    finder = tier.asset_finder
    assets = finder.retrieve_all(finder.equities_sids)
    if tier.market is None:
        sessions = tier.calendar.sessions_in_range(tier.first_session, tier.last_session)
    else:
        sessions = tier.market.past
        if sessions.empty:
            return
    request = pb.RunTrial(
        start=str(sessions[0].date()),
        end=str(sessions[min(REHEARSED_BARS, len(sessions)) - 1].date()),
        capital=1.0,
        cost_model="next_open",
        max_leverage=1.0,
        symbols=[asset.symbol for asset in assets],
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for engine in engines.ENGINES if tier.market is None else (engines.FAST,):
            reporter, kind = _kit(tier, nowhere, "")
            algorithm = kind(request, tier, reporter, {}, engine)
            for _ in algorithm.get_generator():
                pass
    finally:
        os.close(nowhere)


def describe_failure(error: BaseException, source: str) -> pb.TrialFailed:
    """Return the cause of an exception, cut to the strategy's own lines.

    Args:
        error: What the strategy raised, or what zipline raised because of it.
        source: The strategy.
    """
    lines = re.split(r"\r\n|\r|\n", source)
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == STRATEGY_FILE
    ]
    places = [(frame.lineno or 0, frame.name) for frame in own][-MAX_FRAMES:]
    if isinstance(error, SyntaxError) and error.filename == STRATEGY_FILE:
        places.append((error.lineno or 0, "<module>"))

    def text(line: int) -> str:
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""

    name = type(error).__name__.encode(errors="backslashreplace").decode()
    message = _message(error)
    line = places[-1][0] if places else 0
    stack = [f"  line {number}, in {function}\n    {text(number)}" for number, function in places]
    return pb.TrialFailed(
        cause=_cause(error),
        type=name,
        message=message,
        line=line,
        text=text(line)[:MAX_MESSAGE],
        traceback="\n".join([*stack, f"{name}: {message}"])[-MAX_TRACEBACK:],
    )


def _kit(tier: TierData, descriptor: int, trial_id: str) -> tuple[Reporter, type[TrialAlgorithm]]:
    if tier.market is None:
        return Reporter(descriptor, trial_id), TrialAlgorithm
    return SealedReporter(descriptor, trial_id, tier.market.feed), SealedAlgorithm


def _tell_calls(reporter: Reporter, algorithm: TrialAlgorithm) -> None:
    tally = tally_of(algorithm)
    if tally is not None:
        reporter.data_calls(tally.calls, tally.fallbacks)


def _late(functions: dict[str, Any], name: str) -> Any:
    # The strategy is loaded when the algorithm already exists.
    def call(*args: Any) -> None:
        function = functions.get(name)
        if function is not None:
            function(*args)

    return call


def _load(source: str) -> dict[str, Any]:
    module = types.ModuleType("strategy")
    # Dataclasses and enumerations look their module up by its name.
    sys.modules[module.__name__] = module
    tree = read_source(source).tree
    code = compile(tree, STRATEGY_FILE, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 - the whole point of the sandbox
    functions = module.__dict__
    if "initialize" not in functions and (written := strategy_class(tree)) is not None:
        try:
            initialize, handle_data = class_functions(functions.get(written.name))
        except TypeError as error:
            raise StrategyContractError(str(error)) from None
        functions |= {"initialize": initialize, "handle_data": handle_data}
    for name in REQUIRED_FUNCTIONS:
        if not callable(functions.get(name)):
            raise StrategyContractError(f"the strategy has no function {name}(context)")
    return functions


def _limit(cpu_seconds: int, added_memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # SIGXCPU at the limit, and SIGKILL a second later for whoever ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    if added_memory_bytes:
        # Where the container dies with the process that takes too much, a trial rather fails.
        most = address_space() + added_memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _cause(error: BaseException) -> "pb.TrialFailed.Cause.ValueType":
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return pb.TrialFailed.CAUSE_MEMORY
    if isinstance(error, BlockingIOError) or (
        isinstance(error, RuntimeError) and _NO_THREAD in _message(error)
    ):
        return pb.TrialFailed.CAUSE_PIDS
    return pb.TrialFailed.CAUSE_EXCEPTION


def _message(error: BaseException) -> str:
    try:
        # A lone surrogate fits into no frame.
        return str(error)[:MAX_MESSAGE].encode(errors="backslashreplace").decode()
    except Exception:  # noqa: BLE001 - __str__ is the strategy's code
        return ""
