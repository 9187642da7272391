"""What the exit status of every command means: said once here, shown by `--help` and in docs/cluster.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

DONE = 0
BAD_INPUT = 2  # what argument parsers have always ended with
FAILED_ROWS = 3  # complete, but some rows say why they have no values
AUDIT_FAILED = 4
INCOMPLETE = 5  # the same command continues
HUNG_UP = 129  # 128 + SIGHUP, as shells count
INTERRUPTED = 130  # 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM


@dataclass(frozen=True)
class Meaning:
    """What an exit code says, and what to do about it."""

    meaning: str
    remedy: str


MEANINGS: Mapping[int, Meaning] = MappingProxyType(
    {
        DONE: Meaning("done", ""),
        BAD_INPUT: Meaning(
            "bad input or settings, or a damaged run; nothing was paid for",
            "read the message: it names the item and the remedy",
        ),
        FAILED_ROWS: Meaning(
            "complete, with rows that are `failed`", "their column `reason` says why"
        ),
        AUDIT_FAILED: Meaning(
            "complete, audit beyond tolerance (`--strict`)",
            "`enformer-ray status OUT` shows the errors",
        ),
        INCOMPLETE: Meaning(
            "incomplete: storage, credentials or cluster failed for long, or `status` of a run that goes on",
            "mend what the message names; the same command continues",
        ),
        HUNG_UP: Meaning("its session ended (SIGHUP)", "the same command continues"),
        INTERRUPTED: Meaning("interrupted by Ctrl-C", "the same command continues"),
        TERMINATED: Meaning("ended by SIGTERM", "the same command continues"),
    }
)
"""Every exit code that a command of this program ends with."""
