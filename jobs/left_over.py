"""What becomes of a command that has not committed every shard: it is told why, and how to go on."""

import signal
import sys

from cluster.pool import PoolError
from enformer_core.dataset.ledger import Ledger
from enformer_core.shell_words import command_line
from enformer_core.words import agreeing, counted
from jobs.interruption import InterruptedRunError, Interruption
from jobs.log import note
from jobs.watch import Watch


def check_none_left(
    left: int, ledger: Ledger, shards: int, watch: Watch, interruption: Interruption
) -> None:
    """End the command where shards are left, after another look at what others have done.

    Args:
        left: shards that neither this command nor, as far as it saw, another has committed.
        ledger: of the run.
        shards: of the plan.
        watch: what was seen of this command's own.
        interruption: whether a signal has ended it.

    Raises:
        InterruptedRunError: where a signal has ended the command.
        PoolError: where shards could not be computed or stored.
    """
    left = _still_left(ledger, shards, left) if left else 0
    if not left:
        return
    if interruption.signal_number is None:
        raise PoolError(f"{watch.failures()}\n{how_to_continue()}")
    of_all = f"{counted(shards, 'shards')} {agreeing(shards, 'is', 'are')} committed"
    name = signal.Signals(interruption.signal_number).name
    raise InterruptedRunError(
        interruption.signal_number,
        f"stopped by {name}: {shards - left:,} of {of_all}. {how_to_continue()}",
    )


def how_to_continue() -> str:
    """What the user called, as a shell takes it."""
    command = command_line(["enformer-ray", *sys.argv[1:]])
    return f"Continue with:\n  {command}"


def _still_left(ledger: Ledger, shards: int, left: int) -> int:
    """What is left when it is looked at once more: of two commands, one may give up what the other has done."""
    committed = sum(shard < shards for shard in ledger.committed())
    still_left = shards - committed
    if still_left < left:
        elsewhere = counted(left - still_left, "shards")
        note(f"{elsewhere} that this command did not finish, another on this output has committed")
    return still_left
