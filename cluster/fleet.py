"""What the scheduler needs of the place where workers run: a cluster, this process, or a simulation.

Knows workers, calls and time. Knows no engine, and not what is computed.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.replica import Done, Failure

Call = Hashable
"""A question that a worker has been asked and will answer."""


@dataclass(frozen=True)
class Gone:
    """No answer will come: the worker's process or machine is gone, or was never there.

    Attributes:
        reason: on one line, for people.
        hopeless: the worker can never be had, such as when its code cannot be imported.
    """

    reason: str
    hopeless: bool = False


Outcome = Done | Failure | Gone | None
"""What a call comes to. None: the process was begun anew and has no function yet, so nothing was done."""


class Worker(Protocol):
    """A process somewhere that does one task after another.

    Attributes:
        name: in events and messages.
    """

    name: str

    def ping(self) -> Call:
        """Ask for a sign of life; `Done` with the machine's name."""
        ...

    def build(self) -> Call:
        """Ask it to make its function; `Done` with the machine's name."""
        ...

    def apply(self, payload: Any) -> Call:
        """Ask it to do a task; `Done` with the result."""
        ...

    def drain(self) -> Call:
        """Ask it to begin no more work; `Done` once no result is being stored any more."""
        ...

    def dismiss(self) -> None:
        """End it, whatever it does, and give back what it held."""
        ...


class Fleet(Protocol):
    """Where workers are hired."""

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

    def close(self) -> None:
        """Give back everything; may be called twice."""
        ...
