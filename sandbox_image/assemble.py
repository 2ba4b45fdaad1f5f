"""Compose the file system of the sandbox image from what its programs need.

Usage: assemble.py TARGET

Copies the interpreter, its standard library, the virtual environment at /opt/stratlab and the
shared libraries that any of them is linked with; everything is byte-compiled. What is not copied
is not in the image: no shell, no package manager, no setuid file.
"""

import compileall
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path
from py_compile import PycInvalidationMode

ENVIRONMENT = Path("/opt/stratlab")
STDLIB = Path(sysconfig.get_path("stdlib"))
INTERPRETER = Path(sys.executable).resolve()
# Programs, editors and installers that no backtest needs.
STDLIB_WITHOUT = (
    "_tkinter*",
    "config-*",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
    "__pycache__",
)
# The rest are sources of compiled modules, of which TA-Lib alone brings 20 MB.
ENVIRONMENT_WITHOUT = ("__pycache__", "[Aa]ctivate*", "*.c", "*.pxd", "*.pxi", "*.pyx")
# A fifth of the environment; these packages run without their tests, others import them.
WITHOUT_TESTS = ("networkx", "numpy", "pandas", "scipy", "statsmodels")
# Opened by name at run time, so no program is linked with it.
LOADED_BY_NAME = "libgcc_s.so.1"
MOUNT_POINTS = ("data", "dev", "etc", "input", "output", "proc", "run/stratlab", "sys", "tmp")
ACCOUNTS = "root:x:0:0:root:/:/nonexistent\nsandbox:x:65532:65532:sandbox:/tmp:/nonexistent\n"
GROUPS = "root:x:0:\nsandbox:x:65532:\n"


def binaries(tree: Path) -> list[Path]:
    """Return the programs and shared libraries below a directory."""

    def is_elf(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"

    return [path for path in tree.rglob("*") if path.is_file() and is_elf(path)]


def shared_libraries(programs: Collection[Path], target: Path) -> set[Path]:
    """Return the files of the base that the programs are linked with.

    Args:
        programs: Already copied.
        target: Below which they are.

    Raises:
        RuntimeError: A library is missing, so the image could not work.
    """
    # Wheels bring libraries that find each other only through the module that loads them first.
    bundled = {program.name for program in programs}
    listing = subprocess.run(  # noqa: S603 (a fixed program on our own files)
        ["/usr/bin/ldd", *map(str, programs)], capture_output=True, text=True, check=False
    ).stdout
    found: set[Path] = set()
    for line in listing.splitlines():
        if not line.startswith("\t"):  # the name of the next program
            continue
        name, arrow, resolved = line.strip().partition(" => ")
        if resolved.startswith("not found") and name not in bundled:
            raise RuntimeError(f"{name} is missing in the base image")
        path = Path((resolved if arrow else name).split(" (")[0])
        if path.is_absolute() and not path.is_relative_to(target):
            found.add(path)
    return found


def copy_file(source: Path, target: Path) -> None:
    """Copy what ``source`` names or links to, to the same place below ``target``."""
    destination = target / source.relative_to("/")
    if not destination.exists():
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.resolve(), destination)


def copy_tree(source: Path, target: Path, without: tuple[str, ...]) -> Path:
    """Copy a directory to the same place below ``target`` and return that place."""
    destination = target / source.relative_to("/")
    ignore = shutil.ignore_patterns(*without)
    return Path(shutil.copytree(source, destination, symlinks=True, ignore=ignore))


def compile_tree(tree: Path, target: Path) -> None:
    """Byte-compile all modules of a directory below ``target``."""
    compileall.compile_dir(
        tree,
        stripdir=str(target),
        prependdir="/",
        quiet=2,
        workers=0,
        maxlevels=64,
        # The files never change, so the interpreter need not look at their dates.
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )


def copy_environment(target: Path) -> None:
    """Copy the virtual environment and the standard library, byte-compiled."""
    environment = copy_tree(ENVIRONMENT, target, ENVIRONMENT_WITHOUT)
    for package in WITHOUT_TESTS:
        for tests in list((environment / "lib/python3.11/site-packages" / package).rglob("tests")):
            shutil.rmtree(tests)
    for script in (environment / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    compile_tree(environment / "lib", target)
    compile_tree(copy_tree(STDLIB, target, STDLIB_WITHOUT), target)


def copy_libraries(target: Path) -> None:
    """Copy the interpreter and every shared library in use, and write the loader's cache."""
    copy_file(INTERPRETER, target)
    for library in shared_libraries(binaries(target), target):
        copy_file(library, target)
        if (library.parent / LOADED_BY_NAME).exists():
            copy_file(library.parent / LOADED_BY_NAME, target)
    # An interpreter below /usr/local finds its own library only through the cache.
    for configuration in [Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")]:
        copy_file(configuration, target)
    subprocess.run(["/sbin/ldconfig", "-r", str(target)], check=True)  # noqa: S603 (fixed program)


def assemble(target: Path) -> None:
    """Write the whole file system below ``target``."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (target / "usr" / name).mkdir(parents=True, exist_ok=True)
        if (Path("/") / name).is_symlink():  # the base links /lib and friends into /usr
            (target / name).symlink_to(f"usr/{name}")
    copy_environment(target)
    copy_libraries(target)
    for name in MOUNT_POINTS:
        (target / name).mkdir(parents=True, exist_ok=True)
    (target / "tmp").chmod(0o1777)
    (target / "etc/passwd").write_text(ACCOUNTS)
    (target / "etc/group").write_text(GROUPS)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
