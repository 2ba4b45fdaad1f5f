"""Generate docker/seccomp.json from profile.yaml, or check that it is current.

Usage: generate.py [--check]
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("profile.yaml")
TARGET = Path(__file__).parents[1] / "seccomp.json"
ENOSYS = 38
# Native calls only: the 32-bit and x32 entrances of the same kernel are closed.
ARCHITECTURES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")


def rules(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the filter rules of one group of allowed calls; a call passes if any one matches."""
    rule = {"names": sorted(group["calls"]), "action": "SCMP_ACT_ALLOW"}
    if "mask" in group:
        masked = {"value": group["mask"], "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        yield rule | {"args": [{"index": group["argument"], **masked}]}
    elif "one_of" in group:
        for value in group["one_of"].values():
            equal = {"value": value, "op": "SCMP_CMP_EQ"}
            yield rule | {"args": [{"index": group["argument"], **equal}]}
    else:
        yield rule


def profile(source: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in the engine's format."""
    syscalls = [rule for group in source["allowed"] for rule in rules(group)]
    for group in source["missing"]:
        names = sorted(group["calls"])
        syscalls.append({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": architecture, "subArchitectures": []} for architecture in ARCHITECTURES
        ],
        "syscalls": syscalls,
    }


def main() -> int:
    """Write the profile, or compare and return 1 on drift."""
    source = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    text = json.dumps(profile(source), indent=1) + "\n"
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if current != text:
        print("docker/seccomp.json is not current (run docker/seccomp/generate.py)")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
