"""Lines of text cut into cells, by one set of rules for the header and for the records below it.

Knows separators and quotes. Does not know what a cell means.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

from enformer_core.variants.formats.reader import Separator

_QUOTE = '"'

_LETTER: dict[Separator, str] = {"tab": "\t", "comma": ",", "space": " "}

_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Cut:
    """How lines are cut.

    Attributes:
        separator: between cells.
        quotes: whether double quotes around a cell are none of its letters; in a VCF they mean nothing.
    """

    separator: Separator = "tab"
    quotes: bool = False

    def cells(self, line: str) -> list[str]:
        """The cells of one line, without its end."""
        if self.quotes and _QUOTE in line:
            return _unquoted_cells(line, self.separator)
        if self.separator == "space":
            return line.split()
        return line.split(_LETTER[self.separator])

    def with_tabs(self, block: bytes) -> bytes:
        """The same lines with tabs between cells, and none inside."""
        if self.quotes and b'"' in block:
            lines = block.split(b"\n")
            return b"\n".join(_with_tabs(line, self) for line in lines)
        return _TO_TABS[self.separator](block)


def likely_separators(line: str) -> list[Separator]:
    """Separators that a line may have, the likeliest first; what stands in quotes does not count."""
    bare = _QUOTED.sub("", line)
    likely: list[Separator] = []
    if "\t" in bare:
        likely.append("tab")
    commas = bare.count(",")
    if commas >= 2:
        likely.append("comma")
    likely.append("space")
    if commas == 1:  # a single one may stand in a text of words, or between two ALTs
        likely.append("comma")
    return likely


def _with_tabs(line: bytes, cut: Cut) -> bytes:
    """A line that may have quotes."""
    if b'"' not in line:
        return _TO_TABS[cut.separator](line)
    text = line.rstrip(b"\r").decode("utf-8", "surrogateescape")
    cells = _unquoted_cells(text, cut.separator)
    # a tab inside a cell would be taken for the end of it
    joined = "\t".join(re.sub(r"[\t\r\n]", " ", cell) for cell in cells)
    return joined.encode("utf-8", "surrogateescape")


def _unquoted_cells(line: str, separator: Separator) -> list[str]:
    """Cells by the rules of CSV; where quotes do not close they are letters like others."""
    letter = _LETTER[separator]
    if separator == "space":
        line = line.replace("\t", " ").strip(" ")
    # in CSV a quote that does not close may hide any number of commas: one cell, too short for a record
    as_written = [line] if separator == "comma" else line.split(letter)
    if line.count(_QUOTE) % 2:
        return as_written
    try:
        # blanks before a quote do not keep it from being one
        rows = csv.reader([line], delimiter=letter, skipinitialspace=True)
        return next(rows, [])
    except csv.Error:  # a cell of more letters than the module takes
        return as_written


def _tabs_for_commas(block: bytes) -> bytes:
    # a tab inside a cell of CSV would be taken for the end of it
    return block.replace(b"\t", b" ").replace(b",", b"\t")


def _tabs_for_spaces(block: bytes) -> bytes:
    # columns are padded with any number of spaces, at the line's ends too, as PLINK writes them
    inner = re.sub(rb"[ \t]+", b"\t", block)
    return re.sub(rb"(?m)^\t+|\t+(?=\r?$)", b"", inner)


def _as_they_are(block: bytes) -> bytes:
    return block


_TO_TABS: dict[Separator, Callable[[bytes], bytes]] = {
    "tab": _as_they_are,
    "comma": _tabs_for_commas,
    "space": _tabs_for_spaces,
}
