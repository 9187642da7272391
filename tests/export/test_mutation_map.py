"""The picture of a stretch of DNA, counted by hand."""

import io
import re

import pytest

from enformer_core.export.mutation_map import MutationMap, Style

PLAIN = Style("░▒▓█", "+", "·", coloured=False)

TOY = MutationMap(
    first=18,
    letters="ACGTA",
    effects={(19, "A"): -10.0, (19, "T"): -2.6, (20, "C"): 4.0, (20, "A"): -10.0, (21, "A"): -0.1},
    marked=(20, "A"),
    site=(19, 20),
)


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding, *, terminal=True):
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self):
        return self._terminal


def test_a_picture():
    assert TOY.draw(PLAIN, 80) == [
        "            20",
        "            |",
        "  genome  ACGTA",
        "    to A   █X·",
        "    to C  · +··",
        "    to G  ·· ··",
        "    to T  ·▒· ·",
        "    site   ^^",
    ]


def test_numbers_begin_at_their_ticks():
    letters = "ACGT" * 10
    numbers, ticks, genome, *_ = MutationMap(95, letters, {}, (0, "A"), (110, 112)).draw(PLAIN, 80)
    begin = genome.index(letters)
    for number in ("100", "110", "120", "130"):
        at = numbers.index(number)
        assert ticks[at] == "|"
        assert at - begin == int(number) - 95


@pytest.mark.parametrize("columns", [1, 12, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_the_site_is_kept(columns):
    long = MutationMap(1, "ACGT" * 40, {}, (0, "A"), (78, 83))
    lines = long.draw(PLAIN, columns)
    assert max(map(len, lines)) <= max(columns, 11)
    assert lines[-1].count("^") == min(6, max(columns - 11, 1))


def test_where_there_are_no_shades_letters_are_used():
    ascii_style = Style.of(Terminal("ascii", terminal=False))
    drawn = "\n".join(TOY.draw(ascii_style, 80))
    assert drawn.isascii()
    assert "#X." in drawn
    assert Style.of(Terminal("utf-8", terminal=False)) == PLAIN


def test_colours_are_a_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert Style.of(Terminal("utf-8")).coloured
    drawn = "\n".join(TOY.draw(Style.of(Terminal("utf-8")), 80))
    assert "\x1b[31m█\x1b[0m" in drawn
    assert "A\x1b[1mC\x1b[0m\x1b[1mG\x1b[0mTA" in drawn
    assert re.sub("\x1b\\[[0-9]+m", "", drawn) == "\n".join(TOY.draw(PLAIN, 80))
    assert not Style.of(Terminal("utf-8", terminal=False)).coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Style.of(Terminal("utf-8")).coloured
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Style.of(Terminal("utf-8")).coloured


def test_pieces_have_every_letter_once_and_one_scale():
    pieces = list(MutationMap(1, "ACGTACG", {(1, "C"): -8.0, (5, "C"): -2.0}).pieces(14))
    assert [(piece.first, piece.letters) for piece in pieces] == [(1, "ACG"), (4, "TAC"), (7, "G")]
    drawn = [piece.draw(PLAIN, 14) for piece in pieces]
    assert drawn[0][4] == "    to C  █ ·"
    assert drawn[1][4] == "    to C  ·▒"
    assert all(len(lines) == 7 for lines in drawn)
