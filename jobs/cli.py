"""The command `enformer-ray`: reads the settings of one command and calls it; its outcome is the exit code.

Which commands there are says `jobs.commands`. Only the one that was named is imported.
"""

import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Argument, ArgumentCollection, CycloptsError, Group, Parameter, Token
from cyclopts.config import Dict

from cluster.pool import PoolError
from enformer_core.errors import DatasetError, IncompleteRunError, InputError, StorageError
from enformer_core.user_path import user_path
from enformer_core.version import __version__
from jobs import exit_codes
from jobs.commands import COMMANDS, EXAMPLES, GROUPS, Command
from jobs.config_file import read_toml
from jobs.help_page import below_the_options, help_console
from jobs.interruption import InterruptedRunError, StoppedError, stoppable
from jobs.log import Log, command_log, summarise, tell, unprintable_names
from jobs.mutagenesis_settings import IN_THE_PLACE_OF_VARIANTS
from jobs.option_checks import check_words
from jobs.option_types import STREAM, STREAM_WORD, written_options
from jobs.output import escaped_on_terminals, output_failure, protected_streams
from jobs.wrong_command_line import answer, missing

__all__ = ["COMMANDS", "Command", "command_options", "main", "parse", "whole_app"]

_REMARK = re.compile(r"--[^=\s]*\s")
_CONFIG_HELP = "file with any of these settings (enformer-ray config init); the command line wins"
_OPTIONS = Group.create_default_parameters()

_UNLESS = {"--variants": IN_THE_PLACE_OF_VARIANTS}
"""Options that a command cannot do without, unless one of others stands in their place."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that the user can mend are one message on stderr, without a traceback.

    Returns:
        The exit code.

    Raises:
        SystemExit: with 2 where the command line is wrong; with 0 when it asked for help or the version.
    """
    words = sys.argv[1:] if arguments is None else arguments
    with protected_streams(), command_log() as log:
        log.names = unprintable_names(words)
        code = _outcome(words, log)
        summarise(code)
        return code


def _outcome(arguments: Sequence[str], log: Log) -> int:
    try:
        with stoppable():
            command, settings = parse(arguments)
            log.as_json = getattr(settings, "log_format", "text") == "json"
            _guard_outputs(settings, arguments)
            function: Callable[[Any], int] = _import(command.function)
            with nullcontext() if command.paints else escaped_on_terminals():
                return _with_what_it_printed(command, function(settings))
    except (PoolError, StorageError, IncompleteRunError) as error:
        _complain(error)
        return exit_codes.INCOMPLETE
    except (InputError, DatasetError) as error:
        _complain(error)
        return exit_codes.BAD_INPUT
    except InterruptedRunError as error:
        _complain(error)
        return 128 + error.signal_number
    except StoppedError as error:
        _complain(error)
        return 128 + error.signal_number
    except KeyboardInterrupt:  # where this thread may not say what signals do
        _complain("interrupted; run the same command again to continue")
        return exit_codes.INTERRUPTED


def _guard_outputs(
    settings: Any,
    arguments: Sequence[str],
) -> None:
    if written_options(type(settings)):
        # only now: it knows runs
        from jobs.output_guard import check_written

        check_written(settings, _config_of(arguments))


def _config_of(arguments: Sequence[str]) -> list[str]:
    """The file of settings that a command line names, which is none of the settings."""
    behind = pairwise(arguments)
    named = [value for word, value in behind if word == "--config"]
    joined = [word.partition("=")[2] for word in arguments if word.startswith("--config=")]
    return [*named, *joined]


def _with_what_it_printed(command: Command, code: int) -> int:
    """The code of a command; where it is there to print, and that could not be written, never `done`."""
    if not _complains_of_output():
        return code
    return code if code or command.is_work else exit_codes.BAD_INPUT


def _complains_of_output() -> bool:
    """Whether what was printed could not be written, which is said then."""
    failure = output_failure()
    if failure is None:
        return False
    _complain(f"standard output: cannot be written: {failure.strerror or failure}")
    return True


def parse(arguments: Sequence[str]) -> tuple[Command, Any]:
    """Find the command that the arguments name, and read its settings: command line over TOML file over defaults.

    Raises:
        InputError: for a TOML file that cannot be used, and for settings that are missing or impossible.
        SystemExit: with 2 where the command line is wrong; with 0 when it asked for help or the version.
    """
    words = [_as_word(word) for word in arguments]
    name = next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)
    try:
        settings = _app([] if name is None else [name])(
            words, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        said = answer(error, words, COMMANDS)
        for written in (STREAM_WORD, repr(STREAM_WORD)[1:-1]):
            said = said.replace(written, STREAM)
        _complain(said)
        raise SystemExit(exit_codes.BAD_INPUT) from None
    # Without a command, or with --help after it, cyclopts has shown help (or the version) and returned nothing.
    if name is None or settings is None:
        wanted = {"--help", "-h", "--version"}.intersection(words)
        is_lost = _complains_of_output()
        is_answered = wanted and not is_lost
        raise SystemExit(exit_codes.DONE if is_answered else exit_codes.BAD_INPUT)
    return COMMANDS[name], settings


def _as_word(word: str) -> str:
    """A word that the parser takes for no option: the dash of streams, and SQL that begins with a remark."""
    if word == STREAM:
        return STREAM_WORD
    # to SQL an end of line more is nothing, and no option has a blank in its name
    return f"\n{word}" if _REMARK.match(word) else word


def whole_app() -> App:
    """The parser with the options of every command, as a shell's completion wants it."""
    return _app(list(COMMANDS))


def command_options(name: str) -> ArgumentCollection:
    """The options of a command, as its help has them."""
    app = _app([name])
    for word in name.split():
        app = app[word]
    return app.assemble_argument_collection(parse_docstring=True)


def _app(named: Sequence[str]) -> App:
    """The parser: of the commands that are named with their options, of the others with their line in the list."""
    console = help_console()
    app = App(
        name="enformer-ray",
        version=f"enformer-ray {__version__}",
        console=console,
        help="Score variants and predict genomes with Enformer, Basenji2 and Borzoi's family, without losing a row.",
        help_format="plaintext",  # in Markdown an asterisk or underscore of a help text would be lost
        help_epilogue=below_the_options(EXAMPLES, list(exit_codes.MEANINGS), console.width),
        default_parameter=Parameter(
            negative=(),  # no --no-… and --empty-… twins
            allow_repeating=True,  # the last one stands; lists are joined
            show_default=_shown_default,
        ),
        config=_add_config,
    )
    places = {name.split()[0]: place for place, name in enumerate(COMMANDS)}
    groups = {
        name: App(
            name=name,
            help=summary,
            help_epilogue=below_the_options(_examples_of(name), (), console.width),
            sort_key=places[name],
        )
        for name, summary in GROUPS.items()
    }
    for group in groups.values():
        app.command(group)
    for position, (name, command) in enumerate(COMMANDS.items()):
        group_name, _, last = name.rpartition(" ")
        below = below_the_options(command.examples, command.exit_codes, console.width)
        parser = App(name=last, help=command.summary, help_epilogue=below, sort_key=position)
        if name in named:
            parser.default(_reader(_import(command.settings)))
        groups.get(group_name, app).command(parser)
    return app


def _examples_of(group: str) -> list[str]:
    commands = [command for name, command in COMMANDS.items() if name.startswith(f"{group} ")]
    return [example for command in commands for example in command.examples]


def _shown_default(default: object) -> str | None:
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or None
    return str(default) if default not in (None, "") and default is not False else None


def _reader(settings_class: type) -> Callable[..., Any]:
    """A function whose parameters are the fields of the class and `--config`, and which returns the settings."""

    def read(settings: Any, *, config: str | None = None) -> Any:
        del config  # `_add_config` has read it
        return settings

    # Where a command's options stand under headings, this one does too.
    group = getattr(settings_class, "config_group", _OPTIONS)
    read.__annotations__ = {
        "settings": Annotated[settings_class, Parameter(name="*")],
        "config": Annotated[str | None, Parameter(metavar="TOML", help=_CONFIG_HELP, group=group)],
    }
    if all(field.default is not MISSING for field in fields(settings_class)):
        read.__defaults__ = (
            settings_class(),
        )  # where every option has a default, so must they all
    return read


def _add_config(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take from the TOML file what the command line does not name, and refuse to go on without what neither names.

    Cyclopts calls it when it has given each option its words of the command line, and has converted none of them yet.

    Raises:
        InputError: for a file that cannot be used, and for a setting that neither names.
    """
    for argument in arguments:
        argument.tokens[:] = map(_as_given, argument.tokens)
    options = {option.name: option for option in arguments if option.name.startswith("--")}
    config = options.pop("--config", None)
    if config is not None and config.tokens:
        path = Path(user_path(config.tokens[-1].value))
        values = read_toml(path, known=[name.removeprefix("--") for name in options])
        # Below the command's own words: in a flat file, cyclopts would drop `weights`, the name of a command.
        for word in reversed(commands):
            values = {word: values}
        # It passes over options that have words already: the command line wins.
        Dict(values, source=str(path))(app, commands, arguments)
    check_words(options.values())
    # Cyclopts would name the first only.
    absent = [option for option in options.values() if _is_absent(option, options)]
    if absent:
        given = [option for option in options.values() if option.tokens]
        raise InputError(missing(absent, given, " ".join(commands)))


def _is_absent(option: Argument, options: Mapping[str, Argument]) -> bool:
    """Whether nothing stands for an option that a command cannot do without."""
    if option.tokens:
        return False
    others = [options[name] for name in _UNLESS.get(option.name, ()) if name in options]
    return option.required or (bool(others) and not any(other.tokens for other in others))


def _as_given(token: Token) -> Token:
    return token.evolve(value=STREAM) if token.value == STREAM_WORD else token


def _import(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _complain(message: object) -> None:
    tell("error", message, prefix="enformer-ray")


if __name__ == "__main__":
    from jobs.console import run

    run()
