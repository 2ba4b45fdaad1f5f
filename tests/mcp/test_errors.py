"""What goes wrong is told in typed errors that say what to do next."""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.api.fake_lab import ServedLab
from tests.mcp.conftest import Agent, agent_of

from stratlab.client import Client

SOURCE = "def initialize(context):\n    pass\n"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason", "named"),
    [
        ("no_such_tool", {}, "NOT_FOUND", "no_such_tool"),
        ("list_campaigns", {"limit": 10_000}, "INVALID_INPUT", "limit"),
        ("list_campaigns", {"secret": 1}, "INVALID_INPUT", "secret"),
        ("watch_campaign", {}, "INVALID_INPUT", "campaign"),
        ("watch_campaign", {"campaign": "c9999", "seconds": 2}, "NOT_FOUND", "c9999"),
        ("explain_campaign", {"campaign": "../../etc"}, "INVALID_INPUT", ""),
        ("show_iteration", {"campaign": "c9999", "number": 1}, "NOT_FOUND", "c9999"),
        ("validate_strategy", {"source": ""}, "INVALID_SOURCE", "source"),
        ("validate_strategy", {"source": "a\0b"}, "INVALID_SOURCE", "NUL"),
        ("validate_strategy", {"source": "#" * 300_000}, "INVALID_SOURCE", "262144"),
        ("run_backtest", {"source": SOURCE, "seed": 2**70}, "INVALID_INPUT", "seed"),
        ("run_backtest", {"source": SOURCE, "symbols": ["a b"]}, "INVALID_INPUT", "symbols"),
        ("run_backtest", {"source": SOURCE, "skip_screening": True}, "INVALID_INPUT", "skip"),
        ("create_campaign", {"gates": {"nice": 1}}, "INVALID_SPEC", "gates.nice"),
        ("create_campaign", {"gates": {"max_drawdown": 7}}, "INVALID_SPEC", "max_drawdown"),
        ("create_campaign", {"stop_rules": {"max_tokens": 1e300}}, "INVALID_SPEC", "max_tokens"),
        (
            "create_campaign",
            {"stop_rules": {"max_wall_seconds": 1e300}},
            "INVALID_SPEC",
            "max_wall_seconds",
        ),
    ],
)
async def test_wrong_calls_are_told_what_is_wrong(
    agent: Agent, tool: str, arguments: dict[str, Any], reason: str, named: str
) -> None:
    error = await agent.error(tool, **arguments)
    message = error["message"]
    assert error["reason"] == reason, message
    assert named in (message["quoted"] if isinstance(message, dict) else message)
    assert error["hint"]


async def test_binary_and_missing_files_are_refused(agent: Agent, completed: str) -> None:
    read = partial(agent.error, "read_campaign_file", campaign=completed)
    assert (await read(path="series/t1.parquet"))["reason"] == "INVALID_INPUT"
    assert (await read(path="../../../etc/passwd"))["reason"] == "NOT_FOUND"


async def test_missing_controller_is_told_and_found_again_when_it_runs(tmp_path: Path) -> None:
    async with agent_of(partial(Client, f"unix:{tmp_path}/nobody")) as agent:
        for tool, arguments in {
            "list_campaigns": {},
            "run_backtest": {"source": SOURCE},
            "watch_campaign": {"campaign": "c1"},
        }.items():
            error = await agent.error(tool, **arguments)
            assert error["reason"] == "SERVER_UNREACHABLE"
            assert "stratlab serve" in error["hint"]["quoted"]


async def test_defect_of_a_tool_is_told_without_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextlib.contextmanager
    def broken() -> Any:
        raise ZeroDivisionError("secret")
        yield

    async with agent_of(broken) as agent:
        error = await agent.error("list_campaigns")
    assert error["reason"] == "INTERNAL"
    assert "secret" not in str(error)
    assert "ZeroDivisionError" in caplog.text


async def test_lab_that_was_overrun_says_so_in_its_own_words(
    agent: Agent, served: ServedLab
) -> None:
    served.lab.backtester.error = RuntimeError("a defect of the server")
    error = await agent.error("run_backtest", source=SOURCE)
    assert error["reason"] == "INTERNAL"
    assert "a defect" not in str(error)
