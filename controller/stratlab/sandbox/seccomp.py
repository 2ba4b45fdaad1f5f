"""Our seccomp profile: where it is, that it denies by default, and its digest."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, final

from stratlab.domain.errors import UnsafeConfigurationError

_SENTRY_NAMES: Final = {"pselect6": "pselect"}


@final
@dataclass(frozen=True, slots=True)
class SeccompProfile:
    """A seccomp profile and the sha256 (hex) of its bytes, which every trial records."""

    text: str
    digest: str

    @property
    def text_for_sentry(self) -> str:
        """The profile as gVisor loads it, inside its own kernel.

        The calls that are to look absent (ENOSYS) are left to that kernel, which does not have
        them: it knows no other error than EPERM for a refused call, with which the C library could
        not start a thread. The canary proves that they are absent, or at least harmless.
        What it knows by another name only is named that way, too.
        """
        profile = json.loads(self.text)
        rules = profile.get("syscalls", ())
        absent = [name for rule in rules if "errnoRet" in rule for name in rule["names"]]
        kept = [
            rule | {"names": [*rule["names"], *_sentry_names(rule["names"])]}
            for rule in rules
            if "errnoRet" not in rule
        ]
        return json.dumps(
            profile | {"syscalls": [*kept, {"names": absent, "action": "SCMP_ACT_ALLOW"}]}
        )


def _sentry_names(names: Iterable[str]) -> Iterator[str]:
    return (_SENTRY_NAMES[name] for name in names if name in _SENTRY_NAMES)


def load_seccomp_profile() -> SeccompProfile:
    """Read our profile, which is installed beside this module.

    Raises:
        UnsafeConfigurationError: It is missing, or does not deny by default.
    """
    try:
        text = files("stratlab.sandbox").joinpath("seccomp.json").read_text("utf-8")
    except OSError as error:
        raise UnsafeConfigurationError(
            "the seccomp profile is missing", hint="Install stratlab again."
        ) from error
    return parse_seccomp_profile(text)


def parse_seccomp_profile(text: str) -> SeccompProfile:
    """Check that ``text`` is a profile that denies what it does not name.

    Raises:
        UnsafeConfigurationError: It is no JSON, or allows by default.
    """
    try:
        default = json.loads(text)["defaultAction"]
    except (ValueError, TypeError, KeyError) as error:
        raise UnsafeConfigurationError("the seccomp profile cannot be read") from error
    if default != "SCMP_ACT_ERRNO":
        raise UnsafeConfigurationError(f"the seccomp profile's default action is {default!r}")
    return SeccompProfile(text, hashlib.sha256(text.encode()).hexdigest())
