"""docs/settings.md, made of what `--help` says: `python -m tests.support.settings_page > docs/settings.md`."""

# ruff: noqa: E501 - lines of the page

import re
from collections.abc import Iterator

from cyclopts import Argument

from jobs.commands import COMMANDS, Command
from jobs.config_file import example_of, settings_by_heading

INTRO = """\
# Settings of every command

Each setting is an option of the command line, and a line of a TOML file for `--config` (`max-offset-bp = 8192`; `enformer-ray config init COMMAND`
writes one with all of them). `--help` behind a command says the same in a terminal, with examples. Options with a default may be left out; those
without one do nothing unless they are given.

A list (`NAME,…`) is words with commas between them; in TOML it may be a list. Of an option given twice the last one stands, and lists are joined.
"""

_DEFAULT = re.compile(r" \(default:? (?P<default>[^()]*)\)")
"""What a help text says of a default that no number is: it has a column of its own here."""

_COLUMNS = """\
| option | default | meaning |
|---|---|---|"""


def page() -> str:
    """The whole page."""
    commands = [name for name in COMMANDS if not name.startswith("--")]
    parts = (INTRO, *(_section(name, COMMANDS[name]) for name in commands))
    return "\n".join(parts)


def _section(name: str, command: Command) -> str:
    lines = [f"## {name}", "", _sentence(command.summary), ""]
    headings = settings_by_heading(name)
    if not headings:
        lines += ["It has no settings.", ""]
    for heading, options in headings.items():
        if len(headings) > 1:
            lines += [f"**{heading}**", ""]
        lines += [_COLUMNS, *map(_row, options), ""]
    return "\n".join(lines)


def _row(option: Argument) -> str:
    cells = (_option(option), _default(option), " ".join(_meaning(option)))
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _option(option: Argument) -> str:
    name = f"`{option.name}`"
    if option.index is not None:
        name = f"`{option.name.removeprefix('--').upper()}` or {name}"
    value = option.parameter.metavar
    # a bar would part cells, also where it stands in code
    return f"{name} {value.replace('|', ' or ')}" if isinstance(value, str) else name


def _default(option: Argument) -> str:
    if option.required:
        return "required"
    in_words = _DEFAULT.search(option.parameter.help or "")
    if in_words:
        return in_words["default"]
    default = option.field_info.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f"`{default}`" if default not in (None, "", False) else ""


def _meaning(option: Argument) -> Iterator[str]:
    yield _DEFAULT.sub("", option.parameter.help or "")
    choices = option.get_choices()
    if choices:
        yield f"(one of {', '.join(f'`{choice}`' for choice in choices)})"
    words = example_of(option)
    if words:
        yield f"(such as {', '.join(f'`{word}`' for word in words)})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


if __name__ == "__main__":
    print(page(), end="")
