"""Names that hold ends of lines, tabs or escapes stand in one cell of text each."""

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


def test_links_as_text_have_a_line_for_each_row(tmp_path):
    table = pl.DataFrame({"gene": NAMES})
    path = tmp_path / "links.tsv"
    with path.open("wb") as out, written(out, path.name, table.clear()) as write:
        write(table)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines == ["gene", *[name or "" for name in SHOWN], ""]
