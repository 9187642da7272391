"""Cells of text in columns below their names, as wide as they are, or as a terminal has room for.

Knows letters and columns. Does not know what is in the cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "  "
_CUT = "…"

_LEAST_COLUMNS = 24
"""A text that is cut keeps so many letters at least, by which most variants are told apart. Before more is cut off,
columns are left out."""


@dataclass(frozen=True)
class TextColumns:
    """Which columns are shown, and how wide.

    Attributes:
        names: of all columns.
        widths: letters of each column that is shown, from the first on; the others are left out.
        is_number: whether a column's cells stand at its right; numbers are never cut.
        is_limited: whether texts that are longer, and names, are cut.
    """

    names: Sequence[str]
    widths: Sequence[int]
    is_number: Sequence[bool]
    is_limited: bool = False

    @classmethod
    def fitted(
        cls,
        names: Sequence[str],
        widths: Sequence[int],
        is_number: Sequence[bool],
        room: int | None,
    ) -> "TextColumns":
        """Columns of these widths, in a line of at most `room` letters; None where there is no such limit.

        The widest texts are cut first. Where that is not enough, the last columns are left out: of a name, a number and
        a text of 20, 6 and 90 letters, a line of 60 has 20, 6 and 30; one of 50 has 20 and 6.
        """
        if room is None:
            return cls(names, widths, is_number)
        shown = len(widths)
        least = _cut_to(_LEAST_COLUMNS, widths, is_number)
        while shown > 1 and _line_columns(least[:shown]) > room:
            shown -= 1
        widths = widths[:shown]
        most = max(widths)
        # there is no other to be left out in the place of the last one
        fewest = _LEAST_COLUMNS if shown > 1 else 1
        while most > fewest and _line_columns(_cut_to(most, widths, is_number)) > room:
            most -= 1
        return cls(names, _cut_to(most, widths, is_number), is_number, is_limited=True)

    @property
    def left_out(self) -> Sequence[str]:
        """Names of columns for which there is no room."""
        return self.names[len(self.widths) :]

    def line(self, cells: Sequence[str]) -> str:
        """The cells of a row that are shown, below one another in all rows."""
        shown = zip(cells, self.widths, self.is_number, strict=False)
        return _GAP.join(self._cell(*cell) for cell in shown).rstrip()

    def _cell(self, cell: str, width: int, is_number: bool) -> str:
        if is_number:
            return cell.rjust(width)
        if self.is_limited and len(cell) > width:
            return cell[: width - len(_CUT)] + _CUT
        return cell.ljust(width)

    def rule(self) -> str:
        """What stands between the names and the rows."""
        return _GAP.join("-" * width for width in self.widths)


def _line_columns(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _cut_to(most: int, widths: Sequence[int], is_number: Sequence[bool]) -> list[int]:
    """The widths, those of texts at most so many letters."""
    return [
        width if number else min(width, most)
        for width, number in zip(widths, is_number, strict=False)
    ]
