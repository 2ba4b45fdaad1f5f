"""``health``: quick, and its exit code is the answer."""

import json
from collections.abc import Callable

from tests.api.fake_lab import ServedLab
from tests.cli.conftest import Ended

from stratlab.cli.exit_codes import ExitCode

Program = Callable[..., Ended]


def test_health_without_a_server_is_infrastructure(stratlab: Program) -> None:
    ended = stratlab("health")
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert "stratlab serve" in ended.err


def test_health_of_a_server_tells_whether_the_sandbox_is_proven(
    served: ServedLab, stratlab: Program
) -> None:
    assert json.loads(stratlab("health", "--json").out) == {
        "serving": True,
        "sandbox_ready": False,
    }
    assert stratlab("health").code == ExitCode.OK
    unproven = stratlab("health", "--sandbox", "--json")
    assert unproven.code == ExitCode.INFRASTRUCTURE
    assert json.loads(unproven.out)["error"]["type"] == "SANDBOX_NOT_READY"
    served.call(served.lab.sandbox_ready.set)
    while not json.loads(stratlab("health", "--json").out)["sandbox_ready"]:
        pass  # the announcement follows the event at once, but not in this thread
    assert "is ready" in stratlab("health", "--sandbox").out
