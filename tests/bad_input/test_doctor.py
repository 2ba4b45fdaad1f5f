"""``stratlab doctor``: a line per check, a remedy per finding, and an exit code."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.bad_input.conftest import Ended, Served
from tests.suites.samples import a_campaign

from stratlab.cli import checks
from stratlab.cli.exit_codes import ExitCode
from stratlab.store import open_repository

Program = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@dataclass(frozen=True)
class Doctor:
    """What doctor says, by name."""

    run: Program

    def __call__(self, home: Path) -> dict[str, dict[str, object]]:
        ended = self.run("--home", str(home), "doctor", "--json")
        record = json.loads(ended.out)
        found = {check["name"]: check for check in record["checks"]}
        assert all(check["ok"] or check["remedy"] for check in found.values())
        assert record["ok"] is all(check["ok"] for check in found.values())
        assert ended.code == (ExitCode.OK if record["ok"] else ExitCode.INFRASTRUCTURE)
        return found


@pytest.fixture
def doctor(run: Program) -> Doctor:
    return Doctor(run)


def test_everything_is_looked_at(doctor: Doctor, home: Path) -> None:
    found = doctor(home)
    looked_at = {"settings", "disk space", "seccomp profile", "data", "store", "clock", "server"}
    assert looked_at | {"listener", "port", "language model"} <= found.keys()
    assert {"engine", "image"} & found.keys()
    assert "no key" in found["language model"]["detail"]
    assert "stratlab data build" in found["data"]["remedy"]


def test_words_for_people_name_finding_and_remedy(run: Program, home: Path) -> None:
    ended = run("--home", str(home), "doctor")
    assert ended.code == ExitCode.INFRASTRUCTURE
    lines = ended.out.splitlines()
    at = lines.index("FAIL  data: no data set")
    assert lines[at + 1].startswith("      next: ")


def test_missing_engine_has_a_remedy(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATLAB_SANDBOX__ENGINE", f"unix://{home}/none.sock")
    engine = doctor(home)["engine"]
    assert not engine["ok"]
    assert "make engine" in engine["remedy"]


def test_variable_of_no_section_is_found(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor(home)["settings"]["ok"]
    monkeypatch.setenv("STRATLAB_SANDBX__ENGINE", "x")
    settings = doctor(home)["settings"]
    assert not settings["ok"]
    assert "STRATLAB_SANDBX__ENGINE" in settings["detail"]


def test_wall_clock_that_jumps_is_found(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = iter([1_900_000_000.0, 1_900_000_007.0])
    monkeypatch.setattr(checks, "time", lambda: next(walls))
    clock = doctor(home)["clock"]
    assert not clock["ok"]
    assert "+6." in clock["detail"]
    assert "timedatectl" in clock["remedy"]


def test_wall_clock_far_behind_is_found(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = iter([0.0, 0.2])
    monkeypatch.setattr(checks, "time", lambda: next(walls))
    clock = doctor(home)["clock"]
    assert not clock["ok"]
    assert "days behind" in clock["detail"]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_clock_does_not_depend_on_the_time_zone(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    clock = doctor(home)["clock"]
    assert clock["ok"]
    told = datetime.fromisoformat(str(clock["detail"]).split(",")[0])
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=30)


def test_store_from_the_future_is_found(doctor: Doctor, home: Path) -> None:
    repository = open_repository(f"sqlite:///{home / 'stratlab.db'}")
    future = datetime.now(UTC) + timedelta(days=3)
    repository.create_campaign(replace(a_campaign(), created_at=future, updated_at=future), "")
    repository.close()
    assert not doctor(home)["clock against the store"]["ok"]


def test_file_that_is_no_database_is_found(doctor: Doctor, home: Path) -> None:
    (home / "stratlab.db").write_text("my notes\n" * 200)
    store = doctor(home)["store"]
    assert not store["ok"]
    assert store["remedy"]


def test_damaged_data_is_found(doctor: Doctor, served: Served, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(served.home / "data", home / "data")
    home.chmod(0o700)
    assert doctor(home)["data set small"]["ok"]
    prices = home / "data" / "small" / "prices.parquet"
    prices.chmod(0o600)
    prices.write_bytes(prices.read_bytes() + b"x")
    assert not doctor(home)["data set small"]["ok"]


def test_running_server_is_found_with_its_sandbox(doctor: Doctor, served: Served) -> None:
    assert "answers; the sandbox is not proven" in str(doctor(served.home)["server"]["detail"])


def test_path_too_long_for_a_socket_is_found(doctor: Doctor, tmp_path: Path) -> None:
    listener = doctor(tmp_path / ("x" * 120))["listener"]
    assert not listener["ok"]
    assert "STRATLAB_SERVER__ADDRESS" in listener["remedy"]


def test_listener_that_is_not_safe_is_found(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATLAB_SERVER__LISTEN", "0.0.0.0:7443")
    listener = doctor(home)["listener"]
    assert not listener["ok"]
    assert "tls_certificate" in listener["remedy"]


def test_disk_without_inodes_is_found(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = dict.fromkeys(("f_bavail", "f_bfree", "f_blocks"), 10**9)
    full = SimpleNamespace(f_files=1000, f_favail=3, f_frsize=4096, **blocks)
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    disk = doctor(home)["disk space"]
    assert not disk["ok"]
    assert "3 more files" in str(disk["detail"])
