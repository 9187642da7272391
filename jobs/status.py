"""`enformer-ray status`: how far a run is, also when nothing runs any more."""

import json
from dataclasses import asdict
from datetime import timedelta

from enformer_core.dataset.audits import audit_lines
from enformer_core.dataset.progress import RunProgress, run_progress
from jobs import exit_codes
from jobs.open_run import open_run


def status(out: str, *, as_json: bool) -> int:
    """Print it.

    Returns:
        The exit code: done, complete with failed rows, or incomplete.
    """
    store, run = open_run(out)
    progress = run_progress(store, run)
    print(json.dumps(asdict(progress)) if as_json else _text(progress))
    if not progress.finished:
        return exit_codes.INCOMPLETE
    return exit_codes.FAILED_ROWS if progress.by_status.get("failed") else exit_codes.DONE


def _text(progress: RunProgress) -> str:
    lines = [
        f"{'complete' if progress.finished else 'incomplete: run the same command again to continue'}",
        f"shards   {progress.shards_done:,} of {progress.shards:,}",
        f"{progress.unit:<8} {progress.rows_done:,} of {progress.rows:,}",
    ]
    lines += [f"  {status:<16}{rows:>12,}" for status, rows in progress.by_status.items()]
    if progress.rows_per_s is not None:
        lines.append(f"rate     {progress.rows_per_s:,.2f} {progress.unit}/s")
    if progress.seconds_left and not progress.finished:
        lines.append(f"left     {timedelta(seconds=round(progress.seconds_left))} at that rate")
    lines += audit_lines(progress.audit)
    if progress.notice:
        lines.append(progress.notice)
    return "\n".join(lines)
