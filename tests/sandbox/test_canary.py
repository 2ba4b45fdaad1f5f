"""The canary proves what holds, notices what does not, and refuses to guess."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.sandbox.builders import Clock, MemoryLeases

from stratlab.domain.errors import EngineError, SandboxNotReadyError
from stratlab.sandbox import DockerEngine, canary, containers
from stratlab.sandbox.canary import REMEDIES, CanaryReport, LimitFinding, parse_findings, prove
from stratlab.sandbox.containers import Workplace
from stratlab.sandbox.identity import controller_id
from stratlab.sandbox.policy import HostTraits, member_config
from stratlab.sandbox.seccomp import load_seccomp_profile
from stratlab.sandbox.threads import Threads
from stratlab.settings import SandboxSettings


def test_findings_are_read_and_their_texts_escaped() -> None:
    rows = [{"limit": "memory", "proven": True, "detail": "\x1b[0m" + "x" * 1000}]
    found = parse_findings(json.dumps(rows).encode())["memory"]
    assert found.proven
    assert found.detail.startswith("\\x1b[0mxxx")
    assert len(found.detail) < 400


@pytest.mark.parametrize("proven", ["true", 1, None, [True]])
def test_only_a_plain_true_proves_anything(proven: object) -> None:
    rows = [{"limit": "memory", "proven": proven, "detail": ""}]
    assert not parse_findings(json.dumps(rows).encode())["memory"].proven


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[1]", b'[{"limit": "x"}]', b"null", b"[" * 100_000, b"\xff"]
)
def test_answer_that_is_no_report_is_an_engine_error(answer: bytes) -> None:
    with pytest.raises(EngineError, match="report"):
        parse_findings(answer)


def report(*, unproven: str = "") -> CanaryReport:
    findings = tuple(LimitFinding(name, name != unproven, "seen") for name in REMEDIES)
    return CanaryReport("sha256:a", "runc", "d" * 64, findings, 1.0)


def test_complete_report_passes() -> None:
    report().require_all()


@pytest.mark.parametrize("limit", list(REMEDIES))
def test_any_single_unproven_limit_fails_with_its_name_and_remedy(limit: str) -> None:
    with pytest.raises(SandboxNotReadyError, match=limit) as caught:
        report(unproven=limit).require_all()
    assert REMEDIES[limit] in caught.value.hint
    assert caught.value.data["limit"] == limit


@asynccontextmanager
async def workplace() -> AsyncIterator[tuple[Workplace, str, HostTraits]]:
    engine, threads, leases = DockerEngine(), Threads(), MemoryLeases()
    with TemporaryDirectory(prefix="sl-") as folder:
        Path(folder).chmod(0o711)  # noqa: ASYNC240 - a test's set-up may block
        place = Workplace(
            engine=engine,
            threads=threads,
            leases=leases,
            clock=Clock(),
            profile=load_seccomp_profile(),
            installation="00000000000ca9a1",
            controller=controller_id(),
            socket_root=Path(folder),
        )
        info = engine.info()
        host = HostTraits(info.cgroup_version, info.cgroup_driver, "", info.cpus)
        yield place, engine.resolve_image(SandboxSettings().image), host
        assert leases.live() == []
        assert engine.labelled("org.stratlab.installation", "00000000000ca9a1") == ()
    threads.close()
    engine.close()


@pytest.mark.docker
async def test_every_limit_holds_on_this_host() -> None:
    async with workplace() as (place, image_id, host):
        found = await prove(place, image_id, "runc", host)
    assert found.unproven == ()
    assert [finding.limit for finding in found.findings] == list(REMEDIES)
    assert found.image_id == image_id


@pytest.mark.docker
async def test_limits_taken_away_are_all_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def weakened(*arguments: Any) -> dict[str, Any]:
        config = member_config(*arguments)
        host = config["HostConfig"]
        config["Env"].append("API_KEY=planted")
        config["User"] = "0:0"
        host |= {
            "ReadonlyRootfs": False,
            "CapDrop": [],
            "SecurityOpt": ["seccomp=unconfined"],
            "PidsLimit": 0,
            "Memory": 0,
            "MemorySwap": 0,
            "NanoCpus": 0,
            "IpcMode": "private",
            "Ulimits": [],
            "Tmpfs": {"/tmp": "rw,exec,size=64m,mode=1777"},  # noqa: S108 - in the container
        }
        del host["MemorySwappiness"]
        return config

    monkeypatch.setattr(containers, "member_config", weakened)
    async with workplace() as (place, image_id, host):
        found = await prove(place, image_id, "runc", host)
    held = {finding.limit for finding in found.findings if finding.proven}
    # The kernel enforces RLIMIT_AS whatever the flags are.
    assert held <= {"network", "kernel_settings", "kill", "cpu", "address_space"}
    with pytest.raises(SandboxNotReadyError):
        found.require_all()


@pytest.mark.docker
async def test_probe_that_does_not_report_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canary, "_PROBE", "stratlab_runner.contract")
    monkeypatch.setattr(canary, "_PROBE_SECONDS", 2.0)
    async with workplace() as (place, image_id, host):
        with pytest.raises(EngineError, match="did not report"):
            await prove(place, image_id, "runc", host)
