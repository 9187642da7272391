"""The page itself: texts stay texts, pictures bring their script once, and commands can be copied."""

import json
from dataclasses import replace

import pytest

from enformer_core.report.content import (
    STATUS,
    Column,
    Drawn,
    Figure,
    Figures,
    Pairs,
    Prose,
    Report,
    Section,
    Source,
    Table,
)
from enformer_core.report.distribution_picture import distribution_picture
from enformer_core.report.page import page
from tests.support.pages import Page, check_sound

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m",
    "two\nlines",
    "a\u202eb\u2066c",
    "\u200fright to left",
    "\ufffe",
    "]]><!-- -->",
    "&lt;b&gt;",
]


def report_of(text):
    """A report in which the text stands in every place that a name may have."""
    source = Source("query", f"SELECT '{text}'")
    table = Table(
        text, [Column(text, text), Column("n", "n", "count")], [[text, 1]], source, [text]
    )
    picture = distribution_picture(text, [(text, 0.1, 4), (text, 1.0, 1)], [text])
    blocks = [
        Prose(text, "warning"),
        Figures([Figure(text, text, STATUS, (text,), "text")]),
        Pairs(text, [(text, text)], Source("file", text)),
        table,
        Drawn(picture, Source("receipts", text)),
    ]
    return Report(
        location=text,
        summary=Figures([Figure("rows", 3, STATUS, ("rows",))]),
        warnings=[text],
        sections=[Section("part", text, blocks)],
        made=text,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_wherever_it_stands(text):
    content = page(report_of(text), [f"x={text}"])
    assert not set(content) & {"\x1b", "\u202e", "\u2066"}
    found = Page(content)
    check_sound(found)
    plain = Page(page(report_of("plain"), ["x=plain"]))
    # no element, no attribute and no script more than with a plain name
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert [[*given] for _, given in found.elements] == [[*given] for _, given in plain.elements]
    assert len(found.scripts) == len(plain.scripts)
    if text.isprintable() and "\u200f" not in text:
        assert found.text.count(text) >= 10


def test_the_script_of_pictures_is_there_once_and_only_with_a_picture():
    with_picture = report_of("plain")
    (section,) = with_picture.sections
    without = replace(with_picture, sections=[replace(section, blocks=section.blocks[:-1])])
    twice = replace(
        with_picture, sections=[replace(section, blocks=[*section.blocks, *section.blocks[-1:]])]
    )
    sizes = [len(page(each)) for each in (without, with_picture)]
    assert sizes[0] < 60_000
    assert 500_000 < sizes[1] < 5_000_000
    drawn_twice = replace(section.blocks[-1], source=STATUS)
    twice = replace(
        with_picture, sections=[replace(section, blocks=[*section.blocks, drawn_twice])]
    )
    assert len(page(twice)) < sizes[1] + 20_000
    assert Page(page(twice)).ids.count("picture-2") == 1


def test_what_is_not_known_is_a_dash_and_empty_tables_say_so():
    empty = Table("none", [Column("n", "n", "count")], [], STATUS)
    unknown = Figures([Figure("rate", None, STATUS, ("rows_per_s",), "number")])
    report = Report("run", unknown, [], [Section("s", "s", [empty])], "now")
    found = Page(page(report))
    assert found.figures[0].rows[0][0].text == "–"
    assert "No rows." in found.text


def test_commands_can_be_copied_into_a_shell():
    sources = {
        "query": "enformer-ray query 'a b' \"SELECT 'x'\" --attach t=f.tsv",
        "status": "enformer-ray status 'a b' --json",
        "file": "cat 'a b/run.json'",
        "receipts": "python -c 'import duckdb; duckdb.sql(\"SELECT 1\").show(max_width=1000, max_rows=1000)'",
    }
    texts = {"query": "SELECT 'x'", "receipts": "SELECT 1", "file": "run.json"}
    figures = [Figure(kind, 1, Source(kind, texts.get(kind, "")), ("n",)) for kind in sources]
    found = Page(page(Report("a b", Figures(figures), [], [], "now"), ["t=f.tsv"]))
    assert [*found.commands.values()] == [*sources.values()]
    assert json.dumps([figure.key for figure in found.figures]) == '["n", "n", "n", "n"]'
