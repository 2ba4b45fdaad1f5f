"""The example programs of docs/clients: what each needs, and how it is built and started."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "docs" / "clients"
CACHE = ROOT / ".cache" / "clients"
PROTOS = sorted((ROOT / "proto" / "stratlab" / "v1").glob("*.proto"))
BUF = Path(sys.executable).with_name("buf")
NODE_MAJOR = 18  # the oldest that the program supports


@dataclass(frozen=True)
class Language:
    """One example program.

    Attributes:
        name: Its folder in docs/clients.
        missing: Names what cannot be found on this machine.
        command: Builds the program where it has to be built; returns how to start it.
    """

    name: str
    missing: Callable[[], list[str]]
    command: Callable[[], list[str]]


def _run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _not_found(*programs: str) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _missing_for_node() -> list[str]:
    if missing := _not_found("node"):
        return missing
    if not _succeeds(
        "node", "-e", f"process.exit(+(parseInt(process.versions.node) < {NODE_MAJOR}))"
    ):
        return [f"Node {NODE_MAJOR} or newer"]
    installed = CLIENTS / "node" / "node_modules" / ".stratlab-lock"
    wanted = CLIENTS / "node" / "package-lock.json"
    if not installed.is_file() or installed.read_bytes() != wanted.read_bytes():
        return ["the Node packages of docs/clients/node"]
    return []


def _missing_for_ruby() -> list[str]:
    if missing := _not_found("ruby", "grpc_tools_ruby_protoc"):
        return missing
    return [] if _succeeds("ruby", "-e", 'require "grpc"') else ["ruby-grpc"]


def _ruby() -> list[str]:
    lib = CACHE / "ruby"
    lib.mkdir(parents=True, exist_ok=True)
    _run(
        "grpc_tools_ruby_protoc",
        *("-I", ROOT / "proto"),
        f"--ruby_out={lib}",
        f"--grpc_out={lib}",
        *PROTOS,
        folder=lib,
    )
    return ["ruby", "-I", str(lib), str(CLIENTS / "ruby" / "client.rb")]


def _missing_for_cpp() -> list[str]:
    if missing := _not_found("g++", "make", "protoc", "grpc_cpp_plugin", "pkg-config"):
        return missing
    return [] if _succeeds("pkg-config", "--exists", "grpc++", "protobuf") else ["libgrpc++-dev"]


def _cpp_inputs() -> Iterator[bytes]:
    source = CLIENTS / "cpp"
    for path in (source / "client.cc", source / "Makefile", CLIENTS / "google_rpc.proto", *PROTOS):
        yield path.read_bytes()
    for command in (["g++", "--version"], ["pkg-config", "--modversion", "grpc++", "protobuf"]):
        yield subprocess.run(command, capture_output=True, timeout=60, check=True).stdout


def _cpp() -> list[str]:
    digest = hashlib.sha256(b"\0".join(_cpp_inputs())).hexdigest()[:16]
    build = CACHE / f"cpp-{digest}"
    if not (build / "client").exists():
        for outdated in CACHE.glob("cpp-*"):
            shutil.rmtree(outdated)
        _run("make", "-j2", f"BUILD={build}", folder=CLIENTS / "cpp")
    return [str(build / "client")]


LANGUAGES = {
    language.name: language
    for language in (
        Language(
            "node",
            missing=_missing_for_node,
            command=lambda: ["node", str(CLIENTS / "node" / "client.js")],
        ),
        Language("ruby", missing=_missing_for_ruby, command=cache(_ruby)),
        Language("cpp", missing=_missing_for_cpp, command=cache(_cpp)),
        Language(
            "buf-curl",
            missing=lambda: _not_found(str(BUF), "bash", "jq"),
            command=lambda: ["bash", str(CLIENTS / "buf-curl" / "client.sh")],
        ),
        Language(
            "python",
            missing=list,
            command=lambda: [sys.executable, str(CLIENTS / "python" / "client.py")],
        ),
    )
}
