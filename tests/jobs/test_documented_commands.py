"""Every `ray` and `enformer-ray` command of the documents is one that the program itself takes."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from ray.scripts.scripts import cli as ray_cli  # noqa: TID251 - the judge

from jobs.cli import COMMANDS, command_options, parse
from jobs.commands import GROUPS
from tests.support.page_blocks import blocks_of

ROOT = Path(__file__).parent.parent.parent

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(document: Path) -> Iterator[str]:
    """One line each, with those that `ray job submit` and `ray exec` run on the cluster."""
    for block in blocks_of(document):
        if block.language != "sh":
            continue
        for words in command_lines(block.text):
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


PROGRAM = re.compile(r"(?<![\w/`])enformer-ray(?:-cpu)?(?:\.sif)? ")

CODE = re.compile(r"`(enformer-ray [^`\n]+)`")

OPERATORS = {"|", "||", "&", "&&", ";", ">", ">>", "2>", "<", ")"}


def scripts() -> list[Path]:
    """Everything that is no page and has command lines: what runs on clusters and in containers, and notebooks."""
    folders = (ROOT / "cluster", ROOT / ".github", ROOT / "docs" / "notebooks")
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    found += [ROOT / "ray_cluster.yaml", ROOT / "Makefile"]
    return [path for path in found if path.suffix not in (".py", ".json", ".pyc")]


def lines_of(path: Path) -> Iterator[str]:
    """The logical lines of a script: what a backslash or YAML's folding joins is one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    elif path.suffix in (".yaml", ".yml"):
        text = "\n".join(texts_in(list(yaml.safe_load_all(text))))
    yield from text.replace("\\\n", " ").splitlines()


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def scripted() -> list[str]:
    """The commands of scripts, each as one line of words, up to what the shell does with it."""
    commands = set()
    for path in scripts():
        for line in lines_of(path):
            for found in PROGRAM.finditer(line):
                words = words_before_operators(line[found.end() :])
                # prose says the program's name too; a command has one of its words next
                if words and (words[0] in {*COMMANDS, *GROUPS} or words[0].startswith("--")):
                    commands.add(shlex.join(words))
    return sorted(commands)


def words_before_operators(text: str) -> list[str]:
    # what the shell would put in the place of a variable: a number does for all that we have
    text = re.sub(r"\$\{?\w+\}?", "1", text.partition("`")[0])
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if word in OPERATORS:
            break
        words.append(word)
    return words


def spoken_of() -> list[str]:
    """What pages and forms call by the program's name within a sentence, whole or in part."""
    pages = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", *sorted((ROOT / ".github").rglob("*.yml"))]
    return sorted({each for page in pages for each in CODE.findall(page.read_text())})


def check_spoken_of(words: list[str]) -> None:
    """A sentence may leave words out; the command and the options that it names must be there.

    Raises:
        AssertionError: for those that are not.
    """
    if words[0].startswith("--"):
        assert words[0] in ("--help", "--version", *COMMANDS)
        return
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    assert name in COMMANDS
    known = {option.name for option in command_options(name)} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


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


@pytest.mark.parametrize("command", scripted())
def test_the_command_of_a_script_is_understood(command):
    words = shlex.split(command)
    if words[0] in ("--version", "--help"):
        with pytest.raises(SystemExit) as end:
            parse(words)
        assert end.value.code == 0
    else:
        parse(words)


@pytest.mark.parametrize("command", spoken_of())
def test_what_a_sentence_names_is_there(command):
    _, *words = shlex.split(command)
    check_spoken_of(words)


def test_scripts_and_sentences_are_found_and_a_wrong_one_is_told():
    assert len(scripted()) > 4
    assert any("--share" in command for command in scripted())
    assert any("s3://BUCKET/runs/first" in command for command in scripted())
    assert len(spoken_of()) > 8
    for wrong in (["scores"], ["score", "--genom"], ["weights"], ["weights", "export"], ["--halp"]):
        with pytest.raises(AssertionError):
            check_spoken_of(wrong)
    line = 'exec enformer-ray score "$IN" --genome g.fa --ray "$IP:$PORT" > log 2>&1 &'
    (found,) = PROGRAM.finditer(line)
    words = words_before_operators(line[found.end() :])
    assert words == ["score", "1", "--genome", "g.fa", "--ray", "1:1"]


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
