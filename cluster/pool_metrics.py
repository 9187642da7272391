"""What the metrics of a cluster are told of a run. Knows events and names; the metrics themselves are handed in."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cluster.pool import Event, TaskDone, TaskFailed, TaskRetried

_SECONDS = (1, 3, 10, 30, 100, 300, 1000, 3000)

Figures = Callable[[Event], Mapping[str, float]]
"""Further figures that an event tells, by name."""


class Gauge(Protocol):
    """A metric that shows the last value that it was set to."""

    def set(self, value: float) -> None:
        """Show this value from now on."""
        ...


class Instruments(Protocol):
    """Kinds of metrics, as `ray.util.metrics` has them."""

    Counter: Any
    Gauge: Any
    Histogram: Any


class PoolMetrics:
    """What an engine's metrics show of a run; where they cannot be exported, Ray drops them by itself.

    Args:
        unit: what a task's items are, in the plural.
        figures: further figures of an event, each under a name of its own.
        instruments: the engine's kinds of metrics.
    """

    def __init__(
        self,
        unit: str,
        figures: Figures | None,
        instruments: Instruments,
    ) -> None:
        self._figures = figures
        self._instruments = instruments
        self._items = instruments.Counter("enformer_ray_items_done", f"Items done: {unit}.")
        self._tasks = instruments.Counter("enformer_ray_shards_done", "Shards done.")
        self._seconds = instruments.Histogram(
            "enformer_ray_shard_seconds", "Time to compute a shard.", boundaries=[*_SECONDS]
        )
        self._retries = instruments.Counter("enformer_ray_retries", "Shards tried again.")
        self._failures = instruments.Counter(
            "enformer_ray_shards_failed", "Shards given up in this run."
        )
        self._queued = instruments.Gauge(
            "enformer_ray_queue_depth", "Shards read ahead that no worker has begun."
        )
        self._gauges: dict[str, Gauge] = {}

    def observe(
        self,
        event: Event,
        *,
        queued: int,
    ) -> None:
        """Count what an event says (see `cluster.pool.EventObserver`)."""
        # with every event, since nothing is told when a shard is only read
        self._queued.set(queued)
        match event:
            case TaskDone():
                self._tasks.inc()
                self._items.inc(event.items)
                self._seconds.observe(max(event.seconds, 1e-9))  # Ray refuses a zero
            case TaskRetried():
                self._retries.inc()
            case TaskFailed():
                self._failures.inc()
            case _:
                pass
        if self._figures is not None:
            for name, value in self._figures(event).items():
                self._show(name, value)

    def _show(self, name: str, value: float) -> None:
        if name not in self._gauges:
            # made when first told of: which figures there are, only the caller knows
            self._gauges[name] = self._instruments.Gauge(
                f"enformer_ray_{name}", name.replace("_", " ")
            )
        self._gauges[name].set(value)
