"""No honest source is rejected: templates, zipline's examples, algorithms of tests, many styles."""

import json
from pathlib import Path

import pytest
from tests.screening.corpus_files import honest_sources
from tests.screening.surface import run_inside

from stratlab.contract.zipline_source import compile_to_zipline
from stratlab.domain.strategy import Author, Severity
from stratlab.generation import load_templates
from stratlab.screening.layers import screen_text

ALGORITHMS = Path(__file__).parents[1] / "zipline_compat" / "algorithms"
TEMPLATES = {
    f"template/{name}": compile_to_zipline(contract) for name, contract in load_templates().items()
}
COMPAT = {f"compat/{file.stem}": file.read_text() for file in sorted(ALGORITHMS.glob("*.py"))}
STYLES = {f"style/{name}": source for name, source in honest_sources().items()}
SOURCES = TEMPLATES | COMPAT | STYLES
# Read from the package in the image.
ZIPLINE_EXAMPLES = (
    "buy_and_hold",
    "buyapple",
    "dual_ema_talib",
    "dual_moving_average",
    "momentum_pipeline",
    "olmar",
)
LEAST = 40


def rejections(source: str, author: Author) -> list[str]:
    report = screen_text(source, author)
    return [f"{f.rule}:{f.line}" for f in report.findings if f.severity is Severity.ERROR]


def test_corpus_is_large_enough() -> None:
    assert len(SOURCES) + len(ZIPLINE_EXAMPLES) >= LEAST
    assert (len(TEMPLATES), len(COMPAT)) == (6, 21)


@pytest.mark.parametrize("name", SOURCES)
def test_honest_source_passes(name: str) -> None:
    assert rejections(SOURCES[name], Author.HUMAN) == []


@pytest.mark.parametrize("name", TEMPLATES | STYLES)
def test_honest_source_passes_as_a_models(name: str) -> None:
    assert rejections(SOURCES[name], Author.MODEL) == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_compiled_template_has_no_findings_at_all(name: str) -> None:
    report = screen_text(TEMPLATES[name], Author.MODEL)
    assert report.findings == ()
    assert len(report.layers) == 5


def test_header_of_a_compiled_source_hides_nothing_that_rejects() -> None:
    source = TEMPLATES["template/ema_cross_atr"] + "\n\nimport os\nos.system('id')\n"
    assert rejections(source, Author.MODEL) == [f"watched_module:{source.count(chr(10))}"]


def test_header_alone_saves_nobody_from_advice() -> None:
    header = TEMPLATES["template/ema_cross_atr"].split('"""')[1]
    report = screen_text(f'"""{header}"""\n{STYLES["style/short_minimal"]}')
    assert "few_functions" in {finding.rule for finding in report.findings}


@pytest.mark.docker
def test_examples_of_zipline_pass() -> None:
    sources = json.loads(run_inside("examples.py", *ZIPLINE_EXAMPLES))
    assert sources.keys() == set(ZIPLINE_EXAMPLES)
    assert {name: rejections(source, Author.HUMAN) for name, source in sources.items()} == (
        {name: [] for name in ZIPLINE_EXAMPLES}
    )
