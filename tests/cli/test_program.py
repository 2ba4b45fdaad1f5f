"""The program as a whole: help, versions, exit codes, and no traceback on any input."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.conftest import Ended

from stratlab.cli import data as data_commands
from stratlab.cli.exit_codes import EPILOG, MEANINGS, ExitCode, error_exit_code
from stratlab.cli.main import main
from stratlab.client.errors import error_classes
from stratlab.domain.errors import StratlabError

Program = Callable[..., Ended]
HEAVY = (
    "grpc",
    "pydantic",
    "google.protobuf",
    "structlog",
    "pandas",
    "sqlalchemy",
    "numpy",
    "yaml",
)
CAMPAIGN = ("create", "run", "list", "show", "watch", "pause", "resume", "cancel")
COMMANDS = [
    *("serve", "doctor", "health", "validate", "backtest", "report", "audit-verify"),
    *(f"campaign-{verb}" for verb in CAMPAIGN),
    *(f"data-{verb}" for verb in ("list", "describe", "verify", "build")),
    *(f"token-{verb}" for verb in ("create", "list", "revoke")),
]

INTEGRITY = {"INTEGRITY", "DATA_SET_CORRUPT", "AUDIT_BROKEN"}
FAILED = {
    "INTERNAL",
    "UNAVAILABLE",
    "SERVER_UNREACHABLE",
    "SERVER_STOPPING",
    "ENGINE_UNAVAILABLE",
    "SANDBOX_NOT_READY",
    "MODEL_UNAVAILABLE",
    "INFRASTRUCTURE",
    "ENGINE_ERROR",
    "STORE_ERROR",
    "DISK_FULL",
}


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, stratlab.cli.main; print([m for m in {HEAVY} if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_help_names_every_command_and_exit_code(stratlab: Program) -> None:
    ended = stratlab("--help")
    assert ended.code == 0
    words = re.sub(r"\W+", " ", ended.out)
    for command in {command.split("-")[0] for command in COMMANDS}:
        assert command in words
    assert re.sub(r"\W+", " ", EPILOG).strip() in words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(stratlab: Program, command: str) -> None:
    ended = stratlab(*command.split("-"), "--help")
    assert ended.code == 0
    assert "--json" in ended.out


def test_exit_codes_of_docs_and_program_are_the_same() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", text, flags=re.MULTILINE))
    assert rows == {str(code.value): meaning for code, meaning in MEANINGS.items()}
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("kind", error_classes().values(), ids=lambda kind: kind.reason)
def test_every_error_class_has_its_exit_code(kind: type[StratlabError]) -> None:
    expected = 5 if kind.reason in INTEGRITY else 4 if kind.reason in FAILED else 2
    assert error_exit_code(kind("x")) == expected


def test_version_is_the_packages(stratlab: Program) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", stratlab("--version").out)


@pytest.mark.parametrize(
    "arguments", [["--bogus"], ["bogus"], ["campaign", "show"], ["backtest"], ["audit", "x"]]
)
def test_wrong_usage_is_2_with_one_error_line(stratlab: Program, arguments: list[str]) -> None:
    ended = stratlab(*arguments)
    assert ended.code == ExitCode.USAGE
    assert ended.err.startswith("error: ")
    record = json.loads(stratlab(*arguments, "--json").out)
    assert record["error"]["type"] == "INVALID_INPUT"


def test_unexpected_error_is_one_line_and_a_log(
    stratlab: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken(_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(data_commands, "_data_sets", broken)
    ended = stratlab("data", "list", "--json")
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert len(ended.err.splitlines()) == 2
    assert "secret detail" not in ended.err
    log = Path(json.loads(ended.out)["error"]["log"])
    assert "RuntimeError: secret detail" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_interrupt_is_130(stratlab: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(data_commands, "_data_sets", interrupted)
    assert stratlab("data", "list").code == ExitCode.INTERRUPTED


def test_reader_that_goes_away_is_no_error(home: Path) -> None:
    code = "from stratlab.cli.main import run; run()"
    program = subprocess.Popen(
        [sys.executable, "-c", code, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    program.stdout.close()
    assert program.wait(timeout=30) == ExitCode.INTERRUPTED
    assert program.stderr.read() == b""
    program.stderr.close()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
options = st.sampled_from(
    """--json --params --start --end --symbols --data --capital --seed --cost-model --runtime
    --spec --market --gate --stop --iterations --name --after --output --strict --skip-screening
    a=1 2001-01-01 -1 --points --help""".split()  # noqa: SIM905 (a list would fill half a page)
)


@given(
    command=st.sampled_from(
        [command for command in COMMANDS if command not in {"serve", "doctor"}]
    ),
    arguments=st.lists(st.one_of(texts, options), max_size=5),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=150,
)
def test_any_arguments_end_with_a_code_of_the_table_and_no_traceback(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: list[str],
) -> None:
    # Nothing may be started: whatever gets that far ends there, typed.
    monkeypatch.setattr("stratlab.cli.connection.server_or_lab", no_lab)
    monkeypatch.setitem(sys.modules, "stratlab.bootstrap", None)
    code = main([*command.split("-"), *arguments])
    printed = capsys.readouterr()
    assert code in set(ExitCode)
    assert "Traceback" not in printed.out + printed.err
    if command == "backtest" and "--json" in arguments:
        json.loads(printed.out)


def no_lab(_: object) -> None:
    raise StratlabError("nothing is run in this test")
