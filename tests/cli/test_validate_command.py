"""``stratlab validate``: many files, every form of the result, exit codes, hostile files."""

import json
import os
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tests.api.fake_lab import ServedLab
from tests.cli.conftest import Ended

from stratlab.campaigns.backtest import BacktestReport
from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.validation.judging import judge_files
from stratlab.cli.validation.sources import find_paths
from stratlab.domain.errors import EngineUnavailableError, InvalidInputError
from stratlab.domain.strategy import Finding, ScreeningReport, Severity
from stratlab.domain.trial import Limits
from stratlab.screening.rules import RULES

Program = Callable[..., Ended]
SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text())

BAD = "def initialize(context):\n    eval('1')\n\n\ndef handle_data(context, data):\n    pass\n"
WARNS = "def initialize(context):\n    pass\n"
CLEAN = '''\
"""Buys a rise and leaves with a fixed risk."""
import logging

from stratlab_runner import lab
from zipline.api import record, symbol

log = logging.getLogger(__name__)


def initialize(context):
    context.asset = symbol(context.symbols[0])
    context.bracket = None


def signal(context, data):
    closes = data.history(context.asset, "close", context.params["window"], "1d")
    return closes.iloc[-1] / closes.iloc[0] - context.params["threshold"]


def enter(context, data, strength):
    price = data.current(context.asset, "price")
    risk = price * context.params["risk"]
    shares = context.params["shares"]
    if strength > context.params["confidence"] and is_free(context):
        context.bracket = lab.order_bracket(context.asset, shares, stop_distance=risk)
        log.info("entered at %s", price)


def is_free(context):
    bracket = context.bracket
    return bracket is None or not (bracket.is_pending or bracket.is_open)


def handle_data(context, data):
    if not data.can_trade(context.asset):
        return
    strength = signal(context, data)
    record(strength=strength)
    enter(context, data, strength)
'''


@pytest.fixture
def tree(home: Path, tmp_path: Path) -> Path:
    """A checkout with a clean, a warned, a rejected and an unreadable strategy."""
    folder = tmp_path / "strategies"
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name, text in {
        "a.py": CLEAN,
        "b/c.py": WARNS,
        "b/d.py": BAD,
        "b/__init__.py": "",
        ".hidden/e.py": BAD,
        "notes.txt": "no strategy",
    }.items():
        (folder / name).write_text(text)
    return folder


def sarif(ended: Ended) -> dict:
    document = json.loads(ended.out)
    jsonschema.Draft4Validator(SARIF).validate(document)
    (run,) = document["runs"]
    return run


def test_sarif_schema_is_a_schema_of_the_version_that_is_promised() -> None:
    jsonschema.Draft4Validator.check_schema(SARIF)
    assert "Version 2.1.0" in SARIF["title"]


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


@pytest.mark.parametrize("form", ["table", "json", "sarif", "junit", "github"])
def test_exit_code_does_not_depend_on_the_form(stratlab: Program, tree: Path, form: str) -> None:
    ended = stratlab("validate", "strategies/b/c.py", "--strict", "--format", form)
    assert ended.code == ExitCode.WARNINGS


def test_table_names_file_line_and_rule_and_ends_with_the_summary(
    stratlab: Program, tree: Path
) -> None:
    ended = stratlab("validate", "strategies")
    (line,) = [line for line in ended.out.splitlines() if "forbidden_call" in line]
    assert line.split()[:4] == ["strategies/b/d.py", "2", "error", "security"]
    assert ended.out.splitlines()[-1].startswith("rejected: 3 files")
    alone = stratlab("validate", "strategies/a.py")
    assert alone.out == "passed: 1 file, 0 errors, 0 warnings\n"


def test_sarif_is_valid_and_names_rules_places_and_levels(stratlab: Program, tree: Path) -> None:
    run = sarif(stratlab("validate", "strategies", "--format", "sarif"))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    assert run["invocations"][0]["executionSuccessful"]
    assert run["invocations"][0]["exitCode"] == 1
    uris = [artifact["location"]["uri"] for artifact in run["artifacts"]]
    assert uris == ["strategies/a.py", "strategies/b/c.py", "strategies/b/d.py"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert uris[place["artifactLocation"]["index"]] == place["artifactLocation"]["uri"]
        assert place["region"]["startLine"] >= 1
    (error,) = [result for result in run["results"] if result["level"] == "error"]
    assert error["ruleId"] == "forbidden_call"
    assert error["locations"][0]["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 5}
    assert "eval" in error["message"]["text"]


def test_sarif_of_files_elsewhere_has_absolute_addresses(
    stratlab: Program, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree / "b")
    run = sarif(stratlab("validate", "../a.py", "c.py", "--format", "sarif"))
    uris = [artifact["location"]["uri"] for artifact in run["artifacts"]]
    assert uris == [f"file://{tree}/a.py", "c.py"]


def test_sarif_tells_of_files_that_cannot_be_read(stratlab: Program, tree: Path) -> None:
    (tree / "latin.py").write_bytes(b"# \xe9\n")
    run = sarif(stratlab("validate", "strategies", "--format", "sarif"))
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["descriptor"]["id"] == "INVALID_SOURCE"
    assert "not UTF-8" in notification["message"]["text"]


@pytest.mark.parametrize(("flags", "failures"), [([], 1), (["--strict"], 2)])
def test_junit_has_a_case_for_each_file(
    stratlab: Program, tree: Path, flags: list[str], failures: int
) -> None:
    (tree / "latin.py").write_bytes(b"# \xe9\n")
    ended = stratlab("validate", "strategies", "--format", "junit", *flags)
    root = ET.fromstring(ended.out)  # noqa: S314 - our own
    check_junit(root)
    (suite,) = root
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "strategies/a.py": [],
        "strategies/latin.py": ["error"],
        "strategies/b/c.py": ["failure" if flags else "system-out"],
        "strategies/b/d.py": ["failure"],
    }
    assert (suite.get("failures"), suite.get("errors")) == (str(failures), "1")
    failure = suite.find("testcase[@name='strategies/b/d.py']/failure")
    assert failure is not None
    assert failure.get("type") == "forbidden_call"
    assert "strategies/b/d.py:2:5: error: forbidden_call: " in (failure.text or "")


def check_junit(root: ET.Element) -> None:
    """What every reader of JUnit files expects: these elements, attributes and sums."""
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert suite.get("name")
        cases = list(suite)
        assert {case.tag for case in cases} == {"testcase"}
        assert suite.get("tests") == str(len(cases))
        for attribute, tag in (("failures", "failure"), ("errors", "error")):
            assert suite.get(attribute) == root.get(attribute)
            assert suite.get(attribute) == str(sum(case.find(tag) is not None for case in cases))
        assert suite.get("skipped") == "0"
        for case in cases:
            assert case.get("name")
            assert case.get("classname")
            assert {child.tag for child in case} <= {"failure", "error", "system-out"}
            for child in case:
                assert child.tag == "system-out" or (child.get("message") and child.get("type"))


def test_github_annotations_stand_at_their_lines(stratlab: Program, tree: Path) -> None:
    ended = stratlab("validate", "strategies", "--format", "github")
    lines = ended.out.splitlines()
    (error,) = [line for line in lines if line.startswith("::error ")]
    head = "::error file=strategies/b/d.py,line=2,col=5,title=forbidden_call::"
    assert error.startswith(head)
    assert all(line.startswith(("::error ", "::warning ")) for line in lines)


HOSTILE = {
    "comma, colon: percent%20.py": CLEAN,
    "new\nline.py": BAD,
    "::error file=x::pwned.py": BAD,
    "escape\x1b[31m.py": BAD,
    "<b>&amp;.py": BAD,
    "[red]markup.py": BAD,
    "-rf.py": BAD,
    "é\u202e\u2028.py": BAD,
}


@pytest.mark.parametrize("form", ["table", "json", "sarif", "junit", "github"])
def test_hostile_names_stay_text_in_every_form(
    stratlab: Program, home: Path, tmp_path: Path, form: str
) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name, text in HOSTILE.items():
        (folder / name).write_text(text)
    (Path(os.fsdecode(os.fsencode(folder) + b"/bytes\xff.py"))).write_text(BAD)
    ended = stratlab("validate", "hostile", "--format", form)
    assert ended.code == ExitCode.STRATEGY
    assert "\x1b" not in ended.out + ended.err
    if form == "github":
        assert all(line.startswith(("::error file=hostile/", "::warning file=hostile/"))
                   for line in ended.out.splitlines())  # fmt: skip
    elif form == "junit":
        root = ET.fromstring(ended.out)  # noqa: S314 - our own
        check_junit(root)
        assert len(list(root.iter("testcase"))) == len(HOSTILE) + 1
    elif form == "sarif":
        uris = {artifact["location"]["uri"] for artifact in sarif(ended)["artifacts"]}
        assert "hostile/bytes%FF.py" in uris
        assert "hostile/new%0Aline.py" in uris
        assert "hostile/comma%2C%20colon%3A%20percent%2520.py" in uris
    elif form == "json":
        paths = {file["path"] for file in json.loads(ended.out)["files"]}
        assert {"hostile/bytes\\xff.py", "hostile/new\nline.py"} <= paths
    else:
        assert "[red]markup.py" in ended.out


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


@pytest.mark.parametrize("form", ["table", "json", "sarif", "junit", "github"])
def test_output_goes_to_a_file_whole_and_leaves_stdout_empty(
    stratlab: Program, tree: Path, tmp_path: Path, form: str
) -> None:
    printed = stratlab("validate", "strategies", "--format", form)
    ended = stratlab("validate", "strategies", "--format", form, "--output", "out.txt")
    assert (ended.code, ended.out) == (printed.code, "")
    text = (tmp_path / "out.txt").read_text()
    summary = printed.out.splitlines()[-1] + "\n" if form == "table" else ""
    assert text + summary == printed.out
    assert ended.err.startswith("rejected: 3 files")


@pytest.mark.parametrize("target", [".", "nowhere/out.txt"])
def test_output_that_cannot_be_written_is_usage(stratlab: Program, tree: Path, target: str) -> None:
    ended = stratlab("validate", "strategies", "--output", target)
    assert ended.code == ExitCode.USAGE
    assert "cannot be written" in ended.err


def test_nothing_is_made_and_no_server_is_needed(stratlab: Program, tree: Path, home: Path) -> None:
    assert stratlab("validate", "strategies").code == ExitCode.STRATEGY
    assert list(home.iterdir()) == []


def test_server_that_was_chosen_judges(served: ServedLab, stratlab: Program, tree: Path) -> None:
    calls: list[str] = []
    real = served.lab.screener.screen

    class Counting:
        def screen(self, source: str) -> ScreeningReport:
            calls.append(source)
            return real(source)

    served.lab.screener = Counting()  # type: ignore[assignment]
    alone = stratlab("validate", "strategies", "--json")
    assert calls == []
    asked = stratlab("--address", served.address, "validate", "strategies", "--json")
    # A unix socket is this home's own server, which has the same code.
    assert asked == alone


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
