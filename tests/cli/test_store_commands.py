"""``data``, ``audit``, ``report`` and ``doctor``."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.api.fake_lab import ServedLab
from tests.api.samples import campaign_of
from tests.cli.conftest import Ended

from stratlab.cli import checks
from stratlab.cli.exit_codes import ExitCode
from stratlab.domain.campaign import CampaignState
from stratlab.sandbox import Diagnosis

Program = Callable[..., Ended]


def add_campaign(served: ServedLab) -> None:
    served.lab.repository.create_campaign(campaign_of(1), "r1")
    served.lab.manager.append("c0001", 5)


def test_data_list_and_describe(served: ServedLab, stratlab: Program) -> None:
    listed = json.loads(stratlab("data", "list", "--json").out)
    assert [data_set["name"] for data_set in listed] == ["datasets/synthetic", "datasets/us-daily"]
    assert "us-daily" in stratlab("data", "list").out
    described = stratlab("data", "describe", "us-daily")
    assert "2001-06-01 to 2006-12-29" in described.out
    assert "Survivors only." in described.out
    record = json.loads(stratlab("data", "describe", "us-daily", "--json").out)
    assert record["holdout"] == {"start": "2010-01-04", "end": "2013-03-01"}
    assert stratlab("data", "describe", "nothing").code == ExitCode.USAGE


def test_data_verify_missing_is_usage(stratlab: Program) -> None:
    for name in ("us-daily", "../..", "", "a\0b"):
        assert stratlab("data", "verify", name).code == ExitCode.USAGE


def test_data_verify_damaged_is_integrity(stratlab: Program, home: Path) -> None:
    (home / "data" / "us-daily").mkdir(parents=True)
    (home / "data" / "us-daily" / "manifest.json").write_text("{}")
    ended = stratlab("data", "verify", "us-daily", "--json")
    assert ended.code == ExitCode.INTEGRITY
    assert json.loads(ended.out)["error"]["type"] == "DATA_SET_CORRUPT"


def test_audit_unbroken_is_ok(served: ServedLab, stratlab: Program) -> None:
    add_campaign(served)
    assert json.loads(stratlab("audit", "verify", "--json").out) == {
        "ok": True,
        "campaigns": {"c0001": 6},
    }
    assert "6 events, unbroken" in stratlab("audit", "verify", "campaigns/c0001").out
    assert stratlab("audit", "verify", "nobody").code == ExitCode.USAGE


def test_audit_one_changed_byte_is_integrity(
    served: ServedLab, stratlab: Program, home: Path
) -> None:
    add_campaign(served)
    served.close()
    with closing(sqlite3.connect(home / "stratlab.db")) as database, database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        changed = database.execute(
            "UPDATE events SET payload = replace(payload, 'text', 'tExt') WHERE number = 3"
        )
        assert changed.rowcount == 1
    ended = stratlab("audit", "verify", "--json")
    assert ended.code == ExitCode.INTEGRITY
    error = json.loads(ended.out)["error"]
    assert error["type"] == "AUDIT_BROKEN"
    assert error["event"] == "3"


def test_report_prints_paths_and_copies_files(
    served: ServedLab, stratlab: Program, home: Path, tmp_path: Path
) -> None:
    add_campaign(served)
    served.lab.artifacts.put("c0001", "exports/best_strategy.py", "text/plain", b"pass\n")
    assert stratlab("report", "c0001").code == ExitCode.USAGE  # not final: no report yet
    artifact = served.lab.artifacts.put("c0001", "report.md", "text/markdown", b"# Report\n")
    paths = stratlab("report", "c0001").out.splitlines()
    assert [Path(path).read_bytes() for path in paths] == [b"pass\n", b"# Report\n"]
    copied = json.loads(stratlab("report", "c0001", "--json", "--output", "copy").out)["files"]
    assert copied == ["copy/exports/best_strategy.py", "copy/report.md"]
    assert (tmp_path / "copy" / "report.md").read_bytes() == b"# Report\n"
    blob = home / "blobs" / artifact.digest[:2] / artifact.digest[2:]
    blob.chmod(0o644)
    blob.write_bytes(b"# Forged\n")
    assert stratlab("report", "c0001", "--output", "again").code == ExitCode.INTEGRITY
    assert not (tmp_path / "again" / "report.md").exists()
    assert stratlab("report", "c0001", "--output", "/dev/null/x").code == ExitCode.USAGE


def test_doctor_reports_every_failure_with_its_remedy(
    stratlab: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = [Diagnosis("engine", ok=True, detail="20.10")]
    monkeypatch.setattr(checks, "diagnose", lambda settings, home: fine)
    monkeypatch.setattr(checks, "_limits", lambda settings, runtimes: [])
    ended = stratlab("doctor", "--json")
    record = json.loads(ended.out)
    assert ended.code == ExitCode.INFRASTRUCTURE  # no data set
    assert not record["ok"]
    failed = [check for check in record["checks"] if not check["ok"]]
    assert [check["name"] for check in failed] == ["data"]
    assert "stratlab data build" in failed[0]["remedy"]
    assert {"engine", "store", "server"} <= {check["name"] for check in record["checks"]}
    assert "FAIL  data" in stratlab("doctor").out


def test_doctor_all_fine_is_ok(
    stratlab: Program, served: ServedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "diagnose", lambda settings, home: [])
    monkeypatch.setattr(checks, "_limits", lambda settings, runtimes: [])
    monkeypatch.setattr(checks, "_data", lambda settings: [])
    ended = stratlab("doctor")
    assert ended.code == ExitCode.OK
    assert "answers; the sandbox is not proven yet" in ended.out


def test_settings_that_are_wrong_are_usage(
    stratlab: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRATLAB_SANDBOX__MEMBERS", "many")
    ended = stratlab("campaign", "list")
    assert ended.code == ExitCode.USAGE
    assert "sandbox.members" in ended.err
    monkeypatch.delenv("STRATLAB_SANDBOX__MEMBERS")
    (tmp_path / "stratlab.toml").write_text("hoem = 1\n")
    assert "hoem" in stratlab("campaign", "list").err
    (tmp_path / "stratlab.toml").write_text("= nonsense")
    assert stratlab("campaign", "list").code == ExitCode.USAGE
    (tmp_path / "stratlab.toml").unlink()
    assert stratlab("--home", "/dev/null/x", "campaign", "list").code == ExitCode.USAGE


def test_campaign_state_survives_in_records(served: ServedLab, stratlab: Program) -> None:
    add_campaign(served)
    served.call(served.lab.manager.move, "c0001", CampaignState.CANCELLED)
    served.close()
    assert "cancelled" in stratlab("campaign", "list").out
