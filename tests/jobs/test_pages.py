"""`enformer-ray docs`: a list that says how to open a page, pages that fit a terminal, and what is said of others."""

import re
from pathlib import Path

import pytest

from jobs.cli import main
from jobs.output import SafeStream
from jobs.page_text import fitted_markdown

ROOT = Path(__file__).parents[2]

PAGE = """\
# A heading that is far longer than the terminal is wide and stays as it is

Prose of several words that does not fit a line of the terminal,
and a second line that is joined to it.

- an item whose second line
  belongs to it, and is indented as the first one is
- another
12. a numbered item which is longer than the line of forty letters

| a table | of which each cell is broken in its own column |
|---|---:|
| `a \\| b` | 7 |
| one cell alone |

| narrow | enough |
|--|--|

```
code --that-stays as it is, however long its lines may be in the page
```
see https://example.org/an/address/that/is/longer/than/the/line/of/forty
"""

FITTED = """\
# A heading that is far longer than the terminal is wide and stays as it is

Prose of several words that does not fit
a line of the terminal, and a second
line that is joined to it.

- an item whose second line belongs to
  it, and is indented as the first one
  is
- another
12. a numbered item which is longer than
    the line of forty letters

| a table        |  of which each cell |
|                |    is broken in its |
|                |          own column |
|----------------|--------------------:|
| `a \\| b`       |                   7 |
| one cell alone |                     |

| narrow | enough |
|--|--|

```
code --that-stays as it is, however long its lines may be in the page
```
see
https://example.org/an/address/that/is/longer/than/the/line/of/forty
"""


def test_prose_and_cells_are_broken_between_words_and_nothing_else_is_changed():
    assert fitted_markdown(PAGE, 40) == FITTED
    assert fitted_markdown(FITTED, 40) == FITTED


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_no_page_loses_a_word(page):
    text = page.read_text(encoding="utf-8")
    fitted = fitted_markdown(text, 80)
    assert without_rows(fitted) == without_rows(text)
    # cells of a row stand in the same lines, so that their words take turns
    assert sorted(words_of_rows(fitted)) == sorted(words_of_rows(text))
    assert fitted_markdown(fitted, 80) == fitted


def without_rows(page):
    return [word for line in page.splitlines() if not line.startswith("|") for word in line.split()]


def words_of_rows(page):
    rows = [line for line in page.splitlines() if line.startswith("|")]
    cells = [cell for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    return [word for cell in cells for word in cell.split() if word.strip("-:")]


def test_tables_of_the_pages_fit_a_terminal_but_for_their_longest_words():
    for page in ("tables", "glossary", "links", "conventions"):
        fitted = fitted_markdown((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), 80)
        assert max(len(line) for line in fitted.splitlines() if line.startswith("|")) <= 80
    path = "| `tests/a_path_that_nobody_can_break_in_two.py` | a |\n|---|---|\n"
    assert "`tests/a_path_that_nobody_can_break_in_two.py`" in fitted_markdown(path, 20)


def test_a_terminal_is_given_a_page_that_fits_and_a_file_the_page_as_it_is(capsys, monkeypatch):
    assert main(["docs", "tables"]) == 0
    whole = capsys.readouterr().out
    assert whole == (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    monkeypatch.setattr(SafeStream, "isatty", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["docs", "tables"]) == 0
    assert capsys.readouterr().out == fitted_markdown(whole, 60)


def test_the_list_says_how_a_page_is_opened_and_begins_with_the_readme(capsys):
    assert main(["docs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "readme"
    assert "enformer-ray docs weights" in lines[-1]
    for name in ("readme", "README.md", "README"):
        assert main(["docs", name]) == 0
        assert capsys.readouterr().out == (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_unknown_page_is_told_the_others_once(capsys):
    assert main(["docs", "qqqqqq"]) == 2
    said = capsys.readouterr().err
    assert said.count("weights") == 1
    assert main(["docs", "weihgts"]) == 2
    said = capsys.readouterr().err
    assert "did you mean weights?" in said
    assert "glossary" not in said
    assert "`enformer-ray docs` lists all" in said
