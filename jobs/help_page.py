"""What `--help` shows below the options: examples that can be copied, and what the exit codes mean.

Knows words and columns. Does not know what the commands do.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console

from jobs import exit_codes

_LEAST_COLUMNS = 40
_INDENT = "  "
_CONTINUED = " \\"

# A word of a shell's command line; what is quoted may hold spaces.
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")


def help_console() -> Console:
    """Where help goes; cyclopts does not come to an end on a terminal of a few columns."""
    console = Console()
    return console if console.width >= _LEAST_COLUMNS else Console(width=_LEAST_COLUMNS)


def below_the_options(examples: Sequence[str], codes: Sequence[int], width: int) -> str:
    """Examples and exit codes, in lines of at most `width` columns where words allow."""
    lines: list[str] = []
    if examples:
        lines.append("Examples:")
        for example in examples:
            lines += _command_lines(example, width)
    if codes:
        lines += ["", "Exit codes:"]
        for code in codes:
            lines += _exit_code_lines(code, width)
    return "\n".join(lines)


def _command_lines(command: str, width: int) -> Iterator[str]:
    """A command in lines that a shell joins again: each but the last ends with a backslash."""
    room = width - len(_CONTINUED)
    line = _INDENT
    for word in _WORD.findall(command):
        if line.strip() and len(line) + 1 + len(word) > room:
            yield from _split(line + _CONTINUED, width)
            line = 2 * _INDENT
        line += word if not line.strip() else f" {word}"
    yield from _split(line, width)


def _split(line: str, width: int) -> list[str]:
    """A line that is too long for its one quoted word: SQL reads the end of a line as any white space."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line,
        width,
        initial_indent="",
        subsequent_indent=indent + 2 * _INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _exit_code_lines(code: int, width: int) -> list[str]:
    meaning = exit_codes.MEANINGS[code]
    text = f"{meaning.meaning}: {meaning.remedy}" if meaning.remedy else meaning.meaning
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"{_INDENT}{code:<5}",
        subsequent_indent=_INDENT + 5 * " ",
        break_on_hyphens=False,
    )
