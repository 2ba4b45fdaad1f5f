"""Serves the tools over stdin and stdout until the agent's side closes."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from stratlab.domain.errors import NotFoundError, StratlabError
from stratlab.mcp import campaigns, explanation, strategies
from stratlab.mcp.answers import QUOTE_RULE, render, render_error
from stratlab.mcp.lab import Connect, Lab
from stratlab.mcp.tool import Tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

_NAME = "stratlab"
_INSTRUCTIONS = (
    "stratlab searches for trading strategies and judges them on numbers that they cannot forge. "
    "Validate a strategy, backtest it, or create a campaign, watch it and let it be explained. "
    "Every call has the role and limits of this client's token. Metrics are fractions, never "
    f"percent. {QUOTE_RULE}"
)

TOOLS: Mapping[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        strategies.VALIDATE,
        strategies.BACKTEST,
        strategies.LIST_DATA_SETS,
        campaigns.ESTIMATE,
        campaigns.CREATE,
        campaigns.LIST_CAMPAIGNS,
        campaigns.WATCH,
        campaigns.STEER,
        explanation.EXPLAIN,
        explanation.SHOW_ITERATION,
        explanation.READ_FILE,
    )
}
"""Every tool by its name; there is no other way from an agent to the lab."""

_log = logging.getLogger(__name__)


def serve(connect: Connect) -> None:
    """Serve the tools to one agent on stdin and stdout; returns when it closes stdin.

    Args:
        connect: Opens a connection to the controller; called for every call of a tool.
    """
    anyio.run(_serve, Lab(connect))


async def _serve(lab: Lab) -> None:
    server = make_server(lab)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def make_server(lab: Lab) -> "Server[Any]":
    """Return the server of all tools.

    Args:
        lab: Whom the tools ask.
    """

    async def list_tools(
        context: "ServerRequestContext[Any, Any]", params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        del context, params
        return types.ListToolsResult(tools=[_described(tool) for tool in TOOLS.values()])

    async def call_tool(
        context: "ServerRequestContext[Any, Any]", params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def progress(done: float, total: float | None, text: str) -> None:
            await context.session.report_progress(done, total, text)

        try:
            tool = _find(params.name)
            answer = render(await tool.call(lab, params.arguments or {}, progress))
        except StratlabError as error:
            return _result(render_error(error), is_error=True)
        except Exception as error:  # noqa: BLE001 (the agent gets a typed error, the log the rest)
            _log.exception("tool %s failed", params.name[:64])
            kind = type(error).__name__
            unexpected = StratlabError(f"the tool failed unexpectedly ({kind})")
            return _result(render_error(unexpected), is_error=True)
        return _result(answer)

    return Server(
        _NAME,
        version=version("stratlab"),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _find(name: str) -> Tool[Any]:
    try:
        return TOOLS[name]
    except KeyError:
        hint = f"The tools are: {', '.join(TOOLS)}."
        raise NotFoundError(f"no tool {name[:64]}", hint=hint) from None


def _described(tool: Tool[Any]) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads_only,
            destructive_hint=tool.ends_work,
            open_world_hint=False,
        ),
    )


def _result(text: str, *, is_error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, is_error=is_error)
