"""What the audit chain of a campaign must say of the candidates that reached a container."""

import json
from collections.abc import Sequence

from stratlab.contract.document import canonical_json, load_contract
from stratlab.domain.campaign import Iteration
from stratlab.domain.events import Event, EventKind, verify_chain


def payloads(events: Sequence[Event], kind: EventKind) -> list[dict]:
    return [json.loads(event.payload) for event in events if event.kind is kind]


def assert_only_novel_and_valid_candidates_ran(
    events: Sequence[Event], iterations: Sequence[Iteration]
) -> set[int]:
    """Check the whole chain, and return the iterations whose candidates reached a container."""
    assert verify_chain(events) == len(events)
    generated: dict[int, dict] = {}
    passed: set[int] = set()
    started: list[int] = []
    for event in events:
        payload = json.loads(event.payload)
        if event.kind is EventKind.CANDIDATE_GENERATED:
            generated[payload["iteration"]] = payload
        elif event.kind is EventKind.CANDIDATE_SCREENED and payload["passed"]:
            passed.add(payload["iteration"])
        elif event.kind is EventKind.TRIAL_STARTED:
            # campaign-iteration-trial
            number = int(payload["trial"].split("-")[1])
            assert number in generated
            assert number in passed, "a trial began before screening had passed"
            started.append(number)
    ran = set(started)
    for name in ("candidate", "canonical"):
        keys = [generated[number][name] for number in sorted(ran)]
        assert len(set(keys)) == len(keys), f"two candidates of the same {name} reached a container"
    for iteration in iterations:
        if iteration.number in ran:
            assert iteration.candidate is not None
            assert generated[iteration.number]["candidate"] == iteration.candidate.hash
            text = iteration.candidate.contract
            assert canonical_json(load_contract(text)) == text
    return ran
