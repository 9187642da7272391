"""What Ray's metrics are told of a run; the metrics themselves are replaced by lists."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.pool import Event, TaskDone, TaskFailed, TaskRetried, TaskStarted
from cluster.pool_metrics import PoolMetrics

Told = dict[str, list[float]]


@pytest.fixture
def recorded() -> tuple[Told, SimpleNamespace]:
    """All values that were told, by metric, and the kinds of metrics that record them."""
    told: dict[str, list[float]] = defaultdict(list)

    class Metric:
        def __init__(self, name: str, description: str, **options: Any) -> None:
            assert description
            self._name = name

        def tell(self, value: float = 1) -> None:
            told[self._name].append(value)

        inc = set = observe = tell

    instruments = SimpleNamespace(Counter=Metric, Gauge=Metric, Histogram=Metric)
    return told, instruments


def figures(event: Event) -> dict[str, float]:
    return {"audit_error_sad": 0.25} if isinstance(event, TaskDone) else {}


def test_events_are_counted_items_by_their_number(recorded: tuple[Told, SimpleNamespace]):
    told, instruments = recorded
    metrics = PoolMetrics("tiles", figures, instruments)
    metrics.observe(TaskStarted("a", "worker-0"), queued=7)
    metrics.observe(TaskDone("a", "worker-0", None, 2.5, items=1000), queued=6)
    metrics.observe(TaskDone("b", "worker-0", None, 0.0), queued=5)
    metrics.observe(TaskRetried("c", "worker-0", "odd", counted=True), queued=6)
    metrics.observe(TaskFailed("c", "worker-0", ValueError("odd"), 3), queued=5)
    assert told == {
        "enformer_ray_queue_depth": [7, 6, 5, 6, 5],
        "enformer_ray_shards_done": [1, 1],
        "enformer_ray_items_done": [1000, 1],
        "enformer_ray_shard_seconds": [2.5, 1e-9],  # of zero, Ray makes an error
        "enformer_ray_retries": [1],
        "enformer_ray_shards_failed": [1],
        "enformer_ray_audit_error_sad": [0.25, 0.25],
    }


def test_without_further_figures_none_is_shown(recorded: tuple[Told, SimpleNamespace]):
    told, instruments = recorded
    PoolMetrics("alleles", None, instruments).observe(
        TaskDone("a", "worker-0", None, 1.0), queued=0
    )
    assert not [name for name in told if "audit" in name]
