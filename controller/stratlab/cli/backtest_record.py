"""The result of a backtest as one JSON object (docs/schemas/backtest.schema.json)."""

from typing import Any

from stratlab.cli.output import error_record, plain
from stratlab.domain.errors import StratlabError
from stratlab_proto.v1 import backtest_service_pb2, common_pb2

_TRIAL_FIELDS = (
    "trial_id",
    "outcome",
    "reason",
    "metrics",
    "benchmark_metrics",
    "orders_digest",
    "fills",
    "data_set",
    "symbols",
    "start",
    "end",
    "tier",
    "parameters",
    "output_tail",
    "runtime",
    "engine",
    "data_calls",
    "fallbacks",
    "image_id",
    "seccomp_digest",
    "limits",
    "usage",
)
_USAGE = {"wall_seconds": 0.0, "cpu_seconds": 0.0, "max_rss_bytes": 0, "startup_seconds": 0.0}


def backtest_record(result: backtest_service_pb2.BacktestResult) -> dict[str, Any]:
    """Return the object of a backtest that ran, or whose source screening rejected."""
    trial = plain(result.trial)
    record = {name: trial[name] for name in _TRIAL_FIELDS}
    record |= {
        "usage": trial["usage"] or dict(_USAGE),
        "fills": [_fill(fill) for fill in trial["fills"]],
        "error": _failure(trial["error"]),
        "rejected": result.rejected,
        "findings": [plain(finding) for finding in result.findings],
        "caveats": list(result.caveats),
        "causality": plain(result.causality) if result.HasField("causality") else None,
    }
    if result.rejected:
        worst = next(finding for finding in record["findings"] if finding["severity"] == "error")
        record["reason"] = f"screening rejected the source: {worst['message']}"
        record["error"] = {
            "type": worst["rule"],
            "message": worst["message"],
            "line": worst["line"],
            "text": "",
            "hint": worst["hint"],
        }
    return record


def error_only_record(error: StratlabError) -> dict[str, Any]:
    """Return the object of a backtest that could not be run at all."""
    empty = plain(common_pb2.Trial(limits=common_pb2.Limits()))
    told = error_record(error)
    return {name: empty[name] for name in _TRIAL_FIELDS} | {
        "reason": error.message,
        "usage": dict(_USAGE),
        "error": {
            "type": told["type"],
            "message": told["message"],
            "line": 0,
            "text": "",
            "hint": told["hint"],
        },
        "rejected": False,
        "findings": [],
        "caveats": [],
        "causality": None,
    }


def _fill(fill: dict[str, Any]) -> dict[str, Any]:
    quantity = fill.pop("quantity")
    return fill | {"amount": int(quantity) if quantity == int(quantity) else quantity}


def _failure(failure: dict[str, Any] | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {name: failure[name] for name in ("type", "message", "line", "text", "traceback")}
