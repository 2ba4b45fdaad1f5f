"""Strategies that say too much, or what they must not: output and frames."""

from typing import Final

from stratlab.abuse.case import AbuseCase, script
from stratlab.domain.trial import Outcome

_GROUP: Final = "output"
_FINE: Final = frozenset({Outcome.SUCCEEDED})
_TOO_MUCH: Final = frozenset({Outcome.OUTPUT_LIMIT})
_VIOLATION: Final = frozenset({Outcome.PROTOCOL_VIOLATION})
_NEVER_BELIEVED: Final = frozenset({Outcome.PROTOCOL_VIOLATION, Outcome.FORGED})
_TIME: Final = frozenset({Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL})

# The runner's own objects are within reach of a strategy: it can say anything on its pipe.
_REPORTER: Final = """
import gc
from stratlab_proto.runner.v1 import runner_service_pb2 as pb
from stratlab_runner.reporter import Reporter
from stratlab_runner.wire import write_frame
reporter = next(each for each in gc.get_objects() if isinstance(each, Reporter))
trial_id = reporter._trial_id
def say(frame): write_frame(3, frame.SerializeToString())
"""

OUTPUT: Final = (
    AbuseCase(
        name="stdout-of-a-gibibyte",
        group=_GROUP,
        source=script("block = b'x' * (1 << 20)\nfor _ in range(1024): os.write(1, block)"),
        outcomes=_TOO_MUCH,
        defence="the supervisor counts and drops; output_mib",
        ci=True,
    ),
    AbuseCase(
        name="stderr-flood",
        group=_GROUP,
        source=script("while True: os.write(2, b'e' * 65536)"),
        outcomes=_TOO_MUCH,
        defence="the supervisor counts and drops; output_mib",
    ),
    AbuseCase(
        name="bytes-that-are-no-text",
        group=_GROUP,
        source=script("os.write(1, b'\\xff\\x00\\x1b[2J\\x1b]0;t\\x07\\xe2\\x80\\xae')"),
        outcomes=_FINE,
        shown="\\xff\\x00\\x1b[2J\\x1b]0;t\\x07\\u202e",
        defence="output is escaped before it is stored or shown",
        ci=True,
    ),
    AbuseCase(
        name="frame-of-garbage",
        group=_GROUP,
        source=script("os.write(3, b'\\x00\\x00\\x00\\x10' + b'\\xff' * 16)\ntime.sleep(60)"),
        outcomes=_VIOLATION,
        defence="the relay parses every frame; a violation ends the trial",
        ci=True,
    ),
    AbuseCase(
        name="frame-longer-than-allowed",
        group=_GROUP,
        source=script("os.write(3, b'\\x7f\\xff\\xff\\xff' + b'x' * 4096)\ntime.sleep(60)"),
        outcomes=_VIOLATION,
        defence="the length is checked before anything is kept",
    ),
    AbuseCase(
        name="half-a-frame-then-silence",
        group=_GROUP,
        source=script("os.write(3, b'\\x00\\x00\\x01\\x00' + b'x' * 10)\ntime.sleep(3600)"),
        outcomes=frozenset({Outcome.TIMEOUT_WALL}),
        limits={"wall_seconds": 4},
        defence="the controller's timer does not depend on frames",
    ),
    AbuseCase(
        name="frames-of-another-trial",
        group=_GROUP,
        source=script(
            _REPORTER + "say(pb.AttachRequest(finished=pb.TrialFinished(trial_id='other')))"
        ),
        outcomes=_VIOLATION,
        defence="every frame names its trial",
    ),
    AbuseCase(
        name="frames-after-the-end",
        group=_GROUP,
        source=script(
            _REPORTER + "say(pb.AttachRequest(finished=pb.TrialFinished(trial_id=trial_id)))"
        ),
        outcomes=_VIOLATION,
        defence="the state machine of the relay: nothing after the end",
        ci=True,
    ),
    AbuseCase(
        name="numbers-that-are-none",
        group=_GROUP,
        source=script(
            _REPORTER + "nan = float('nan')\n"
            "say(pb.AttachRequest(equity=pb.EquityBatch(trial_id=trial_id, bars=[991353600], "
            "values=[nan])))\n"
            "say(pb.AttachRequest(finished=pb.TrialFinished(trial_id=trial_id)))\nos._exit(0)"
        ),
        outcomes=_VIOLATION,
        defence="numbers are checked to be finite, on the controller's side",
        ci=True,
    ),
    AbuseCase(
        name="flood-of-small-frames",
        group=_GROUP,
        source=script(
            _REPORTER + "while True: say(pb.AttachRequest(progress=pb.TrialProgress("
            "trial_id=trial_id, fraction=0.5, bar=991353600, equity=1.0)))"
        ),
        outcomes=_VIOLATION | _TOO_MUCH | _TIME,
        defence="rate and total of frames are bounded on the controller's side",
    ),
)
"""Each ends as an outcome of the trial, and what is shown of it is safe to show."""

TRUTH: Final = (
    AbuseCase(
        name="end-written-by-the-strategy",
        group="truth",
        source=script(
            _REPORTER + "say(pb.AttachRequest(finished=pb.TrialFinished(trial_id=trial_id)))\n"
            "os._exit(0)"
        ),
        outcomes=_NEVER_BELIEVED,
        defence="the host's own account of the orders has points where the claim has none",
        ci=True,
    ),
    AbuseCase(
        name="equity-made-up",
        group="truth",
        source=script(
            "from stratlab_runner.reporter import Reporter\n"
            "honest = Reporter.equity\n"
            "def lie(self, bar, value, fraction): honest(self, bar, value * 11.65, fraction)\n"
            "Reporter.equity = lie"
        ),
        outcomes=frozenset({Outcome.FORGED}),
        defence="re-pricing: the host computes the equity from the order log",
        ci=True,
    ),
    AbuseCase(
        name="ledger-patched",
        group="truth",
        source=script(
            "import zipline.finance.ledger as ledger\n"
            "honest = ledger.Ledger.process_commission\n"
            "def initialize(context): context.bars = 0\n"
            "def handle_data(context, data):\n"
            "    context.bars += 1\n"
            "    if context.bars == 3:\n"
            "        import gc\n"
            "        for each in gc.get_objects():\n"
            "            if isinstance(each, ledger.Ledger): each._cash_flow(1_000_000.0)"
        ),
        outcomes=frozenset({Outcome.FORGED}),
        defence="re-pricing: the host computes the equity from the order log",
    ),
)
"""Isolation does not make a number true; re-pricing on the host does."""
