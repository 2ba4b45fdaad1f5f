"""Every hostile or broken source works when nobody looks, and is rejected by the right rule."""

import ast
import json
import subprocess
import sys
from collections import Counter

import pytest
from tests.screening.corpus_files import Case, hostile_cases
from tests.screening.surface import INSIDE, run_inside

from stratlab.domain.strategy import Author, Severity
from stratlab.screening.layers import screen_text
from stratlab.screening.rules import RULES
from stratlab.screening.screener import SubprocessScreener

CASES = hostile_cases()
SCREENER = SubprocessScreener()
LEAST = 5
LEAST_CHAINS = 20
# Found by fault injection in test_screening: no text is known that exhausts the process.
WITHOUT_SOURCES = {"unscreenable"}
# Whatever exhausts the parser may exhaust the process before it can say so.
EXHAUSTING = "unparsable"
# What makes them different is a text.
IDEAS_OF_TEXT = {"hardcoded_secret", "bandit.B613", "forbidden_name"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_source_is_rejected_by_its_rule(case: Case) -> None:
    if case.rule == EXHAUSTING:
        report = SCREENER.screen(case.source, case.author)
        assert {f.rule for f in report.findings} <= {EXHAUSTING, "unscreenable"}
    else:
        report = screen_text(case.source, case.author)
        rejections = [f for f in report.findings if f.severity is Severity.ERROR]
        assert case.rule in {f.rule for f in rejections}
        assert {f.layer for f in rejections} == {case.layer}
        assert report.layers[-1].layer == case.layer
    assert not report.passed


def test_every_rule_that_rejects_has_sources() -> None:
    counts = Counter(case.rule for case in CASES if not case.name.startswith("chain/"))
    hard = {
        rule.id
        for rule in RULES
        if Severity.ERROR in {rule.severity, rule.for_models}
        and rule.layer not in {"smoke", "causality"}
    }
    assert {rule: counts[rule] for rule in hard - WITHOUT_SOURCES if counts[rule] < LEAST} == {}
    assert sum(case.name.startswith("chain/") for case in CASES) >= LEAST_CHAINS
    assert len({case.name for case in CASES}) == len(CASES)


def test_no_two_sources_are_renames_of_one_idea() -> None:
    ideas: dict[tuple[str, str], str] = {}
    for case in CASES:
        try:
            tree = ast.parse(case.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if case.rule not in IDEAS_OF_TEXT and case.layer != "static":
            idea = (case.rule, ast.dump(Anonymous(tree).visit(tree)))
            assert idea not in ideas, (case.name, ideas[idea])
            ideas[idea] = case.name


class Anonymous(ast.NodeTransformer):
    """Takes away what a source itself has named, and its texts and numbers."""

    def __init__(self, tree: ast.Module) -> None:
        self._own = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("own" if node.id in self._own else node.id, node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(type(node.value).__name__)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = "function"
        return node


@pytest.mark.load
def test_hostile_sources_work_when_nobody_looks() -> None:
    asked = json.dumps(
        [{"name": c.name, "source": c.source, "proof": c.proof} for c in CASES if _is_local(c)]
    )
    done = subprocess.run(
        [sys.executable, "-P", str(INSIDE / "prove.py")],
        input=asked,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers = json.loads(done.stdout)
    assert len(answers) > 150
    assert {name: answer for name, answer in answers.items() if answer != "true"} == {}


@pytest.mark.docker
def test_hostile_sources_work_with_the_packages_of_the_image() -> None:
    asked = [
        {"name": c.name, "source": c.source, "proof": c.proof} for c in CASES if not _is_local(c)
    ]
    answers = json.loads(run_inside("prove.py", text=json.dumps(asked)))
    assert answers == {case["name"]: "true" for case in asked}


def test_human_may_name_dates() -> None:
    dated = [case for case in CASES if case.rule == "calendar_date"]
    for case in dated:
        report = screen_text(case.source, Author.HUMAN)
        assert report.passed
        assert "calendar_date" in {finding.rule for finding in report.findings}


def _is_local(case: Case) -> bool:
    return "statsmodels" not in case.source
