"""Strategies that take more than they may: processes, memory, disk, descriptors, time."""

from typing import Final

from stratlab.abuse.case import CHARGED, AbuseCase, script
from stratlab.domain.trial import Outcome

_GROUP: Final = "resources"
_TOO_LONG: Final = frozenset({Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL})
_FINE: Final = frozenset({Outcome.SUCCEEDED})
_NEVER_FINE: Final = CHARGED

RESOURCES: Final = (
    AbuseCase(
        name="fork-bomb",
        group=_GROUP,
        source=script("while True: os.fork()"),
        outcomes=frozenset({Outcome.PIDS, *_TOO_LONG, Outcome.PROTOCOL_VIOLATION}),
        on_gvisor=_NEVER_FINE,
        defence="pids cgroup; gVisor: RLIMIT_NPROC, and the memory cgroup around the Sentry",
        ci=True,
    ),
    AbuseCase(
        name="thread-bomb",
        group=_GROUP,
        source=script(
            "import threading\n"
            "while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
        ),
        outcomes=frozenset({Outcome.PIDS}),
        on_gvisor=frozenset({Outcome.PIDS, Outcome.OUT_OF_MEMORY}),
        defence="pids cgroup; gVisor: RLIMIT_NPROC",
    ),
    AbuseCase(
        name="memory-hog",
        group=_GROUP,
        # Bounded itself, so that a host without the limit can be tested, too.
        source=script("held = []\nfor _ in range(128): held.append(bytearray(b'x' * (16 << 20)))"),
        outcomes=frozenset({Outcome.OUT_OF_MEMORY}),
        defence="memory cgroup; gVisor: RLIMIT_AS, and the memory cgroup around the Sentry",
        ci=True,
    ),
    AbuseCase(
        name="memory-hog-in-many-processes",
        group=_GROUP,
        source=script(
            "for _ in range(8):\n"
            "    if os.fork() == 0: break\n"
            "held = []\n"
            "for _ in range(64): held.append(bytearray(b'x' * (4 << 20)))\n"
            "time.sleep(5)"
        ),
        outcomes=frozenset({Outcome.OUT_OF_MEMORY}),
        on_gvisor=frozenset({Outcome.OUT_OF_MEMORY, Outcome.SIGNAL}),
        defence="memory cgroup; gVisor: the memory cgroup around the Sentry",
    ),
    AbuseCase(
        name="memfd-hog",
        group=_GROUP,
        source=script(
            "try:\n"
            "    fd = os.memfd_create('hog')\n"
            "    while True: os.write(fd, b'x' * (1 << 20))\n"
            "except PermissionError: print('refused')"
        ),
        outcomes=_FINE,
        on_gvisor=_FINE | {Outcome.OUT_OF_MEMORY},
        shown="refused",
        defence="seccomp; gVisor: seccomp in the Sentry, else the memory cgroup around it",
    ),
    AbuseCase(
        name="tmp-fill",
        group=_GROUP,
        source=script(
            "written = 0\n"
            "try:\n"
            "    for number in range(1000):\n"
            "        with open(f'/tmp/fill{number}', 'wb', 0) as file:\n"
            "            for _ in range(8): written += file.write(b'x' * (1 << 20))\n"
            "except OSError as error: print('stopped', errno.errorcode[error.errno])\n"
            "assert written <= 16 << 20, written"
        ),
        outcomes=_FINE,
        shown="stopped",
        defence="size of the tmpfs, RLIMIT_FSIZE",
        ci=True,
    ),
    AbuseCase(
        name="inode-flood",
        group=_GROUP,
        source=script(
            "made = 0\n"
            "try:\n"
            "    while made < 400_000:\n"
            "        os.close(os.open(f'/tmp/{made}', os.O_CREAT | os.O_WRONLY)); made += 1\n"
            "except OSError as error: print('stopped', errno.errorcode[error.errno])\n"
            "assert made <= 4096, made"
        ),
        outcomes=_FINE,
        on_gvisor=_TOO_LONG | {Outcome.OUT_OF_MEMORY},
        defence="nr_inodes of the tmpfs; gVisor knows none: RLIMIT_CPU, and files are the "
        "Sentry's memory, which its cgroup bounds",
    ),
    AbuseCase(
        name="deep-directories",
        group=_GROUP,
        source=script(
            "os.chdir('/tmp')\n"
            "try:\n"
            "    for _ in range(100_000):\n"
            "        os.mkdir('d' * 50); os.chdir('d' * 50)\n"
            "except OSError as error: print('stopped', errno.errorcode[error.errno])"
        ),
        outcomes=_FINE,
        on_gvisor=_FINE | _TOO_LONG | {Outcome.OUT_OF_MEMORY},
        defence="nr_inodes of the tmpfs; gVisor: RLIMIT_CPU",
    ),
    AbuseCase(
        name="descriptor-flood",
        group=_GROUP,
        source=script(
            "held = []\n"
            "try:\n"
            "    while True: held.append(os.open('/dev/null', os.O_RDONLY))\n"
            "except OSError as error: print('stopped', errno.errorcode[error.errno])\n"
            "assert len(held) < 1024\n"
            "for each in held: os.close(each)"
        ),
        outcomes=_FINE,
        shown="stopped EMFILE",
        defence="RLIMIT_NOFILE",
    ),
    AbuseCase(
        name="busy-loop",
        group=_GROUP,
        source=script("while True: pass"),
        outcomes=_TOO_LONG,
        defence="RLIMIT_CPU, and the controller's timer",
        ci=True,
    ),
    AbuseCase(
        name="busy-loop-that-ignores-its-signal",
        group=_GROUP,
        source=script("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"),
        outcomes=_TOO_LONG,
        defence="the hard limit of RLIMIT_CPU (SIGKILL), and the controller's timer",
    ),
    AbuseCase(
        name="sleep",
        group=_GROUP,
        source=script("time.sleep(3600)"),
        outcomes=frozenset({Outcome.TIMEOUT_WALL}),
        limits={"wall_seconds": 4},
        defence="the controller's timer",
        ci=True,
    ),
    AbuseCase(
        name="loop-in-c-that-holds-the-lock",
        group=_GROUP,
        source=script("sum(range(10**13))"),
        outcomes=_TOO_LONG,
        defence="RLIMIT_CPU, and the controller's timer; both work from outside the process",
    ),
    AbuseCase(
        name="signals-ignored",
        group=_GROUP,
        source=script(
            "for number in range(1, 65):\n"
            "    try: signal.signal(number, signal.SIG_IGN)\n"
            "    except (OSError, ValueError): pass\n"
            "time.sleep(3600)"
        ),
        outcomes=frozenset({Outcome.TIMEOUT_WALL}),
        limits={"wall_seconds": 4},
        defence="the container is killed, never asked to stop",
    ),
    AbuseCase(
        name="daemon-double-forked",
        group=_GROUP,
        source=script(
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() == 0: time.sleep(3600)\n"
            "    os._exit(0)\n"
            "os.wait()"
        ),
        outcomes=_FINE,
        defence="the supervisor ends all that a trial leaves; the member is removed",
        ci=True,
    ),
    AbuseCase(
        name="core-dump",
        group=_GROUP,
        source=script(
            "import resource\n"
            "try: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))\n"
            "except (OSError, ValueError): pass\n"
            "os.chdir('/tmp')\n"
            "os.kill(os.getpid(), signal.SIGSEGV)"
        ),
        outcomes=frozenset({Outcome.SIGNAL}),
        defence="RLIMIT_CORE 0, hard",
    ),
    AbuseCase(
        name="recursion",
        group=_GROUP,
        source=script(
            "sys.setrecursionlimit(10**9)\ndef deeper(n): return deeper(n + 1) + 1\ndeeper(0)"
        ),
        outcomes=CHARGED,
        defence="the process ends by itself; the supervisor is another one",
    ),
)
"""Each is bounded by a limit of the container and ends as an outcome of the trial."""
