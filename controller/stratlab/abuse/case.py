"""What one case of the abuse suite is: a hostile source, and what must come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, final

from stratlab.domain.trial import Outcome
from stratlab.sandbox.policy import is_gvisor

LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "memory_mib": 768,
        "pids": 64,
        "tmp_mib": 16,
        "cpu_seconds": 3,
        "wall_seconds": 12,
        "output_mib": 4,
    }
)
"""Of every case that does not say otherwise: small, so that running into them is quick."""

CHARGED: Final = frozenset(
    {
        Outcome.STRATEGY_ERROR,
        Outcome.TIMEOUT_CPU,
        Outcome.TIMEOUT_WALL,
        Outcome.OUT_OF_MEMORY,
        Outcome.PIDS,
        Outcome.SIGNAL,
        Outcome.PROTOCOL_VIOLATION,
    }
)
"""All that a strategy can bring upon itself by taking too much."""

FILTER_ROW: Final = "filter"
"""The row that tells whether a seccomp filter is loaded: 2, or 0 under gVisor without one."""

ROW_MARK: Final = "ROW"
"""What each line begins with that tells the result of one row."""

_REFUSED: Final = frozenset({"EPERM", "EACCES"})

_PRELUDE: Final = """
import ctypes, errno, glob, json, os, select, signal, socket, sys, time
from pathlib import Path

# Named, for an import that nothing reads is left out.
MODULES = ctypes, errno, glob, json, os, select, signal, socket, sys, time, Path
libc = ctypes.CDLL(None, use_errno=True)
intel = os.uname().machine == "x86_64"


def call(number, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    if answer == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def result_of(code):
    space = dict(globals())
    try:
        exec(code, space)
        return str(space.get("result", "done"))
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    except BaseException as error:
        return type(error).__name__


def attempt(code, seconds=3.0):
    # In a process of its own, for what is tried may end it or make it wait for ever.
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, b'=' + result_of(code).encode()[:300])
        os._exit(0)
    os.close(write_end)
    waiting = select.poll()
    waiting.register(read_end, select.POLLIN)
    ready = waiting.poll(seconds * 1000)
    said = os.read(read_end, 300).decode() if ready else "blocked"
    os.close(read_end)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return said.removeprefix("=") if said else "signal %d" % (status & 127)


def tell(name, result):
    print("ROW", name, result, flush=True)


def initialize(context):
    pass

"""


_FILTER: Final = (
    "status = Path('/proc/self/status').read_text()\n"
    f"tell('{FILTER_ROW}', status.partition('Seccomp:')[2].split()[0])\n"
)


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One attempt inside a strategy.

    Attributes:
        name: One word.
        code: Python that tries it; ``result`` is what it found, an exception what stopped it.
        allowed: Names of errors, or values of ``result``, that are harmless; empty for all but
            ``forbidden``.
        forbidden: Results that are not.
        on_gvisor: More that is harmless under gVisor.
        filtered: Whether our seccomp profile alone refuses it. Under gVisor without the profile
            the attempt then has no effect outside the Sentry, whatever it results in.
    """

    name: str
    code: str
    allowed: frozenset[str] = _REFUSED
    forbidden: frozenset[str] = frozenset()
    on_gvisor: frozenset[str] = frozenset()
    filtered: bool = False

    def is_harmless(self, result: str, runtime: str, *, has_filter: bool = True) -> bool:
        """Return whether the attempt's result is one of those allowed under ``runtime``.

        Args:
            result: What the strategy told.
            runtime: Under which it ran.
            has_filter: Whether our profile was loaded there.
        """
        if is_gvisor(runtime) and (result in self.on_gvisor or (self.filtered and not has_filter)):
            return True
        return result not in self.forbidden and (not self.allowed or result in self.allowed)


@final
@dataclass(frozen=True, slots=True)
class AbuseCase:
    """One hostile strategy.

    Attributes:
        name: Attack, in words joined by hyphens.
        group: Heading of SANDBOX's list.
        source: The strategy.
        outcomes: Those that are as they should be.
        on_gvisor: The same under gVisor; None when they are no others.
        limits: What differs from :data:`LIMITS`.
        rows: What it tries, each with what may come of it.
        shown: What its output must contain.
        defence: What holds it, with its difference under gVisor.
        full_only: Whether it takes long, and is left out at CI size.
        ci: Whether it is in the small selection that CI runs under gVisor too.
    """

    name: str
    group: str
    source: str
    outcomes: frozenset[Outcome]
    defence: str
    on_gvisor: frozenset[Outcome] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    shown: str = ""
    full_only: bool = False
    ci: bool = False

    def outcomes_under(self, runtime: str) -> frozenset[Outcome]:
        """Return the outcomes that are as they should be under ``runtime``."""
        return self.on_gvisor if is_gvisor(runtime) and self.on_gvisor else self.outcomes

    def all_limits(self) -> dict[str, int]:
        """Return its limits by the names of :class:`stratlab.domain.trial.Limits`."""
        return dict(LIMITS) | dict(self.limits)


def rows_source(rows: Sequence[Row]) -> str:
    """Return a strategy that tries every row and tells the results."""
    table = ",\n".join(f"    ({row.name!r}, {row.code!r})" for row in rows)
    return f"{_PRELUDE}{_FILTER}\nfor name, code in [\n{table}\n]:\n    tell(name, attempt(code))\n"


def script(code: str) -> str:
    """Return a strategy that runs ``code`` when it is loaded, with the helpers of rows."""
    return f"{_PRELUDE}\n{code}\n"


def results_of(output: str) -> dict[str, str]:
    """Return the result of each row that an output tells."""
    results = {}
    for line in output.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == ROW_MARK:
            name, _, result = rest.partition(" ")
            results[name] = result
    return results
