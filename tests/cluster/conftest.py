"""Ray is started once for all tests of pools; the pools under test find it running and leave it so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.ray_backend import ray_pool
from cluster.scheduler import Scheduler
from tests.support import toys

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def ray_environment() -> Iterator[None]:
    """Workers find the toys, and Ray writes no token into the home directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE.parent.parent))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield


@pytest.fixture(scope="session")
def ray_on_this_machine(ray_environment: None) -> Iterator[Scheduler]:
    with ray_pool(toys.squares, workers=1, address="local", cpus_per_worker=1) as keeper:
        yield keeper
