"""Of two models in a campaign the better one is asked more, and the report tells them apart."""

import asyncio
import json
import random
import re
from collections import Counter
from pathlib import Path

from tests.llm.grammar import THESES, a_form, plain_words
from tests.llm.lab_setup import HYBRID, model_settings, rules
from tests.llm.server import Seen, messages_server
from tests.llm.test_campaign import finished
from tests.llm.test_replay import NOBODY, comparison, replayed
from tests.suites.small_lab import small_lab, small_spec

BAD, GOOD = "claude-test", "claude-cheap"
ITERATIONS = 6


def author(seen: Seen) -> str:
    if seen.body["model"] == BAD:
        return "I would rather not."
    if (words := plain_words(seen, THESES[0])) is not None:
        return words
    return json.dumps(a_form(random.Random(seen.number)))


def test_better_model_is_asked_more_and_the_report_says_why(tmp_path: Path) -> None:
    spec = small_spec(generator=HYBRID, stop_rules=rules(ITERATIONS))
    with (
        messages_server(author=author) as server,
        small_lab(tmp_path, models=model_settings(tmp_path, server, models=(BAD, GOOD))) as lab,
    ):
        campaign = asyncio.run(finished(lab, spec))
        iterations = lab.repository.list_iterations(campaign.id)
        artifact = lab.artifacts.get(campaign.id, "report.md")
        report = b"".join(lab.artifacts.read(artifact)).decode()
    asked = Counter(iteration.model for iteration in iterations)
    assert asked[BAD] >= 1
    assert asked[GOOD] > asked[BAD]
    assert asked.total() == ITERATIONS
    # Whoever is said to have been asked is who was asked.
    assert {seen.body["model"] for seen in server.seen} == {BAD, GOOD}
    assert re.search(rf"\| {BAD} \| brief/\d+ \| {asked[BAD]} \| 0 \(0%\) \| 0 \(0%\)", report)
    shares = re.search(rf"\| {GOOD} \| contract/\d+ \| {asked[GOOD]} \|(.*)\|", report)
    assert shares is not None
    written, screened, ran, traded, _ = (int(cell.split()[0]) for cell in shares[1].split("|"))
    assert asked[GOOD] >= written >= screened >= ran >= traded > 0
    settings = model_settings(tmp_path, NOBODY, key="", models=(BAD, GOOD))
    with small_lab(tmp_path, models=settings) as lab:
        replay = asyncio.run(replayed(lab, campaign.id))
        assert comparison(lab, replay)["is_identical"]
        again = lab.repository.list_iterations(replay.id)
    assert [i.model for i in again] == [i.model for i in iterations]
