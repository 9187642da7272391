"""Markdown's tables for a terminal: cells are broken between words, so that a table's lines fit and stay a table.

    | column   | meaning            |
    |----------|--------------------|
    | `status` | `ok`, or why there |
    |          | is no score        |

Knows cells and letters. Does not know what is in them.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence

_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")

_RULE = re.compile(r"(?P<left>:?)-+(?P<right>:?)")
"""A cell of the line below the names, whose colons say to which side the column's cells keep."""

_LEAST_LETTERS = 3

Cells = list[str]


def fitted_table(lines: Sequence[str], room: int) -> Iterator[str]:
    """The lines of a table, each of at most `room` letters unless its columns' longest words need more.

    Args:
        lines: of one table; they stay as they are where they fit.
        room: letters of a line.
    """
    if max(map(len, lines)) <= room:
        yield from lines
        return
    bare = lines[0].lstrip()
    # a table below an item of a list stays below it
    indent = lines[0].removesuffix(bare)
    rows = [_cells(line) for line in lines]
    of_text = [row for row in rows if not _is_rule(row)]
    widths = _widths(of_text, room - len(indent))
    at_right = _columns_at_right(rows, len(widths))
    for row in rows:
        if _is_rule(row):
            rules = map(_rule, row, widths)
            yield f"{indent}|{'|'.join(rules)}|"
            continue
        for cells in _broken(row, widths):
            padded = map(_padded, cells, widths, at_right)
            yield f"{indent}| {' | '.join(padded)} |"


def _columns_at_right(rows: Sequence[Cells], columns: int) -> list[bool]:
    rule = next((row for row in rows if _is_rule(row)), [])
    sides = [_cell(rule, column) for column in range(columns)]
    return [side.endswith(":") and not side.startswith(":") for side in sides]


def _padded(cell: str, width: int, at_right: bool) -> str:
    return cell.rjust(width) if at_right else cell.ljust(width)


def _cells(line: str) -> Cells:
    bare = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in _BETWEEN_CELLS.split(bare)]


def _is_rule(row: Cells) -> bool:
    return all(map(_RULE.fullmatch, row))


def _widths(rows: Sequence[Cells], room: int) -> list[int]:
    """Letters of each column: the widest give up the most, none less than its longest word has.

    Of two columns of 8 and 90 letters in a line of 60, which has 7 for bars and blanks, 8 and 45.
    """
    columns = range(max(map(len, rows)))
    of_columns = [[_cell(row, at) for row in rows] for at in columns]
    least = [_longest_word(cells) for cells in of_columns]
    widths = [max(map(len, cells)) for cells in of_columns]
    widths = [max(pair) for pair in zip(least, widths, strict=True)]
    # two blanks and a bar each, and the bar that begins the line
    bars = 3 * len(columns) + 1
    while sum(widths) > room - bars:
        wider = [at for at in columns if widths[at] > least[at]]
        # what does not fit by words is longer than the line
        if not wider:
            break
        widest = max(wider, key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _longest_word(cells: Sequence[str]) -> int:
    words = " ".join(cells).split()
    return max([_LEAST_LETTERS, *map(len, words)])


def _cell(row: Cells, column: int) -> str:
    return row[column] if column < len(row) else ""


def _rule(cell: str, width: int) -> str:
    sides = _RULE.fullmatch(cell)
    assert sides is not None, "a row of rules has nothing else"
    return f"{sides['left'] or '-'}{'-' * width}{sides['right'] or '-'}"


def _broken(row: Cells, widths: Sequence[int]) -> Iterator[Cells]:
    """A row's cells line by line, empty where a column's text has ended."""
    columns = [
        # neither a path nor an address may be cut
        textwrap.wrap(_cell(row, at), width, break_long_words=False, break_on_hyphens=False)
        for at, width in enumerate(widths)
    ]
    for number in range(max(1, *map(len, columns))):
        yield [lines[number] if number < len(lines) else "" for lines in columns]
