"""Copies of free code are known, and other programs are not taken for copies."""

import hashlib
import json
from importlib.resources import files

import pytest
from benchmarks.calibrate_novelty import ALGORITHMS, COPIES, HELD_OUT, renamed
from hypothesis import given
from hypothesis import strategies as st

from stratlab.search.code_novelty import DIMENSIONS, CodeIndex, calibration, shape_of

SOURCES = {path.name: path.read_text() for path in sorted(ALGORITHMS.glob("*.py"))}
PLAIN = """
from zipline.api import order, symbol

def initialize(context):
    context.asset = symbol("AAPL")

def handle_data(context, data):
    prices = data.history(context.asset, "close", 20, "1d")
    if prices.mean() < data.current(context.asset, "close"):
        order(context.asset, 10)
"""


def index_of(*sources: str) -> CodeIndex:
    index = CodeIndex()
    for number, source in enumerate(sources, start=1):
        index.add(source, (f"c{number}", number))
    return index


def test_calibration_is_of_the_algorithms_that_are_committed() -> None:
    document = json.loads(
        files("stratlab.search").joinpath("code_calibration.json").read_text(encoding="utf-8")
    )
    names = {f"algorithms/{name}" for name in SOURCES}
    assert names == {name for name in document["corpus"] if name.startswith("algorithms/")}
    for name, source in SOURCES.items():
        digest = hashlib.sha256(source.encode()).hexdigest()
        assert document["corpus"][f"algorithms/{name}"] == digest, (
            "run benchmarks.calibrate_novelty"
        )
    assert len(calibration().weights) == DIMENSIONS
    assert document["most_similar_different_pair"] < calibration().threshold
    assert calibration().threshold < document["least_similar_copy"]


@pytest.mark.parametrize("name", SOURCES)
def test_no_algorithm_of_the_corpus_is_a_copy_of_another(name: str) -> None:
    others = [source for other, source in SOURCES.items() if other != name]
    found = index_of(*others).nearest(SOURCES[name])
    assert found is not None
    assert not found.is_copy


def test_no_honest_source_that_was_held_out_is_a_copy_of_another() -> None:
    others = {path.name: path.read_text() for path in sorted(HELD_OUT.glob("*.py"))}
    assert len(others) >= 20
    for name, source in others.items():
        rest = [text for other, text in others.items() if other != name]
        found = index_of(*rest, *SOURCES.values()).nearest(source)
        assert found is not None
        assert not found.is_copy, (name, found.key)


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("name", SOURCES)
def test_copy_of_an_algorithm_is_known_however_it_was_disguised(name: str, kind: str) -> None:
    copy = COPIES[kind](SOURCES[name])
    found = index_of(*SOURCES.values()).nearest(copy)
    assert found is not None
    assert found.is_copy
    assert found.key == (f"c{list(SOURCES).index(name) + 1}", list(SOURCES).index(name) + 1)


def test_other_numbers_are_another_point_and_no_copy() -> None:
    found = index_of(PLAIN).nearest(PLAIN.replace("20", "30"))
    assert found is not None
    assert found.similarity == pytest.approx(1.0)
    assert not found.is_copy


def test_same_numbers_under_other_names_are_a_copy() -> None:
    found = index_of(PLAIN, PLAIN.replace("20", "30")).nearest(renamed(PLAIN))
    assert found is not None
    assert found.is_copy
    assert found.key == ("c1", 1)


def test_index_finds_each_of_many_sources() -> None:
    sources = [*SOURCES.values()] * 5
    numbered = [f"{source}\nlast = {number}\n" for number, source in enumerate(sources)]
    index = index_of(*numbered)
    for number, source in enumerate(numbered):
        found = index.nearest(source)
        assert found is not None
        assert found.key == (f"c{number + 1}", number + 1)
    assert CodeIndex().nearest(PLAIN) is None


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def (",
        "\0",
        "\ud800 = 1",
        "(" * 5000,
        "[" * 60 + "]" * 60,
        "-" * 5000 + "1",
        "x" * 300_000,
    ],
)
def test_source_that_is_no_program_is_compared_as_text(source: str) -> None:
    index = index_of(PLAIN, source)
    found = index.nearest(source)
    assert found is not None
    assert found.is_copy
    assert found.key == ("c2", 2)


@given(st.text(max_size=200))
def test_shape_of_any_text_never_raises(text: str) -> None:
    assert shape_of(text) == shape_of(text)
