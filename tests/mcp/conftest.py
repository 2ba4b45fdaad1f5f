"""A served lab, and agents: sessions of the official client with our server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters
from tests.access.network import ServedNetwork
from tests.api.fake_lab import FakeLab, ServedLab, serve_in_thread
from tests.api.samples import CHAMPION, VERDICT, campaign_of, iteration_of

from stratlab.api.network import network_of
from stratlab.api.server import ApiServer
from stratlab.client import Client
from stratlab.domain.access import Role
from stratlab.domain.campaign import CampaignState
from stratlab.mcp.answers import MAX_ANSWER
from stratlab.mcp.lab import Lab
from stratlab.mcp.server import make_server
from stratlab.settings import ServerSettings

PROGRAM = Path(sys.executable).with_name("stratlab")
REPORT = "# Report\n" + "Nothing was worth keeping. ä\n" * 2000


@dataclass
class Agent:
    """An agent's side of a session; every answer is checked for its bounds."""

    session: McpClient
    told: list[str] = field(default_factory=list)

    async def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self._call(tool, arguments, is_error=False)

    async def error(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that refuses, and return its typed error."""
        return (await self._call(tool, arguments, is_error=True))["error"]

    async def _call(self, tool: str, arguments: dict[str, Any], *, is_error: bool) -> Any:
        async def tell(done: float, total: float | None, text: str | None) -> None:
            self.told.append(str(text))

        result = await self.session.call_tool(tool, arguments, progress_callback=tell)
        (content,) = result.content
        assert result.is_error == is_error, content.text
        assert len(content.text) <= MAX_ANSWER
        assert content.text.isascii()
        assert not set("<>") & set(content.text)
        assert "Traceback" not in content.text
        return json.loads(content.text)


@asynccontextmanager
async def agent_of(connect: Callable[[], Client]) -> AsyncIterator[Agent]:
    """Talk to a server in this process."""
    async with McpClient(make_server(Lab(connect))) as session:
        yield Agent(session)


@asynccontextmanager
async def agent_over_stdio(home: Path, *options: str) -> AsyncIterator[Agent]:
    """Talk to the program, as an agent's host starts it."""
    program = StdioServerParameters(
        command=str(PROGRAM), args=[*options, "mcp"], env={"STRATLAB_HOME": str(home)}
    )
    async with McpClient(program) as session:
        yield Agent(session)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def served(home: Path) -> Iterator[ServedLab]:
    with serve_in_thread(home) as served:
        yield served


@pytest.fixture
async def agent(served: ServedLab) -> AsyncIterator[Agent]:
    # A session ends in the task that began it; a fixture is ended in another.
    opened, closing = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def talk() -> None:
        async with agent_of(partial(Client, served.address)) as agent:
            opened.set_result(agent)
            await closing.wait()

    talking = asyncio.create_task(talk())
    await asyncio.wait({talking, opened}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield opened.result()
    finally:
        closing.set()
        await talking


@pytest.fixture
def completed(served: ServedLab) -> str:
    """Store a completed campaign with an iteration, a verdict and a report."""
    lab = served.lab
    lab.repository.create_campaign(campaign_of(1), "r1")
    with lab.repository.transaction() as transaction:
        transaction.save_iteration(iteration_of("c0001", 1))
        for result in iteration_of("c0001", 1).results:
            transaction.save_result("c0001", 1, result)
        transaction.save_hall_of_fame("c0001", [CHAMPION])
    for state in (
        CampaignState.BRIEF_GENERATED,
        CampaignState.CODE_GENERATED,
        CampaignState.CAMPAIGN_RUNNING,
        CampaignState.CAMPAIGN_EVALUATED,
    ):
        served.call(partial(lab.manager.move, "c0001", state))
    finish = partial(
        lab.manager.move, "c0001", CampaignState.COMPLETED, verdict=VERDICT, result_hash="f" * 64
    )
    served.call(finish)
    lab.artifacts.put("c0001", "report.md", "text/markdown", REPORT.encode())
    lab.artifacts.put("c0001", "series/t1.parquet", "application/octet-stream", b"\x00\xff")
    return "c0001"


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[ServedNetwork]:
    """Serve a lab on a TCP port, with a token of each role."""
    lab, tokens = FakeLab(tmp_path), tmp_path / "tokens.json"
    served = ServedNetwork(lab, tokens)
    for role in Role:
        served.add_token(role.name.lower(), role)
    settings = ServerSettings(listen="127.0.0.1:0", drain_seconds=0.2)
    server = ApiServer(
        lab,
        address=f"unix:{tmp_path}/run/s",
        network=network_of(settings, tokens),
        drain_seconds=0.2,
    )
    async with server:
        served.started(server)
        yield served
    await asyncio.to_thread(lab.repository.close)


@pytest.fixture
def as_role(network: ServedNetwork) -> Callable[[Role], AbstractAsyncContextManager[Agent]]:
    """Talk to that lab with the token of a role."""

    def connect(role: Role) -> AbstractAsyncContextManager[Agent]:
        secret = network.secrets[role.name.lower()]
        return agent_of(partial(Client, f"http://{network.address}", token=secret))

    return connect
