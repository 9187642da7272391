"""`enformer-ray status`: how far a run is, also when nothing runs any more."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from enformer_core.dataset.progress import RunProgress, run_progress
from enformer_core.dataset.summary import audit_lines
from jobs import exit_codes
from jobs.finished_run import open_ledger


def status(out: str, *, as_json: bool, price_per_hour: float | None = None) -> int:
    """Print it.

    Args:
        out: the run.
        as_json: as one object, with `cost` and `cost_left` where there is a price.
        price_per_hour: of one GPU; of one CPU core where no GPU computed.

    Returns:
        The exit code: done, complete with failed rows, or incomplete.
    """
    progress = run_progress(open_ledger(out))
    cost = _cost(progress, price_per_hour)
    print(json.dumps({**asdict(progress), **cost}) if as_json else _text(progress, cost))
    if not progress.finished:
        return exit_codes.INCOMPLETE
    return exit_codes.FAILED_ROWS if progress.by_status.get("failed") else exit_codes.DONE


def _cost(progress: RunProgress, price_per_hour: float | None) -> dict[str, float | None]:
    """Of the hours computed for what is done, and of those to come; machines that idle are not in it."""
    if price_per_hour is None:
        return {}
    so_far = (progress.gpu_hours + progress.cpu_hours) * price_per_hour
    left = None if progress.hours_left is None else progress.hours_left * price_per_hour
    return {"cost": so_far, "cost_left": left}


def _text(progress: RunProgress, cost: Mapping[str, float | None]) -> str:
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
    lines += _hours(progress)
    if cost and cost["cost"] is not None:
        left = (
            ""
            if progress.finished or cost["cost_left"] is None
            else f", {cost['cost_left']:,.2f} to come"
        )
        lines.append(f"cost     {cost['cost']:,.2f} so far{left}")
    lines += audit_lines(progress.audit)
    if progress.notice:
        lines.append(progress.notice)
    return "\n".join(lines)


def _hours(progress: RunProgress) -> list[str]:
    kinds = {"GPU": progress.gpu_hours, "CPU-core": progress.cpu_hours}
    used = [f"{hours:,.2f} {kind}-hours" for kind, hours in kinds.items() if hours]
    left = (
        ""
        if progress.finished or progress.hours_left is None
        else f", {progress.hours_left:,.2f} to come"
    )
    return [f"computed {' and '.join(used)}{left}"] if used else []
