"""The help of every command is a page: it fits its terminal, loses no letter, and has examples and exit codes."""

import io
import re
import shlex
from collections import Counter
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from jobs import exit_codes
from jobs.cli import COMMANDS, Command, command_options, main, parse
from jobs.commands import EXAMPLES, GROUPS

ROOT = Path(__file__).parent.parent.parent

# Letters that a formatter of help might take for its own: of printf, of Rich's and Python's markup, of Markdown.
ODD = "90 % of [these] [bold]x[/bold] *stars* _low_ {curly} %(s)s `tick` <angle> \\n :smile: ~/x | #1 A→B"


@pytest.fixture
def page():
    """The help of a command on a terminal of so many columns."""
    return lambda command, columns: _page(command, columns, tuple(COMMANDS))


@cache
def _page(command, columns, commands):
    """Each is asked for once, while there are the same commands: several tests read it."""
    del commands
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as end:
            main([*command.split(), "--help"])
    assert end.value.code == exit_codes.DONE
    return said.getvalue()


def letters(text):
    """How often each letter stands there, but for lines of boxes, white space, and what joins lines in a shell."""
    text = text.replace("\\\n", " ")
    return Counter(re.sub(r"[\s╭╮╰╯│─]", "", text))


@pytest.mark.parametrize("command", ["", *GROUPS, *COMMANDS])
def test_every_page_fits_and_loses_no_letter(page, command):
    whole = letters(page(command, 1000))
    for columns in (40, 80):
        text = page(command, columns)
        assert max(map(len, text.splitlines())) <= columns
        assert letters(text) == whole, columns
    assert f"Usage: enformer-ray {command}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_there_with_its_help_and_default(page, command):
    text = re.sub(r"\s+", " ", page(command, 1000))
    for option in command_options(command):
        if option.name.startswith("--"):
            assert f"{option.name} " in text
            assert option.parameter.help in text
            assert len(option.parameter.help.split()) > 1
            # a setting that has a default says it, in brackets or in its own words
            default = option.field_info.default
            if isinstance(default, int | float) and not isinstance(default, bool):
                assert f"{option.parameter.help} [default: {default}]" in text


def test_odd_letters_stand_as_they_are_written(page, tmp_path, monkeypatch):
    (tmp_path / "toy_odd.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import Annotated\n"
        "from cyclopts import Parameter\n"
        f"ODD = {ODD!r}\n"
        "@dataclass(frozen=True)\n"
        "class OddSettings:\n"
        "    name: Annotated[str, Parameter(help=ODD)] = ODD\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    line = Command(ODD, "toy_odd:OddSettings", "toy_odd:odd", examples=(f"echo '{ODD}'",))
    monkeypatch.setitem(COMMANDS, "odd", line)
    text = page("odd", 1000)
    # its summary, its option's help and default, its example
    assert text.count(ODD) == 4
    assert letters(page("odd", 40)) == letters(text)
    assert ODD in page("", 1000)


def test_engines_and_precisions_are_explained(page):
    text = " ".join(page("score", 1000).split())
    for explained in ("delta: the reference once", "direct: reference and alternate", "float32"):
        assert explained in text
    assert re.search(r"fast: .* error of a score about", text)
    assert re.search(r"exact: .* error below", text)


def test_examples_are_there_and_are_commands(page):
    assert all(command.examples for command in COMMANDS.values())
    for name, command in COMMANDS.items():
        text = page(name, 1000)
        for example in command.examples:
            assert example in text
            assert example.startswith(f"enformer-ray {name}")
    lines = [*EXAMPLES, *(line for command in COMMANDS.values() for line in command.examples)]
    for line in lines:
        words = shlex.split(line.partition(" | ")[0])[1:]
        if "--config" not in words and "--help" not in words:
            parse(words)


@pytest.mark.parametrize("columns", [40, 80])
def test_an_example_that_is_cut_into_lines_is_the_same_command(page, columns):
    text = page("score", columns)
    examples = text.partition("Examples:\n")[2].partition("\n\nExit codes:")[0]
    joined = shlex.split(examples.replace("\\\n", " "))
    wanted = [word for line in COMMANDS["score"].examples for word in shlex.split(line)]
    assert joined == wanted


def test_exit_codes_are_those_of_the_one_table(page):
    for name, command in COMMANDS.items():
        text = " ".join(page(name, 1000).split())
        for code in command.exit_codes:
            assert f" {code} {exit_codes.MEANINGS[code].meaning}" in text
    table = (ROOT / "docs" / "cluster.md").read_text()
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"\n| {code} | {meaning.meaning} | {meaning.remedy}" in table


def test_every_exit_code_has_its_meaning():
    codes = {
        value
        for name, value in vars(exit_codes).items()
        if name.isupper() and isinstance(value, int)
    }
    assert codes == set(exit_codes.MEANINGS)


def test_completion_is_written_where_it_is_wanted(tmp_path, capsys):
    for shell in ("bash", "zsh", "fish"):
        script = tmp_path / shell
        assert main(["--install-completion", "--shell", shell, "--output", str(script)]) == 0
        text = script.read_text()
        assert "max-offset-bp" in text
        assert "verify" in text
    assert "completion for fish" in capsys.readouterr().out
    missing = tmp_path / "bash" / "below a file"
    arguments = ["--install-completion", "--shell", "bash", "--output", str(missing)]
    assert main(arguments) == exit_codes.BAD_INPUT
    assert "cannot be written" in capsys.readouterr().err
