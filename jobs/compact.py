"""`enformer-ray compact`: the same run in fewer, larger files, in another place."""

from dataclasses import dataclass, field
from pathlib import Path

from enformer_core.dataset.compact import Compaction
from enformer_core.dataset.find_run import check_outside_runs
from enformer_core.dataset.keys import MANIFEST_KEY
from enformer_core.dataset.summary_tables import summary_names
from enformer_core.errors import InputError
from enformer_core.shell_words import command_line
from enformer_core.storage.open import open_store, parse_address
from enformer_core.user_path import one_line
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import Directory, OptionalDirectory

_MB = 10**6
_TOLD = 10  # times, of a run that takes long


@dataclass(frozen=True)
class CompactSettings:
    """What `enformer-ray compact` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of the run, which must be complete; nothing of it is changed"""

    out: OptionalDirectory = field(default=None, kw_only=True)
    """directory or s3://bucket/prefix of the new run, continued if this compaction's (default RUN-compact)"""

    file_mb: int = field(default=128, kw_only=True)
    """neighbouring shards are joined while their value tables have at most so many MB; memory is several times that"""

    def __post_init__(self) -> None:
        if self.file_mb < 1:
            raise InputError(f"--file-mb {self.file_mb}: must be at least 1")

    @property
    def target(self) -> str:
        """Where the new run is put."""
        return self.out if self.out is not None else f"{_without_end(self.run)}-compact"


def compact(settings: CompactSettings) -> int:
    """Put the run together anew in another place; the same command again continues, or finds it done.

    Returns:
        The exit code.

    Raises:
        IncompleteRunError: for a run that is not finished yet.
        InputError: where something else stands in the place; for kinds of runs that cannot be compacted.
        DatasetError: for a run that is damaged.
    """
    source = open_ledger(settings.run)
    check_outside_runs(settings.target)
    target = open_store(settings.target)
    is_done = target.get(MANIFEST_KEY) is not None
    compaction = Compaction(source, target, settings.file_mb * _MB, _tell)
    manifest = compaction.run()
    before = counted(source.run.plan.shards, "shards")
    if is_done:
        print(f"already complete: {one_line(target.location)}")
    print(
        f"{counted(manifest.rows, source.run_type.unit)}: {before} put together into {manifest.shards:,}"
    )
    print(f"output: {one_line(target.location)}")
    beside = ", ".join(summary_names(source))
    if beside:
        note(
            f"beside the run, and not taken along: {beside}. Make it of the new run by the same command."
        )
    print(f"prove it: {command_line(['enformer-ray', 'verify', settings.target])}")
    return exit_codes.DONE


def _without_end(run: str) -> str:
    """The run's place by its own name: `.` has none to put something behind."""
    if parse_address(run) is not None:
        return run.rstrip("/")
    return str(Path(run).resolve()) if Path(run).name in ("", "..") else str(Path(run))


def _tell(done: int, shards: int) -> None:
    step = max(shards // _TOLD, 1)
    if done % step == 0 and done < shards:
        note(f"{done:,} of {counted(shards, 'shards')}")
