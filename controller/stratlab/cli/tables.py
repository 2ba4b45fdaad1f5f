"""Tables for people: campaigns, iterations, metrics beside the benchmark's, findings."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from stratlab.cli.output import clean, plain
from stratlab.domain.metrics import METRIC_NAMES
from stratlab_proto.v1 import backtest_service_pb2, campaign_service_pb2, common_pb2


def figure(value: float | None) -> str:
    """Return a figure, "-" where it is undefined."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def campaigns_table(campaigns: Iterable[campaign_service_pb2.Campaign]) -> Table:
    """Return one row per campaign."""
    table = _table("campaign", "name", "state", "iteration", "verdict", "created")
    for campaign in campaigns:
        verdict = plain(campaign.verdict)["kind"] if campaign.HasField("verdict") else ""
        table.add_row(
            campaign.name.removeprefix("campaigns/"),
            clean(campaign.spec.display_name),
            plain(campaign)["state"],
            str(campaign.iteration),
            verdict,
            campaign.create_time.ToJsonString()[:19],
        )
    return table


def iterations_table(iterations: Iterable[campaign_service_pb2.Iteration]) -> Table:
    """Return one row per iteration."""
    table = _table(
        "#", "strategy", "operator", "level", "gates", "score", "train Sharpe", "valid. Sharpe"
    )
    for iteration in iterations:
        row = plain(iteration)
        candidate, judged = row["candidate"] or {}, row["evaluation"] or {}
        gates = judged.get("gates", [])
        passed = sum(gate["passed"] for gate in gates)
        table.add_row(
            str(iteration.number),
            clean(candidate.get("strategy_id", "")),
            candidate.get("operator", ""),
            judged.get("level", "failed"),
            f"{passed}/{len(gates)}" if gates else "",
            figure(judged.get("score")),
            figure((judged.get("train") or {}).get("sharpe_ratio")),
            figure((judged.get("validation") or {}).get("sharpe_ratio")),
        )
    return table


def rules_table(verdict: campaign_service_pb2.Verdict) -> Table:
    """Return one row per rule of a promotion."""
    table = _table("rule", "status", "value", "bound", "evidence")
    for rule in plain(verdict)["rules"]:
        table.add_row(
            rule["rule"],
            rule["status"],
            figure(rule["value"]),
            f"{rule['bound']:g}",
            clean(rule["evidence"]),
        )
    return table


def metrics_table(columns: Sequence[tuple[str, common_pb2.Metrics | None]]) -> Table:
    """Return one row per metric and one column per (title, metrics)."""
    table = _table("metric")
    for title, _ in columns:
        table.add_column(title, justify="right")
    known = [plain(metrics) if metrics is not None else {} for _, metrics in columns]
    for name in METRIC_NAMES:
        table.add_row(name, *(figure(metrics.get(name)) for metrics in known))
    return table


def findings_table(findings: Iterable[common_pb2.Finding]) -> Table:
    """Return one row per finding."""
    table = _table("line", "severity", "rule", "finding", "what to do")
    for finding in findings:
        table.add_row(
            str(finding.line or ""),
            plain(finding)["severity"],
            finding.rule,
            clean(finding.message),
            clean(finding.hint),
        )
    return table


def data_sets_table(data_sets: Iterable[backtest_service_pb2.Dataset]) -> Table:
    """Return one row per data set."""
    table = _table("data set", "symbols", "timeframe", "first", "last", "digest")
    for data_set in data_sets:
        row = plain(data_set)
        last = max(row[tier]["end"] for tier in ("train", "validation", "holdout") if row[tier])
        table.add_row(
            data_set.name.removeprefix("datasets/"),
            str(len(data_set.symbols)),
            data_set.timeframe,
            row["warm_up_start"],
            last,
            data_set.digest[:12],
        )
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    return table
