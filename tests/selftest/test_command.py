"""The command: its table, its JSON and its exit code."""

import json

import pytest

from stratlab.cli.exit_codes import ExitCode
from stratlab.cli.main import main


@pytest.mark.load
def test_no_noise_and_no_trap_is_promoted_in_the_worlds_of_ci(capfd):
    assert main(["selftest", "--size", "ci", "--json"]) == ExitCode.OK
    document = json.loads(capfd.readouterr().out)
    assert document["ok"], document["broken_promises"]
    noise = next(row for row in document["rows"] if row["name"] == "noise")
    assert noise["promoted"]["total"] == 40
    assert noise["promoted"]["count"] == 0
    assert {row["truth"] for row in document["rows"]} == {"nothing", "trap", "alpha"}
    together = [line for line in document["critic"] if line["name"] == "all effects"]
    assert {line["rival"] for line in together} == {"evolution", "mutation"}
    for line in together:
        assert line["worlds"] == 3
        assert line["low"] <= line["difference"] <= line["high"]


def test_unknown_size_is_refused(capfd):
    assert main(["selftest", "--size", "huge"]) == ExitCode.USAGE
    assert "ci, full" in capfd.readouterr().err
