"""Published weaknesses of the programs below the sandbox, and the versions without them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, final

REVIEWED: Final = "2025-11"
"""When the table was last compared with its sources; newer weaknesses are not in it."""


@final
@dataclass(frozen=True, slots=True)
class Weakness:
    """One published weakness.

    Attributes:
        component: As the engine names it.
        name: CVE number.
        fixed: First versions without it, one for each maintained line, oldest first.
        debian: First Debian version that has the fix although its number is lower; "" for none
            that this table knows of.
        effect: What it lets an attacker do here.
    """

    component: str
    name: str
    fixed: tuple[str, ...]
    effect: str
    debian: str = ""


WEAKNESSES: Final = (
    Weakness(
        "runc",
        "CVE-2024-21626",
        ("1.1.12",),
        "a leaked descriptor lets a container's working directory lie on the host",
        debian="1.1.5+ds1-1+deb12u1",
    ),
    Weakness(
        "runc",
        "CVE-2024-45310",
        ("1.1.14", "1.2.0"),
        "empty files can be made on the host through a shared volume",
    ),
    Weakness(
        "runc",
        "CVE-2025-31133",
        ("1.2.8", "1.3.3"),
        "masked paths can be replaced while a container starts (also CVE-2025-52565, -52881)",
    ),
    Weakness(
        "containerd",
        "CVE-2024-40635",
        ("1.6.38", "1.7.27", "2.0.4"),
        "a very large user id runs as root; stratlab's ids are far below",
    ),
    Weakness(
        "Engine",
        "CVE-2024-41110",
        ("23.0.15", "25.0.6", "26.1.5", "27.1.1"),
        "authorisation plugins can be passed by; matters where one is used",
    ),
)
"""Source: the projects' advisories on GitHub (opencontainers/runc GHSA-xr7r-f8xq-vfvm,
GHSA-jfvp-7x6p-h2pv, GHSA-9493-h29p-rfm2; containerd/containerd GHSA-265r-hfxg-fhmg; moby/moby
GHSA-v23v-6jw2-98fq) and Debian's security tracker (DSA-5615-1)."""


def open_weaknesses(components: Mapping[str, str]) -> Iterator[tuple[Weakness, str]]:
    """Yield each weakness that a version in use may have, and that version.

    Args:
        components: Name -> version, as the engine tells.
    """
    for weakness in WEAKNESSES:
        version = components.get(weakness.component, "")
        if _numbers(version) and not _is_fixed(version, weakness):
            yield weakness, version


def _is_fixed(version: str, weakness: Weakness) -> bool:
    if weakness.debian and _is_debian_fix(version, weakness.debian):
        return True
    numbers = _numbers(version)
    lines = [_numbers(fixed) for fixed in weakness.fixed]
    same_line = [fixed for fixed in lines if fixed[:2] == numbers[:2]]
    # A line of which the table says nothing is as good as the newest that it knows.
    return numbers >= (same_line[0] if same_line else lines[-1])


def _is_debian_fix(version: str, fixed: str) -> bool:
    # 1.1.5+ds1-1+deb12u1: the same upstream version and release, at least that update.
    pattern = re.compile(r"(.*\+deb\d+u)(\d+)")
    ours, theirs = pattern.fullmatch(version), pattern.fullmatch(fixed)
    return (
        ours is not None
        and theirs is not None
        and ours[1] == theirs[1]
        and int(ours[2]) >= int(theirs[2])
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
