"""The engine wrapper against engines that are missing, refuse, or answer nonsense."""

import gc
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from stratlab.domain.errors import (
    EngineError,
    EngineUnavailableError,
    SandboxNotReadyError,
    StratlabError,
    UnsafeConfigurationError,
)
from stratlab.sandbox.canary import REMEDIES, CanaryReport, LimitFinding
from stratlab.sandbox.diagnosis import describe_limits, diagnose
from stratlab.sandbox.engine import IMAGE_LABEL, DockerEngine
from stratlab.settings import SandboxSettings


class Answers:
    """What the next calls of the engine get: method and path -> (status, body)."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, object]] = {}
        self.calls: list[str] = []

    def put(self, call: str, status: int, body: object = None) -> None:
        self.rows[call] = (status, body)

    def find(self, call: str) -> tuple[int, object]:
        self.calls.append(call)
        for key, answer in self.rows.items():
            if key in call:
                return answer
        return 404, {"message": "nothing"}


@pytest.fixture
def answers() -> Answers:
    made = Answers()
    made.put("GET /version", 200, {"ApiVersion": "1.41", "Components": []})
    return made


@pytest.fixture
def engine(answers: Answers) -> Iterator[DockerEngine]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers.find(f"{self.command} {self.path}")
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "local"

    with TemporaryDirectory(prefix="sl-") as folder:
        path = f"{folder}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            made = DockerEngine(f"unix://{path}")
            yield made
            made.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:2375", "ssh://host", "/var/run/docker.sock"])
def test_engine_that_is_not_a_unix_socket_is_refused(address: str) -> None:
    with pytest.raises(UnsafeConfigurationError, match="not a unix socket"):
        DockerEngine(address)


def test_docker_host_in_the_environment_that_is_remote_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(UnsafeConfigurationError, match="DOCKER_HOST"):
        DockerEngine().ping()


# The SDK leaves the socket of a failed connection to the garbage collector.
leaves_sockets = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@leaves_sockets
def test_no_engine_is_unavailable_with_a_remedy(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/missing.sock")
    for call in (engine.ping, engine.info, lambda: engine.kill("x"), lambda: engine.state("x")):
        with pytest.raises(EngineUnavailableError, match="make engine"):
            call()
    gc.collect()


@leaves_sockets
def test_engine_that_hangs_is_unavailable_in_time_and_nobody_waits_in_turn(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "docker.sock"))
        silent.listen(16)
        engine = DockerEngine(f"unix://{tmp_path}/docker.sock", timeout_seconds=1)
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(engine.kill, f"c{number}") for number in range(4)]
            for answer in asked:
                with pytest.raises(EngineUnavailableError, match="did not answer"):
                    answer.result()
        assert time.monotonic() - began < 2.5
        engine.close()
    gc.collect()


def test_image_of_ours_resolves_to_its_id(engine: DockerEngine, answers: Answers) -> None:
    body = {"Id": "sha256:abc", "Config": {"Labels": {IMAGE_LABEL: "123"}}}
    answers.put("/images/ours/json", 200, body)
    assert engine.resolve_image("ours") == "sha256:abc"


@pytest.mark.parametrize("config", [{}, {"Labels": None}, {"Labels": {"x": "y"}}, None])
def test_image_without_our_label_is_refused(
    engine: DockerEngine, answers: Answers, config: object
) -> None:
    answers.put("/images/other/json", 200, {"Id": "sha256:abc", "Config": config})
    with pytest.raises(SandboxNotReadyError, match="not built by stratlab"):
        engine.resolve_image("other")


def test_image_missing_is_not_ready_with_a_remedy(engine: DockerEngine, answers: Answers) -> None:
    answers.put("/images/", 404, {"message": "No such image: x"})
    with pytest.raises(SandboxNotReadyError, match="make image"):
        engine.resolve_image("x")


def test_create_with_a_missing_image_is_not_ready(engine: DockerEngine, answers: Answers) -> None:
    answers.put("POST /v1.41/containers/create", 404, {"message": "No such image: sha256:x"})
    with pytest.raises(SandboxNotReadyError):
        engine.create("x", {"Image": "sha256:x"})


@pytest.mark.parametrize("status", [400, 409, 500])
@pytest.mark.parametrize(
    ("route", "call"),
    [
        ("POST /v1.41/containers/create", lambda engine: engine.create("x", {})),
        ("POST /v1.41/containers/x/start", lambda engine: engine.start("x")),
    ],
)
def test_refusal_of_create_or_start_is_an_engine_error_with_the_engine_s_words(
    engine: DockerEngine,
    answers: Answers,
    status: int,
    route: str,
    call: Callable[[DockerEngine], None],
) -> None:
    answers.put(route, status, {"message": "no space left"})
    with pytest.raises(EngineError, match="no space left") as caught:
        call(engine)
    assert caught.value.data["status"] == str(status)


@pytest.mark.parametrize("status", [404, 409])
def test_kill_and_remove_of_what_is_gone_or_going_is_fine(
    engine: DockerEngine, answers: Answers, status: int
) -> None:
    answers.put("POST /v1.41/containers/x/kill", status, {"message": "is not running"})
    answers.put("DELETE /v1.41/containers/x", status, {"message": "already in progress"})
    engine.kill("x")
    engine.remove("x")
    assert "force=True" in answers.calls[-1] or "force=1" in answers.calls[-1]


def test_kill_that_fails_otherwise_is_an_engine_error(
    engine: DockerEngine, answers: Answers
) -> None:
    answers.put("/kill", 500, {"message": "cannot kill"})
    with pytest.raises(EngineError, match="cannot kill"):
        engine.kill("x")


def test_state_reads_exit_code_and_memory_flag(engine: DockerEngine, answers: Answers) -> None:
    state = {"Running": False, "ExitCode": 137, "OOMKilled": True, "Error": ""}
    answers.put("/containers/x/json", 200, {"State": state})
    found = engine.state("x")
    assert (found.running, found.exit_code, found.oom_killed) == (False, 137, True)
    assert engine.state("missing") is None


def test_listing_gives_names_and_labels(engine: DockerEngine, answers: Answers) -> None:
    rows = [{"Names": ["/a"], "State": "exited", "Labels": {"l": "v"}}, {"Names": None}]
    answers.put("/containers/json", 200, rows)
    (found,) = engine.labelled("l", "v")
    assert (found.name, found.running, found.labels) == ("a", False, {"l": "v"})
    assert "all=1" in answers.calls[-1]


@pytest.mark.parametrize("body", [[], "text", {"State": 3}, {"State": {"ExitCode": "many"}}])
def test_answer_that_is_nonsense_is_one_of_our_errors(
    engine: DockerEngine, answers: Answers, body: object
) -> None:
    answers.put("/containers/x/json", 200, body)
    with pytest.raises(StratlabError):
        engine.state("x")


@leaves_sockets
def test_diagnosis_without_an_engine_says_what_to_do(tmp_path: Path) -> None:
    settings = SandboxSettings(engine=f"unix://{tmp_path}/missing.sock")
    lines = {line.name: line for line in diagnose(settings, tmp_path / "not" / "made")}
    assert not lines["engine"].ok
    assert "make engine" in lines["engine"].remedy
    assert lines["seccomp profile"].ok
    assert lines["disk space"].ok
    gc.collect()


def test_diagnosis_of_a_remote_engine_is_a_line_not_an_exception(tmp_path: Path) -> None:
    lines = diagnose(SandboxSettings(engine="tcp://127.0.0.1:1"), tmp_path)
    assert [line.ok for line in lines if line.name == "engine"] == [False]


def test_diagnosis_names_versions_runtimes_and_what_is_missing(
    engine: DockerEngine, answers: Answers, tmp_path: Path
) -> None:
    info = {
        "ServerVersion": "20.10",
        "KernelVersion": "6.1",
        "CgroupVersion": "2",
        "CgroupDriver": "none",
        "Driver": "vfs",
        "Runtimes": {"runc": {}},
        "SecurityOptions": ["name=seccomp,profile=default"],
        "NCPU": 2,
        "MemTotal": 1,
    }
    components = [{"Name": "runc", "Version": "1.1.5+ds1"}]
    answers.put("GET /version", 200, {"ApiVersion": "1.41", "Components": components})
    answers.put("GET /v1.41/version", 200, {"ApiVersion": "1.41", "Components": components})
    answers.put("/info", 200, info)
    answers.put("/images/", 404, {"message": "No such image: x"})
    settings = SandboxSettings(engine=engine._address, runtime="runsc")
    lines = {line.name: line for line in diagnose(settings, tmp_path)}
    assert "runc 1.1.5+ds1" in lines["engine"].detail
    assert "1.1.12" in lines["runc CVE-2024-21626"].detail
    failed = {name for name, line in lines.items() if not line.ok}
    assert failed == {"cgroups", "storage driver", "runtime", "image"}
    assert all(lines[name].remedy for name in failed)


@pytest.mark.parametrize(
    ("commit", "found"),
    [
        ("1.1.5+ds1-1+deb12u1", "1.1.5+ds1-1+deb12u1"),
        ("v1.1.5-0-gf19387a6", "1.1.5+ds1"),
        ("", "1.1.5+ds1"),
    ],
)
def test_version_of_a_component_is_that_of_its_package_where_the_engine_tells(
    engine: DockerEngine, answers: Answers, commit: str, found: str
) -> None:
    components = [{"Name": "runc", "Version": "1.1.5+ds1"}]
    answers.put("GET /version", 200, {"ApiVersion": "1.41", "Components": components})
    answers.put("GET /v1.41/version", 200, {"ApiVersion": "1.41", "Components": components})
    answers.put("/info", 200, {"RuncCommit": {"ID": commit}})
    assert engine.info().components["runc"] == found


def test_limits_of_a_canary_report_become_lines_with_remedies() -> None:
    findings = tuple(LimitFinding(name, name != "memory", "seen") for name in REMEDIES)
    lines = describe_limits(CanaryReport("sha256:a", "runc", "d", findings, 1.0))
    assert len(lines) == len(REMEDIES)
    assert [line.remedy for line in lines if not line.ok] == [REMEDIES["memory"]]
