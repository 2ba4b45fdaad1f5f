"""Runs a campaign a second time from its models' recordings, and says where the two differ.

A replay is a campaign of its own: new containers, nothing read of the first one but what its
models answered, until it has ended. Only then are both compared, iteration by iteration.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import final

from stratlab.campaigns.history import all_iterations
from stratlab.campaigns.result_hash import iteration_content
from stratlab.domain.campaign import Campaign, CampaignSpec, CampaignState, Iteration
from stratlab.domain.errors import DataSetCorruptError, WrongStateError
from stratlab.domain.events import canonical_json
from stratlab.domain.ports import Repository

FILE_NAME = "replay.json"
"""Artefact of a replay that holds the comparison."""


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay left its original.

    Attributes:
        iteration: Number of the iteration; 0 for the verdict.
        part: The first thing that differs there: ``candidate``, ``trials``, ``gates``, ``score``,
            ``failure``, ``critique``, ``presence`` or ``verdict``.
        original, replay: Hashes of all that was compared.
    """

    iteration: int
    part: str
    original: str
    replay: str


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """What a replay showed.

    Attributes:
        original, replay: Ids of the campaigns.
        original_hash, replay_hash: Their result hashes.
        iterations: How many were compared.
        differences: In order; empty for an identical replay.
        members: Containers that the replay ran in.
        shared_members: Those of them that the original had run in too; there are none.
    """

    original: str
    replay: str
    original_hash: str
    replay_hash: str
    iterations: int
    differences: tuple[Difference, ...]
    members: int
    shared_members: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """Whether every hash is the same and every container was a new one."""
        return not self.differences and not self.shared_members


def new_campaign(spec: CampaignSpec, digest: str, now: datetime, replay_of: str = "") -> Campaign:
    """Return a campaign that nothing was done for yet.

    Args:
        spec: What is asked for.
        digest: Of its data set.
        now: UTC.
        replay_of: The campaign that it repeats.
    """
    return Campaign(
        # Sortable by creation, and free of meaning.
        id=f"c{int(now.timestamp() * 1000):011x}{secrets.token_hex(3)}",
        spec=spec,
        data_digest=digest,
        state=CampaignState.QUEUED,
        created_at=now,
        updated_at=now,
        replay_of=replay_of,
    )


def replay_spec(original: Campaign, data_digest: str) -> CampaignSpec:
    """Return what a replay asks for: the same, until the iteration at which the original ended.

    Stops by time, tokens and cost depend on the day; a replay takes as many iterations instead.

    Raises:
        WrongStateError: The original is not completed.
        DataSetCorruptError: The data set is another one now.
    """
    if original.state is not CampaignState.COMPLETED:
        raise WrongStateError(
            f"campaign {original.id} is {original.state}; only a completed one can be replayed",
            state=original.state,
        )
    if original.data_digest != data_digest:
        raise DataSetCorruptError(
            f"data set {original.spec.data_set} is not the one that campaign {original.id} saw",
            hint="Put the old data set back; a replay on other data shows nothing.",
        )
    rules = replace(
        original.spec.stop_rules,
        max_iterations=original.iteration,
        max_wall_seconds=None,
        max_tokens=None,
        max_cost_usd=None,
    )
    return replace(original.spec, stop_rules=rules)


def compare(repository: Repository, replay: Campaign) -> Comparison:
    """Compare a replay that has ended with its original.

    Raises:
        NotFoundError: The original is gone.
    """
    original = repository.get_campaign(replay.replay_of)
    first = all_iterations(repository, original.id)
    second = all_iterations(repository, replay.id)
    differences = [
        found for pair in zip_longest(first, second) if (found := _difference(*pair)) is not None
    ]
    if not differences and original.result_hash != replay.result_hash:
        hashes = original.result_hash, replay.result_hash
        differences.append(Difference(0, "verdict", *hashes))
    before, after = _members(first), _members(second)
    return Comparison(
        original=original.id,
        replay=replay.id,
        original_hash=original.result_hash,
        replay_hash=replay.result_hash,
        iterations=max(len(first), len(second)),
        differences=tuple(differences),
        members=len(after),
        shared_members=tuple(sorted(before & after)),
    )


def _difference(first: Iteration | None, second: Iteration | None) -> Difference | None:
    one, other = _content(first), _content(second)
    if one == other:
        return None
    there = first or second
    assert there is not None, "two that are missing do not differ"
    part = next((name for name in one if name in other and one[name] != other[name]), "presence")
    return Difference(there.number, part, _hash(one), _hash(other))


def _content(iteration: Iteration | None) -> dict[str, object]:
    if iteration is None:
        return {}
    critique = iteration.critique
    # More than the result hash covers: what a model said and led to nothing must be the same too.
    return {
        **iteration_content(iteration),
        "failure": iteration.failure,
        "critique": [critique.operator, critique.parent, critique.reason] if critique else [],
    }


def _hash(content: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest() if content else ""


def _members(iterations: Sequence[Iteration]) -> set[str]:
    return {
        result.sandbox.member_id
        for iteration in iterations
        for result in iteration.results
        if result.sandbox.member_id
    }
