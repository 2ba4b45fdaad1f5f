"""Trials beside each other in one container: whatever one does, the others go on."""

import time

import pytest
from tests.runner.member import Member, Result, trial

from stratlab_proto.runner.v1 import runner_service_pb2 as pb

pytestmark = pytest.mark.docker

IDLE = "def initialize(context):\n    pass\n"
WAITS = "import time\ntime.sleep(1.5)\n" + IDLE


def run_together(member: Member, *sources: str, **changes: int) -> list[Result]:
    """Start all at once and return what each said."""
    names = [f"trial-{number}" for number in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        request = trial(source, trial_id=name, **changes)
        member.send(pb.AttachResponse(run=request))
    results = {name: Result() for name in names}
    running = set(names)
    while running:
        frame = member.frame()
        kind = frame.WhichOneof("frame")
        name = getattr(frame, kind).trial_id
        assert name in running
        results[name].add(frame)
        if kind in {"finished", "failed"}:
            running.remove(name)
    return list(results.values())


def test_trials_run_at_the_same_time(member: Member) -> None:
    began = time.monotonic()
    results = run_together(member, *(WAITS for _ in range(4)))
    assert [result.cause for result in results] == [""] * 4
    assert time.monotonic() - began < 4.5


def test_trials_beside_each_other_report_what_each_reports_alone(member: Member) -> None:
    source = (
        "from zipline.api import order, symbol\n"
        "def initialize(context):\n    context.left = {}\n"
        "def handle_data(context, data):\n"
        "    if context.left > 0:\n"
        "        order(symbol('AAA'), context.left)\n"
        "        context.left -= 1\n"
    )
    sources = [source.format(count) for count in (3, 5, 8)]
    alone = [member.run(source) for source in sources]
    together = run_together(member, *sources)
    assert [result.log for result in together] == [result.log for result in alone]
    assert [result.equity for result in together] == [result.equity for result in alone]
    assert [len(result.log) for result in together] == [3, 5, 8]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise ValueError('bad point')", "CAUSE_EXCEPTION"),
        ("import os; os.kill(os.getpid(), 9)", "CAUSE_SIGNAL"),
        ("import os; os._exit(3)", "CAUSE_PROTOCOL"),
        ("import os; os.write(3, b'garbage')", "CAUSE_PROTOCOL"),
        ("while True: pass", "CAUSE_CPU"),
        ("bytearray(10 ** 12)", "CAUSE_MEMORY"),
    ],
)
def test_bad_trial_does_not_end_the_one_beside_it(member: Member, code: str, cause: str) -> None:
    bad, good = run_together(member, f"{code}\n{IDLE}", WAITS, cpu_seconds=2)
    assert bad.cause == cause
    assert good.cause == ""


def test_wall_deadline_ends_the_trial_that_is_late_and_no_other(member: Member) -> None:
    sleeps = f"import time\ntime.sleep(3600)\n{IDLE}"
    began = time.monotonic()
    late, good = run_together(member, sleeps, IDLE, wall_seconds=2)
    assert late.cause == "CAUSE_WALL"
    assert late.failed is not None
    assert late.failed.message == "not done after 2 s"
    assert 2 <= time.monotonic() - began < 4
    assert good.cause == ""


def test_child_left_behind_is_dead_while_the_trial_beside_it_runs(member: Member) -> None:
    leaves = f"import os, time\nif os.fork() == 0:\n    time.sleep(3600)\n{IDLE}"
    counts = (
        "import os, time\ntime.sleep(1.5)\n"
        "print(sum(name.isdigit() for name in os.listdir('/proc')))\n" + IDLE
    )
    _, counting = run_together(member, leaves, counts)
    assert counting.output.tail == b"3\n"  # the supervisor, the zygote, and itself


def test_daemon_of_a_trial_in_company_is_dead_and_tmp_empty_when_all_have_ended(
    member: Member,
) -> None:
    leaves = (
        "import os, time\nopen('/tmp/here', 'w').close()\n"
        f"if os.fork() == 0:\n    os.setsid()\n    time.sleep(3600)\n{IDLE}"
    )
    run_together(member, leaves, WAITS)
    looks = (
        "import os\nprint(os.listdir('/tmp'), "
        f"sum(name.isdigit() for name in os.listdir('/proc')))\n{IDLE}"
    )
    assert member.run(looks).output.tail == b"[] 3\n"
