"""How many model replicas a machine carries, and what each may use."""

from dataclasses import dataclass

from enformer_core.analyses.base import WorkerResources
from enformer_core.machine import available_memory_bytes, cpu_count, device_here
from enformer_core.models.registry import ModelSource, model_spec
from jobs.settings import RunSettings

FULL_SIZE_CPUS = 4
"""Cores of a worker with a model in full size: more threads gain little on one window."""


@dataclass(frozen=True)
class Workers:
    """Workers of a run.

    Attributes:
        count: how many; None for as many as a cluster holds, machines that join it later included.
        each: what one of them may use.
    """

    count: int | None
    each: WorkerResources


def check_device(settings: RunSettings) -> None:
    """Refuse a GPU that is asked for by name where there is none; asks nothing otherwise.

    Raises:
        InputError: with the remedy.
    """
    if settings.device == "cuda":
        _device(settings)


def choose_workers(settings: RunSettings, source: ModelSource, replicates: int = 1) -> Workers:
    """Replicas and their share of this machine, or of the machines of a cluster, which may be others than this.

    Args:
        settings: of the command.
        source: the model.
        replicates: models that each worker holds.

    Raises:
        InputError: when a GPU is asked for and there is none.
    """
    device = _device(settings)
    cpus = cpu_count()
    memory_bytes = worker_memory_bytes(source.name, replicates)
    count = _count(settings, device, cpus, source, memory_bytes)
    # The number of threads moves the last digits. The demonstration gains nothing from more: its tables never change.
    threads = FULL_SIZE_CPUS if count is None else max(1, cpus // count)
    each = WorkerResources(
        device=device,
        cpus=1 if source.demonstration else threads,
        gpus=int(device == "cuda"),
        memory_bytes=memory_bytes,
    )
    return Workers(count, each)


def worker_memory_bytes(model: str, replicates: int = 1) -> int:
    """Host memory that a worker with so many replicates of the model takes, and is held to where it can choose."""
    return replicates * model_spec(model).worker_memory_bytes


def _count(
    settings: RunSettings, device: str, cpus: int, source: ModelSource, memory_bytes: int
) -> int | None:
    if settings.ray == "off":
        return 1  # this process
    if settings.workers is not None:
        return settings.workers
    # A cluster may grow while the run lasts: how many it will hold is not known now.
    if settings.ray != "local":
        return None
    return _default_count(device, cpus, source, memory_bytes)


def _device(settings: RunSettings) -> str:
    # On a cluster the GPUs are the workers'; this machine, often its head, need not have one.
    if settings.device == "auto" or settings.ray in ("off", "local"):
        return device_here(settings.device)
    return settings.device


def _default_count(device: str, cpus: int, source: ModelSource, memory_bytes: int) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.device_count()
    by_cpus = cpus if source.demonstration else cpus // FULL_SIZE_CPUS
    return max(1, min(by_cpus, available_memory_bytes() // memory_bytes))
