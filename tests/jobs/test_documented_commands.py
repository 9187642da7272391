"""Every `ray` and `enformer-ray` command of the documents is one that the program itself takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ray.scripts.scripts import cli as ray_cli  # noqa: TID251 - the judge

from jobs.cli import parse

ROOT = Path(__file__).parent.parent.parent

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(document: Path) -> Iterator[str]:
    """One line each, with those that `ray job submit` and `ray exec` run on the cluster."""
    # blocks of other languages are read too, or the end of one would be taken for the beginning of the next
    for language, block in re.findall(
        r"^```(\w*)\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL
    ):
        if language not in ("", "sh"):
            continue
        for words in command_lines(block):
            if words[0] in ("ray", "enformer-ray"):
                yield shlex.join(words)
            if "--" in words:
                yield shlex.join(words[words.index("--") + 1 :])


def command_lines(block: str) -> Iterator[list[str]]:
    """The words of each command; what a shell joins (a backslash, an open quote) is one command."""
    line = ""
    for piece in block.replace("\\\n", " ").splitlines():
        line += piece
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # the quotation goes on in the next line
            line += "\n"
            continue
        line = ""
        if words:
            yield words


def check_ray(words: list[str]) -> None:
    """Raises click.UsageError for what Ray does not know; runs nothing."""
    command: click.Command = ray_cli
    while isinstance(command, click.Group):
        name, *words = words
        if name not in command.commands:
            raise click.UsageError(f"no such command: {name}")
        command = command.commands[name]
    command.make_context(command.name, words)


CHECKS = {"ray": check_ray, "enformer-ray": parse}


def documented() -> list[str]:
    return sorted({command for document in DOCUMENTS for command in commands(document)})


@pytest.mark.parametrize("command", documented())
def test_the_command_is_understood(command):
    program, *words = shlex.split(command)
    if ">" in words:
        words = words[: words.index(">")]
    CHECKS[program](words)


def test_there_are_commands_and_a_wrong_one_is_found():
    assert len(documented()) > 25
    assert len({command.split()[1] for command in documented() if "enformer-ray" in command}) > 6
    with pytest.raises(click.UsageError):
        check_ray(["job", "submit", "--working-directory", ".", "--", "true"])
    with pytest.raises(click.UsageError):
        check_ray(["upp", "ray_cluster.yaml"])
    with pytest.raises(SystemExit):
        parse(["score", "a.vcf", "--genom", "hg38.fa"])


def test_the_files_that_the_documents_name_are_there():
    for name in ("docs/cluster.md", "docs/security.md"):
        text = (ROOT / name).read_text()
        named = set(re.findall(r"\b(?:cluster|tests)/[\w./-]*\w", text))
        named |= {"ray_cluster.yaml", ".rayignore"}
        assert not [path for path in named if not (ROOT / path).exists()], name
        for link in re.findall(r"\]\(([\w.]+\.md)", text):
            assert (ROOT / "docs" / link).exists(), link
