"""Writes docs/screening.md from the registry of rules.

Usage: python -m tests.screening.table
"""

from pathlib import Path

from stratlab.screening.control_flow import MAX_TURNS
from stratlab.screening.coverage import LEAST_FUNCTIONS, LEAST_LINES, LONGEST_FUNCTION
from stratlab.screening.members import ATTRIBUTES, MEMBERS, METHODS, TEXT_METHODS
from stratlab.screening.rule import Layer, Rule
from stratlab.screening.rules import RULES
from stratlab.screening.static import MAX_NESTING
from stratlab_runner import contract

TARGET = Path(__file__).resolve().parents[2] / "docs" / "screening.md"
LAYERS = {
    Layer.STATIC: "can this text be a strategy at all?",
    Layer.SECURITY: "what no honest strategy needs; and the look-ahead lint",
    Layer.CONVENTION: "is it written as strategies are?",
    Layer.INTEGRATION: "does it use what the lab offers to keep a strategy in hand?",
    Layer.COVERAGE: "is there enough of it to be judged, in parts that can be?",
    Layer.SMOKE: "does it run for a year of data, in a container?",
    Layer.CAUSALITY: "does it decide by the past alone? (`--causality` only)",
}
HEAD = """\
# Screening: what is looked at before a strategy runs

Every source passes six layers before it costs a backtest. They run in order, and a layer with an
error is the last one. An error rejects; a warning is shown and stored, and stops a campaign with
`review: required` until somebody approves. `stratlab validate FILE` runs layers 1 to 5, `--smoke`
the sixth too. `--causality` adds a seventh ([integrity.md](integrity.md)), which campaigns make of
every candidate before it enters the hall of fame.

Screening is feedback to whoever writes strategies, not the wall: a text can always be written that
no rule sees. The wall is the sandbox ([threat-model.md](threat-model.md)), and what looks into the
future is found by scrambling it. Screening reads sources in a process of its own, in a child for
each; a crash there is a finding.

How the rules see:

- **Mentions count, not calls.** `steps = [len, open]` is found at `open`, so that no renaming has
  to be followed. Names of builtins that a function binds itself (`open = data.current(asset,
  "open")`) are its own.
- **Names are followed to the modules they come from**, and along what these carry:
  `pd.io.common.os` is `os`. What the allowed modules of the sandbox image carry is introspected
  (`python -m tests.screening.surface`), not remembered.
- **Texts count where they name something**: `getattr(x, "name")`, `methodcaller("name")`,
  `df.agg("name")`, `"{0.name}".format(x)`, also when they are put together from constants.
- Compiled contracts are recognised by their shape and get no advice of layers 3 to 5. No rule that
  rejects looks at that.
- Sources of models are judged harder where the table says so. Sources of a campaign count as a
  model's.

Every rule that rejects has at least five sources in `tests/screening/corpus/hostile`, each with a
proof that it works when nobody looks; {honest} honest sources have to pass.

This page is made by `python -m tests.screening.table`; do not edit it.
"""
LIMITS = f"""\
## Limits

| limit | value |
|---|---|
| size of a source | {contract.MAX_SOURCE_BYTES} bytes |
| nesting | {MAX_NESTING} |
| turns of a loop over a range | {MAX_TURNS} |
| usual number of functions, lines of logic | {LEAST_FUNCTIONS}, {LEAST_LINES} |
| lines of a function | {LONGEST_FUNCTION} |
"""


def render(honest: int) -> str:
    """Return the page.

    Args:
        honest: Number of honest sources in the tests.
    """
    parts = [HEAD.replace("{honest}", str(honest)), LIMITS]
    for number, (layer, question) in enumerate(LAYERS.items(), 1):
        rules = [rule for rule in RULES if rule.layer is layer]
        parts.append(f"## Layer {number}, {layer}: {question}\n")
        parts.append("| rule | severity | says | hint | why |\n|---|---|---|---|---|")
        parts += [_row(rule) for rule in rules]
        parts.append("")
    return "\n".join([*parts, _modules(), _members()])


def _row(rule: Rule) -> str:
    severity = str(rule.severity)
    if rule.for_models is not None:
        severity += f"; {rule.for_models} for models"
    hint = rule.hint if len(rule.hint) < 200 else "Use only what is listed below."
    return f"| `{rule.id}` | {severity} | {rule.message} | {hint} | {rule.rationale} |"


def _modules() -> str:
    lines = ["## Modules\n", "May be imported, each with all that lies below it:\n"]
    allowed = sorted(contract.ALLOWED_MODULES - contract.NAMES_OF.keys())
    lines.append(", ".join(f"`{name}`" for name in allowed) + ".\n")
    lines.append("May be imported for some names alone:\n")
    lines.append("| module | names |\n|---|---|")
    for module, names in contract.NAMES_OF.items():
        lines.append(f"| `{module}` | {', '.join(f'`{name}`' for name in sorted(names))} |")
    return "\n".join([*lines, ""])


def _members() -> str:
    lines = [
        "## Names that are refused\n",
        "| rule | of allowed modules, with all below |\n|---|---|",
    ]
    for rule in sorted(set(MEMBERS.values()), key=lambda rule: rule.id):
        names = sorted(name for name, of in MEMBERS.items() if of is rule)
        lines.append(f"| `{rule.id}` | {', '.join(f'`{name}`' for name in names)} |")
    lines.append("\n| rule | after a dot, whatever stands before it |\n|---|---|")
    for rule in sorted({*ATTRIBUTES.values(), *METHODS.values()}, key=lambda rule: rule.id):
        names = sorted(
            [f"`.{name}`" for name, of in ATTRIBUTES.items() if of is rule]
            + [f"`.{name}()`" for name, of in METHODS.items() if of is rule]
        )
        lines.append(f"| `{rule.id}` | {', '.join(names)} |")
    texts = ", ".join(f"`.{name}()`" for name in sorted(TEXT_METHODS))
    return "\n".join([*lines, f"\nAnd {texts} with somewhere to write to.", ""])


if __name__ == "__main__":
    from tests.screening.test_honest_corpus import SOURCES, ZIPLINE_EXAMPLES

    TARGET.write_text(render(len(SOURCES) + len(ZIPLINE_EXAMPLES)), encoding="utf-8")
