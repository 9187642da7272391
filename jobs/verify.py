"""`enformer-ray verify`: prove that every allele or tile of a run is answered once and every object is whole."""

import json
from dataclasses import asdict, dataclass, field

from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.summary import rows_beside
from enformer_core.dataset.verify import Verification, verify_run
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.option_types import Directory


@dataclass(frozen=True)
class VerifySettings:
    """What `enformer-ray verify` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object instead of text"""


def verify(settings: VerifySettings) -> int:
    """Read every object of the run, and print whether all of it is there, once and whole.

    Returns:
        The exit code: bad input for damage, incomplete, complete with failed rows, or done.
    """
    ledger = open_ledger(settings.out)
    verdict = verify_run(ledger)
    if settings.json:
        print(json.dumps(_figures(verdict)))
    else:
        print(_text(verdict, ledger.run_type))
    # Damage comes first: of a run that is damaged and incomplete, "incomplete" would promise that going on mends it.
    if verdict.problems:
        return exit_codes.BAD_INPUT
    if not verdict.complete:
        return exit_codes.INCOMPLETE
    return exit_codes.FAILED_ROWS if verdict.by_status.get("failed") else exit_codes.DONE


def _figures(verdict: Verification) -> dict[str, object]:
    figures: dict[str, object] = {"problems": verdict.problems}
    figures |= {name: value for name, value in asdict(verdict).items() if name != "found"}
    return figures | {"complete": verdict.complete}


def _text(verdict: Verification, run_type: RunType) -> str:
    notes = [f"note: {note}" for note in verdict.notes]
    return "\n".join([_verdict(verdict, run_type), *notes])


def _verdict(verdict: Verification, run_type: RunType) -> str:
    if verdict.problems:
        return "\n".join(["damaged:", *(f"  {problem}" for problem in verdict.problems)])
    counts = ", ".join(f"{rows:,} {status}" for status, rows in verdict.by_status.items())
    rows = counted(verdict.rows, verdict.unit)
    to_come = f"{counted(verdict.missing_shards, 'shards')} to come"
    if not verdict.rows:
        return f"incomplete: {to_come}; so far none is committed"
    proved = [run_type.proof, *rows_beside(run_type, verdict.table_rows), "every checksum right"]
    sound = f"{rows} ({counts}), {', '.join(proved)}"
    if verdict.complete:
        return f"verified: {sound}"
    return f"incomplete: {to_come}; so far {sound}"
