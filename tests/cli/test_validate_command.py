"""``stratlab validate``: which files it judges, exit codes, smoke runs, files that fight back."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.api.fake_lab import ServedLab
from tests.cli.conftest import Ended
from tests.cli.strategies import BAD, CLEAN, WARNS, checkout

from stratlab.campaigns.backtest import BacktestReport
from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.validate import _asking
from stratlab.cli.validation.judging import judge_files
from stratlab.cli.validation.sources import find_paths
from stratlab.client import Client
from stratlab.domain.errors import EngineUnavailableError, InvalidInputError
from stratlab.domain.strategy import Finding, ScreeningReport, Severity
from stratlab.domain.trial import Limits
from stratlab.screening import SubprocessScreener

Program = Callable[..., Ended]


@pytest.fixture
def tree(home: Path, tmp_path: Path) -> Path:
    return checkout(tmp_path / "strategies")


def test_directory_is_searched_without_hidden_folders_in_stable_order(
    stratlab: Program, tree: Path
) -> None:
    ended = stratlab("validate", "strategies", "--json")
    record = json.loads(ended.out)
    paths = ["strategies/a.py", "strategies/b/c.py", "strategies/b/d.py"]
    assert [file["path"] for file in record["files"]] == paths
    assert [file["passed"] for file in record["files"]] == [True, True, False]
    assert [f["path"] for f in record["findings"]] == sorted(f["path"] for f in record["findings"])
    assert record["summary"] | {"warnings": 0} == {
        "files": 3,
        "passed": 2,
        "rejected": 1,
        "not_read": 0,
        "errors": 1,
        "warnings": 0,
    }
    assert not record["passed"]
    assert ended.code == ExitCode.STRATEGY
    assert ended.err.startswith("rejected: 3 files, 2 passed, 1 rejected, 1 error, ")
    assert stratlab("validate", "strategies", "--json") == ended


def test_files_and_directories_are_judged_once_each_in_the_order_given(
    stratlab: Program, tree: Path
) -> None:
    ended = stratlab("validate", "strategies/b/d.py", "strategies", "./strategies/a.py", "--json")
    paths = [file["path"] for file in json.loads(ended.out)["files"]]
    assert paths == ["strategies/b/d.py", "strategies/a.py", "strategies/b/c.py"]


@pytest.mark.parametrize(
    ("files", "flags", "code"),
    [
        (["a.py"], [], ExitCode.OK),
        (["a.py"], ["--strict"], ExitCode.OK),
        (["a.py", "b/c.py"], [], ExitCode.OK),
        (["a.py", "b/c.py"], ["--strict"], ExitCode.WARNINGS),
        (["b/c.py", "b/d.py"], ["--strict"], ExitCode.STRATEGY),
        (["b/d.py", "missing.py"], [], ExitCode.USAGE),
        (["missing.py"], [], ExitCode.USAGE),
        (["b/.."], [], ExitCode.STRATEGY),
    ],
)
def test_exit_code_is_that_of_the_one_table(
    stratlab: Program, tree: Path, files: list[str], flags: list[str], code: ExitCode
) -> None:
    paths = [str(tree / file) for file in files]
    assert stratlab("validate", *paths, *flags).code == code


def test_links_pipes_and_loops_neither_hang_nor_repeat(
    stratlab: Program, tree: Path, tmp_path: Path
) -> None:
    (tree / "loop.py").symlink_to("loop.py")
    (tree / "gone.py").symlink_to("nowhere.py")
    (tree / "twin.py").symlink_to("a.py")
    (tree / "up").symlink_to(tree)
    os.mkfifo(tree / "pipe.py")
    (tree / "folder.py").mkdir()
    (tree / "huge.py").write_bytes(b"#" * 2_000_000)
    (tree / "nul.py").write_bytes(b"x = 1\0\n")
    (tree / "empty.py").write_bytes(b"")
    record = json.loads(stratlab("validate", "strategies", "--json").out)
    problems = {f["path"]: f["error"]["type"] for f in record["files"] if f["error"]}
    assert problems == {
        "strategies/empty.py": "INVALID_SOURCE",
        "strategies/gone.py": "INVALID_INPUT",
        "strategies/huge.py": "INVALID_SOURCE",
        "strategies/loop.py": "INVALID_INPUT",
        "strategies/nul.py": "INVALID_SOURCE",
    }
    judged = [file["path"] for file in record["files"] if not file["error"]]
    assert judged == [
        "strategies/a.py",
        "strategies/twin.py",
        "strategies/b/c.py",
        "strategies/b/d.py",
    ]


def test_source_that_screening_cannot_survive_is_a_finding(
    stratlab: Program, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "deep.py").write_text("x = " + "(" * 3000 + "1" + ")" * 3000 + "\n")
    (tmp_path / "wide.py").write_text("x = " + "+".join(["1"] * 60_000) + "\n")
    ended = stratlab("validate", "deep.py", "wide.py", "--json")
    assert ended.code == ExitCode.STRATEGY
    assert json.loads(ended.out)["summary"]["rejected"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["empty"],
        ["none.py"],
        ["a\0b"],
        ["strategies", "--smoke", "--seconds", "0"],
        ["strategies", "--format", "xml"],
        [],
    ],
)
def test_wrong_usage_says_what_to_do(stratlab: Program, tree: Path, arguments: list[str]) -> None:
    Path("empty").mkdir()
    ended = stratlab("validate", *arguments)
    assert ended.code == ExitCode.USAGE
    assert ended.out == ""
    assert "  next: " in ended.err


def test_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: object) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    if os.geteuid() == 0:
        # Root may read everything; what the walk does with an error is the same.
        real = os.scandir

        def scandir(path: object) -> object:
            if str(path).endswith("closed"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)  # type: ignore[call-overload]

        monkeypatch.setattr(os, "scandir", scandir)  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match="closed cannot be read"):
        find_paths([tmp_path])


def test_nothing_is_made_and_no_server_is_needed(stratlab: Program, tree: Path, home: Path) -> None:
    assert stratlab("validate", "strategies").code == ExitCode.STRATEGY
    assert list(home.iterdir()) == []


def test_server_elsewhere_judges_as_we_do(served: ServedLab) -> None:
    with Client(served.address) as client:
        judge = _asking(client, None)
        for source in (CLEAN, WARNS, BAD):
            assert judge(source).findings == SubprocessScreener().screen(source).findings


def test_smoke_run_is_asked_of_the_server_with_its_settings(
    served: ServedLab, stratlab: Program, tree: Path
) -> None:
    finding = Finding("smoke", "strategy_error", Severity.ERROR, 3, 0, "ValueError: no", "Mend it.")
    served.lab.backtester.report = BacktestReport(None, ScreeningReport((finding,)), Limits())
    ended = stratlab(
        *("validate", "strategies/a.py", "--smoke", "--data", "synthetic", "--symbols", "AAPL"),
        *("--params", "window=5,threshold=0.5", "--seconds", "7", "--json"),
    )
    assert ended.code == ExitCode.STRATEGY
    (shown,) = json.loads(ended.out)["findings"]
    assert (shown["layer"], shown["rule"], shown["line"]) == ("smoke", "strategy_error", 3)
    (request,) = served.lab.backtester.requests
    assert (request.data_set, request.symbols) == ("synthetic", ("AAPL",))
    assert request.parameters == {"window": 5, "threshold": 0.5}
    assert request.limits == Limits(cpu_seconds=7, wall_seconds=7)
    assert request.source == CLEAN


def test_smoke_run_without_an_engine_is_infrastructure(
    served: ServedLab, stratlab: Program, tree: Path
) -> None:
    served.lab.backtester.error = EngineUnavailableError("no engine answers")
    ended = stratlab("validate", "strategies", "--smoke", "--json")
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert json.loads(ended.out)["error"]["type"] == "ENGINE_UNAVAILABLE"


def test_files_are_judged_in_parallel_and_an_error_ends_all(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.py").write_text(WARNS)
    paths = find_paths([tmp_path])
    running, most, lock = 0, 0, threading.Lock()

    def judge(source: str) -> ScreeningReport:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return ScreeningReport()

    reports = judge_files(paths, judge, quiet=True)
    assert [report.path for report in reports] == paths
    assert most == min(os.cpu_count() or 1, 40)
    begun: list[str] = []

    def fail(source: str) -> ScreeningReport:
        begun.append(source)
        raise EngineUnavailableError("gone")

    with pytest.raises(EngineUnavailableError):
        judge_files(paths, fail, quiet=True)
    assert len(begun) < 40
