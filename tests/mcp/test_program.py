"""``stratlab mcp`` as an agent's host runs it: a process spoken to over stdin and stdout."""

import json
import signal
import subprocess
from pathlib import Path

import anyio
from tests.access.network import ServedNetwork
from tests.api.fake_lab import ServedLab
from tests.mcp.conftest import PROGRAM, agent_over_stdio

SOURCE = "def initialize(context):\n    pass\n"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


async def test_agent_drives_the_lab_over_stdio(served: ServedLab, home: Path) -> None:
    with anyio.fail_after(120):
        async with agent_over_stdio(home) as agent:
            assert (await agent.answer("validate_strategy", source=SOURCE))["passed"]
            trial = (await agent.answer("run_backtest", source=SOURCE))["trial"]
            assert trial["metrics"]["sharpe_ratio"] == 0.5
            assert agent.told
            name = (await agent.answer("create_campaign", prompt="Find something."))["name"]
            assert served.lab.manager.created[0].prompt == "Find something."
            assert not (await agent.answer("watch_campaign", campaign=name, seconds=1))["is_final"]
            await agent.answer("steer_campaign", campaign=name, action="cancel")
            assert (await agent.answer("watch_campaign", campaign=name))["is_final"]
            explained = await agent.answer("explain_campaign", campaign=name)
            assert explained["asked"]["prompt"] == {"quoted": "Find something."}


async def test_token_file_of_the_program_decides_what_an_agent_may(
    network: ServedNetwork, home: Path
) -> None:
    token = home / "token"
    token.touch(mode=0o600)
    token.write_text(network.secrets["viewer"])
    options = ("--address", f"http://{network.address}", "--token-file", str(token))
    with anyio.fail_after(120):
        async with agent_over_stdio(home, *options) as agent:
            error = await agent.error("create_campaign")
            assert error["reason"] == "PERMISSION_DENIED"
            # A new token counts from the next call on.
            token.write_text(network.secrets["researcher"])
            assert (await agent.answer("create_campaign"))["state"] == "queued"


def test_program_ends_with_its_stdin_and_writes_nothing_but_messages(home: Path) -> None:
    ended = subprocess.run(
        [PROGRAM, "--home", str(home), "mcp"],
        input=json.dumps(HELLO) + "\nno json\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert answers[0]["result"]["serverInfo"]["name"] == "stratlab"
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)


def test_program_ends_at_a_signal_while_it_waits_for_its_agent(home: Path) -> None:
    with subprocess.Popen(
        [PROGRAM, "--home", str(home), "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        program.stdin.write(json.dumps(HELLO) + "\n")
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["id"] == 1
        program.send_signal(signal.SIGTERM)
        try:
            assert program.wait(timeout=60) == 130
            assert "Traceback" not in program.stderr.read()
        finally:
            program.kill()
