"""Everything a caller can get wrong: one reason, status, exit code and next step for each."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.bad_input.conftest import Ended, Served

from stratlab.cli.exit_codes import ExitCode
from stratlab_proto.v1 import (
    backtest_service_pb2,
    backtest_service_pb2_grpc,
    campaign_service_pb2,
    campaign_service_pb2_grpc,
    common_pb2,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)

Program = Callable[..., Ended]
Status = grpc.StatusCode

GOOD = "def initialize(context):\n    pass\n\n\ndef handle_data(context, data):\n    pass\n"
FILES = {
    "good.py": GOOD.encode(),
    "huge.py": b"#" * 10_000_000,
    "large.py": b"#" * 300_000,
    "nul.py": GOOD.encode() + b"\0",
    "latin.py": b"# \xe9\n" + GOOD.encode(),
    "unknown.yaml": b"data_set: small\ncolour: red\n",
    "nested.yaml": b"data_set: small\ngates: {max_drawdwn: 0.2}\n",
    "broken.yaml": b"data_set: [small\n",
    "bomb.yaml": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 121))
    + b"markets: *y\n",
    "deep.yaml": b"[" * 20_000,
    "tag.yaml": b"!!python/object/apply:os.system [id]\n",
    "list.yaml": b"- a\n",
    "nul.yaml": b"data_set: \0\n",
    "big.yaml": b"# \n" * 400_000,
    "number.yaml": b"data_set: small\nstop_rules: {max_tokens: 99999999999999999999999}\n",
    "digits.json": b'{"seed": ' + b"9" * 5000 + b"}",
    "surrogate.json": b'{"prompt": "\\ud800"}',
    "text.yaml": b"data_set: small\ngates: strict\n",
}


def backtest(**changes: Any) -> backtest_service_pb2.RunBacktestRequest:
    request = backtest_service_pb2.RunBacktestRequest(
        **{"source": GOOD, "data_set": "small", **changes}
    )
    if isinstance(parameters := changes.get("parameters"), Struct):
        request.parameters.CopyFrom(parameters)
    return request


def spec(**changes: Any) -> campaign_service_pb2.CreateCampaignRequest:
    fields = {"data_set": "small", **changes}
    return campaign_service_pb2.CreateCampaignRequest(
        spec=campaign_service_pb2.CampaignSpec(**fields)
    )


def day(year: int, month: int, number: int) -> common_pb2.Date:
    return common_pb2.Date(year=year, month=month, day=number)


def numbers(**values: float) -> Struct:
    struct = Struct()
    for name, value in values.items():
        struct[name] = value
    return struct


def markets(*symbols: str) -> list[campaign_service_pb2.MarketSet]:
    return [campaign_service_pb2.MarketSet(symbols=symbols)]


@dataclass(frozen=True)
class Case:
    """One mistake; ``command`` or ``request`` is None where the other way does not exist."""

    name: str
    command: str | None
    request: Any
    reason: str
    status: Status
    named: str = ""
    code: ExitCode = ExitCode.USAGE


CREATE = "campaign create --data small "
RUN = "backtest good.py --data small "
BAD = Status.INVALID_ARGUMENT
CASES = [
    # Data and universe.
    Case("unknown-data", "backtest good.py --data nope", backtest(data_set="nope"),
         "DATA_SET_NOT_FOUND", Status.NOT_FOUND, "nope"),
    Case("unknown-data-campaign", "campaign create --data nope", spec(data_set="nope"),
         "DATA_SET_NOT_FOUND", Status.NOT_FOUND, "nope"),
    Case("data-outside", "backtest good.py --data ../x", backtest(data_set="../x"),
         "INVALID_INPUT", BAD, "data_set"),
    Case("empty-universe", RUN + "--symbols ,", backtest(symbols=[""]), "INVALID_INPUT", BAD,
         "symbols"),
    Case("empty-universe-campaign", CREATE + "--market ,", spec(markets=markets()), "INVALID_SPEC",
         BAD, "markets"),
    Case("unknown-symbol", RUN + "--symbols ZZZ", backtest(symbols=["ZZZ"]), "DATA_SET_NOT_FOUND",
         Status.NOT_FOUND, "ZZZ"),
    Case("unknown-symbol-campaign", CREATE + "--market ZZZ", spec(markets=markets("ZZZ")),
         "INVALID_SPEC", BAD, "ZZZ"),
    Case("symbol-twice", RUN + "--symbols AAA,AAA", backtest(symbols=["AAA", "AAA"]),
         "INVALID_INPUT", BAD, "twice"),
    # Dates.
    Case("before-the-data", RUN + "--start 1990-01-01", backtest(start=day(1990, 1, 1)),
         "INVALID_INPUT", BAD, "1990-01-01"),
    Case("after-the-data", RUN + "--end 2030-01-01", backtest(end=day(2030, 1, 1)),
         "INVALID_INPUT", BAD, "2030-01-01"),
    Case("exchanged", RUN + "--start 2005-05-06 --end 2005-05-03",
         backtest(start=day(2005, 5, 6), end=day(2005, 5, 3)), "INVALID_INPUT", BAD, "after"),
    Case("no-session", RUN + "--start 2005-05-07 --end 2005-05-08",
         backtest(start=day(2005, 5, 7), end=day(2005, 5, 8)), "INVALID_INPUT", BAD, "no session"),
    Case("holdout", RUN + "--end 2005-05-19", backtest(end=day(2005, 5, 19)), "PERMISSION_DENIED",
         Status.PERMISSION_DENIED, "holdout"),
    Case("no-such-day", RUN + "--start 2005-02-30", backtest(start=day(2005, 2, 30)),
         "INVALID_INPUT", BAD, "start"),
    Case("day-zero", RUN + "--start 0000-01-01", backtest(start=day(0, 1, 1)), "INVALID_INPUT",
         BAD, "start"),
    # Numbers.
    Case("parameter-nan", RUN + "--params a=nan", backtest(parameters=numbers(a=math.nan)),
         "INVALID_PARAMETERS", BAD, "a"),
    Case("parameter-name", RUN + "--params 1a=2", backtest(parameters=numbers(**{"1a": 2})),
         "INVALID_PARAMETERS", BAD, "1a"),
    Case("parameters-many", RUN + "--params " + ",".join(f"a{n}=1" for n in range(101)),
         backtest(parameters=numbers(**{f"a{n}": 1 for n in range(101)})), "INVALID_PARAMETERS",
         BAD, "100"),
    Case("capital", RUN + "--capital -5", backtest(capital=-5), "INVALID_INPUT", BAD, "capital"),
    Case("capital-infinite", RUN + "--capital 1e999", backtest(capital=math.inf), "INVALID_INPUT",
         BAD, "capital"),
    Case("seed", RUN + "--seed 99999999999999999999", backtest(seed=2**40), "INVALID_INPUT", BAD,
         "seed"),
    Case("runtime", RUN + "--runtime --privileged", backtest(runtime="--privileged"),
         "INVALID_INPUT", BAD, "runtime"),
    Case("gate", CREATE + "--gate max_drawdown=5",
         spec(gates=campaign_service_pb2.Gates(max_drawdown=5)), "INVALID_SPEC", BAD,
         "max_drawdown"),
    Case("iterations", CREATE + "--iterations 2000000",
         spec(stop_rules=campaign_service_pb2.StopRules(max_iterations=2_000_000)), "INVALID_SPEC",
         BAD, "max_iterations"),
    Case("points", CREATE + "--points 5000", spec(parameter_points=5000), "INVALID_SPEC", BAD,
         "parameter_points"),
    Case("space", None,
         spec(parameter_space={"fast": campaign_service_pb2.ParameterRange(min=9, max=1, step=1)}),
         "INVALID_SPEC", BAD, "fast"),
    Case("space-unknown", None,
         spec(parameter_space={"nope": campaign_service_pb2.ParameterRange(min=1, max=9, step=1)}),
         "INVALID_PARAMETERS", BAD, "nope"),
    Case("template", CREATE + "--template nope", spec(templates=["nope"]), "INVALID_SPEC", BAD,
         "nope"),
    Case("generator", CREATE + "--generator oracle", spec(generator=99), "INVALID_SPEC", BAD,
         "generator"),
    # Sources.
    Case("source-huge", "backtest huge.py --data small", backtest(source="#" * 10_000_000),
         "INVALID_SOURCE", Status.RESOURCE_EXHAUSTED, "262144"),
    Case("source-large", "backtest large.py --data small", backtest(source="#" * 300_000),
         "INVALID_SOURCE", BAD, "262144"),
    Case("source-nul", "backtest nul.py --data small", backtest(source=GOOD + "\0"),
         "INVALID_SOURCE", BAD, "NUL"),
    Case("source-empty", "backtest /dev/null --data small", backtest(source=" \n"),
         "INVALID_SOURCE", BAD, "empty"),
    Case("source-latin", "backtest latin.py --data small", None, "INVALID_SOURCE", BAD, "byte 2"),
    Case("source-missing", "backtest missing.py", None, "INVALID_INPUT", BAD, "missing.py"),
    Case("source-folder", "backtest .", None, "INVALID_INPUT", BAD, "directory"),
    Case("source-endless", "backtest /dev/zero", None, "INVALID_SOURCE", BAD, "/dev/zero"),
    Case("validate-nul", "validate nul.py",
         strategy_service_pb2.ValidateStrategyRequest(source="\0"), "INVALID_SOURCE", BAD, "NUL"),
    # Specifications in files.
    *(
        Case(f"file-{name}", f"campaign create --spec {name}", None, "INVALID_SPEC", BAD, named)
        for name, named in {
            "unknown.yaml": "colour: no such field",
            "nested.yaml": "gates.max_drawdwn: no such field",
            "broken.yaml": "line 2",
            "bomb.yaml": "no such field",
            "deep.yaml": "nested too deeply",
            "tag.yaml": "line 1",
            "list.yaml": "mapping",
            "nul.yaml": "not YAML",
            "big.yaml": "1048576",
            "number.yaml": "max_tokens",
            "digits.json": "not JSON",
            "surrogate.json": "prompt",
            "text.yaml": "gates: should be a mapping",
            "/dev/zero": "1048576",
        }.items()
    ),
    Case("file-missing", "campaign create --spec nope.yaml", None, "INVALID_INPUT", BAD, "nope"),
    Case("file-folder", "campaign create --spec .", None, "INVALID_INPUT", BAD, "directory"),
    # Names.
    Case("campaign-unknown", "campaign show nope",
         campaign_service_pb2.GetCampaignRequest(name="campaigns/nope"), "NOT_FOUND",
         Status.NOT_FOUND, "nope"),
    Case("campaign-name", "campaign show ../x",
         campaign_service_pb2.GetCampaignRequest(name="campaigns/../x"), "INVALID_INPUT", BAD),
    Case("campaign-bytes", "campaign show a\udcff", None, "INVALID_INPUT", BAD, "Unicode"),
    Case("campaign-long", "campaign show " + "x" * 100_000, None, "INVALID_INPUT", BAD),
    Case("event-number", "campaign watch x --after 99999999999999999999", None, "INVALID_INPUT",
         BAD, "after"),
    Case("data-bytes", "backtest good.py --data a\udcff", None, "INVALID_INPUT", BAD, "Unicode"),
    Case("data-long", "data verify " + "x" * 5000, None, "DATA_SET_NOT_FOUND", BAD),
    Case("page-token", None, campaign_service_pb2.ListCampaignsRequest(page_token="x"),  # noqa: S106 (no password)
         "INVALID_INPUT", BAD),
    # What is missing on the machine.
    Case("no-engine", RUN.strip(), backtest(), "ENGINE_UNAVAILABLE", Status.UNAVAILABLE, "engine",
         ExitCode.INFRASTRUCTURE),
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)


@pytest.fixture(scope="module")
def channel(served: Served) -> Iterator[grpc.Channel]:
    options = (("grpc.max_send_message_length", -1),)
    with grpc.insecure_channel(served.address, options=options) as channel:
        yield channel


def call(channel: grpc.Channel, request: Any) -> None:
    campaigns = campaign_service_pb2_grpc.CampaignServiceStub(channel)
    match request:
        case backtest_service_pb2.RunBacktestRequest():
            stub = backtest_service_pb2_grpc.BacktestServiceStub(channel)
            list(stub.RunBacktest(request, timeout=30))
        case campaign_service_pb2.CreateCampaignRequest():
            campaigns.CreateCampaign(request, timeout=30)
        case campaign_service_pb2.GetCampaignRequest():
            campaigns.GetCampaign(request, timeout=30)
        case campaign_service_pb2.ListCampaignsRequest():
            campaigns.ListCampaigns(request, timeout=30)
        case strategy_service_pb2.ValidateStrategyRequest():
            strategy_service_pb2_grpc.StrategyServiceStub(channel).ValidateStrategy(
                request, timeout=30
            )


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.command], ids=lambda case: case.name
)
def test_command_line_names_the_mistake_and_the_next_step(
    served: Served, run: Program, files: None, case: Case
) -> None:
    before = served.rows()
    arguments = ("--home", str(served.home), *(case.command or "").split(" "))
    ended = run(*arguments, "--json")
    assert ended.code == case.code, ended.err
    error = json.loads(ended.out)["error"]
    assert error["type"] == case.reason
    assert case.named in error["message"]
    assert error["hint"]
    told = run(*arguments)
    assert told.code == case.code
    assert told.out == ""
    message, hint = told.err.strip().splitlines()[-2:]
    assert message.startswith("error: ")
    assert hint.startswith("  next: ")
    assert len(told.err) < 10_000
    assert served.rows() == before


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.request is not None], ids=lambda case: case.name
)
def test_call_has_status_reason_and_hint(served: Served, channel: grpc.Channel, case: Case) -> None:
    before = served.rows()
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, case.request)
    assert caught.value.code() is case.status
    assert served.rows() == before
    status = rpc_status.from_call(caught.value)
    if case.name == "source-huge":  # refused by gRPC before anything of it is read
        assert status is None
        return
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (case.reason, "stratlab")
    assert info.metadata["hint"]
    assert case.named in status.message


def test_strategy_without_initialize_is_rejected_on_every_way(
    served: Served, run: Program, channel: grpc.Channel, tmp_path: Path
) -> None:
    (tmp_path / "none.py").write_text("def handle_data(context, data):\n    pass\n")
    home = ("--home", str(served.home))
    for command in (("validate", "none.py"), ("backtest", "none.py", "--data", "small")):
        ended = run(*home, *command, "--json")
        assert ended.code == ExitCode.STRATEGY
        (finding,) = [f for f in json.loads(ended.out)["findings"] if f["severity"] == "error"]
        assert "initialize" in finding["message"] + finding["hint"]
        assert finding["hint"]
        assert run(*home, *command).code == ExitCode.STRATEGY
    stub = backtest_service_pb2_grpc.BacktestServiceStub(channel)
    (answer,) = stub.RunBacktest(backtest(source="x = 1\n"), timeout=30)
    assert answer.result.rejected
    record = json.loads(run(*home, "backtest", "none.py", "--data", "small", "--json").out)
    assert record["rejected"]
    assert record["outcome"] is None


def test_campaign_without_an_engine_pauses_and_says_what_to_do(
    served: Served, run: Program
) -> None:
    home = ("--home", str(served.home))
    ended = run(*home, "campaign", "run", "--data", "small", "--iterations", "1")
    assert ended.code == ExitCode.INFRASTRUCTURE
    assert "State paused (ENGINE_UNAVAILABLE)" in ended.out
    assert "make engine" in ended.out
    assert "campaign resume" in ended.out
    (campaign,) = json.loads(run(*home, "campaign", "list", "--json").out)
    resumed = run(*home, "campaign", "resume", campaign["name"])
    assert resumed.code == ExitCode.OK
    cancelled = run(*home, "campaign", "cancel", campaign["name"], "--json")
    assert json.loads(cancelled.out)["state"] == "cancelled"
    again = run(*home, "campaign", "resume", campaign["name"], "--json")
    assert again.code == ExitCode.USAGE
    assert json.loads(again.out)["error"]["type"] == "WRONG_STATE"
    assert run(*home, "audit", "verify").code == ExitCode.OK
