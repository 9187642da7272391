"""`enformer-ray verify`: prove that every allele or tile of a run is answered once and every object is whole."""

import json
from dataclasses import asdict

from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.verify import Verification, verify_run
from jobs import exit_codes
from jobs.finished_run import open_ledger


def verify(out: str, *, as_json: bool) -> int:
    """Print the verdict.

    Returns:
        The exit code: bad input for damage, incomplete, complete with failed rows, or done.
    """
    ledger = open_ledger(out)
    verdict = verify_run(ledger)
    print(
        json.dumps(asdict(verdict) | {"complete": verdict.complete})
        if as_json
        else _text(verdict, ledger.run_type)
    )
    if verdict.problems:
        return exit_codes.BAD_INPUT
    if not verdict.complete:
        return exit_codes.INCOMPLETE
    return exit_codes.FAILED_ROWS if verdict.by_status.get("failed") else exit_codes.DONE


def _text(verdict: Verification, run_type: RunType) -> str:
    if verdict.problems:
        return "\n".join(["damaged:", *(f"  {problem}" for problem in verdict.problems)])
    counts = ", ".join(f"{rows:,} {status}" for status, rows in verdict.by_status.items())
    sound = f"{verdict.rows:,} {verdict.unit} ({counts}), {run_type.proof}, every checksum right"
    if verdict.complete:
        return f"verified: {sound}"
    return f"incomplete: {verdict.missing_shards:,} shards to come; so far {sound}"
