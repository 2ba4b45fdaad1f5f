"""Homes, streams, signals and ports as nobody should have them: an exit code and words, always."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bad_input.conftest import Ended
from tests.bad_input.served import PROGRAM, Stratlab

from stratlab.cli import entry, interrupts
from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.logs import logging_to

Program = Callable[..., Ended]

HOMES = {
    "a-file": "file",
    "below-a-file": "file/x",
    "a-loop": "loop",
    "nobodys": "~no-such-user/x",
    "nowhere": "/proc/x",
    "long-name": "n" * 300,
    "long-path": "/".join(["x" * 200] * 30),
    "a-device": "/dev/full",
    "bytes": "h\udcff",
    "a-question": "a?b",
    "nul": "a\0b",
}
COMMANDS = ["data list", "campaign list", "audit verify", "data build us-daily", "serve", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES.keys())
def test_home_that_cannot_be_one_is_usage(
    run: Program, tmp_path: Path, home: str, command: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    ended = run("--home", home, *command.split(), "--json")
    record = json.loads(ended.out)
    if command == "doctor" and "checks" in record:
        assert ended.code == ExitCode.INFRASTRUCTURE
        failed = [check for check in record["checks"] if not check["ok"]]
        assert "store" in {check["name"] for check in failed}
        assert all(check["remedy"] for check in failed)
    else:
        assert ended.code == ExitCode.USAGE, ended.err
        assert record["error"]["type"] == "INVALID_INPUT"
        assert record["error"]["hint"]


def test_home_in_the_environment_that_is_empty_is_usage(
    run: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATLAB_HOME", "")
    assert run("data", "list").code == ExitCode.USAGE


def test_directory_of_something_else_is_refused_and_stays_as_it_was(
    run: Program, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    (shared / "documents").mkdir(parents=True)
    shared.chmod(0o755)
    ended = run("--home", str(shared), "data", "list", "--json")
    assert ended.code == ExitCode.USAGE
    assert json.loads(ended.out)["error"]["type"] == "UNSAFE_CONFIGURATION"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert [path.name for path in shared.iterdir()] == ["documents"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRATLAB_CONFIG", "/no/such/file.toml"),
        ("STRATLAB_CONFIG", "/"),
        ("STRATLAB_SERVER__DRAIN_SECONDS", "inf"),
        ("STRATLAB_SANDBOX__STARTUP_SECONDS", "nan"),
        ("STRATLAB_SANDBOX__NOPE", "1"),
        ("STRATLAB_SANDBOX", "x"),
    ],
)
def test_setting_that_cannot_be_used_is_named(
    run: Program, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ended = run("data", "list", "--json")
    assert ended.code == ExitCode.USAGE
    error = json.loads(ended.out)["error"]
    assert error["message"].startswith("settings: ")
    assert "STRATLAB_*" in error["hint"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:/proc/x/y.sock", "INVALID_INPUT"),
        ("unix:{}/file/y.sock", "INVALID_INPUT"),
        ("unix:{}/open/y.sock", "UNSAFE_CONFIGURATION"),
        ("unix:{}/own/file", "UNSAFE_CONFIGURATION"),
        ("unix:{}/own/taken.sock", "ALREADY_EXISTS"),
    ],
)
def test_socket_that_cannot_be_served_is_typed(
    run: Program, tmp_path: Path, address: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "own" / "file").touch()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "own" / "taken.sock"))
        other.listen()
        home = ("--home", str(tmp_path / "home"), "--address", address.format(tmp_path))
        ended = run(*home, "serve", "--json")
    assert ended.code == ExitCode.USAGE
    error = json.loads(ended.out)["error"]
    assert error["type"] == reason
    assert error["hint"]
    assert "chmod 700 /" not in error["hint"]  # never the way to break a machine


def test_port_in_use_is_typed_and_doctor_finds_it_before(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ("--home", str(tmp_path / "home"))
    assert run(*home, "token", "create", "me", "--role", "viewer").code == ExitCode.OK
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("STRATLAB_SERVER__LISTEN", f"127.0.0.1:{other.getsockname()[1]}")
        ended = run(*home, "serve", "--json")
        assert ended.code == ExitCode.USAGE
        assert json.loads(ended.out)["error"]["type"] == "ALREADY_EXISTS"
        checks = json.loads(run(*home, "doctor", "--json").out)["checks"]
    (port,) = [check for check in checks if check["name"] == "port"]
    assert not port["ok"]
    assert "ss -ltnp" in port["remedy"]


def program(*arguments: str, home: Path, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "STRATLAB_HOME": str(home), **options.pop("environment", {})}
    return subprocess.Popen(
        [PROGRAM, *arguments], env=environment, stderr=subprocess.PIPE, **options
    )


def end(started: subprocess.Popen[bytes], timeout: float = 60) -> tuple[int, str]:
    with started:
        _, err = started.communicate(timeout=timeout)
    text = (err or b"").decode()
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    return started.returncode, text


@pytest.mark.parametrize("arguments", [("--help",), ("data", "list", "--json"), ("doctor",)])
def test_output_that_cannot_be_written_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        code, err = end(program(*arguments, home=tmp_path / "h", stdout=full))
    assert code == ExitCode.INFRASTRUCTURE
    assert "no space is left" in err


def test_streams_that_are_closed_change_nothing_but_the_words(tmp_path: Path) -> None:
    shell = f"exec {PROGRAM} --home {tmp_path}/h data describe nope"
    for closed in (">&-", "2>&-", ">&- 2>&- <&-"):
        done = subprocess.run(
            ["sh", "-c", f"{shell} {closed}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == ExitCode.USAGE
        assert "Traceback" not in done.stderr


def test_reader_that_leaves_early_is_no_accident(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    code, err = end(program("doctor", home=tmp_path / "h", stdout=write))
    os.close(write)
    assert code == ExitCode.INTERRUPTED
    assert err == ""


def test_json_is_json_where_the_terminal_has_no_unicode(tmp_path: Path) -> None:
    with program(
        *("backtest", "\u00e9\u4e16.py", "--json"),
        home=tmp_path / "h",
        stdout=subprocess.PIPE,
        environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    ) as started:
        out, err = started.communicate(timeout=60)
    assert "\u00e9\u4e16.py" in json.loads(out.decode("ascii"))["error"]["message"]
    assert b"Traceback" not in err


@pytest.mark.parametrize("columns", ["0", "1", "7"])
def test_narrow_terminal_gets_words_all_the_same(tmp_path: Path, columns: str) -> None:
    with program(
        *("campaign", "--help"),
        home=tmp_path / "h",
        stdout=subprocess.PIPE,
        environment={"COLUMNS": columns, "NO_COLOR": "1", "TERM": "dumb"},
    ) as started:
        out, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (0, b"")
    assert b"\x1b" not in out


@pytest.mark.parametrize("delay", [0.03, 0.08, 0.15, 0.3, 0.6])
def test_interrupt_at_any_moment_is_130_without_a_trace(tmp_path: Path, delay: float) -> None:
    started = program("campaign", "watch", "x", home=tmp_path / "h", stdout=subprocess.PIPE)
    time.sleep(delay)
    started.send_signal(signal.SIGINT)
    with started:
        _, err = started.communicate(timeout=60)
    # Before our first line Python itself ends it; late, there is no server.
    assert started.returncode in {ExitCode.INTERRUPTED, ExitCode.INFRASTRUCTURE, -signal.SIGINT}
    ours = str(Path(entry.__file__).parent.parent)
    assert ours.encode() not in err
    assert started.returncode == -signal.SIGINT or b"Traceback" not in err


def test_second_interrupt_explains_and_the_third_leaves(tmp_path: Path) -> None:
    code = (
        "import time; from stratlab.cli import interrupts; interrupts.install()\n"
        "try:\n    print('ready', flush=True); time.sleep(30)\n"
        "except KeyboardInterrupt:\n    print('ending', flush=True); time.sleep(30)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout.readline() == "ready\n"
        started.send_signal(signal.SIGINT)
        assert started.stdout.readline() == "ending\n"
        started.send_signal(signal.SIGTERM)
        assert "once more leaves at once" in started.stderr.readline()
        started.send_signal(signal.SIGINT)
        assert started.wait(10) == interrupts.INTERRUPTED


def test_log_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    import structlog  # noqa: PLC0415 (configured by the context)

    with Path("/dev/full").open("w") as full, logging_to(full):
        structlog.get_logger("test").warning("lost", size="x" * 100_000)
    gone = (tmp_path / "log").open("w")
    with logging_to(gone):
        gone.close()
        structlog.get_logger("test").warning("lost")


def test_server_whose_log_is_full_serves_on(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir(mode=0o700)
    with Stratlab(tmp_path / "h", STRATLAB_SANDBOX__ENGINE=f"unix://{tmp_path}/none.sock") as lab:
        lab.serve(Path("/dev/full"))
        assert lab.json("campaign", "list") == []
        assert lab.stop() == 0
