"""What a hostile strategy can do inside: attack by attack, in one shared container.

That the next test still finds a working container is part of every test.
"""

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.runner.member import NONCE, Member, trial

from stratlab_proto.runner.v1 import runner_service_pb2 as pb

pytestmark = pytest.mark.docker

HEALTHY = "def initialize(context):\n    pass\n"


@pytest.fixture(autouse=True)
def still_works(member: Member) -> Iterator[None]:
    yield
    assert member.run(HEALTHY, end="2020-01-10").failed is None


def module(code: str) -> str:
    """Code that runs while the strategy is loaded."""
    return f"{code}\n{HEALTHY}"


def test_cpu_busy_loop_ends_at_the_limit(member: Member) -> None:
    began = time.monotonic()
    result = member.run(module("while True: pass"), cpu_seconds=1)
    assert result.cause == "CAUSE_CPU"
    assert 0.9 < result.usage.cpu_seconds < 2.5
    assert time.monotonic() - began < 10


def test_cpu_limit_ignored_is_enforced(member: Member) -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert member.run(module(code), cpu_seconds=1).cause == "CAUSE_CPU"


def test_cpu_loop_in_c_that_holds_the_gil_ends_at_the_limit(member: Member) -> None:
    assert member.run(module("sum(range(10**12))"), cpu_seconds=1).cause == "CAUSE_CPU"


def test_memory_hog_is_out_of_memory(member: Member) -> None:
    code = "data = []\nwhile True: data.append(bytearray(b'x' * 10_000_000))"
    assert member.run(module(code)).cause == "CAUSE_MEMORY"


def test_memory_absurd_allocation_is_out_of_memory(member: Member) -> None:
    result = member.run(module("import numpy\nnumpy.ones(10**14)"))
    assert result.cause == "CAUSE_MEMORY"
    assert result.failed is not None
    assert result.failed.line == 2


def test_memory_file_hog_is_bounded(member: Member) -> None:
    code = (
        "try:\n    with open('/tmp/big', 'wb') as f:\n"
        "        while True: f.write(b'x' * 1_000_000)\n"
        "except OSError as error: print(error.errno)\n"
        "import os; os.remove('/tmp/big')"
    )
    result = member.run(module(code), end="2020-01-10")
    assert result.output.tail.strip() in {b"27", b"28"}  # EFBIG or ENOSPC


@pytest.mark.parametrize("stream", [1, 2])
def test_output_endless_ends_at_the_limit_and_keeps_the_tail(member: Member, stream: int) -> None:
    code = f"import os\nwhile True: os.write({stream}, b'0123456789' * 1000)"
    result = member.run(module(code), max_output_bytes=1 << 20, output_tail_bytes=100)
    assert result.cause == "CAUSE_OUTPUT"
    assert result.output.total_bytes > 1 << 20
    assert len(result.output.tail) == 100
    assert set(result.output.tail) == set(b"0123456789")


def test_output_hostile_bytes_are_passed_on_as_they_are(member: Member) -> None:
    code = "import os\nos.write(1, b'\\xff\\x00\\x1b[2J')\nprint('\\ud800')"
    assert member.run(module(code), end="2020-01-10").output.tail == b"\xff\x00\x1b[2J?\n"


def test_fork_bomb_is_bounded(member: Member) -> None:
    result = member.run(module("import os\nwhile True: os.fork()"))
    assert result.cause == "CAUSE_PIDS"


def test_thread_bomb_is_bounded(member: Member) -> None:
    code = (
        "import threading, time\n"
        "while True: threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    assert member.run(module(code)).cause == "CAUSE_PIDS"


def test_daemon_left_behind_is_dead_when_the_trial_ends(member: Member) -> None:
    code = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    for _ in range(10):
        if os.fork() == 0:
            time.sleep(3600)
    time.sleep(3600)
"""
    assert member.run(module(code), end="2020-01-10").failed is None
    listing = (
        "import os\nprint(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()), os.getpid())"
    )
    result = member.run(module(listing), end="2020-01-10")
    processes = eval(result.output.tail.decode().replace("] ", "],"))  # noqa: S307 - our own text
    assert len(processes[0]) == 3  # supervisor, zygote and the trial itself
    assert processes[0][0] == 1
    assert processes[0][-1] == processes[1]


def test_descriptors_of_a_trial_are_its_own_four(member: Member) -> None:
    code = """
import fcntl, os, stat
found = []
for fd in range(1024):
    try: fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError: continue
    found.append((fd, stat.S_ISFIFO(os.fstat(fd).st_mode)))
print(found)
"""
    result = member.run(module(code), end="2020-01-10")
    assert result.output.tail == b"[(0, False), (1, True), (2, True), (3, True)]\n"


def test_nonce_is_nowhere_in_the_trials_memory(member: Member) -> None:
    # Only half of it is given away, so that the search cannot find its own copy.
    half = len(NONCE) // 2
    code = f"""
import ctypes, hashlib
known, rest, digest = {NONCE[:half]!r}, {len(NONCE) - half}, {sha256(NONCE[half:]).hexdigest()!r}
searched = found = 0
for line in open('/proc/self/maps'):
    span, mode, *_ = line.split()
    if not mode.startswith('rw'): continue
    start, end = (int(each, 16) for each in span.split('-'))
    data = ctypes.string_at(start, end - start)
    searched += len(data)
    at = data.find(known)
    while at >= 0:
        following = data[at + len(known) : at + len(known) + rest]
        found += hashlib.sha256(following).hexdigest() == digest
        at = data.find(known, at + 1)
print(found, searched > 10_000_000)
"""
    result = member.run(module(code), end="2020-01-10")
    assert result.output.tail == b"0 True\n", result.failed


@pytest.mark.parametrize(
    "path", ["/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/fd", "/proc/{zygote}/mem"]
)
def test_supervisor_and_zygote_are_closed(member: Member, path: str) -> None:
    code = f"""
import os
path = {path!r}.replace('{{zygote}}', str(os.getppid()))
try: os.listdir(path) if path.endswith('fd') else open(path, 'rb').read(1)
except OSError as error: print(error.errno)
else: print('open')
"""
    result = member.run(module(code), end="2020-01-10")
    assert result.output.tail.strip() in {b"13", b"1"}


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket(socket.AF_UNIX).connect('/run/stratlab/link.sock')",
        "import socket; socket.socket(socket.AF_INET).connect(('127.0.0.1', 1))",
        "import socket; socket.socket(socket.AF_UNIX).bind('/tmp/s')",
        "import os; os.setuid(0)",
        "import os; os.link('/etc/passwd', '/tmp/p')",
        "import fcntl; fcntl.flock(open('/data/tier.json'), fcntl.LOCK_SH)",
        "import fcntl; fcntl.lockf(open('/data/tier.json'), fcntl.LOCK_SH)",
        "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (10, 10))",
        "open('/data/x', 'w')",
        "open('/opt/x', 'w')",
        "open('/run/stratlab/x', 'w')",
        "import os; os.memfd_create('x')",
        "import subprocess; subprocess.run(['/bin/sh'])",
    ],
)
def test_operation_is_refused(member: Member, code: str) -> None:
    failed = member.run(module(code)).failed
    assert failed is not None
    assert failed.type in {
        "PermissionError", "OSError", "FileNotFoundError", "ConnectionRefusedError"
    }  # fmt: skip


def test_file_in_tmp_cannot_be_executed(member: Member) -> None:
    code = (
        "import os, shutil\nshutil.copyfile('/opt/stratlab/bin/python3', '/tmp/p')\n"
        "os.chmod('/tmp/p', 0o700)\n"
        "try: os.execv('/tmp/p', ['p'])\nfinally: os.remove('/tmp/p')"
    )
    failed = member.run(module(code)).failed
    assert failed is not None
    assert failed.type == "PermissionError"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.write(3, b'garbage and more garbage')", "malformed"),
        ("os.write(3, b'\\xff\\xff\\xff\\xff')", "malformed"),
        ("os.write(3, b'\\0\\0\\0\\1')", "inside a frame"),
        ("os._exit(0)", "code 0"),
        ("os._exit(7)", "code 7"),
        ("os.close(3)", "code"),
    ],
)
def test_frames_of_the_strategys_own_making_are_a_violation(
    member: Member, code: str, message: str
) -> None:
    source = f"import os\ndef initialize(context):\n    {code}\n    os._exit(0)\n"
    result = member.run(source)
    assert result.cause == "CAUSE_PROTOCOL"
    assert result.failed is not None
    assert message in result.failed.message


def test_frames_for_another_trial_are_a_violation(member: Member) -> None:
    code = """
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.wire import write_frame
frame = pb.AttachRequest(finished=pb.TrialFinished(trial_id='another'), sequence=99)
write_frame(3, frame.SerializeToString())
"""
    result = member.run(module(code))
    assert result.cause == "CAUSE_PROTOCOL"
    assert "another trial" in (result.failed.message if result.failed else "")


def test_frames_after_a_forged_end_are_a_violation(member: Member) -> None:
    code = """
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.wire import write_frame
write_frame(3, pb.AttachRequest(finished=pb.TrialFinished(trial_id='trial-1')).SerializeToString())
"""
    assert member.run(module(code)).cause == "CAUSE_PROTOCOL"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGTERM", "SIGABRT"])
def test_signal_is_named(member: Member, name: str) -> None:
    result = member.run(module(f"import os, signal\nos.kill(os.getpid(), signal.{name})"))
    assert result.cause == "CAUSE_SIGNAL"
    assert name in (result.failed.message if result.failed else "")


def test_signals_to_the_first_process_are_dropped(member: Member) -> None:
    code = """
import os
for number in range(1, 65):
    os.kill(1, number)
"""
    assert member.run(module(code), end="2020-01-10").failed is None


def test_tmp_is_empty_in_the_next_trial(member: Member) -> None:
    code = """
import os
for name in ('a', 'b'):
    os.mkdir('/tmp/' + name)
    open('/tmp/' + name + '/f', 'w').write('note')
os.chdir('/tmp/a')
for _ in range(1500):
    os.mkdir('d' * 10)
    os.chdir('d' * 10)
open('note', 'w').write('deep')
os.chmod('/tmp/b', 0)
"""
    assert member.run(module(code), end="2020-01-10").failed is None
    look = "import os\nprint(os.listdir('/tmp'))"
    assert member.run(module(look), end="2020-01-10").output.tail == b"[]\n"


def test_forked_child_that_returns_has_no_say(member: Member) -> None:
    source = "import os\ndef initialize(context):\n    context.child = os.fork() == 0\n"
    result = member.run(source, end="2020-01-10")
    assert result.failed is None, result.failed
    assert result.kinds.count("equity") == 1


def test_monkeypatched_zipline_is_gone_in_the_next_trial(member: Member) -> None:
    patch = "import zipline.api\nzipline.api.order = None\nopen('/tmp/note', 'w').write('hello')"
    assert member.run(module(patch), end="2020-01-10").failed is None
    check = "import zipline.api\nassert zipline.api.order is not None"
    assert member.run(module(check), end="2020-01-10").failed is None


class TestEndOfTheContainer:
    """Attacks and events after which a container ends; each gets its own."""

    def test_strategy_that_kills_everything_ends_the_container(self, tier: Path) -> None:
        with Member(tier) as member:
            source = module("import os\nos.kill(-1, 9)\nwhile True: pass")
            member.send(pb.AttachResponse(run=trial(source)))
            # Whether word of the trial's end still gets out is a race with its own signal.
            assert member.exit_code() == 1

    def test_goodbye_ends_the_container(self, tier: Path) -> None:
        with Member(tier) as member:
            member.send(pb.AttachResponse(goodbye=pb.Goodbye()))
            assert member.closed()
            member.disconnect()
            assert member.exit_code() == 0

    def test_controller_gone_ends_the_container_in_the_middle_of_a_trial(self, tier: Path) -> None:
        with Member(tier) as member:
            member.send(pb.AttachResponse(run=trial(module("import time\ntime.sleep(3600)"))))
            assert member.frame().WhichOneof("frame") == "started"
            member.disconnect()
            assert member.exit_code() == 1
