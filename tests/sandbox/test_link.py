"""The member's socket: one user, one call, and then no way in."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.sandbox.stand_in import Channel

from stratlab.domain.errors import EngineError, UnsafeConfigurationError
from stratlab.sandbox.link import Link, LinkClosedError
from stratlab.sandbox.sockets import MAX_SOCKET_PATH, make_socket_root
from stratlab_proto.runner.v1 import runner_service_pb2 as pb

UID = 70_123
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")


@asynccontextmanager
async def open_link(uid: int = UID) -> AsyncIterator[Link]:
    with TemporaryDirectory(prefix="sl-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - for the member's user
        link = Link(Path(folder) / "m", uid)
        await link.open()
        try:
            yield link
        finally:
            await link.close()
            assert os.listdir(folder) == []  # noqa: PTH208 - the same


async def test_frames_pass_both_ways_until_the_link_is_closed() -> None:
    async with open_link() as link:
        channel = Channel(link.directory / "link.sock")
        await channel.send_bytes(b"one")
        await link.attached()
        assert await link.receive() == b"one"
        await link.send(pb.AttachResponse(goodbye=pb.Goodbye()))
        assert (await channel.receive()).WhichOneof("frame") == "goodbye"
        await link.close()
        with pytest.raises(LinkClosedError):
            await link.receive()
        with pytest.raises(LinkClosedError):
            await link.send(pb.AttachResponse())
        await channel.close()


async def test_first_call_listener_is_gone_for_everybody_else() -> None:
    async with open_link() as link:
        path = link.directory / "link.sock"
        channel = Channel(path)
        await channel.send_bytes(b"one")
        await link.attached()
        with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="No such file"):
            other.connect(str(path))
        await channel.send_bytes(b"two")
        assert [await link.receive(), await link.receive()] == [b"one", b"two"]
        await channel.close()


async def test_container_gone_receive_ends() -> None:
    async with open_link() as link:
        channel = Channel(link.directory / "link.sock")
        await channel.send_bytes(b"one")
        await link.attached()
        await link.receive()
        await channel.close()
        with pytest.raises(LinkClosedError):
            await asyncio.wait_for(link.receive(), 2)


async def test_half_a_greeting_then_silence_nobody_is_attached() -> None:
    async with open_link() as link:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(link.directory / "link.sock"))
            raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x10\x04")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.attached(), 0.3)


async def test_bytes_that_are_no_http_the_link_survives_them() -> None:
    async with open_link() as link:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(link.directory / "link.sock"))
            raw.sendall(os.urandom(4096))
            await asyncio.sleep(0.05)
        channel = Channel(link.directory / "link.sock")
        await channel.send_bytes(b"one")
        await asyncio.wait_for(link.attached(), 2)
        assert await link.receive() == b"one"
        await channel.close()


async def test_oversize_message_ends_the_call() -> None:
    async with open_link() as link:
        channel = Channel(link.directory / "link.sock")
        # The write waits for the reader's window, so it is not awaited first.
        sending = asyncio.create_task(channel.send_bytes(b"\x00" * (5 << 20)))
        await link.attached()
        with pytest.raises(LinkClosedError):
            await asyncio.wait_for(link.receive(), 5)
        await channel.close()
        await asyncio.gather(sending, return_exceptions=True)


_CONNECT = """
import os, socket, sys
uid = int(sys.argv[2])
os.setgid(uid); os.setuid(uid)
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
"""


def connects_as(uid: int, path: Path) -> bool:
    command = [sys.executable, "-c", _CONNECT, str(path), str(uid)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@needs_root
async def test_socket_of_root_opens_to_the_member_s_user_only() -> None:
    async with open_link() as link:
        path = link.directory / "link.sock"
        assert stat.S_IMODE(link.directory.stat().st_mode) == 0o711
        assert await asyncio.to_thread(connects_as, UID, path)
        assert not await asyncio.to_thread(connects_as, UID + 1, path)


_AS_USER = """
import asyncio, os, sys
from pathlib import Path
from stratlab.sandbox.link import Link

async def main():
    link = Link(Path(sys.argv[1]) / "m", 70123)
    await link.open()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await link.close()

os.setgid(70500); os.setuid(70500)
asyncio.run(main())
"""


@needs_root
def test_socket_of_an_ordinary_user_opens_to_the_member_s_user_only() -> None:
    with TemporaryDirectory(prefix="sl-") as folder:
        os.chown(folder, 70_500, 70_500)
        Path(folder).chmod(0o711)
        with subprocess.Popen(
            [sys.executable, "-c", _AS_USER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as owner:
            assert owner.stdout.readline() == "open\n"
            path = Path(folder) / "m" / "link.sock"
            assert connects_as(UID, path)
            assert not connects_as(UID + 1, path)
            owner.stdin.write("\n")
        assert list(Path(folder).iterdir()) == []


def test_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * MAX_SOCKET_PATH)
    with pytest.raises(UnsafeConfigurationError, match="TMPDIR"):
        Link(directory, UID)


async def test_directory_that_exists_is_not_taken_over(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="sl-") as folder:
        link = Link(Path(folder), UID)
        with pytest.raises(EngineError):
            await link.open()
        await link.close()
        assert os.listdir(folder) == []  # noqa: PTH208 - a Path would count as blocking


def test_socket_root_that_is_a_link_or_somebody_else_s_is_refused(tmp_path: Path) -> None:
    make_socket_root(tmp_path / "mine")
    make_socket_root(tmp_path / "mine")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o711
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(UnsafeConfigurationError):
        make_socket_root(tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(UnsafeConfigurationError):
        make_socket_root(tmp_path / "file")
