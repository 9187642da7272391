"""Where a command that goes over a finished run does its work: here, in processes of this machine, or on Ray.

On Ray it goes through the same pool as the computing of a run, which sees to workers that die and storage that fails.
Knows settings, pools and a work's items. Does not know what is done with them.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from cluster.pool import Event, Pool, PoolError, Task, TaskDone, TaskFailed, WorkerFactory
from enformer_core.errors import InputError
from enformer_core.summaries.processes import Processes
from enformer_core.summaries.work import Item, Result, Spread, Work, one_by_one
from jobs.help_headings import RUNNING
from jobs.interruption import StoppedError, interruptible
from jobs.log import note
from jobs.option_types import listed_under
from jobs.pool_events import classify, in_words, story_of

WORKER_BYTES = 3 * 2**29
"""That most works take: for a shard, what is made of it, and a sketch or a null of thousands of tracks."""


@dataclass(frozen=True, kw_only=True)
@listed_under(RUNNING)
class SpreadSettings:
    """How many work at a finished run side by side, and where."""

    processes: int | None = None
    """how many work side by side, each with memory of its own (default 1; on Ray one for each CPU): the same bytes"""

    ray: Annotated[str, Parameter(metavar="off|local|ADDRESS")] = "off"
    """off (--processes here), local (Ray on this machine), or a cluster's address; auto is the one it runs on"""

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise InputError(f"--processes {self.processes}: must be at least 1")


def spread_of(settings: SpreadSettings, memory_bytes: int = WORKER_BYTES) -> Spread:
    """What the settings say of where to work.

    Args:
        settings: of the command.
        memory_bytes: that a worker takes; Ray begins no more of them than a machine holds.
    """
    if settings.ray != "off":
        return OnPool(partial(_on_ray, settings, memory_bytes))
    count = settings.processes or 1
    return one_by_one if count == 1 else Processes(count)


def _on_ray(settings: SpreadSettings, memory_bytes: int, factory: WorkerFactory) -> Pool:
    from cluster.ray_backend import ray_pool  # `--ray off` works where Ray does not

    is_local = settings.ray == "local"
    note("starting Ray on this machine" if is_local else f"connecting to {settings.ray}")
    return ray_pool(
        factory,
        workers=settings.processes,
        address=settings.ray,
        cpus_per_worker=1,
        memory_bytes_per_worker=memory_bytes,
        classify=classify,
        unit="pieces of work",
    )


@dataclass(frozen=True)
class _Given:
    """Gives a worker its work."""

    work: Work[Any, Any]

    def __call__(self) -> Work[Any, Any]:
        return self.work


@dataclass(frozen=True)
class OnPool:
    """Does a work on a pool; see `enformer_core.summaries.work.Spread`.

    Attributes:
        make_pool: of what makes the function of its workers.
    """

    make_pool: Callable[[WorkerFactory], Pool]

    def __call__(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
    ) -> Generator[tuple[int, Result]]:
        """The number of each item with its result, in the order in which they are done.

        Raises:
            StoppedError: when a signal has ended it, and what was being stored is stored.
            PoolError: for an item that is given up, or when the pool cannot go on.
        """
        if not items:
            return
        numbers: dict[str, int] = {}

        def tasks() -> Generator[Task]:
            for number, item in enumerate(items):
                task = Task(work.name(item), item)
                numbers[task.key] = number
                yield task

        with (
            self.make_pool(_Given(work)) as pool,
            interruptible(pool) as interruption,
        ):
            for event in pool.run(tasks()):
                match event:
                    case TaskDone():
                        yield numbers.pop(event.key), event.result
                    case TaskFailed():
                        raise _given_up(event) from event.error
                    case _:
                        _say(event)
        if interruption.signal_number is not None:
            raise StoppedError(interruption.signal_number)


def _say(event: Event) -> None:
    said = in_words(event)
    if said is not None:
        note(said.text)


def _given_up(failed: TaskFailed) -> PoolError:
    story = story_of(failed)
    if story is not None:
        note(story)
    return PoolError(
        f"{failed.key}: given up after {failed.attempts} attempts: {failed.error}. What is stored stays: give the same "
        "command again when the cause is mended."
    )
