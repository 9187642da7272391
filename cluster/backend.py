"""What the scheduler needs of the place where workers run: a cluster, this process, or a simulation.

Knows workers, calls and time. Knows no engine, and not what is computed.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.pool import Node
from cluster.worker_process import Cancelled, Done, Failure, WorkerRestarted

Call = Hashable
"""A question that a worker has been asked and will answer."""


@dataclass(frozen=True)
class WorkerGone:
    """No answer will come: the worker's process or node is gone, or was never there.

    Attributes:
        reason: on one line, for people.
        cannot_start: the worker can never be had, such as when its code cannot be imported.
        with_node: its whole node is known to be gone, or about to be.
        coming_back: the same worker is being restarted and will answer before long.
    """

    reason: str
    cannot_start: bool = False
    with_node: bool = False
    coming_back: bool = False


Outcome = Done | Cancelled | Failure | WorkerGone | WorkerRestarted
"""What a call comes to: an answer of the worker, or that there will be none."""


class Worker(Protocol):
    """A process somewhere that does one task after another; each method returns at once, the answer comes by `wait`."""

    def ping(self) -> Call:
        """Ask for a sign of life; `Done` with the `Node` that it is on."""
        ...

    def build(self) -> Call:
        """Ask it to make its function; `Done` once it can be given tasks."""
        ...

    def apply(self, payload: Any) -> Call:
        """Ask it to do a task; `Done` with the result."""
        ...

    def drain(self) -> Call:
        """Ask it to begin nothing more; `Done` once nothing is being stored any more."""
        ...

    def stop(self) -> None:
        """End it, whatever it does, and give back what it held; nothing that it was asked is answered any more."""
        ...


class Backend(Protocol):
    """Where workers are started.

    Every method raises `PoolError` when the whole place is gone, such as a cluster without its head.
    """

    def now(self) -> float:
        """Seconds that only grow, whatever happens to the calendar."""
        ...

    def tasks_per_worker(self) -> int:
        """How many tasks a worker may have: 3 where one is stored, one computes and one is fetched at a time."""
        ...

    def start_worker(self, name: str) -> Worker:
        """Ask for one more worker; returns at once, the worker answers its first ping when it is there."""
        ...

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        """The calls that are answered, after at most so long; with no calls, a pause."""
        ...

    def is_node_lost(self, node: Node) -> bool:
        """Whether a node is gone, or has announced that it will be."""
        ...

    def capacity(self) -> int:
        """Workers that the nodes can hold now, those started included."""
        ...

    def describe_capacity(self) -> str:
        """What a worker asks for, what the nodes have, and what it may come from, for people who wait for one."""
        ...

    def interrupt(self) -> None:
        """Break off what is computed in this very process, if anything is; may be called by a signal's handler."""
        ...

    def close(self) -> None:
        """Give back everything; may be called twice."""
        ...
