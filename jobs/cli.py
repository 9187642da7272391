"""The command `enformer-ray`: parses, calls one job, and turns its outcome into an exit code.

The job modules are imported when they are called, so that `--help` does not wait for torch and Ray.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from typing import Any

from cluster.pool import PoolError
from enformer_core import __version__
from enformer_core.errors import DatasetError, InputError, StorageError
from jobs import exit_codes
from jobs.interruption import InterruptedRunError
from jobs.settings import (
    PlanSettings,
    RunSettings,
    ScoreSettings,
    Settings,
    TileSettings,
    flag,
    positional,
    resolve_settings,
    settings_of,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that the user can mend are one message on stderr, without a traceback."""
    parser = _parser()
    given = vars(parser.parse_args(_joined(sys.argv[1:] if arguments is None else arguments)))
    run: Callable[[dict[str, Any]], int] = given.pop("run")
    try:
        return run(given)
    except (InputError, DatasetError) as error:
        print(f"enformer-ray: {error}", file=sys.stderr)
        return exit_codes.BAD_INPUT
    except (PoolError, StorageError) as error:
        print(f"enformer-ray: {error}", file=sys.stderr)
        return exit_codes.INCOMPLETE
    except InterruptedRunError as error:
        print(f"enformer-ray: {error}", file=sys.stderr)
        return 128 + error.signal_number
    except KeyboardInterrupt:
        print("enformer-ray: interrupted; run the same command again to continue", file=sys.stderr)
        return exit_codes.INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enformer-ray",
        description="Score variants and predict genomes with Enformer, without losing a row.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_computing(commands, ScoreSettings, "score variants", _score)
    _add_computing(commands, TileSettings, "predict tracks along the genome", _tiles)
    _add_computing(
        commands,
        PlanSettings,
        "say what a run of `score` will take, without computing anything",
        _plan,
    )
    _add_query(commands)
    status = _add_inspection(commands, "status", "say how far a run is", _status)
    price = "of one GPU, or of one CPU core where none computed: shows the cost so far and to come"
    status.add_argument("--price-per-hour", type=float, metavar="PRICE", help=price)
    _add_inspection(
        commands, "verify", "prove that every allele or tile of a run is answered once", _verify
    )
    _add_weights(commands)
    demo = commands.add_parser("demo", help="score a small made-up locus and show the result")
    demo.add_argument("--out", default="demo-run", metavar="DIR")
    demo.set_defaults(run=_demo)
    return parser


def _add_computing(
    commands: Any, settings: type[RunSettings], help_text: str, run: Callable[[dict[str, Any]], int]
) -> None:
    command = commands.add_parser(
        settings.command, help=help_text, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    for setting in settings_of(settings):
        how = dict(setting.metadata)
        text = how.pop("help").replace("%", "%%")  # argparse would format it
        if setting.default not in (MISSING, None, False):
            shown = (
                ",".join(map(str, setting.default))
                if isinstance(setting.default, tuple)
                else setting.default
            )
            text += f" (default {shown})"
        if positional(setting):
            how |= {
                "nargs": "*",
                "metavar": setting.name.upper(),
            }  # they may stand in the TOML file
        command.add_argument(
            setting.name if positional(setting) else flag(setting.name), help=text, **how
        )
    command.add_argument(
        "--config", metavar="TOML", help="file with any of these settings; the command line wins"
    )
    command.set_defaults(run=run)


def _add_query(commands: Any) -> None:
    query = commands.add_parser(
        "query", help="ask a run with SQL; views: scores, effects, predictions, tracks"
    )
    query.add_argument("out", metavar="OUT", help="directory of the run")
    query.add_argument("sql", metavar="SQL")
    query.add_argument("--json", action="store_true", help="rows as JSON")
    query.set_defaults(run=_query)


def _add_inspection(
    commands: Any, name: str, text: str, run: Callable[[dict[str, Any]], int]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text)
    command.add_argument("out", metavar="OUT", help="directory of the run")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=run)
    return command


def _add_weights(commands: Any) -> None:
    weights = commands.add_parser("weights", help="convert files of weights")
    actions = weights.add_subparsers(required=True, metavar="ACTION")
    text = "read published weights, check every tensor, write one .safetensors file"
    action = actions.add_parser("import", help=text, description=text)
    action.add_argument(
        "source", metavar="SOURCE", help="what --weights takes: see docs/weights.md"
    )
    action.add_argument("out", metavar="OUT", help="the .safetensors file to write")
    action.add_argument(
        "--model", metavar="NAME", help="which model they are for (default: told by the content)"
    )
    form = action.add_mutually_exclusive_group()
    form.add_argument(
        "--list", dest="listed", action="store_true", help="name every tensor, theirs -> ours"
    )
    form.add_argument("--json", action="store_true", help="as JSON, every tensor named")
    action.set_defaults(run=_import_weights)


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--shifts -1,0` as `--shifts=-1,0`: argparse takes a list that begins with a minus for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--shifts" and re.fullmatch(r"-\d[-\d,]*", argument):
            joined[-1] = f"--shifts={argument}"
        else:
            joined.append(argument)
    return joined


def _score(given: dict[str, Any]) -> int:
    from jobs.score import score_variants

    return score_variants(_settings(given, ScoreSettings))


def _plan(given: dict[str, Any]) -> int:
    from jobs.plan import plan

    return plan(_settings(given, PlanSettings))


def _tiles(given: dict[str, Any]) -> int:
    from jobs.tiles import predict_tiles

    return predict_tiles(_settings(given, TileSettings))


def _settings(given: dict[str, Any], wanted: type[Settings]) -> Settings:
    config = given.pop("config", None)
    if not given.get("variants", True):  # none given: they may stand in the file
        del given["variants"]
    elif "variants" in given:
        given["variants"] = tuple(given["variants"])
    return resolve_settings(given, config, wanted=wanted)


def _query(given: dict[str, Any]) -> int:
    from jobs.query import query

    return query(given["out"], given["sql"], as_json=given["json"])


def _status(given: dict[str, Any]) -> int:
    from jobs.status import status

    return status(given["out"], as_json=given["json"], price_per_hour=given["price_per_hour"])


def _verify(given: dict[str, Any]) -> int:
    from jobs.verify import verify

    return verify(given["out"], as_json=given["json"])


def _import_weights(given: dict[str, Any]) -> int:
    from jobs.weights import import_weights

    return import_weights(
        given["source"],
        given["out"],
        model=given["model"],
        listed=given["listed"],
        as_json=given["json"],
    )


def _demo(given: dict[str, Any]) -> int:
    from jobs.demo import demo

    return demo(given["out"])


if __name__ == "__main__":
    sys.exit(main())
