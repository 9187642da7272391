"""Cells of text in columns below their names, as wide as they are, or as a terminal has room for.

Knows letters and columns. Does not know what is in the cells.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_GAP = "  "
_CUT = "…"

_LEAST_COLUMNS = 24
"""A text that is cut keeps so many letters at least, by which most variants are told apart. Before more is cut off,
columns are left out."""

_CUT_FOR = 5
_LEAST_FOR_THESE = 14
"""For the few columns that matter most, the others' texts are cut further, rather than leaving one of these out."""


@dataclass(frozen=True)
class TextColumns:
    """Which columns are shown, and how wide.

    Attributes:
        names: of all columns.
        shown: places of the columns that are shown, from 0 and ascending; the others are left out.
        widths: letters of each of these.
        is_number: whether a column's cells stand at its right, for all columns; numbers are never cut.
        is_limited: whether texts that are longer, and names, are cut.
    """

    names: Sequence[str]
    shown: Sequence[int]
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
        *,
        kept: Sequence[str] = (),
        same: Collection[int] = (),
    ) -> "TextColumns":
        """Columns of these widths, in a line of at most `room` letters; None where there is no such limit.

        The widest texts are cut first. Where that is not enough, columns are left out: of a name, a number and a text
        of 20, 6 and 90 letters, a line of 60 has 20, 6 and 30; one of 50 has 20 and 6.

        Args:
            names: of the columns.
            widths: letters of the widest cell of each, or of its name.
            is_number: whether a column holds numbers.
            room: letters of a line.
            kept: columns that matter most, the first of them most of all: they are left out last.
            same: places of columns that say one thing in every row: they are left out first.
        """
        if room is None:
            return cls(names, range(len(names)), widths, is_number)
        # a name may be kept for several tables, and several columns may have it: the first counts
        places = dict.fromkeys(names.index(name) for name in kept if name in names)
        shown = _shown(widths, is_number, room, list(places), same)
        widths = [widths[place] for place in shown]
        numbers = [is_number[place] for place in shown]
        most = max(widths)
        # there is no other to be left out in the place of the last one
        fewest = _LEAST_FOR_THESE if len(shown) > 1 else 1
        while most > fewest and _line_columns(_cut_to(most, widths, numbers)) > room:
            most -= 1
        cut = _cut_to(most, widths, numbers)
        return cls(names, shown, cut, is_number, is_limited=True)

    @property
    def left_out(self) -> Sequence[str]:
        """Names of columns for which there is no room."""
        return [name for place, name in enumerate(self.names) if place not in self.shown]

    def line(self, cells: Sequence[str]) -> str:
        """The cells of a row that are shown, below one another in all rows."""
        shown = [
            self._cell(cells[place], width, self.is_number[place])
            for place, width in zip(self.shown, self.widths, strict=True)
        ]
        return _GAP.join(shown).rstrip()

    def _cell(self, cell: str, width: int, is_number: bool) -> str:
        if is_number:
            return cell.rjust(width)
        if self.is_limited and len(cell) > width:
            return cell[: width - len(_CUT)] + _CUT
        return cell.ljust(width)

    def rule(self) -> str:
        """What stands between the names and the rows."""
        return _GAP.join("-" * width for width in self.widths)


def _shown(
    widths: Sequence[int],
    is_number: Sequence[bool],
    room: int,
    kept: Sequence[int],
    same: Collection[int],
) -> list[int]:
    """Places of the columns for which there is room, ascending; one at least."""
    shown = list(range(len(widths)))
    for place in _least_first(len(widths), kept, same):
        is_needed = place in kept[:_CUT_FOR]
        fewest = _LEAST_FOR_THESE if is_needed else _LEAST_COLUMNS
        least = _cut_to(fewest, widths, is_number)
        needed = _line_columns([least[each] for each in shown])
        if len(shown) == 1 or needed <= room:
            break
        shown.remove(place)
    return shown


def _least_first(columns: int, kept: Sequence[int], same: Collection[int]) -> Iterator[int]:
    """Places of columns in the order in which they are left out: each kind from its last.

    Of `pos, statistic, value, share`, with `value` kept and one statistic in all rows: statistic, share, pos, value.
    """
    others = [place for place in reversed(range(columns)) if place not in kept]
    yield from (place for place in others if place in same)
    yield from (place for place in others if place not in same)
    yield from reversed(kept)


def _line_columns(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _cut_to(most: int, widths: Sequence[int], is_number: Sequence[bool]) -> list[int]:
    """The widths, those of texts at most so many letters."""
    return [
        width if number else min(width, most)
        for width, number in zip(widths, is_number, strict=False)
    ]
