"""What the scheduler needs of the place where workers run: a cluster, this process, or a simulation.

Knows workers, calls and time. Knows no engine, and not what is computed.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.worker_process import Done, Dropped, Failure

Call = Hashable
"""A question that a worker has been asked and will answer."""


@dataclass(frozen=True)
class Gone:
    """No answer will come: the worker's process or machine is gone, or was never there.

    Attributes:
        reason: on one line, for people.
        hopeless: the worker can never be had, such as when its code cannot be imported.
        with_machine: its whole machine is known to be gone, or about to be.
        coming_back: the same worker is being begun anew and will answer before long.
    """

    reason: str
    hopeless: bool = False
    with_machine: bool = False
    coming_back: bool = False


Outcome = Done | Dropped | Failure | Gone | None
"""What a call comes to. None: the process was begun anew and has no function yet, so nothing was done."""


class Worker(Protocol):
    """A process somewhere that does one task after another."""

    def ping(self) -> Call:
        """Ask for a sign of life; `Done` with the machine's name."""
        ...

    def build(self) -> Call:
        """Ask it to make its function; `Done` with the name of the machine, for people."""
        ...

    def apply(self, payload: Any) -> Call:
        """Ask it to do a task; `Done` with the result."""
        ...

    def drain(self) -> Call:
        """Ask it to begin nothing more; `Done` once nothing is being stored any more."""
        ...

    def dismiss(self) -> None:
        """End it, whatever it does, and give back what it held."""
        ...


class Fleet(Protocol):
    """Where workers are hired.

    Attributes:
        tasks_at_once: how many tasks a worker may have: one that is stored, one that computes, one that is fetched.
    """

    tasks_at_once: int

    def now(self) -> float:
        """Seconds that only grow."""
        ...

    def hire(self, name: str) -> Worker:
        """Ask for one more worker; returns at once, the worker answers its first ping when it is there."""
        ...

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        """The calls that are answered, after at most so long; with no calls, a pause."""
        ...

    def is_machine_lost(self, machine: str) -> bool:
        """Whether a machine is gone, or has announced that it will be."""
        ...

    def capacity(self) -> int:
        """Workers that the machines can hold now, those hired included."""
        ...

    def shortage(self) -> str:
        """What a worker asks for, and what the machines have."""
        ...

    def interrupt(self) -> None:
        """Break off what is computed in this very process, if anything is; may be called by a signal's handler."""
        ...

    def close(self) -> None:
        """Give back everything; may be called twice."""
        ...
