"""Markdown for a terminal: prose is broken between words to fit its lines; tables, code and headings stay as they are.

Knows Markdown's blocks and columns. Does not know which page it is.
"""

import re
import textwrap
from collections.abc import Iterator

_FENCE = "```"

# A list's item, as `- …` or `12. …`, with what stands before it: its further lines begin below its first word.
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) +")

_AS_IT_IS = re.compile(r"\s*\||#|!\[|    |<")
"""Lines of tables, headings, pictures, indented code and HTML."""


def fitted_markdown(text: str, room: int) -> str:
    """A page whose prose stands in lines of at most `room` letters, unless a single word is longer.

    Lines of a paragraph are joined first: those of `docs` are longer than most terminals are wide, and broken one by
    one they would leave a short line behind each.
    """
    return "".join(f"{line}\n" for line in _lines(text.splitlines(), room))


def _lines(lines: list[str], room: int) -> Iterator[str]:
    paragraph: list[str] = []
    is_code = False
    for line in lines:
        is_fence = line.lstrip().startswith(_FENCE)
        is_prose = (
            not (is_code or is_fence) and bool(line.strip()) and not _is_fixed(line, paragraph)
        )
        # an item begins a paragraph of its own
        if paragraph and (not is_prose or _ITEM.match(line)):
            yield from _broken(paragraph, room)
            paragraph = []
        if is_prose:
            paragraph.append(line)
        else:
            yield line
        is_code ^= is_fence
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
