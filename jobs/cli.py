"""The command `enformer-ray`: reads the settings of one command and calls it; its outcome is the exit code.

A command is one file of this package (a dataclass of settings, and a function that takes them and returns the exit
code) and a line in `COMMANDS`. Only the command that was named is imported, and its function only when it is called.
Settings stand beside the function, or in `jobs.settings` where that file loads torch: `--help` must come at once.
"""

import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Argument, ArgumentCollection, CycloptsError, Parameter
from cyclopts.config import Dict
from rich.console import Console

from cluster.pool import PoolError
from enformer_core.errors import DatasetError, InputError, StorageError, nearest
from enformer_core.version import __version__
from jobs import exit_codes
from jobs.interruption import InterruptedRunError

_LEAST_COLUMNS = 40
_WHOLE_NUMBER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: its line in `enformer-ray --help`.
        settings: `module:class` of the dataclass whose fields are its options.
        function: `module:function` that takes the settings and returns the exit code.
    """

    summary: str
    settings: str
    function: str


COMMANDS = {
    "score": Command("score variants", "jobs.settings:ScoreSettings", "jobs.score:score_variants"),
    "tiles": Command(
        "predict tracks along the genome", "jobs.settings:TileSettings", "jobs.tiles:predict_tiles"
    ),
    "plan": Command(
        "say what a run of `score` will take, without computing anything",
        "jobs.settings:PlanSettings",
        "jobs.plan:plan",
    ),
    "query": Command(
        "ask a run with SQL; views: scores, effects, predictions, tracks",
        "jobs.query:QuerySettings",
        "jobs.query:query",
    ),
    "status": Command("say how far a run is", "jobs.status:StatusSettings", "jobs.status:status"),
    "verify": Command(
        "prove that every allele or tile of a run is answered once",
        "jobs.verify:VerifySettings",
        "jobs.verify:verify",
    ),
    "export": Command(
        "write a finished run in another format", "jobs.export:ExportSettings", "jobs.export:export"
    ),
    "weights import": Command(
        "read published weights, check every tensor, write one .safetensors file",
        "jobs.settings:ImportSettings",
        "jobs.weights:import_weights",
    ),
    "demo": Command(
        "score a small made-up locus and show the result",
        "jobs.settings:DemoSettings",
        "jobs.demo:demo",
    ),
}

GROUPS = {"weights": "convert files of weights"}
"""The first word of commands of two words, and what it says in the list."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that the user can mend are one message on stderr, without a traceback.

    Returns:
        The exit code.

    Raises:
        SystemExit: with 2 where the command line is wrong; with 0 when it asked for help or the version.
    """
    try:
        command, settings = parse(sys.argv[1:] if arguments is None else arguments)
        function: Callable[[Any], int] = _import(command.function)
        return function(settings)
    except (InputError, DatasetError) as error:
        _complain(error)
        return exit_codes.BAD_INPUT
    except (PoolError, StorageError) as error:
        _complain(error)
        return exit_codes.INCOMPLETE
    except InterruptedRunError as error:
        _complain(error)
        return 128 + error.signal_number
    except KeyboardInterrupt:
        _complain("interrupted; run the same command again to continue")
        return exit_codes.INTERRUPTED


def parse(arguments: Sequence[str]) -> tuple[Command, Any]:
    """Find the command that the arguments name, and read its settings: command line over TOML file over defaults.

    Raises:
        InputError: for a TOML file that cannot be used, and for settings that are missing or impossible.
        SystemExit: with 2 where the command line is wrong; with 0 when it asked for help or the version.
    """
    words = list(arguments)
    name = next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)
    try:
        settings = _app(name)(
            words, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        _complain(error)
        raise SystemExit(exit_codes.BAD_INPUT) from None
    # Without a command, or with --help after it, cyclopts has shown help (or the version) and returned nothing.
    if name is None or settings is None:
        wanted = {"--help", "-h", "--version"}.intersection(words)
        raise SystemExit(exit_codes.DONE if wanted else exit_codes.BAD_INPUT)
    return COMMANDS[name], settings


def _app(named: str | None) -> App:
    """The parser: of the command that is named with its options, of the others with their line in the list."""
    app = App(
        name="enformer-ray",
        version=f"enformer-ray {__version__}",
        console=_console(),
        help="Score variants and predict genomes with Enformer, without losing a row.",
        help_format="plaintext",  # in Markdown an asterisk or underscore of a help text would be lost
        default_parameter=Parameter(
            negative=(),  # no --no-… and --empty-… twins
            allow_repeating=True,  # the last one stands; lists are joined
            show_default=_shown_default,
        ),
        config=_add_config,
    )
    groups = {name: App(name=name, help=summary) for name, summary in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for position, (name, command) in enumerate(COMMANDS.items()):
        group_name, _, last = name.rpartition(" ")
        parser = App(name=last, help=command.summary, sort_key=position)
        if name == named:
            parser.default(_reader(_import(command.settings)))
        groups.get(group_name, app).command(parser)
    return app


def _console() -> Console:
    """Where help goes; cyclopts does not come to an end on a terminal of a few columns."""
    console = Console()
    return console if console.width >= _LEAST_COLUMNS else Console(width=_LEAST_COLUMNS)


def _shown_default(default: object) -> str | None:
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or None
    return str(default) if default not in (None, "") and default is not False else None


def _reader(settings_class: type) -> Callable[..., Any]:
    """A function whose parameters are the fields of the class and `--config`, and which returns the settings."""

    def read(settings: Any, *, config: str | None = None) -> Any:
        del config  # `_add_config` has read it
        return settings

    read.__annotations__ = {
        "settings": Annotated[settings_class, Parameter(name="*")],
        "config": Annotated[
            str | None,
            Parameter(metavar="TOML", help="file with any of these; the command line wins"),
        ],
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
    options = {option.name: option for option in arguments if option.name.startswith("--")}
    config = options.pop("--config", None)
    if config is not None and config.tokens:
        path = Path(config.tokens[-1].value)
        values = _read_toml(path, known=[name.removeprefix("--") for name in options])
        # It passes over options that have words already: the command line wins.
        Dict(values, source=str(path), use_commands_as_keys=False)(app, commands, arguments)
    _check_whole_numbers(options.values())
    # Cyclopts would name the first only.
    missing = [
        _as_in_usage(option) for option in options.values() if option.required and not option.tokens
    ]
    if missing:
        command = " ".join(commands)
        raise InputError(f"missing: {', '.join(missing)}. See enformer-ray {command} --help")


def _check_whole_numbers(options: Iterable[Argument]) -> None:
    # Cyclopts takes 2.5 for 2, and 0x10 for 16; what is no number at all it refuses itself.
    for option in options:
        if option.hint in (int, int | None):
            for token in option.tokens:
                if re.match(r"[+-]?[\d.]", token.value) and not _WHOLE_NUMBER.fullmatch(
                    token.value
                ):
                    raise InputError(f"{option.name} {token.value}: must be a whole number")


def _as_in_usage(option: Argument) -> str:
    return option.name if option.field_info.is_keyword_only else option.name[2:].upper()


def _read_toml(path: Path, *, known: Sequence[str]) -> dict[str, object]:
    # Read here: the messages of cyclopts' own reader name neither the file nor what was perhaps meant.
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    for key in values:
        if key.replace("_", "-") not in known:
            raise InputError(f"{path}: unknown setting {key!r}{nearest(key, known)}")
    return values


def _import(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _complain(message: object) -> None:
    print(f"enformer-ray: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
