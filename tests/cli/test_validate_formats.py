"""``stratlab validate``: table, SARIF, JUnit and annotations, whatever the files are called."""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tests.cli.conftest import Ended
from tests.cli.strategies import BAD, CLEAN, checkout

from stratlab.cli.exit_codes import ExitCode
from stratlab.screening.rule import Layer
from stratlab.screening.rules import RULES

Program = Callable[..., Ended]
SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text())
OWN = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "validate.schema.json").read_text()
)


@pytest.fixture
def tree(home: Path, tmp_path: Path) -> Path:
    return checkout(tmp_path / "strategies")


def sarif(ended: Ended) -> dict:
    document = json.loads(ended.out)
    jsonschema.Draft4Validator(SARIF).validate(document)
    (run,) = document["runs"]
    return run


def test_json_is_as_its_schema_says(stratlab: Program, tree: Path) -> None:
    (tree / "latin.py").write_bytes(b"# \xe9\n")
    jsonschema.Draft202012Validator.check_schema(OWN)
    record = json.loads(stratlab("validate", "strategies", "--json").out)
    jsonschema.Draft202012Validator(OWN).validate(record)
    layers = OWN["properties"]["findings"]["items"]["properties"]["layer"]["enum"]
    assert layers == [layer.value for layer in Layer]


def test_sarif_schema_is_a_schema_of_the_version_that_is_promised() -> None:
    jsonschema.Draft4Validator.check_schema(SARIF)
    assert "Version 2.1.0" in SARIF["title"]


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


def test_columns_count_characters(stratlab: Program, home: Path, tmp_path: Path) -> None:
    text = "def initialize(context):\n    é = 'ü\u2028'; x = eval('1')\n"
    (tmp_path / "umlaut.py").write_text(text)
    run = sarif(stratlab("validate", "umlaut.py", "--format", "sarif"))
    assert run["columnKind"] == "unicodeCodePoints"
    (error,) = [result for result in run["results"] if result["level"] == "error"]
    region = error["locations"][0]["physicalLocation"]["region"]
    place = text.split("\n")[1].index("eval") + 1
    assert region == {"startLine": 2, "startColumn": place}


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
        record = json.loads(ended.out)
        jsonschema.Draft202012Validator(OWN).validate(record)
        paths = {file["path"] for file in record["files"]}
        assert {"hostile/bytes\\xff.py", "hostile/new\nline.py"} <= paths
    else:
        assert "[red]markup.py" in ended.out


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
