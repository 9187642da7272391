"""Sentences fit a terminal; files and pipes have them in one line."""

import pytest

from jobs.output import SafeStream, protected_streams
from jobs.terminal import print_prose

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
