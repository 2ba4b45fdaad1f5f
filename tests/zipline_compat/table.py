"""Writes docs/zipline-calls.md from the registry of calls and the algorithms that test them.

Usage: python -m tests.zipline_compat.table
"""

from pathlib import Path

from tests.zipline_compat.calls import GROUPS, Call, Group, Status, own_use
from tests.zipline_compat.refusals import REFUSALS

TARGET = Path(__file__).resolve().parents[2] / "docs" / "zipline-calls.md"
SHOWN = 4
HEAD = """\
# What zipline algorithms may call

Any algorithm written for `zipline.run_algorithm` runs through `stratlab backtest`. Under
`--cost-model zipline` its transactions and its portfolio value equal those of a plain run on the
same bundle to 1e-9; the tests compare them for zipline's published examples and for the algorithms
named below (`tests/zipline_compat`).

What the lab does in its own way:

- Costs are the backtest's, not the strategy's. `zipline` means zipline's defaults for US equities:
  5 basis points of slippage, at most 10 % of a bar's volume, 0.001 for each share.
- Orders do not change in `before_trading_start`: on daily bars zipline already shows it the bar
  that they would fill in.
- Gross leverage above the limit (2 unless `--max-leverage` says otherwise) ends the run.
- `analyze` and `_test_args` are ignored, as are imports that only they need. Other imports have to
  be on the allow-list (`stratlab validate` names what is not).
- Symbols outside the trial's market set cannot be looked up or ordered. A pipeline sees every
  symbol of the data set.
- Without a network there is nothing to fetch; there are no futures and no data but prices.

This page is made by `python -m tests.zipline_compat.table`; do not edit it.
"""


def render() -> str:
    """Return the page."""
    used = own_use()
    parts = [HEAD]
    for group in GROUPS.values():
        parts.append(f"## {group.title}\n\n| call | status | to know | tested by |")
        parts.append("|---|---|---|---|")
        ordered = sorted(group.calls.items(), key=lambda item: item[0].lower())
        parts += [_row(group, name, call, used) for name, call in ordered]
        parts.append("")
    return "\n".join(parts)


def _row(group: Group, name: str, call: Call, used: dict[str, set[str]]) -> str:
    tests = group.tested_by(name, used)
    if call.status is Status.REFUSED:
        tests = [f"refusal `{key}`" for key in REFUSALS if key.split(":")[0] == name]
    if len(tests) > SHOWN:
        tests = [*tests[:SHOWN], f"{len(tests) - SHOWN} more"]
    return f"| `{name}` | {call.status} | {call.note} | {', '.join(tests)} |"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
