"""A campaign of the factor graph on us-daily in real containers, as a user starts and sees it.

At full size it has to evolve: every operator used, three generations deep, eight cells filled. At
CI size there are turns for the templates and a few children only; `test_campaign.py` evolves as
long without containers.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.search.audit import assert_only_novel_and_valid_candidates_ran

from stratlab.campaigns.history import all_iterations
from stratlab.search.operators import OPERATORS
from stratlab.store import open_repository

ITERATIONS_BY_SIZE = {False: 8, True: 36}
# What passes is put to the causality test, which takes longer than all that is tested here.
GATE_BY_SIZE = {False: "min_sharpe_ratio=1.25", True: "min_sharpe_ratio=0.3"}
PROGRAM = Path(sys.executable).with_name("stratlab")


def stratlab(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, "STRATLAB_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    # A campaign whose candidates all failed a gate ends with a code of its own.
    assert done.returncode in {0, 1}, done.stderr[-3000:]
    return done.stdout


@pytest.mark.docker
@pytest.mark.load
@pytest.mark.timeout(1800)
def test_campaign_evolves_from_the_templates_and_shows_it(
    us_daily_home: Path, tmp_path: Path, full_size: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "data").symlink_to(us_daily_home / "data")
    wanted = ITERATIONS_BY_SIZE[full_size]
    campaign = json.loads(
        stratlab(
            home,
            *("campaign", "run", "--name", "evolve", "--generator", "factor_graph"),
            *("--data", "us-daily", "--iterations", str(wanted), "--seed", "7"),
            *("--max-seconds", "100000", "--json"),
            *("--gate", GATE_BY_SIZE[full_size]),
        )
    )
    assert campaign["state"] == "completed"
    name = campaign["name"].removeprefix("campaigns/")
    with closing(open_repository(f"sqlite:///{home / 'stratlab.db'}")) as repository:
        iterations = all_iterations(repository, name)
        events = repository.events(name, limit=100_000)
    ran = assert_only_novel_and_valid_candidates_ran(events, iterations)
    assert len(ran) == len(iterations) == wanted
    lineages = [i.candidate.lineage for i in iterations if i.candidate]
    assert [lineage.operator for lineage in lineages[:6]] == ["template"] * 6
    assert {lineage.island for lineage in lineages} == {0, 1, 2}
    cells = campaign["archive"]
    assert len(cells) >= 4
    if full_size:
        assert {lineage.operator for lineage in lineages} == {"template", *OPERATORS}
        assert max(lineage.generation for lineage in lineages) >= 3
        assert (
            len({(c["style"], *c["turnover"].values(), *c["drawdown"].values()) for c in cells})
            >= 8
        )
    shown = stratlab(home, "campaign", "show", name)
    assert f"Archive: {len(cells)} cells filled on 3 islands" in shown
    family = campaign["lineage"]
    best = campaign["verdict"]["candidate"]
    assert family[0]["candidate"] == best
    for line in family:
        assert f"iteration {line['iteration']}: {line['strategy_id']}, {line['operator']}" in shown
        assert line["generation"] == 0 or line["parents"]
    report = Path(campaign["report"]).read_text()
    assert "## Islands" in report
    assert "## Lineage of the best candidate" in report
    for iteration in iterations[6:]:
        assert (Path(campaign["report"]).parent / f"patches/iter_{iteration.number}.diff").is_file()
