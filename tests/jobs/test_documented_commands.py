"""Every `ray` and `enformer-ray` command of docs/cluster.md is one that the program itself takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ray.scripts.scripts import cli as ray_cli  # noqa: TID251 - the judge

from jobs.cli import parse

ROOT = Path(__file__).parent.parent.parent

DOCUMENT = ROOT / "docs" / "cluster.md"


def commands() -> Iterator[str]:
    """One line each, with those that `ray job submit` and `ray exec` run on the cluster."""
    for block in re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] in (["ray"], ["enformer-ray"]):
                yield shlex.join(words)
            if "--" in words:
                yield shlex.join(words[words.index("--") + 1 :])


def check_ray(words: list[str]) -> None:
    """Raises click.UsageError for what Ray does not know; runs nothing."""
    command: click.Command = ray_cli
    while isinstance(command, click.Group):
        name, *words = words
        found = command.commands.get(name)
        if found is None:
            raise click.UsageError(f"no such command: {name}")
        command = found
    command.make_context(command.name, words)


def check_ours(words: list[str]) -> None:
    """Ends with SystemExit for what the parser does not know."""
    parse(words)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_the_command_is_understood(command):
    program, *words = shlex.split(command)
    if ">" in words:
        words = words[: words.index(">")]
    {"ray": check_ray, "enformer-ray": check_ours}[program](words)


def test_there_are_commands_and_a_wrong_one_is_found():
    assert len(set(commands())) > 15
    with pytest.raises(click.UsageError):
        check_ray(["job", "submit", "--working-directory", ".", "--", "true"])
    with pytest.raises(click.UsageError):
        check_ray(["upp", "ray_cluster.yaml"])
    with pytest.raises(SystemExit):
        check_ours(["score", "a.vcf", "--genom", "hg38.fa"])


def test_the_files_that_the_documents_name_are_there():
    for name in ("docs/cluster.md", "docs/security.md"):
        text = (ROOT / name).read_text()
        named = set(re.findall(r"\b(?:cluster|tests)/[\w./]*\w", text)) | {
            "ray_cluster.yaml",
            ".rayignore",
        }
        assert not [path for path in named if not (ROOT / path).exists()], name
        for link in re.findall(r"\]\(([\w.]+\.md)", text):
            assert (ROOT / "docs" / link).exists(), link
