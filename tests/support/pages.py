"""Pages of HTML as tests read them: headings, links, figures and tables, and what no page of this program may have."""

import json
import re
import shlex
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from enformer_core.report.cells import shown

_FETCHED = ("src", "srcset", "data", "poster", "action", "formaction", "background", "ping")
_LEADING_OUT = {"iframe", "object", "embed", "img", "form", "base", "link"}
_VOID = {"meta", "input", "br", "link", "img", "hr"}


@dataclass
class Cell:
    """A cell of a table, or the value of a figure: its text, and all digits of a number."""

    text: str = ""
    number: str | None = None
    column: str = ""


@dataclass
class Shown:
    """A figure or a table as it stands on the page.

    Attributes:
        how: the place of the command that gives it.
        key: of a figure, where in the command's answer.
        columns: names of a table's columns, as its command has them.
        rows: of a table; of a figure one row of one cell.
    """

    how: str = ""
    key: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)


class Page(HTMLParser):
    """A page, read.

    Attributes:
        elements: name and attributes of each.
        headings: level and text of each.
        ids: of all elements, in order.
        links: where links lead.
        scripts: texts of scripts and styles.
        text: what a reader sees.
        figures: with their numbers.
        tables: with their rows.
        commands: by the place of each, in the section that says how to get numbers.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[tuple[int, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.figures: list[Shown] = []
        self.tables: list[Shown] = []
        self.commands: dict[str, str] = {}
        self._open: list[str] = []
        self._last_how = ""
        self._item = ""
        self._is_sorted = False
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag not in _VOID:
            self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "li":
            self._item = given.get("id", "")
        self._see_link(tag, given)
        self._see_table(tag, given)
        if tag == "bdi" and "data-sort" in given:
            self.figures.append(Shown(rows=[[Cell(number=given["data-sort"])]]))

    def _see_link(self, tag, given):
        if tag == "a":
            self.links.append(given["href"])
            if given.get("class") == "how":
                self._take_how(given)

    def _see_table(self, tag, given):
        if tag == "table":
            # those behind pictures are not among them
            self._is_sorted = given.get("class") == "sorted"
            if self._is_sorted:
                self.tables.append(Shown(how=self._last_how))
        elif not self._is_sorted:
            return
        elif tag == "th":
            self.tables[-1].columns.append(given.get("title", ""))
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        elif tag == "td":
            self.tables[-1].rows[-1].append(Cell(number=given.get("data-sort")))

    def _take_how(self, given):
        self._last_how = given["href"].removeprefix("#")
        if self._open[-2] == "dd":
            self.figures[-1].how = self._last_how
            self.figures[-1].key = given.get("title", "")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in ("script", "style"):
            self.scripts.append(data)
            return
        self.text += data
        if (
            self.headings
            and self._open
            and any(re.fullmatch("h[1-6]", each) for each in self._open)
        ):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if "td" in self._open and self._is_sorted:
            self.tables[-1].rows[-1][-1].text += data
        elif self._open[-2:] == ["dd", "bdi"] and self.figures and not self.figures[-1].how:
            self.figures[-1].rows[0][0].text += data
        elif "code" in self._open:
            self.commands[self._item] = self.commands.get(self._item, "") + data

    def handle_comment(self, data):
        raise AssertionError(data)


def check_sound(page: Page) -> None:
    """Nothing is fetched, links lead somewhere, headings step down one at a time, what scrolls has a name."""
    for tag, given in page.elements:
        assert not {*given} & {*_FETCHED}, (tag, given)
        assert not [name for name in given if name.startswith("on")], (tag, given)
        assert tag not in _LEADING_OUT
        assert tag != "html" or given["lang"] == "en"
        if given.get("class") == "scrolled":
            assert given["tabindex"] == "0"
            assert given["role"] == "group"
            assert given.get("aria-labelledby", given.get("aria-label"))
    assert len(set(page.ids)) == len(page.ids)
    for href in page.links:
        assert href.startswith("#"), href
        assert href[1:] in page.ids, href
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(text.strip() for _, text in page.headings)


class Answers:
    """What the commands of a page answer, each asked once.

    Args:
        run: calls this program; gives its exit code, standard output and standard error.
    """

    def __init__(self, run) -> None:
        self._run = run
        self._known: dict[str, Any] = {}

    def of(self, command: str) -> Any:
        """JSON of an object, or rows of a question by column."""
        if command not in self._known:
            self._known[command] = self._ask(*shlex.split(command))
        return self._known[command]

    def _ask(self, program, *words):
        if program == "cat":
            return json.loads(Path(words[0]).read_text())
        if program == "python":
            (sql,) = re.findall(r"duckdb[.]sql[(](.*)[)][.]show", words[1], re.DOTALL)
            relation = duckdb.sql(json.loads(sql))
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        assert program == "enformer-ray"
        is_query = words[0] == "query"
        code, text, error = self._run(*words, *(["--json"] if is_query else []))
        assert code in ((0,) if is_query else (0, 3, 5)), error
        return json.loads(text)


def check_numbers(page: Page, run) -> int:
    """Each figure and each cell of each table is what the command beside it answers.

    Returns:
        How many were held against their answers.
    """
    answers = Answers(run)
    for figure in page.figures:
        found = answers.of(page.commands[figure.how])
        for name in figure.key.split("."):
            found = found[name]
        _check_cell(figure.rows[0][0], found)
    for table in page.tables:
        rows = answers.of(page.commands[table.how])
        assert len(rows) == len(table.rows)
        for row, cells in zip(rows, table.rows, strict=True):
            assert list(row) == table.columns
            for value, cell in zip(row.values(), cells, strict=True):
                _check_cell(cell, value)
    return len(page.figures) + sum(len(table.rows) * len(table.columns) for table in page.tables)


def _check_cell(cell: Cell, value: Any) -> None:
    if isinstance(value, str) and cell.number in (None, ""):
        # a moment is shown without its letters
        assert cell.text in (shown(value, "text"), value) or cell.text[:10] == value[:10]
    elif value is None:
        assert cell.text in ("", "–", "NaN")
        assert not cell.number
    elif isinstance(value, int | float) and not isinstance(value, bool):
        assert float(cell.number) == pytest.approx(value, rel=1e-6, abs=1e-45)
        assert cell.text
