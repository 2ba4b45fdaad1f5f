"""A disk that fills up while campaigns work: nothing is lost, and everybody is told."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.bad_input.small_disk import SmallDisk, small_disk
from tests.suites.small_lab import SmallLab, small_lab, small_spec

from stratlab.campaigns import manager as manager_module
from stratlab.domain.campaign import Campaign, CampaignState
from stratlab.domain.errors import DiskFullError, InfrastructureError, from_os_error
from stratlab.domain.events import EventKind
from stratlab.store.audit import verify_audit

WAIT_SECONDS = 30


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 6) as disk:
        yield disk


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only a caller can end a stall.
    monkeypatch.setattr(manager_module, "SETTLE_AGAIN_SECONDS", 3600.0)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_module, "SETTLE_AGAIN_SECONDS", 0.05)


async def watch(lab: SmallLab, campaign: Campaign) -> Campaign:
    async def follow() -> None:
        async for _ in lab.manager.watch(campaign.id, after=0, include_progress=False):
            pass

    await asyncio.wait_for(follow(), WAIT_SECONDS)
    return lab.repository.get_campaign(campaign.id)


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if holds():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came")


def state(lab: SmallLab, campaign: Campaign) -> CampaignState:
    return lab.repository.get_campaign(campaign.id).state


async def stalled(lab: SmallLab, campaign: Campaign) -> DiskFullError:
    with pytest.raises(DiskFullError) as caught:
        await watch(lab, campaign)
    return caught.value


async def undisturbed(home: Path) -> str:
    with small_lab(home) as lab:
        return (await watch(lab, await lab.manager.create(small_spec(), "r"))).result_hash


def check_complete(lab: SmallLab, campaign: Campaign) -> None:
    assert campaign.state is CampaignState.COMPLETED
    assert verify_audit(lab.repository)[campaign.id] > 0
    files = {file.name: file for file in lab.artifacts.list(campaign.id)}
    expected = {f"iterations/iter_{number}.json" for number in range(1, 5)}
    assert expected | {"report.md", "audit.jsonl", "campaign.json"} <= set(files)
    for file in files.values():
        assert b"".join(lab.artifacts.read(file))


async def start_and_fill(lab: SmallLab, disk: SmallDisk, batches: int) -> Campaign:
    # Full from the moment in which the batch after the first `batches` comes back.
    def script(call: int, _: object) -> None:
        if call == batches + 1:
            disk.fill()

    lab.sandbox.script = script
    return await lab.manager.create(small_spec(), "r")


@pytest.mark.parametrize("batches", [0, 1, 4])
async def test_campaign_on_a_full_disk_stands_still_and_resumes_to_the_same_result(
    disk: SmallDisk, tmp_path: Path, patient: None, batches: int
) -> None:
    with small_lab(disk.folder) as lab:
        campaign = await start_and_fill(lab, disk, batches)
        error = await stalled(lab, campaign)
        assert error.reason == "DISK_FULL"
        assert "Free some space" in error.hint
        for _ in range(2):  # as long as it is full, nothing else happens
            await lab.manager.resume(campaign.id)
            await stalled(lab, campaign)
        assert verify_audit(lab.repository)[campaign.id] > 0
        disk.free()
        await lab.manager.resume(campaign.id)
        done = await watch(lab, campaign)
        check_complete(lab, done)
        await lab.manager.stop()
    (tmp_path / "plain").mkdir()
    assert done.result_hash == await undisturbed(tmp_path / "plain")


async def test_pause_is_stored_with_its_reason_as_soon_as_there_is_room(
    disk: SmallDisk, eager: None
) -> None:
    with small_lab(disk.folder) as lab:
        campaign = await start_and_fill(lab, disk, 1)
        await stalled(lab, campaign)
        disk.free()
        await until(lambda: state(lab, campaign) is CampaignState.PAUSED)
        assert lab.repository.get_campaign(campaign.id).state_reason == "DISK_FULL"
        await lab.manager.resume(campaign.id)
        check_complete(lab, await watch(lab, campaign))
        reasons = [transition.reason for transition in lab.repository.transitions(campaign.id)]
        assert reasons.count("DISK_FULL") == reasons.count("RESUMED_BY_USER") == 1
        await lab.manager.stop()


@pytest.mark.parametrize("stalls", [0, 1])
async def test_resume_in_the_moment_of_the_pause_starts_the_campaign_again(
    tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch, stalls: int
) -> None:
    with small_lab(tmp_path) as lab:
        moves = []
        move = lab.manager._move

        async def resume_at_once(campaign: Campaign, *arguments: object) -> Campaign:
            moves.append(arguments)
            if len(moves) <= stalls:
                raise DiskFullError("planned")
            moved = await move(campaign, *arguments)
            if len(moves) == stalls + 1:
                resuming.append(asyncio.create_task(lab.manager.resume(campaign.id)))
                await asyncio.sleep(0.1)  # the pause is stored, its task not at its end
            return moved

        def full(call: int, _: object) -> None:
            if call == 1:
                raise DiskFullError("planned")

        resuming: list[asyncio.Task[Campaign]] = []
        monkeypatch.setattr(lab.manager, "_move", resume_at_once)
        lab.sandbox.script = full
        campaign = await lab.manager.create(small_spec(), "r")
        await until(lambda: bool(resuming))
        assert (await resuming[0]).state is CampaignState.CAMPAIGN_RUNNING
        assert (await watch(lab, campaign)).state is CampaignState.COMPLETED
        await lab.manager.stop()


@pytest.mark.parametrize("order", ["pause", "cancel"])
async def test_order_that_cannot_be_stored_is_typed_and_carried_out_later(
    disk: SmallDisk, eager: None, order: str
) -> None:
    with small_lab(disk.folder, seconds=0.5) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        await until(lambda: lab.sandbox.calls > 0)
        disk.fill()
        with pytest.raises(DiskFullError):
            await getattr(lab.manager, order)(campaign.id)
        disk.free()
        wanted = {"pause": CampaignState.PAUSED, "cancel": CampaignState.CANCELLED}[order]
        await until(lambda: state(lab, campaign) is wanted)
        await lab.manager.stop()


async def test_restart_after_a_full_disk_continues_without_a_word(
    disk: SmallDisk, patient: None
) -> None:
    with small_lab(disk.folder) as lab:
        campaign = await start_and_fill(lab, disk, 2)
        await stalled(lab, campaign)
        await lab.manager.stop()
    with small_lab(disk.folder) as lab:
        await lab.manager.start()  # reads are served on a full disk too
        assert lab.repository.get_campaign(campaign.id).iteration >= 1
        await lab.manager.stop()
    disk.free()
    with small_lab(disk.folder) as lab:
        await lab.manager.start()
        check_complete(lab, await watch(lab, campaign))
        await lab.manager.stop()


async def test_files_that_did_not_fit_behind_the_last_step_follow_later(
    disk: SmallDisk, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_lab(disk.folder) as lab:
        reports = lab.manager._workshop.reports
        write_final, tries = reports._write_final, []

        def fills_first(campaign: Campaign) -> None:
            tries.append(campaign.state)
            if len(tries) == 1:
                disk.fill()
            write_final(campaign)

        monkeypatch.setattr(reports, "_write_final", fills_first)
        campaign = await lab.manager.create(small_spec(), "r")
        done = await watch(lab, campaign)
        assert done.state is CampaignState.COMPLETED
        disk.free()
        await until(lambda: "report.md" in {file.name for file in lab.artifacts.list(campaign.id)})
        check_complete(lab, done)
        await lab.manager.stop()


async def test_new_campaign_on_a_full_disk_is_refused_and_not_half_there(disk: SmallDisk) -> None:
    with small_lab(disk.folder) as lab:
        disk.fill()
        with pytest.raises(DiskFullError):
            await lab.manager.create(small_spec(prompt="x" * 20_000), "r")
        assert lab.repository.list_campaigns() == []
        disk.free()
        assert (await lab.manager.create(small_spec(prompt="x" * 20_000), "r")).id
        await lab.manager.stop()


async def test_caller_that_gives_up_leaves_no_campaign_without_a_task(tmp_path: Path) -> None:
    with small_lab(tmp_path, seconds=0.3) as lab:
        campaign = await lab.manager.create(small_spec(), "r")
        await until(lambda: lab.sandbox.calls > 0)
        asking = asyncio.create_task(lab.manager.pause(campaign.id))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await lab.manager.stop()
        paused = lab.repository.get_campaign(campaign.id)
        assert (paused.state, paused.state_reason) == (CampaignState.PAUSED, "PAUSED_BY_USER")
        kinds = [event.kind for event in lab.repository.events(campaign.id)]
        assert EventKind.STATE_CHANGED in kinds


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "/x/y"), "DISK_FULL"),
        (OSError(122, "Disk quota exceeded"), "DISK_FULL"),
        (OSError(5, "Input/output error", "/x/y"), "INFRASTRUCTURE"),
        (TimeoutError(), "INFRASTRUCTURE"),
    ],
)
def test_error_of_the_operating_system_has_a_type_and_names_the_file(
    error: OSError, reason: str
) -> None:
    typed = from_os_error(error)
    assert isinstance(typed, InfrastructureError)
    assert typed.reason == reason
    assert ("/x/y" in typed.message) is bool(error.filename)
