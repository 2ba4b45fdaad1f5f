"""Charts: every point lies inside its frame, ticks are round, and hostile text stays text."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratlab.tear_sheet.charts.axes import Axis, Frame, padded
from stratlab.tear_sheet.charts.colours import colour
from stratlab.tear_sheet.charts.dots import Dot, dot_chart
from stratlab.tear_sheet.charts.heat_map import heat_map
from stratlab.tear_sheet.charts.lines import Line, Span, line_chart

VALUES = st.lists(
    st.floats(-1e9, 1e9, allow_nan=False, allow_subnormal=False), min_size=2, max_size=30
)
HOSTILE = "<script>alert(1)</script>&\"'"


@given(VALUES, st.booleans())
def test_every_point_of_a_line_lies_inside_the_frame(values: list[float], is_filled: bool) -> None:
    line = Line("own", "own", list(range(len(values))), values, is_filled=is_filled)
    html = line_chart("t", [line], y_text=str, x_text=str)
    svg = ET.fromstring(re.search(r"<svg.*</svg>", html, re.DOTALL)[0])  # noqa: S314 - drawn a line above
    (path,) = [e.attrib["points"] for e in svg.iter("polyline")]
    pixels = [tuple(map(float, pair.split(","))) for pair in path.split()]
    assert len(pixels) == len(values)
    assert all(58 <= x <= 748 and 10 <= y <= 226 for x, y in pixels)
    assert [x for x, _ in pixels] == sorted(x for x, _ in pixels)


@given(VALUES)
def test_ticks_lie_inside_the_axis_and_are_few(values: list[float]) -> None:
    low, high = padded(values)
    ticks = Axis(low, high, str).ticks()
    assert 1 <= len(ticks) <= 12
    assert all(low <= tick <= high for tick in ticks)


def test_time_axis_has_the_first_days_of_years() -> None:
    axis = Axis(1_000_000_000, 1_200_000_000, str, is_time=True)
    assert axis.ticks()[:2] == [1_009_843_200, 1_041_379_200]
    assert len(Axis(0, 3_000_000_000, str, is_time=True).ticks()) <= 10


def test_logarithmic_axis_gives_equal_room_to_equal_ratios() -> None:
    x = Frame(Axis(1, 100, str, is_logarithmic=True), Axis(0, 1, str)).x
    assert x(10) - x(1) == pytest.approx(x(100) - x(10))


def test_chart_without_a_line_is_nothing() -> None:
    assert line_chart("t", [Line("", "own", [1], [1])], y_text=str) == ""
    assert dot_chart("t", [], x_label="", y_label="", text=str) == ""
    assert heat_map(["a"], ["b"], {}, text=str) == ""


def test_hostile_text_stays_text() -> None:
    charts = [
        line_chart(
            HOSTILE,
            [Line(HOSTILE, "own", [1, 2], [3, 4], is_marked=True)],
            x_label=HOSTILE,
            y_label=HOSTILE,
            y_text=lambda _: HOSTILE,
            x_text=lambda _: HOSTILE,
            spans=[Span(HOSTILE, 1, 2)],
        ),
        dot_chart(
            HOSTILE,
            [Dot(1, 2, HOSTILE), Dot(2, 1, HOSTILE, is_marked=True, shade=0.5)],
            x_label=HOSTILE,
            y_label=HOSTILE,
            text=lambda _: HOSTILE,
            has_diagonal=True,
        ),
        heat_map([HOSTILE], [HOSTILE], {(HOSTILE, HOSTILE): 1.0}, text=lambda _: HOSTILE),
    ]
    for chart in charts:
        assert "<script" not in chart
        assert "&lt;script&gt;" in chart
        ET.fromstring(chart)  # noqa: S314 - drawn above


def test_longer_lines_are_thinned_and_keep_their_ends() -> None:
    values = [float(n) for n in range(10_000)]
    html = line_chart("t", [Line("", "own", values, values)], y_text=str, x_text=str)
    path = re.search(r'<polyline points="([^"]*)"', html)[1].split()
    assert 1500 <= len(path) < 1800
    assert path[-1].startswith("748.0,")


def test_colours_tell_good_from_bad_and_nothing_is_neutral() -> None:
    assert colour(0) == "rgb(247,247,247)"
    assert colour(5) == colour(1) == "rgb(31,120,180)"
    assert colour(-1) == "rgb(217,95,2)"
