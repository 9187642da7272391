"""Sentences fit a terminal; files and pipes have them in one line."""

import pytest

from enformer_core.evaluate.links import LinksResult
from jobs.evaluate import _lines
from jobs.log import note
from jobs.output import SafeStream, protected_streams
from jobs.terminal import broken, print_prose

LINES = [
    "2 alleles in 1 shard: 2 ok",
    "audit    sad: 3 alleles were scored a second time, the slow and plain way",
    "note: /a/path/that/is-longer/than/the/terminal/is/wide/and/stays/whole.vcf is named",
]


@pytest.fixture
def shown(monkeypatch, capsys):
    """What is printed on a terminal of 40 columns, or on none."""

    def call(*, is_terminal):
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setattr(SafeStream, "isatty", lambda stream: is_terminal)
        with protected_streams():
            print_prose(LINES)
        return capsys.readouterr().out.splitlines()

    return call


def test_a_terminal_has_lines_that_fit_and_begin_below_their_first_word(shown):
    lines = shown(is_terminal=True)
    assert lines == [
        "2 alleles in 1 shard: 2 ok",
        "audit    sad: 3 alleles were scored a",
        "         second time, the slow and plain",
        "         way",
        "note:",
        "  /a/path/that/is-longer/than/the/terminal/is/wide/and/stays/whole.vcf",
        "  is named",
    ]


def test_no_terminal_has_each_in_one_line(shown):
    assert shown(is_terminal=False) == LINES


@pytest.mark.parametrize("is_terminal", [True, False])
def test_notes_are_broken_as_what_is_said_at_the_end(monkeypatch, capsys, is_terminal):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(SafeStream, "isatty", lambda stream: is_terminal)
    text = "2 pairs of an element and a gene\nare left out, and nothing is said of them here"
    with protected_streams():
        note(text)
    lines = capsys.readouterr().err.splitlines()
    assert (max(map(len, lines)) <= 40) == is_terminal
    assert " ".join(" ".join(lines).split()) == f"note: {text}".replace("\n", " ")


def test_rows_of_an_evaluation_go_on_below_their_second_column():
    result = LinksResult(
        score="gradient (K562_of_a_long_name)",
        bin="12500-34500",
        pairs=10_356,
        positives=471,
        missing=1_234,
        average_precision=0.438,
        low=0.395,
        high=0.49,
    )
    head, row = _lines([result])
    assert len(row) > 100
    shown = broken(row, 80).split("\n")
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("12500-34500     10,356       471  gradient (K562_of_a_long_name)")
    assert shown[1].startswith(" " * 14)
    assert " ".join(shown).split() == row.split()
    assert head.split()[0] == "bin"
