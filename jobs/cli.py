"""The command `enformer-ray`: parses, calls one job, and turns its outcome into an exit code.

The job modules are imported when they are called, so that `--help` does not wait for torch and Ray.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any

from cluster.pool import PoolError
from enformer_core import __version__
from enformer_core.errors import DatasetError, InputError
from jobs import exit_codes
from jobs.settings import ScoreSettings, flag


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
    except PoolError as error:
        print(f"enformer-ray: {error}", file=sys.stderr)
        return exit_codes.INCOMPLETE
    except KeyboardInterrupt:
        print("enformer-ray: interrupted; run the same command again to continue", file=sys.stderr)
        return exit_codes.INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enformer-ray", description="Score variants with Enformer, without losing a row."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_score(commands)
    _add_query(commands)
    _add_inspection(commands, "status", "say how far a run is", _status)
    _add_inspection(commands, "verify", "prove that every allele of a run has its row", _verify)
    demo = commands.add_parser("demo", help="score a small made-up locus and show the result")
    demo.add_argument("--out", default="demo-run", metavar="DIR")
    demo.set_defaults(run=_demo)
    return parser


def _add_score(commands: Any) -> None:
    score = commands.add_parser("score", help="score variants", argument_default=argparse.SUPPRESS, allow_abbrev=False)
    for setting in fields(ScoreSettings):
        how = dict(setting.metadata)
        text = how.pop("help")
        if setting.default not in (MISSING, None):
            shown = setting.default if isinstance(setting.default, str | int) else ",".join(map(str, setting.default))
            text += f" (default {shown})"
        name = setting.name if setting.name == "variants" else flag(setting.name)
        if name == "variants":
            how |= {"nargs": "*", "metavar": "VARIANTS"}  # they may stand in the TOML file
        score.add_argument(name, help=text, **how)
    score.add_argument("--config", metavar="TOML", help="file with any of these settings; the command line wins")
    score.set_defaults(run=_score)


def _add_query(commands: Any) -> None:
    query = commands.add_parser("query", help="ask a run with SQL; views: scores, effects, tracks")
    query.add_argument("out", metavar="OUT", help="directory of the run")
    query.add_argument("sql", metavar="SQL")
    query.add_argument("--json", action="store_true", help="rows as JSON")
    query.set_defaults(run=_query)


def _add_inspection(commands: Any, name: str, text: str, run: Callable[[dict[str, Any]], int]) -> None:
    command = commands.add_parser(name, help=text)
    command.add_argument("out", metavar="OUT", help="directory of the run")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=run)


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
    from jobs.score_variants import score_variants
    from jobs.settings import resolve_settings

    config = given.pop("config", None)
    variants = tuple(given.pop("variants", ()))
    return score_variants(resolve_settings({**given, **({"variants": variants} if variants else {})}, config))


def _query(given: dict[str, Any]) -> int:
    from jobs.query import query

    return query(given["out"], given["sql"], as_json=given["json"])


def _status(given: dict[str, Any]) -> int:
    from jobs.status import status

    return status(given["out"], as_json=given["json"])


def _verify(given: dict[str, Any]) -> int:
    from jobs.verify import verify

    return verify(given["out"], as_json=given["json"])


def _demo(given: dict[str, Any]) -> int:
    from jobs.demo import demo

    return demo(given["out"])


if __name__ == "__main__":
    sys.exit(main())
