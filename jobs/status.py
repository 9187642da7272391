"""`enformer-ray status`: how far a run is, also when nothing runs any more."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from enformer_core.dataset.computed_on import computed_on_lines
from enformer_core.dataset.conventions_in_words import conventions_in_words
from enformer_core.dataset.damage import first_lines, repair_advice
from enformer_core.dataset.progress import RunProgress, run_progress
from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.summary import audit_cost_lines, audit_lines, rows_beside
from enformer_core.words import duration
from jobs import exit_codes
from jobs.count import significant
from jobs.finished_run import open_ledger
from jobs.option_types import Directory
from jobs.settings import check_price
from jobs.terminal import print_prose

_HOUR_S = 3600


@dataclass(frozen=True)
class StatusSettings:
    """What `enformer-ray status` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object instead of text, with `cost` and `cost_left` where there is a price"""

    price_per_hour: float | None = field(default=None, kw_only=True)
    """of one GPU, or of one CPU core where none computed: shows the cost so far and to come"""


@dataclass(frozen=True)
class Cost:
    """What the hours computed so far and those to come are worth; machines that idle are not in it.

    Attributes:
        so_far: of the receipts there are.
        left: of the shards to come; None until something is done.
    """

    so_far: float
    left: float | None


def status(settings: StatusSettings) -> int:
    """Print what the receipts of a run say: shards, rows by status, rate, hours and cost, audit.

    Returns:
        The exit code: done, complete with failed rows, incomplete, or bad input where something of it is lost.
    """
    check_price(settings.price_per_hour)
    ledger = open_ledger(settings.out)
    progress = run_progress(ledger)
    cost = None
    if settings.price_per_hour is not None:
        cost = _cost(progress, settings.price_per_hour)
    if settings.json:
        print(_json(progress, cost))
    else:
        print_prose(_lines(progress, cost, settings.out, ledger.run_type))
    if progress.lost:
        return exit_codes.BAD_INPUT
    # All receipts without a manifest are still incomplete: nobody has proved yet that they answer the whole plan.
    if not progress.finished:
        return exit_codes.INCOMPLETE
    return exit_codes.FAILED_ROWS if progress.by_status.get("failed") else exit_codes.DONE


def _cost(progress: RunProgress, price_per_hour: float) -> Cost:
    # One of the two is 0, unless a run was continued on other machines: then the price is of whichever the user means.
    hours = progress.gpu_hours + progress.cpu_hours
    left = progress.hours_left
    return Cost(hours * price_per_hour, None if left is None else left * price_per_hour)


def _json(progress: RunProgress, cost: Cost | None) -> str:
    figures = asdict(progress)
    if cost is not None:
        figures |= {"cost": cost.so_far, "cost_left": cost.left}
    return json.dumps(figures)


def _lines(
    progress: RunProgress,
    cost: Cost | None,
    location: str,
    run_type: RunType,
) -> list[str]:
    lines = [
        *_headline(progress, location),
        *_last_commit(progress),
        f"shards   {progress.shards_done:,} of {progress.shards:,}",
        f"{progress.unit:<8} {progress.rows_done:,} of {progress.rows:,}",
    ]
    lines += [f"  {status:<16}{rows:>12,}" for status, rows in progress.by_status.items()]
    if progress.rows_reused:
        lines.append(f"reused   {progress.rows_reused:,} of them, copied from other runs")
    lines += [f"tables   {text}" for text in rows_beside(run_type, progress.table_rows)]
    said = conventions_in_words(progress.conventions)
    if said:
        lines.append(f"scored   {'; '.join(f'{name} {value}' for name, value in said.items())}")
    for name, is_there in progress.beside.items():
        state = "" if is_there else ", not complete: the command that makes it goes on"
        lines.append(f"beside   {name}{state}")
    if progress.rows_per_s is not None:
        rate = significant(progress.rows_per_s)
        lines.append(
            f"rate     {rate} {progress.unit}/s, from the first shard's start to the last commit, without pauses"
        )
    if progress.seconds_left and not progress.finished:
        lines.append(f"left     {timedelta(seconds=round(progress.seconds_left))} at that rate")
    # A kind that has no hours is not shown: most runs know one kind only.
    kinds = {"GPU": progress.gpu_hours, "CPU-core": progress.cpu_hours}
    used = [_hours(hours, kind) for kind, hours in kinds.items() if hours]
    if used:
        # of several kinds it is not known which will compute the rest
        kind = "/".join(kind for kind, hours in kinds.items() if hours)
        left = progress.hours_left
        to_come = _to_come(progress, None if left is None else _hours(left, kind))
        # a core or GPU counts while it is held, busy or not
        lines.append(f"computed {' and '.join(used)}{to_come} (time by the clock × how many)")
    if cost is not None:
        cost_left = None if cost.left is None else f"{cost.left:,.2f}"
        lines.append(f"cost     {cost.so_far:,.2f} so far{_to_come(progress, cost_left)}")
    lines += computed_on_lines(progress.computed_on, progress.unit)
    lines += audit_lines(progress.audit, unit=progress.unit)
    lines += audit_cost_lines(progress.audit, progress.audit_seconds, progress.seconds)
    if progress.notice:
        lines.append(progress.notice)
    return lines


def _headline(progress: RunProgress, location: str) -> list[str]:
    if not progress.finished:
        return [
            "incomplete: where no command computes it any more, run the same command again to continue"
        ]
    if not progress.lost:
        return ["complete"]
    shown = [f"  {line}" for line in first_lines(progress.lost)]
    return ["complete, and damaged since:", *shown, repair_advice(location)]


def _last_commit(progress: RunProgress) -> list[str]:
    """The last sign of life of a run that is not complete: when a shard was committed."""
    if progress.finished:
        return []
    if progress.last_commit is None:
        return ["last     no shard is committed yet"]
    at = datetime.fromisoformat(progress.last_commit).astimezone(UTC)
    ago_s = max((datetime.now(UTC) - at).total_seconds(), 0.0)
    return [f"last     shard committed {duration(ago_s)} ago, at {at:%Y-%m-%d %H:%M:%S} UTC"]


def _hours(hours: float, kind: str) -> str:
    """`2.50 GPU-hours`; of less than a tenth of an hour the seconds, `14 CPU-core-seconds`."""
    if hours < 0.1:
        return f"{significant(hours * _HOUR_S)} {kind}-seconds"
    return f"{hours:,.2f} {kind}-hours"


def _to_come(progress: RunProgress, amount: str | None) -> str:
    if progress.finished or amount is None:
        return ""
    return f", {amount} to come"
