"""A wrong command line is answered with the right one: what was given, put where it belongs.

Knows the words and the commands. Runs nothing.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cyclopts import Argument, CycloptsError, UnknownCommandError, UnknownOptionError
from cyclopts.exceptions import UnusedCliTokensError

from enformer_core.dataset.keys import RUN_KEY
from enformer_core.shell_words import command_line, shell_word
from jobs.option_types import ONE_EACH_TIME

_PROGRAM = "enformer-ray"

_ENOUGH_ALIKE = 0.6

# Values of an example, by the name of the option; of `score` and `plan` unless a command is named.
_EXAMPLES = {
    "--variants": "variants.vcf.gz",
    "--genome": "hg38.fa",
    "--model": "enformer --weights pytorch_model.bin",
    "--out": "scores",
    "--sql": "'FROM top LIMIT 20'",
    "--source": "pytorch_model.bin",
    "--places": "promoters.bed",
    "--group": "K562=4828,5111",
    "attribute --out": "contributions",
    "weights import --out": "enformer.safetensors",
}

_VARIANT_FILE = re.compile(
    r".+\.(vcf|bcf|tsv|csv|txt|bed|parquet|pvar|bim)(\.b?gz)?", re.IGNORECASE
)


def answer(error: CycloptsError, words: Sequence[str], commands: Iterable[str]) -> str:
    """What is wrong with a command line, and where that can be told, the line as it should be.

    Args:
        error: of the parser.
        words: the command line, without the program's name.
        commands: all there are.
    """
    match error:
        case UnknownOptionError():
            return _unknown_option(error, words)
        case UnknownCommandError():
            return _unknown_command(words, list(commands))
        case UnusedCliTokensError():
            return _too_many_words(error, words)
    return str(error)


def missing(options: Sequence[Argument], given: Sequence[Argument], command: str) -> str:
    """What is missing, and an example in which what was given is filled in.

    Args:
        options: those that are required and were not given.
        given: those that were.
        command: its name.
    """
    names = ", ".join(map(_as_in_usage, options))
    text = f"missing: {names}. See {_PROGRAM} {command} --help"
    # The parser has put options in their order: positional ones come first.
    example = [
        *(_example(option, command, given) for option in options if not _is_keyword(option)),
        *(_example(option, command, given) for option in options if _is_keyword(option)),
    ]
    positional = [option for option in given if not _is_keyword(option)]
    named = [option for option in given if _is_keyword(option)]
    words = [
        *(shell_word(token.value) for option in positional for token in option.tokens),
        *example,
        *(_as_given(option) for option in named),
    ]
    return f"{text}. For example:\n  {_PROGRAM} {command} {' '.join(words)}"


def _example(option: Argument, command: str, given: Sequence[Argument]) -> str:
    if option.name == "--model":
        return f"--model {_model_of(given)}"
    value = _EXAMPLES.get(f"{command} {option.name}") or _EXAMPLES.get(option.name, "…")
    return f"{option.name} {value}" if _is_keyword(option) else value


def _model_of(given: Sequence[Argument]) -> str:
    """A model for the files that were given, with weights where there are none."""
    files = {option.name: option.tokens[-1].value for option in given if option.tokens}
    weights, params = files.get("--weights"), files.get("--params")
    if weights is None and params is None:
        return _EXAMPLES["--model"]
    # here, since it knows every model
    from enformer_core.models.registry import likely_model

    model = likely_model(weights, params) or _EXAMPLES["--model"].split()[0]
    return model if weights is not None else f"{model} --weights model_best.h5"


def _as_given(option: Argument) -> str:
    values = [token.value for token in option.tokens]
    # A flag has no value of its own.
    if option.hint is bool or values == [""]:
        return option.name
    if option.parameter.metavar == ONE_EACH_TIME:
        return " ".join(f"{option.name} {shell_word(value)}" for value in values)
    return f"{option.name} {shell_word(','.join(values))}"


def _as_in_usage(option: Argument) -> str:
    return option.name if _is_keyword(option) else option.name[2:].upper()


def _is_keyword(option: Argument) -> bool:
    return bool(option.field_info.is_keyword_only)


def _unknown_option(error: UnknownOptionError, words: Sequence[str]) -> str:
    if error.token.source != "cli":
        return str(error)
    wrong = (error.token.keyword or error.token.value).partition("=")[0]
    command = " ".join(error.command_chain or ())
    if not command:
        return f"{wrong}: the command comes first. See {_PROGRAM} --help"
    text = f"{wrong}: {command} has no such option"
    known = [name for option in error.argument_collection for name in option.names]
    right = _alike(wrong, known)
    if wrong.startswith("--no-") and f"--{wrong[5:]}" in known:
        without = [word for word in words if word.partition("=")[0] != wrong]
        return f"{text}; leave it out:\n  {_line(without)}"
    if right is None:
        return f"{text}. See {_PROGRAM} {command} --help"
    righted = [right + word[len(wrong) :] if _names(word, wrong) else word for word in words]
    return f"{text}. Did you mean {right}?\n  {_line(righted)}"


def _names(word: str, option: str) -> bool:
    return word.partition("=")[0] == option


def _unknown_command(words: Sequence[str], commands: Sequence[str]) -> str:
    name = words[0]
    if name.startswith("-"):
        return f"{name}: the command comes first. See {_PROGRAM} --help"
    if name in ("help", "version"):
        return f"{name} is an option:\n  {_line([*words[1:], f'--{name}'])}"
    meant = _meant_by_place(words)
    if meant is not None:
        return f"{name}: the command comes first. Did you mean this?\n  {_line(meant)}"
    group = [each for each in commands if each.startswith(f"{name} ")]
    if group:
        # `weights` alone shows its help: there is a second word
        return _no_command(f"{name} {words[1]}", group, group[0], words[2:])
    return _no_command(name, commands, _alike(name, commands), words[1:])


def _no_command(name: str, known: Sequence[str], meant: str | None, behind: Sequence[str]) -> str:
    text = f"{name}: there is no such command. Known: {', '.join(known)}."
    if meant is None:
        return f"{text} See {_PROGRAM} --help"
    return f"{text} Did you mean {meant}?\n  {_line([*meant.split(), *behind])}"


def _meant_by_place(words: Sequence[str]) -> list[str] | None:
    """The command line for a file or a run that stands where the command should."""
    if _is_file(Path(words[0], RUN_KEY)):
        return ["status", *words]
    if _VARIANT_FILE.fullmatch(words[0]) or _is_file(Path(words[0])):
        return _scored(words)
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, for one
        return False


def _scored(words: Sequence[str]) -> list[str]:
    """The words behind `score`, with what it needs and they have not."""
    line = ["score", *words]
    for option in ("--genome", "--model", "--out"):
        if not any(_names(word, option) for word in words):
            line += [option, *_EXAMPLES[option].split()]
    return line


def _too_many_words(error: UnusedCliTokensError, words: Sequence[str]) -> str:
    unused = list(error.unused_tokens or ())
    command = " ".join(error.command_chain or ())
    listed = ", ".join(map(repr, unused))
    if command == "query" and len(words) > 3:
        options = [word for word in words[2:] if word == "--json"]
        sql = " ".join(word for word in words[2:] if word != "--json")
        quoted = _line([*words[:2], sql, *options])
        return f"{listed}: SQL is one word; put it in quotes:\n  {quoted}"
    if command == "tiles" and unused[0].endswith(".bed"):
        right = [word for word in words if word != unused[0]]
        return f"{listed}: did you mean this?\n  {_line([*right, '--regions', unused[0]])}"
    return f"{listed}: {command} takes no such word. See {_PROGRAM} {command} --help"


def _alike(name: str, known: Iterable[str]) -> str | None:
    names = list(known)
    # `import` is the second word of `weights import`, `offset` a part of `--max-offset-bp`
    bare = name.lstrip("-")
    whole = [each for each in names if bare in each.lstrip("-").replace(" ", "-").split("-")]
    if len(whole) == 1:
        return whole[0]
    # without the dashes, which would make any two options alike
    by_letters = {each.lstrip("-"): each for each in names}
    close = difflib.get_close_matches(bare, by_letters, n=1, cutoff=_ENOUGH_ALIKE)
    return by_letters[close[0]] if close else None


def _line(words: Sequence[str]) -> str:
    return command_line([_PROGRAM, *words])
