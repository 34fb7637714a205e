"""Small views of tables and series."""

import datetime as dt
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.resources.values.text_views import Sparkline, cell_text, sparkline_svg, table_html, table_text


def parsed(markup):
    return ET.fromstring(markup)  # noqa: S314  # markup of our own


def path_of(svg):
    root = parsed(svg)
    (path,) = root.iter("{http://www.w3.org/2000/svg}path")
    return path.attrib["d"]


def places(svg):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path_of(svg))]


def test_a_line_goes_from_left_to_right_with_high_values_up():
    assert places(sparkline_svg([0, 1, 2], [0.0, 1.0, 0.5], width=104, height=24)) == [(2, 22), (52, 2), (102, 12)]


def test_nan_breaks_the_line_and_a_point_alone_stays_visible():
    path = path_of(sparkline_svg(range(5), [1, 2, math.nan, 3, math.inf]))
    assert path.count("M") == 2
    assert path.count("L") == 1
    assert path.endswith("h0")


def test_a_long_series_is_drawn_by_at_most_200_points_that_keep_its_extremes_and_breaks():
    values = [math.sin(place) for place in range(100_000)]
    values[50_123], values[77_777] = 10.0, math.nan
    svg = sparkline_svg(range(100_000), values, height=32)
    drawn = places(svg)
    assert 100 < len(drawn) <= 200
    assert min(y for _, y in drawn) == 2.0
    assert path_of(svg).count("M") == 2
    assert "to 10" in svg


def test_it_can_be_read_out_and_titles_are_escaped():
    root = parsed(sparkline_svg([0], [0.25], title='<loss> & "x"'))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == '<loss> & "x"'
    assert root[0].text == '<loss> & "x"'
    assert "1 points, last 0.25" in sparkline_svg([0], [0.25])


def test_a_tall_line_has_its_range_beside_it():
    svg = sparkline_svg(range(3), [1.0, 4.5, 2.0], width=480, height=96)
    assert [text.text for text in parsed(svg).iter("{http://www.w3.org/2000/svg}text")] == ["4.5", "1"]
    assert max(x for x, _ in places(svg)) < 480 - 80


@pytest.mark.parametrize("values", [[], [math.nan], [1.0], [2.0, 2.0], [1.7e308, -1.7e308]])
def test_odd_series_are_drawn_inside_the_frame(values):
    for x, y in places(sparkline_svg(range(len(values)), values, width=100, height=20)):
        assert 0 <= x <= 100
        assert 0 <= y <= 20


@settings(deadline=None)
@given(st.lists(st.floats(), max_size=300))
def test_any_series_gives_well_formed_svg(values):
    parsed(sparkline_svg(range(len(values)), values))


def test_a_table_as_text():
    text = table_text(["name", "loss"], [["a", 0.5], ["long name", 12], ["b", None]])
    assert text.splitlines() == [
        "name       loss",
        "---------  ----",
        "a           0.5",
        "long name    12",
        "b",
    ]


@settings(deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda count: st.lists(st.lists(st.text(max_size=60), min_size=count, max_size=count), min_size=1, max_size=4)
    ),
    st.integers(20, 100),
)
def test_no_line_is_wider_than_asked(rows, width):
    lines = table_text([f"c{place}" for place in range(len(rows[0]))], rows, width).split("\n")
    assert len(lines) - len(rows) in {2, 3}
    assert all(len(line) <= width for line in lines)


def test_columns_that_do_not_fit_are_counted():
    text = table_text([f"column{place}" for place in range(50)], [["value"] * 50], 60)
    shown, count = len(text.splitlines()[0].split()), re.search(r"\.\.\. (\d+) more columns", text)
    assert shown + int(count[1]) == 50


@pytest.mark.parametrize("width", [20, 50, 80])
def test_a_column_that_is_wanted_whole_is_neither_cut_nor_left_out(width):
    row = ["x" * 30, 1.5, "01m881t78wtq0yppcgdswtyp6n", "y" * 30]
    text = table_text(["name", "loss", "id", "note"], [row], width, whole=("id",))
    assert row[2] in text
    assert all(len(line) <= max(width, len(row[2]) + 10) for line in text.splitlines())


def test_wide_characters_are_cut_by_their_width():
    assert table_text(["n"], [["日本語日本語"]], 7).splitlines()[2] == "日本語…"


def test_a_table_as_html_is_escaped_and_shows_lines():
    markup = table_html(["<n>", "v"], [["<script>", 0.5], [Sparkline([0, 1], [1.0, 2.0]), None]])
    root = parsed(markup)
    assert "<script>" not in markup
    assert [one.text for one in root.iter("th")] == ["<n>", "v"]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) == 1
    assert "text-align:right" in markup


def test_a_long_cell_of_html_is_cut_and_told_whole_in_its_title():
    markup = table_html(["note"], [["<" * 100]])
    (cell,) = parsed(markup).iter("td")
    assert cell.attrib["title"] == "<" * 100
    assert cell.text == "<" * 39 + "…"


def test_tables_of_html_take_colours_from_the_page():
    markup = table_html(["name", "loss"], [["a", 0.5]])
    assert not re.search("#[0-9a-f]{3}|background|rgb", markup)
    assert 'style="overflow-x:auto"' in markup


def test_cells():
    assert cell_text(0.123456789) == "0.123457"
    assert cell_text(dt.datetime(2024, 5, 1, 12, 30, 5, 999, tzinfo=dt.timezone.utc)) == "2024-05-01 12:30:05"
    assert cell_text("a\nb\x1b[31m") == "a b [31m"
    assert (cell_text(None), cell_text(True), cell_text(Sparkline([0], [0.5]))) == ("", "True", "0.5")
