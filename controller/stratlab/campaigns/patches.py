"""Shows what a candidate changed against its parent."""

import difflib
import json

from stratlab.domain.strategy import Candidate


def candidate_patch(parent: Candidate | None, child: Candidate) -> str:
    """Return what a candidate changed: of its contract, or of its source where it is free code.

    Args:
        parent: What it was made from, None for nothing.
        child: The candidate.
    """
    if child.contract:
        return contract_patch(parent.contract if parent else "", child.contract)
    lines = difflib.unified_diff(
        parent.source.splitlines(keepends=True) if parent else [],
        child.source.splitlines(keepends=True),
        "parent/strategy.py",
        "candidate/strategy.py",
    )
    return "".join(lines)


def contract_patch(parent: str, child: str) -> str:
    """Return a unified diff of two canonical contracts, "" when there is nothing to compare.

    Args:
        parent: Canonical JSON of the parent's contract, "" for none.
        child: The same of the child.
    """
    if not child:
        return ""
    lines = difflib.unified_diff(
        _lines(parent), _lines(child), "parent/contract.json", "candidate/contract.json"
    )
    return "".join(lines)


def _lines(contract: str) -> list[str]:
    if not contract:
        return []
    text = json.dumps(json.loads(contract), indent=2, sort_keys=True, ensure_ascii=False)
    return [f"{line}\n" for line in text.splitlines()]
