"""Prints what is in the image, as JSON."""

import importlib.util
import json
import os
import stat
import sys
from pathlib import Path

SKIPPED = {Path("/proc"), Path("/sys"), Path("/dev"), Path("/inside")}
INSTALLERS = ("pip", "setuptools", "ensurepip", "tkinter", "pytest")


def main() -> None:
    setuid, programs, writable, sources, stale = [], [], [], [], []
    for directory, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if Path(directory, name) not in SKIPPED]
        for name in files:
            path = Path(directory, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                continue
            if mode & (stat.S_ISUID | stat.S_ISGID):
                setuid.append(str(path))
            if mode & stat.S_IWOTH:
                writable.append(str(path))
            if mode & 0o111 and path.parent.name in {"bin", "sbin"}:
                programs.append(str(path))
            if path.suffix == ".py" and "site-packages" in path.parts:
                sources.append(str(path))
                compiled = Path(importlib.util.cache_from_source(str(path)))
                if not compiled.exists():
                    stale.append(str(path))
    importable = [name for name in INSTALLERS if importlib.util.find_spec(name)]
    print(
        json.dumps(
            {
                "setuid": setuid,
                "programs": programs,
                "writable": writable,
                "sources": len(sources),
                "not_compiled": stale,
                "importable": importable,
                "python": list(sys.version_info[:2]),
            }
        )
    )


if __name__ == "__main__":
    main()
