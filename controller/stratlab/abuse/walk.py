"""Rows that walk the seccomp profile: each refused, each needed and each narrowed call."""

from typing import Final

from stratlab.abuse.case import Row
from stratlab.abuse.system_calls import CLONE3, NEEDED, REFUSED, Numbers

_ABSENT: Final = "absent"
_SPECIAL_ARGUMENTS: Final = {
    "clone": "17, 0, 0, 0, 0",  # SIGCHLD: a fork
    "fcntl": "-1, 1, 0",
    "ioctl": "-1, 0x5401, 0",
    "prctl": "39, 0, 0, 0, 0",
    "prlimit64": "0, -1, 0, 0",
    "socket": "1, -1, 0",
    "socketpair": "1, -1, 0, 0",
}
# The Sentry has none of them, so its filter cannot let them through by name.
_UNKNOWN_TO_SENTRY: Final = frozenset({"futex_waitv", "sched_rr_get_interval"})
_NOT_WALKED: Final = frozenset({"vfork"})  # its child would share the stack of the interpreter


def _call(numbers: Numbers, arguments: str = "-1, -1, -1, -1, -1, -1") -> str:
    intel, arm = numbers
    other = f"call({arm}, {arguments})" if arm is not None else f"{_ABSENT!r}"
    return f"result = call({intel}, {arguments}) if intel else {other}"


def refused_rows() -> tuple[Row, ...]:
    """Return a row for each call that our profile refuses."""
    allowed = frozenset({"EPERM", _ABSENT})
    return (
        *(Row(name, _call(each), allowed, filtered=True) for name, each in REFUSED.items()),
        Row("clone3", f"call({CLONE3}, -1, -1)", frozenset({"ENOSYS"})),
    )


def needed_rows() -> tuple[Row, ...]:
    """Return a row for each call that our profile lets through, with harmless arguments."""
    return tuple(
        Row(
            name,
            _call(numbers, _SPECIAL_ARGUMENTS.get(name, "-1, -1, -1, -1, -1, -1")),
            frozenset(),
            forbidden=frozenset({"EPERM"}),
            on_gvisor=frozenset({"EPERM"}) if name in _UNKNOWN_TO_SENTRY else frozenset(),
        )
        for name, numbers in NEEDED.items()
        if name not in _NOT_WALKED
    )


NARROWED: Final = (
    Row("clone-new-user", "call(56 if intel else 220, 0x10000011, 0, 0, 0, 0)", filtered=True),
    Row("clone-new-net", "call(56 if intel else 220, 0x40000011, 0, 0, 0, 0)", filtered=True),
    Row("clone-new-pid", "call(56 if intel else 220, 0x20000011, 0, 0, 0, 0)", filtered=True),
    Row(
        "fcntl-lock",
        "import fcntl; fcntl.lockf(open('/tmp/lock', 'w'), fcntl.LOCK_EX)",
        filtered=True,
    ),
    Row("fcntl-owner", "call(72 if intel else 25, 0, 8, os.getppid())", filtered=True),
    Row("prctl-keep-capabilities", "call(157 if intel else 167, 8, 1, 0, 0, 0)", filtered=True),
    Row("prctl-memory-map", "call(157 if intel else 167, 35, 1, 0, 0, 0)", filtered=True),
    Row("prctl-seccomp", "call(157 if intel else 167, 22, 2, -1, 0, 0)", filtered=True),
    Row("ioctl-terminal-input", "call(16 if intel else 29, 0, 0x5412, 0)", filtered=True),
    Row("limits-of-the-supervisor", "call(302 if intel else 261, 1, 7, 0, 0)", filtered=True),
)
"""Calls that are let through for some arguments only, with others."""
