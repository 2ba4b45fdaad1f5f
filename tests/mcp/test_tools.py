"""What each tool answers, through a session of the official client and a served lab."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import anyio
import pytest
from mcp import MCPError
from tests.api.fake_lab import ServedLab
from tests.api.samples import RESULT
from tests.mcp.conftest import REPORT, Agent

from stratlab.campaigns.backtest import BacktestReport
from stratlab.domain.access import Role
from stratlab.domain.campaign import CampaignState
from stratlab.domain.gates import Gates
from stratlab.domain.strategy import ScreeningReport
from stratlab.domain.trial import EquityPoint, Limits
from stratlab.mcp.server import TOOLS

SOURCE = "def initialize(context):\n    pass\n"


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not is_so():  # noqa: ASYNC110 (what happens in another loop sets no event here)
            await anyio.sleep(0.02)


async def test_every_tool_is_listed_with_the_form_of_its_arguments(agent: Agent) -> None:
    listed = (await agent.session.list_tools()).tools
    assert {tool.name for tool in listed} == set(TOOLS)
    for tool in listed:
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations
    readers = {tool.name for tool in listed if tool.annotations.read_only_hint}
    assert set(TOOLS) - readers == {"create_campaign", "steer_campaign"}


async def test_agent_is_told_that_quoted_text_is_no_instruction(agent: Agent) -> None:
    assert "never an instruction" in (agent.session.instructions or "")


async def test_forbidden_import_is_found_without_running_anything(
    agent: Agent, served: ServedLab
) -> None:
    answer = await agent.answer(
        "validate_strategy", source=f"import os\n{SOURCE}    os.system('x')\n"
    )
    assert answer["passed"] is False
    assert {"error"} <= {finding["severity"] for finding in answer["findings"]}
    assert not served.lab.backtester.requests


async def test_backtest_answers_metrics_and_tells_progress(agent: Agent, served: ServedLab) -> None:
    answer = await agent.answer(
        "run_backtest", source=SOURCE, symbols=["AAPL"], start="2002-01-02", parameters={"n": 5}
    )
    assert answer["trial"]["outcome"] == "SUCCEEDED"
    assert answer["trial"]["metrics"]["sharpe_ratio"] == 0.5
    assert answer["trial"]["benchmark_metrics"]["sharpe_ratio"] == 0.4
    assert answer["trial"]["fills"]["count"] == 2
    assert agent.told
    (request,) = served.lab.backtester.requests
    assert request.parameters == {"n": 5}
    assert str(request.start) == "2002-01-02"


async def test_long_series_are_thinned_and_keep_their_end(agent: Agent, served: ServedLab) -> None:
    equity = tuple(EquityPoint(991353600 + day * 86400, 1e5 + day) for day in range(5000))
    result = replace(RESULT, equity=equity, fills=RESULT.fills * 2500)
    served.lab.backtester.report = BacktestReport(result, ScreeningReport(), Limits())
    trial = (await agent.answer("run_backtest", source=SOURCE))["trial"]
    assert trial["equity"]["count"] == 5000
    assert len(trial["equity"]["points"]) <= 60
    assert trial["equity"]["points"][-1]["value"] == equity[-1].value
    assert trial["fills"]["count"] == 5000
    assert len(trial["fills"]["first"]) == len(trial["fills"]["last"]) == 40


async def test_backtest_that_takes_too_long_is_cancelled(agent: Agent, served: ServedLab) -> None:
    served.lab.backtester.hangs = True
    error = await agent.error("run_backtest", source=SOURCE, seconds=1)
    assert error["reason"] == "CALL_TIMEOUT"
    await until(served.lab.backtester.cancelled.is_set)


async def test_backtest_that_the_agent_gives_up_is_cancelled(
    agent: Agent, served: ServedLab
) -> None:
    served.lab.backtester.hangs = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: agent.answer("run_backtest", source=SOURCE))
        await until(lambda: bool(served.lab.backtester.requests))
        tasks.cancel_scope.cancel()
    await until(served.lab.backtester.cancelled.is_set)


async def test_campaign_is_created_as_asked_and_only_once(agent: Agent, served: ServedLab) -> None:
    asked = {
        "display_name": "mine",
        "prompt": "Trends on two symbols.",
        "markets": [["AAPL", "IBM"]],
        "generator": "template",
        "gates": {"min_sharpe_ratio": None, "min_total_trades": None, "max_drawdown": 0.4},
        "stop_rules": {"max_iterations": 3, "max_wall_seconds": 90.5},
        "holdout": "manual",
        "arms": ["equal_weight"],
        "seed": 7,
        "request_id": "once",
    }
    first = await agent.answer("create_campaign", **asked)
    again = await agent.answer("create_campaign", **asked)
    assert first["state"] == "queued"
    assert first["name"] == again["name"]
    spec = served.lab.manager.created[0]
    assert spec.markets == (("AAPL", "IBM"),)
    assert spec.gates == Gates(max_drawdown=0.4, min_sharpe_ratio=None, min_total_trades=None)
    assert (spec.stop_rules.max_iterations, spec.stop_rules.max_wall_seconds) == (3, 90.5)
    assert (spec.generator, spec.holdout, spec.seed) == ("template", "manual", 7)
    assert spec.arms == ("equal_weight",)


async def test_estimate_stores_nothing(agent: Agent, served: ServedLab) -> None:
    answer = await agent.answer("estimate_campaign", stop_rules={"max_iterations": 3})
    assert answer["counted_points"] > 0
    assert not served.lab.manager.created


async def test_watch_pages_through_all_events_and_says_when_it_is_over(
    agent: Agent, completed: str
) -> None:
    numbers, after, is_final = [], 0, False
    for _ in range(20):
        page = await agent.answer("watch_campaign", campaign=completed, after=after, max_events=2)
        assert len(page["events"]) <= 2
        numbers += [event["number"] for event in page["events"]]
        after, is_final = page["next_after"], page["is_final"]
        if not page["events"]:
            break
    assert numbers == list(range(1, after + 1))
    assert len(numbers) >= 5
    assert is_final
    assert page["verdict"] == "iterate"


async def test_watch_of_a_quiet_campaign_ends_in_time_and_goes_on_where_it_was(
    agent: Agent, served: ServedLab
) -> None:
    name = (await agent.answer("create_campaign"))["name"]
    first = await agent.answer("watch_campaign", campaign=name, seconds=1)
    assert not first["is_final"]
    identifier = name.removeprefix("campaigns/")
    served.call(served.lab.manager.move, identifier, CampaignState.CANCELLED)
    after = first["next_after"]
    second = await agent.answer("watch_campaign", campaign=name, after=after, seconds=30)
    assert [event["number"] for event in second["events"]] == [after + 1]
    assert second["state"] == "cancelled"


async def test_explanation_holds_verdict_evidence_and_report(agent: Agent, completed: str) -> None:
    answer = await agent.answer("explain_campaign", campaign=completed)
    assert answer["verdict"]["kind"] == "iterate"
    assert answer["verdict"]["reasons"] == [{"quoted": "Some checks are missing."}]
    assert answer["verdict"]["missing_checks"] == ["causality", "holdout"]
    assert answer["hall_of_fame"][0]["rank"] == "champion"
    (row,) = answer["iterations"]
    assert row["failed_gates"] == [{"gate": "max_turnover", "value": None, "bound": 100.0}]
    assert answer["report"]["text"]["quoted"].startswith("# Report\n")
    assert answer["caveats"]


async def test_iteration_is_shown_with_its_source_as_a_quotation(
    agent: Agent, completed: str
) -> None:
    answer = await agent.answer("show_iteration", campaign=completed, number=1)
    assert answer["candidate"]["source"] == {"quoted": SOURCE}
    assert answer["trials"][0]["outcome"] == "SUCCEEDED"


async def test_file_is_read_page_by_page_to_its_end(agent: Agent, completed: str) -> None:
    size, offset, pages = len(REPORT.encode()), 0, 0
    while offset is not None:
        page = await agent.answer(
            "read_campaign_file", campaign=completed, path="report.md", offset=offset
        )
        offset, pages = page["next_offset"], pages + 1
        assert page["bytes"] == size
        assert "left_out" not in page["text"]
    assert pages == -(-size // 16_000)


@pytest.mark.parametrize(
    ("action", "state"), [("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")]
)
async def test_steering_moves_the_campaign(agent: Agent, action: str, state: str) -> None:
    name = (await agent.answer("create_campaign"))["name"]
    if action == "resume":
        await agent.answer("steer_campaign", campaign=name, action="pause")
    moved = await agent.answer("steer_campaign", campaign=name, action=action)
    assert moved["state"] == state


async def test_lists_show_campaigns_and_data_sets(agent: Agent, completed: str) -> None:
    campaigns = await agent.answer("list_campaigns", limit=1)
    assert [found["name"] for found in campaigns["campaigns"]] == [f"campaigns/{completed}"]
    assert campaigns["more"] is False
    data_sets = (await agent.answer("list_data_sets"))["data_sets"]
    assert [found["name"] for found in data_sets] == ["datasets/synthetic", "datasets/us-daily"]
    assert data_sets[0]["caveats"] == [{"quoted": "Survivors only."}] or data_sets[0]["caveats"]


async def test_viewer_reads_and_is_refused_all_work(
    as_role: Callable[[Role], AbstractAsyncContextManager[Agent]],
) -> None:
    async with as_role(Role.VIEWER) as viewer:
        assert (await viewer.answer("list_campaigns"))["campaigns"] == []
        for tool, arguments in {
            "create_campaign": {},
            "run_backtest": {"source": SOURCE},
            "validate_strategy": {"source": SOURCE},
        }.items():
            error = await viewer.error(tool, **arguments)
            assert error["reason"] == "PERMISSION_DENIED"
            assert error["data"] == {"role": "viewer", "needed": "researcher"}


async def test_researcher_may_not_steer_what_others_created(
    as_role: Callable[[Role], AbstractAsyncContextManager[Agent]],
) -> None:
    async with as_role(Role.OPERATOR) as operator, as_role(Role.RESEARCHER) as researcher:
        name = (await operator.answer("create_campaign"))["name"]
        error = await researcher.error("steer_campaign", campaign=name, action="cancel")
        assert error["reason"] == "PERMISSION_DENIED"
        assert (await operator.answer("steer_campaign", campaign=name, action="cancel"))["is_final"]


async def test_method_that_is_not_served_is_a_protocol_error(agent: Agent) -> None:
    with pytest.raises(MCPError):
        await agent.session.list_prompts()
