"""`enformer-ray repair`: move what is damaged of a run out of the way, so that its own command makes it anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from enformer_core.dataset.damage import Problem, set_aside
from enformer_core.dataset.keys import MANIFEST_KEY, SUMMARIES
from enformer_core.dataset.verify import Verification, verify_run
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger


@dataclass(frozen=True)
class RepairSettings:
    """What `enformer-ray repair` is asked for."""

    out: str
    """directory or s3://bucket/prefix of the run; no other command may be writing there"""

    dry_run: bool = field(default=False, kw_only=True)
    """only say what would be moved"""


def repair(settings: RepairSettings) -> int:
    """Verify the run, move what is damaged to `damaged/`, with the receipts that vouch for it, and say what is next.

    Returns:
        The exit code: done where nothing is to do, incomplete where the run's command is to be given again, bad input
        where something is wrong that no repair mends.
    """
    ledger = open_ledger(settings.out)
    verdict = verify_run(ledger)
    for problem in verdict.found:
        print(f"  {_told(problem)}")
    mendable = [problem for problem in verdict.found if problem.remedy is None]
    if len(mendable) < len(verdict.found):
        return exit_codes.BAD_INPUT
    if not mendable:
        print("nothing is lost or damaged")
        return exit_codes.DONE if verdict.complete else exit_codes.INCOMPLETE
    if settings.dry_run:
        print(f"{counted(len(mendable), 'problems')}; nothing was moved (--dry-run)")
        return exit_codes.BAD_INPUT
    moved = set_aside(ledger.store, mendable)
    print(f"{counted(len(moved), 'objects')} moved to {ledger.store.location}/damaged")
    for line in _moved_beside(moved, mendable):
        print(f"  {line}")
    return _next(verdict, mendable)


def _next(verdict: Verification, mended: list[Problem]) -> int:
    if verdict.complete and not any(problem.reopens for problem in mended):
        print("the run is complete without them")
        return exit_codes.DONE
    print(
        "Give the run's own command again: it computes what is missing, and says whether its values are as before."
    )
    return exit_codes.INCOMPLETE


_BESIDE = {
    SUMMARIES: "says that the table is there",
    MANIFEST_KEY: "said that the run is complete",
    "receipts": "held receipts, and one of them vouched for what was moved",
    "commits": "vouched for what was moved",
}
_DERIVED = "followed from what was moved, and is made again with it"


def _moved_beside(moved: Sequence[str], mended: Sequence[Problem]) -> Iterator[str]:
    """What was moved though nothing is wrong with it, and why."""
    for key in moved:
        is_wrong = any(problem.text.startswith(f"{key}:") for problem in mended)
        if not is_wrong:
            yield f"with it {key}, which {_BESIDE.get(key.partition('/')[0], _DERIVED)}"


def _told(problem: Problem) -> str:
    return problem.text if problem.remedy is None else f"{problem.text}. {problem.remedy}"
