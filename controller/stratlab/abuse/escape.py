"""Strategies that try to get out, or to see and reach what is not theirs."""

from typing import Final

from stratlab.abuse.case import AbuseCase, Row, rows_source, script
from stratlab.abuse.walk import NARROWED, needed_rows, refused_rows
from stratlab.domain.trial import Outcome

PLANTED: Final = "canary-4f1d9a7c2b"
"""The secret that a bench plants around the controller, and that nobody may find inside."""

_GROUP: Final = "escape surface"
_FINE: Final = frozenset({Outcome.SUCCEEDED})
_REFUSED: Final = frozenset({"EACCES", "EPERM"})
_WRITE: Final = frozenset({"EACCES", "EPERM", "EROFS", "ENOENT", "EINVAL", "ENXIO"})
_SOCKETS: Final = (
    *(
        Row(
            f"socket-{name}",
            f"socket.socket({number}, {kind}); result = 'made'",
            frozenset({"EPERM"}),
            frozenset(),
            frozenset({"EAFNOSUPPORT"}),
            filtered=True,
        )
        for name, number, kind in (
            ("inet", 2, "socket.SOCK_STREAM"),
            ("inet-datagram", 2, "socket.SOCK_DGRAM"),
            ("inet6", 10, "socket.SOCK_STREAM"),
            ("netlink", 16, "socket.SOCK_RAW"),
            ("packet", 17, "socket.SOCK_RAW"),
            ("vsock", 40, "socket.SOCK_STREAM"),
            ("algorithms", 38, "socket.SOCK_SEQPACKET"),
        )
    ),
    Row(
        "socket-bind",
        "socket.socket(socket.AF_UNIX).bind('\\0meeting'); result = 'bound'",
        filtered=True,
    ),
    # Where sockets can be made at all, nothing answers: there is no network.
    *(
        Row(
            f"reach-{name}",
            "s = socket.socket(); s.settimeout(0.5)\n"
            f"s.connect(({address!r}, 80)); result = 'connected'",
            frozenset({"EPERM"}),
            frozenset(),
            frozenset({"ENETUNREACH", "EHOSTUNREACH", "TimeoutError", "ENODEV"}),
        )
        for name, address in (
            ("metadata", "169.254.169.254"),
            ("private-10", "10.0.0.1"),
            ("private-172", "172.17.0.1"),
            ("private-192", "192.168.0.1"),
            ("internet", "1.1.1.1"),
        )
    ),
    Row(
        "resolve-name",
        "result = socket.getaddrinfo('example.com', 80)[0][4][0]",
        frozenset({"gaierror", "EPERM", "blocked"}),
    ),
    Row(
        "interfaces",
        "result = ','.join(sorted(line.split(':')[0].strip() for line in "
        "Path('/proc/net/dev').read_text().splitlines()[2:]))",
        frozenset({"lo"}),
        on_gvisor=frozenset({""}),
    ),
    Row(
        "link-of-the-controller",
        "socket.socket(socket.AF_UNIX).connect('/run/stratlab/link.sock'); result = 'connected'",
        frozenset({"ENOENT", "ECONNREFUSED", "EACCES"}),
    ),
    Row(
        "sockets-of-other-members",
        "result = len(glob.glob('/run/**/*.sock', recursive=True))",
        frozenset({"0"}),
    ),
    *(
        Row(
            f"engine-{path.replace('/', '-').strip('-')}",
            f"socket.socket(socket.AF_UNIX).connect({path!r}); result = 'connected'",
            frozenset({"ENOENT", "ENOTDIR"}),
        )
        for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
    ),
)

_FILES: Final = (
    *(
        Row(f"write{path.replace('/', '-')}", f"open({path!r}, 'r+'); result = 'opened'", _WRITE)
        for path in (
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname",
            "/proc/sysrq-trigger",
            "/sys/kernel/uevent_helper",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory.max",
            "/sys/fs/cgroup/cgroup.procs",
            "/data/tier.json",
            "/etc/hostname",
        )
    ),
    *(
        Row(f"make-file-in{path.replace('/', '-')}", f"open('{path}/x', 'w')", _WRITE | {"ENOENT"})
        for path in (
            *("", "/data", "/run/stratlab", "/opt", "/etc", "/dev"),
            *("/dev/shm", "/dev/mqueue"),  # noqa: S108 - paths inside the container
        )
    ),
    Row(
        "device-files",
        "opened = []\n"
        "devices = [p for p in glob.glob('/dev/**', recursive=True) if Path(p).is_block_device()]\n"
        "named = '/dev/mem', '/dev/kmem', '/dev/kvm', '/dev/fuse', '/dev/net/tun'\n"
        "for path in (*devices, *named):\n"
        "    try: os.open(path, os.O_RDWR)\n"
        "    except OSError: continue\n"
        "    opened.append(path)\n"
        "result = ','.join(opened)",
        frozenset({""}),
        # The Sentry's own, of no use without capabilities.
        on_gvisor=frozenset({"/dev/fuse,/dev/net/tun"}),
    ),
    Row("make-device", "os.mknod('/tmp/device', 0o020666, os.makedev(1, 1))", filtered=True),
    Row(
        "run-from-tmp",
        "Path('/tmp/program').write_text('#!' + sys.executable); os.chmod('/tmp/program', 0o700)\n"
        "os.execv('/tmp/program', ['program'])",
        frozenset({"EACCES"}),
    ),
    Row("run-a-shell", "os.execv('/bin/sh', ['sh'])", frozenset({"ENOENT"})),
    Row("change-root", "os.chroot('/tmp')"),
    Row("mount", "call(165 if intel else 40, 0, 0, 0, 0, 0)", frozenset({"EPERM"})),
    Row("become-root", "os.setuid(0)", frozenset({"EPERM"})),
    Row("user-id-is-root", "result = 0 in os.getresuid() + os.getresgid()", frozenset({"False"})),
    Row(
        "capabilities",
        "result = sum(int(line.split()[1], 16) for line in "
        "Path('/proc/self/status').read_text().splitlines() if line.startswith('Cap'))",
        frozenset({"0"}),
    ),
    Row(
        "no-new-privileges",
        "result = libc.prctl(39, 0, 0, 0, 0)",
        frozenset({"1"}),
    ),
    Row(
        "setuid-files",
        "result = sum(1 for root in ('/usr', '/bin', '/sbin', '/opt', '/lib') for folder, _, "
        "names in os.walk(root) for name in names if os.lstat(folder + '/' + name).st_mode "
        "& 0o6000 and not os.path.islink(folder + '/' + name))",
        frozenset({"0", "blocked"}),
    ),
    Row(
        "32-bit-calls",
        "import mmap\n"
        "code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
        "code.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(code))\n"
        "pid = ctypes.CFUNCTYPE(ctypes.c_int)(address)() if intel else 0\n"
        "result = 'worked' if pid == os.getpid() else 'absent'",
        frozenset({"signal 31", "signal 11", "absent", "EPERM"}),
    ),
)

_LIMITS: Final = (
    Row(
        "mounts-read-only",
        "rows = [line.split() for line in Path('/proc/self/mountinfo').read_text().splitlines()]\n"
        "result = ','.join(sorted(row[4] for row in rows if row[4] in ('/', '/data', "
        "'/run/stratlab', '/dev/mqueue', '/etc/hostname') and 'rw' in row[5].split(',')))",
        # The engine's own small files; nobody inside may write to them.
        frozenset({"", "/etc/hostname"}),
    ),
    Row(
        "tmp-without-programs",
        "rows = [line.split() for line in Path('/proc/self/mountinfo').read_text().splitlines()]\n"
        "result = all('noexec' in row[5].split(',') for row in rows if row[4] == '/tmp')",
        frozenset({"True"}),
    ),
    Row(
        "processes",
        # Threads count, and are cheaper than processes.
        "import threading\n"
        "started = 0\n"
        "try:\n"
        "    while started < 200:\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "        started += 1\n"
        "except RuntimeError: pass\n"
        "result = started <= 64",
        frozenset({"True"}),
    ),
    *(
        Row(
            f"limit-{name.lower()}",
            f"import resource; result = resource.getrlimit(resource.RLIMIT_{name})",
            frozenset({f"({value}, {value})"}),
            on_gvisor=frozenset(others),
        )
        for name, value, others in (
            ("CORE", 0, ()),
            ("NOFILE", 1024, ()),
            ("FSIZE", 16 << 20, ()),
            ("MEMLOCK", 65_536, ()),
            ("NPROC", 512, ("(64, 64)",)),
        )
    ),
    Row(
        "message-queues",
        "import resource; result = resource.getrlimit(12)",  # RLIMIT_MSGQUEUE
        frozenset({"(0, 0)"}),
    ),
    Row(
        "killed-first-when-memory-is-short",
        "result = Path('/proc/self/oom_score_adj').read_text().strip()",
        frozenset({"1000"}),
        on_gvisor=frozenset({"0"}),  # of the Sentry's own kind; on the host it has 1000
    ),
    Row("host-name", "result = socket.gethostname()", frozenset({"member"})),
)

_OTHERS: Final = (
    *(
        # The Sentry lists these of every process; what they lead to is tried below.
        Row(f"supervisor-{name}", code, _REFUSED, on_gvisor=frozenset({"done"}))
        for name, code in (
            ("descriptors", "os.listdir('/proc/1/fd')"),
            ("environment", "open('/proc/1/environ').read()"),
            ("memory-map", "open('/proc/1/maps').read()"),
        )
    ),
    Row("supervisor-memory-write", "open('/proc/1/mem', 'r+b').read(1)", _REFUSED),
    Row(
        "supervisor-memory-read",
        "maps = [line.split() for line in open('/proc/1/maps')]\n"
        "start = next(int(row[0].split('-')[0], 16) for row in maps if row[1].startswith('rw'))\n"
        "with open('/proc/1/mem', 'rb', 0) as memory:\n"
        "    memory.seek(start)\n"
        "    result = 'read' if memory.read(16) else 'nothing'",
        _REFUSED,
        on_gvisor=frozenset({"EIO", "ENOENT", "nothing"}),
    ),
    Row(
        "supervisor-descriptors-used",
        "opened = []\n"
        "for name in os.listdir('/proc/1/fd'):\n"
        "    for flags in (os.O_RDONLY, os.O_WRONLY):\n"
        "        try: os.open('/proc/1/fd/' + name, flags | os.O_NONBLOCK)\n"
        "        except OSError: continue\n"
        "        opened.append(os.readlink('/proc/1/fd/' + name).split(':')[0])\n"
        "result = ','.join(sorted(set(opened) - {'/dev/null', 'host'}))",
        _REFUSED,
        # The other ends of the trial's own pipes; sockets cannot be opened that way.
        on_gvisor=frozenset({"", "pipe"}),
    ),
    Row(
        "zygote-memory",
        "open(f'/proc/{os.getppid()}/mem', 'r+b').read(1)",
        frozenset({"EACCES", "EPERM", "EIO"}),
    ),
    Row("ptrace-the-supervisor", "call(101 if intel else 117, 16, 1, 0, 0)", frozenset({"EPERM"})),
    Row(
        "processes-of-others",
        "result = sorted(int(p) for p in os.listdir('/proc') if p.isdigit())[0]",
        frozenset({"1"}),
    ),
    Row(
        "environment-beyond-the-list",
        "allowed = {'HOME', 'TMPDIR', 'ZIPLINE_ROOT', 'LANG', 'TZ', 'PATH', 'HOSTNAME', "
        "'LC_CTYPE'}\n"
        "result = ','.join(sorted(name for name in os.environ if name not in allowed and not "
        "name.startswith('PYTHON') and not name.endswith('THREADS')))",
        frozenset({""}),
    ),
    Row(
        "planted-secrets",
        "found = [path for pattern in ('/proc/[0-9]*/environ', '/proc/[0-9]*/cmdline', '/tmp/**', "
        "'/run/**', '/etc/*', '/proc/mounts', '/data/*') for path in glob.glob(pattern, "
        "recursive=True) if os.path.isfile(path) and os.access(path, os.R_OK) and "
        f"{PLANTED[:10]!r} + {PLANTED[10:]!r} in "
        "open(path, 'rb').read(1 << 20).decode('latin1')]\n"
        "result = ','.join(found)",
        frozenset({""}),
    ),
    Row(
        "holdout",
        "result = json.loads(Path('/data/tier.json').read_text())['tier']",
        frozenset({"train"}),
    ),
    Row(
        "data-sets-of-others",
        "result = ','.join(sorted(os.listdir('/data')))",
        frozenset({"adjustments.sqlite,assets.sqlite,daily_equities.bcolz,days,tier.json"}),
    ),
)

_WALK: Final = {"cpu_seconds": 30, "wall_seconds": 90}


def _case(name: str, rows: tuple[Row, ...], defence: str) -> AbuseCase:
    return AbuseCase(
        name=name,
        group=_GROUP,
        source=rows_source(rows),
        outcomes=_FINE,
        defence=defence,
        rows=rows,
        limits=_WALK,
        ci=True,
    )


ESCAPE: Final = (
    _case("system-calls-refused", refused_rows(), "seccomp; gVisor: seccomp in the Sentry"),
    _case("system-calls-needed", needed_rows(), "none: they must not be refused"),
    _case("system-calls-narrowed", NARROWED, "seccomp, by arguments"),
    _case("sockets-and-network", _SOCKETS, "seccomp, --network none; gVisor: no host network"),
    _case("files-and-privileges", _FILES, "read-only mounts, no capabilities, noexec tmpfs"),
    _case(
        "limits-as-asked",
        _LIMITS,
        "ulimits, mount options, pids cgroup; gVisor: RLIMIT_NPROC",
    ),
    _case("other-processes-and-secrets", _OTHERS, "undumpable supervisor, allow-list, mounts"),
)
"""Each succeeds as a trial, and every attempt in it comes to nothing."""

BETWEEN: Final = (
    AbuseCase(
        name="note-left-for-the-next",
        group="between runs",
        source=script(
            "Path('/tmp/note').write_text('hello')\n"
            "import zipline.api\n"
            "zipline.api.order = None\n"
            "if os.fork() == 0: time.sleep(3600)"
        ),
        outcomes=_FINE,
        defence="single-use members",
        ci=True,
    ),
    _case(
        "what-the-next-finds",
        (
            Row("files-in-tmp", "result = os.listdir('/tmp')", frozenset({"[]"})),
            Row(
                "zipline-as-it-is",
                "import zipline.api; result = zipline.api.order is not None",
                frozenset({"True"}),
            ),
            Row(
                "processes",
                "result = len([p for p in os.listdir('/proc') if p.isdigit()])",
                frozenset({"4"}),  # the supervisor, the zygote, the trial and the attempt itself
            ),
        ),
        "single-use members",
    ),
)
"""The second runs right after the first, and finds nothing of it."""
