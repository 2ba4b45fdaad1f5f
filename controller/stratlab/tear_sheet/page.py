"""The page: verdict and rules on top, then the evidence, then how to repeat it."""

from html import escape
from importlib.resources import files

from stratlab.domain.gates import Verdict
from stratlab.tear_sheet.evidence import evidence_sections
from stratlab.tear_sheet.performance import performance_section
from stratlab.tear_sheet.selection import selection_section
from stratlab.tear_sheet.sheet import Sheet
from stratlab.tear_sheet.text import NOTHING, number, plain, section, subsection, table


def tear_sheet(sheet: Sheet) -> str:
    """Return the HTML page; it loads nothing and runs nothing.

    Args:
        sheet: What it shows. Every text in it is escaped.
    """
    spec = sheet.campaign.spec
    style = (files(__package__) / "style.css").read_text("utf-8")
    body = "".join(
        [
            _heading(sheet),
            _verdict(sheet.campaign.verdict),
            _candidate(sheet),
            performance_section(sheet),
            selection_section(sheet),
            evidence_sections(sheet),
            _spending(sheet),
            section("What to know about the data", table(["caveat"], [[c] for c in sheet.caveats])),
            _repetition(sheet),
        ]
    )
    # No script, font, image or address may ever be loaded, whatever a text smuggled in.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(spec.display_name or sheet.campaign.id)}: tear sheet</title>"
        f"<style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _heading(sheet: Sheet) -> str:
    campaign, spec = sheet.campaign, sheet.campaign.spec
    markets = "; ".join(", ".join(market) for market in spec.markets)
    costs = spec.cost_model
    fees = f"{costs.slippage_bps:g} bp, {costs.commission_per_share:g} a share"
    facts = [
        f"campaign {campaign.id}",
        f"data {spec.data_set}",
        f"markets {markets}",
        f"costs {costs.kind} ({fees})",
        f"generator {spec.generator}",
        f"iterations {len(sheet.iterations)}",
        f"{campaign.state} ({campaign.state_reason})",
    ]
    return (
        f"<header><h1>{escape(spec.display_name or campaign.id)}</h1>"
        f"<p>{escape(spec.prompt)}</p><p class='note'>{escape(' · '.join(facts))}</p></header>"
    )


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return section("Verdict", "<p>None: the campaign did not complete.</p>")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    rows = "".join(
        f'<tr class="{rule.status.value}"><td>{escape(rule.name.replace("_", " "))}</td>'
        f"<td>{escape(rule.status.value.replace('_', ' '))}</td>"
        f"<td>{escape(number(rule.value, 4))}</td><td>{escape(plain(rule.bound))}</td>"
        f"<td>{escape(rule.evidence)}</td></tr>"
        for rule in verdict.rules
    )
    rules = (
        "<table class='rules'><thead><tr><th>rule of a promotion</th><th>status</th><th>value</th>"
        f"<th>bound</th><th>evidence</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else ""
    )
    return (
        f"<section class='verdict {verdict.kind.value}'><h2>Verdict: "
        f"{escape(verdict.kind.value.replace('_', ' '))}</h2><ul>{reasons}</ul>{rules}</section>"
    )


def _candidate(sheet: Sheet) -> str:
    chosen = sheet.chosen
    if chosen is None or chosen.candidate is None or chosen.evaluation is None:
        return ""
    candidate, evaluation = chosen.candidate, chosen.evaluation
    gates = [
        [gate.gate, "passed" if gate.passed else "failed", number(gate.value), plain(gate.bound)]
        for gate in evaluation.gates
    ]
    head = (
        f"<p>{escape(candidate.thesis)}</p><p class='note'>iteration {chosen.number}, score "
        f"{escape(number(evaluation.score, 4))}, <code>{escape(candidate.hash)}</code></p>"
    )
    shown = subsection("Gates", table(["gate", "status", "value", "bound"], gates, style="figures"))
    return section(f"Candidate: {candidate.strategy_id}", head, shown)


def _spending(sheet: Sheet) -> str:
    spent = sheet.spent
    if spent is None or not spent.calls:
        return ""
    rows = [[f"{spent.micro_usd / 1e6:.4f} USD", str(spent.tokens), str(spent.calls)]]
    return section("Spent on language models", table(["cost", "tokens", "calls"], rows))


def _repetition(sheet: Sheet) -> str:
    campaign = sheet.campaign
    identities = sorted(
        {
            f"image {run.sandbox.image_id}, runtime {run.sandbox.runtime}, engine "
            f"{run.sandbox.engine or 'unknown'}, seccomp profile {run.sandbox.seccomp_digest}"
            for iteration in sheet.iterations
            for run in iteration.results
            if run.sandbox.image_id
        }
    )
    rows = [
        ["data digest", campaign.data_digest],
        ["seed", str(campaign.spec.seed)],
        *(["sandbox", identity] for identity in identities),
        ["result hash", campaign.result_hash or NOTHING],
    ]
    return section("How to repeat it", table(["", ""], rows, style="digests"))
