"""Names that hold ends of lines, tabs or escapes stand in one cell of text each."""

import io

import polars as pl

from enformer_core.links.written import written
from enformer_core.text_cells import one_line_cells

NAMES = ["a\tb", "c\nd", "\x1b[31mred", "plain \u2028 é", None]
SHOWN = ["a\\tb", "c\\nd", "\\x1b[31mred", "plain \\u2028 é", None]


def test_signs_that_break_lines_are_shown_by_their_names():
    table = pl.DataFrame({"name": NAMES, "id": ["x"] * 5, "start": range(5)})
    assert one_line_cells(table)["name"].to_list() == SHOWN
    plain = table.drop("name")
    assert one_line_cells(plain).equals(plain)
    assert one_line_cells(table.clear()).is_empty()


def test_links_as_text_have_a_line_for_each_row():
    table = pl.DataFrame({"gene": NAMES})
    out = io.BytesIO()
    with written(out, "links.tsv", table.clear()) as write:
        write(table)
    lines = out.getvalue().decode().split("\n")
    assert lines == ["gene", *[name or "" for name in SHOWN], ""]
