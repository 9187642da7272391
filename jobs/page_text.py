"""Markdown for a terminal: prose and tables are broken between words to fit its lines; code and headings stay.

Knows Markdown's blocks and columns. Does not know which page it is.
"""

import re
import textwrap
from collections.abc import Iterator

from jobs.page_tables import fitted_table

_FENCE = "```"

# A list's item, as `- …` or `12. …`, with what stands before it: its further lines begin below its first word.
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) +")

_TABLE = re.compile(r"\s*\|")

_AS_IT_IS = re.compile(r"#|!\[|    |<")
"""Headings, pictures, indented code and HTML."""


def fitted_markdown(text: str, room: int) -> str:
    """A page whose prose and tables stand in lines of at most `room` letters, unless a single word is longer.

    Lines of a paragraph are joined first: those of `docs` are longer than most terminals are wide, and broken one by
    one they would leave a short line behind each.
    """
    return "".join(f"{line}\n" for line in _lines(text.splitlines(), room))


def _lines(lines: list[str], room: int) -> Iterator[str]:
    paragraph: list[str] = []
    table: list[str] = []
    is_code = False
    for line in lines:
        is_fence = line.lstrip().startswith(_FENCE)
        is_text = not (is_code or is_fence)
        is_row = is_text and bool(_TABLE.match(line))
        if table and not is_row:
            yield from fitted_table(table, room)
            table = []
        is_prose = is_text and not is_row and bool(line.strip()) and not _is_fixed(line, paragraph)
        # an item begins a paragraph of its own
        if paragraph and (not is_prose or _ITEM.match(line)):
            yield from _broken(paragraph, room)
            paragraph = []
        if is_row:
            table.append(line)
        elif is_prose:
            paragraph.append(line)
        else:
            yield line
        is_code ^= is_fence
    if table:
        yield from fitted_table(table, room)
    yield from _broken(paragraph, room)


def _is_fixed(line: str, before: list[str]) -> bool:
    """Whether a line stays as it is; what is indented below an item is its continuation, and no code."""
    if line.startswith(" ") and before:
        return False
    return bool(_AS_IT_IS.match(line))


def _broken(paragraph: list[str], room: int) -> Iterator[str]:
    if not paragraph:
        return
    item = _ITEM.match(paragraph[0])
    begin = item[0] if item else ""
    words = " ".join([paragraph[0][len(begin) :], *map(str.strip, paragraph[1:])])
    yield from textwrap.wrap(
        words,
        room,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,  # neither a path nor an address may be cut
        break_on_hyphens=False,
    )
