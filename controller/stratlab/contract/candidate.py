"""Makes candidates from contracts: compiled, hashed, with their parameter points."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stratlab.contract.document import canonical_json
from stratlab.contract.space import point_key
from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.strategy import Candidate, Lineage

if TYPE_CHECKING:
    from stratlab.contract.model import StrategyContract
    from stratlab.domain.trial import Parameters


def candidate_hash(contract: str, source: str) -> str:
    """Return the identity of a candidate: sha256 over canonical contract and source, hex."""
    digest = hashlib.sha256(contract.encode())
    # NUL is in neither text, so no two pairs give the same bytes.
    digest.update(b"\0" + source.encode())
    return digest.hexdigest()


def candidate_from_contract(
    contract: "StrategyContract", lineage: Lineage, points: Iterable["Parameters"] = ()
) -> Candidate:
    """Compile a contract and wrap it as a candidate.

    Args:
        contract: A loaded contract.
        lineage: Where it comes from.
        points: Further parameter points to try after the defaults.
    """
    defaults = contract.parameters
    distinct = {point_key(point): point for point in (defaults, *points)}
    text, source = canonical_json(contract), compile_to_zipline(contract)
    return Candidate(
        hash=candidate_hash(text, source),
        strategy_id=contract.strategy_id,
        thesis=contract.thesis,
        source=source,
        contract=text,
        parameters=defaults,
        lineage=lineage,
        parameter_points=tuple(distinct.values()),
    )
