"""docs/settings.md has every setting of every command, as `--help` and `config init` have them."""

import re
from functools import cache
from pathlib import Path

from jobs.cli import COMMANDS, command_options
from tests.support import settings_page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

page = cache(settings_page.page)
"""What the program says, asked once: it takes seconds."""


def sections(text):
    """The text of each command, by its name."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def row(command, option):
    """The cells of an option."""
    part = sections(page())[command]
    (line,) = re.findall(rf"^\|[^|]*`{option}`.*$", part, re.MULTILINE)
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_page_is_what_the_program_says():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "renew it: python -m tests.support.settings_page > docs/settings.md"
    )


def test_each_command_has_its_summary_and_each_of_its_options_a_row():
    found = sections(page())
    assert list(found) == [name for name in COMMANDS if not name.startswith("--")]
    for name, part in found.items():
        assert COMMANDS[name].summary[1:] in part
        options = {option.name for option in command_options(name)} - {"*", "--config"}
        assert set(re.findall(r"^\| [^|]*`(--[\w-]+)`", part, re.MULTILINE)) == options


def test_a_row_says_what_is_taken_what_is_the_default_and_what_it_means():
    assert row("score", "--genome")[:2] == ["`--genome` FASTA", "required"]
    assert row("score", "--regions")[0] == "`--regions` BED or REGION,…"
    assert row("score", "--regions")[2].endswith("(such as `chr20:1-5000000`, `exons.bed`)")
    assert row("score", "--statistics")[1] == "`sad`"
    assert row("score", "--strict")[1] == ""
    # what the help has in words stands in the column of defaults
    option, default, meaning = row("score", "--flank")
    assert (option, default) == ("`--flank` BP", "50")
    assert "default" not in meaning
    assert row("query", "--sql")[0] == "`SQL` or `--sql`"
    assert "one of `delta`, `direct`" in row("score", "--engine")[2]


def test_a_bar_parts_no_cells():
    for line in page().splitlines():
        if line.startswith("|"):
            assert len(re.split(r"(?<!\\)\|", line)) == 5, line
