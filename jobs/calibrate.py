"""`enformer-ray calibrate`: the distribution of a background run's scores, by which others are ranked."""

from dataclasses import dataclass, field
from math import log10
from pathlib import Path

from enformer_core.shell_words import command_line
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import check_beside, open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, Words, WrittenFile
from jobs.output_guard import check_kind
from jobs.spread import SpreadSettings, spread_of
from jobs.summary_written import Told

_FEW = 10_000
"""Alleles of a background below which its tails say little."""


@dataclass(frozen=True)
class _Background:
    """The positional argument; a base of its own, since positional fields come before all others."""

    run: Directory
    """directory or s3://bucket/prefix of the background run, which must be finished"""


@dataclass(frozen=True)
class CalibrateSettings(SpreadSettings, _Background):
    """What `enformer-ray calibrate` is asked for."""

    out: WrittenFile = field(kw_only=True)
    """file of the null distribution, which appears when it is whole"""

    statistics: Words = field(default=(), kw_only=True)
    """of the run; all by default"""


def calibrate_run(settings: CalibrateSettings) -> int:
    """Write the null distribution of a run, and say how far its tails reach.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for a run that scored nothing, or a file that cannot be written.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.finished import IncompleteRunError
    from enformer_core.export.whole_file import replaces, whole_file
    from enformer_core.summaries.calibrate import calibrate

    ledger = open_ledger(settings.run)
    path = Path(settings.out)
    check_beside(path, ledger.store.location)
    check_kind(path, "enformer_ray_null", "a null distribution")
    instead = " (replaced the file that was there)" if replaces(path) else ""
    try:
        with whole_file(path) as stream:
            of = calibrate(
                ledger,
                stream,
                settings.statistics,
                spread=spread_of(settings),
                report=Told("alleles").of,
            )
    except IncompleteRunError as error:
        note(f"{error}")
        return exit_codes.INCOMPLETE
    for name, null in of.statistics.items():
        furthest = 10 * log10(2 * null.alleles)
        tell(
            "calibrated",
            f"{counted(null.alleles, 'alleles')}, the furthest at PHRED {furthest:.1f}",
            prefix=name,
        )
        if null.not_finite:
            note(
                f"{name}: {counted(null.not_finite, 'alleles')} left out, with values that are NaN or infinite"
            )
        if null.alleles < _FEW:
            note(
                f"{name}: a null of few alleles has coarse tails: 1 in {null.alleles:,} is the rarest that it tells. "
                "See `enformer-ray docs calibration`."
            )
    if of.notice:
        note(of.notice)
    tell("null", f"written{instead}", prefix=settings.out)
    words = ["enformer-ray", "percentiles", "RUN", "--null", settings.out]
    print(f"rank a run by it: {command_line(words)}")
    return exit_codes.DONE
