"""What this machine has and runs: CPUs, memory, a directory for caches, and what a receipt says of both.

Every figure is what this *process* may use: a container or a batch system allows less than the machine holds, by an
affinity mask or by its control group (cgroup v1 or v2), and a process that takes more is slowed down or killed. Knows
neither models nor runs. Asks anew at every call, because other processes take memory meanwhile.
"""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import psutil

from enformer_core.errors import InputError
from enformer_core.version import __version__

if TYPE_CHECKING:
    import torch

CACHE_VARIABLE = "ENFORMER_RAY_CACHE"
"""The environment variable that names another directory for caches."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_CPU_DESCRIPTIONS = Path("/proc/cpuinfo")

_FEATURES = (
    *("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"),
    *("asimd", "sve", "bf16", "i8mm"),
)
"""Instructions of which torch's libraries choose how they multiply, of x86 and of ARM, as Linux calls them."""

_Controller = Literal["cpu", "memory"]


class Software(TypedDict):
    """Versions of the programs that computed."""

    enformer_ray: str
    torch: str
    python: str


class Hardware(TypedDict):
    """What computes: `cpu` or `cuda`, its maker's name, what the processor multiplies by, and its threads."""

    device_type: str
    device: str
    cpu_features: tuple[str, ...]
    threads: int


def cpu_count() -> int:
    """CPUs that this process may keep busy, at least 1: its affinity, or its container's quota where that is less."""
    if hasattr(os, "sched_getaffinity"):
        cpus: float = len(os.sched_getaffinity(0))
    else:  # macOS has no affinity
        cpus = os.cpu_count() or 1
    for quota in _cpu_quotas():
        cpus = min(cpus, quota)
    # A quota of 2.5 CPUs is two threads: a third would be stopped for half of every period, and the others wait for it.
    return max(1, int(cpus))


def total_memory_bytes() -> int:
    """Memory that this process and its neighbours may have together: the machine's, or their container's limit."""
    limits = [limit for limit, _ in _memory_limits()]
    return min([psutil.virtual_memory().total, *limits])


def available_memory_bytes() -> int:
    """Memory that can still be taken without swapping, and without being killed for a container's limit."""
    left = [max(0, limit - used) for limit, used in _memory_limits()]
    return min([psutil.virtual_memory().available, *left])


def cache_directory(purpose: str) -> Path:
    """Where this user keeps what can be made again; neither it nor its parents need exist.

    `$ENFORMER_RAY_CACHE`, else `$XDG_CACHE_HOME/enformer-ray`, else `~/.cache/enformer-ray`.

    Args:
        purpose: the part of the cache, a directory below.

    Raises:
        InputError: where nothing is named and the user has no home, as in a container that runs under a bare number.
    """
    try:
        named = os.environ.get(CACHE_VARIABLE)
        if named:
            return Path(named).expanduser() / purpose
        user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise InputError(
            f"no directory for caches: this user has no home ({error}). Name one: export {CACHE_VARIABLE}=/some/where"
        ) from error
    return Path(user_cache) / "enformer-ray" / purpose


def device_here(asked: str) -> str:
    """`cpu` or `cuda`: what `auto` (a GPU where there is one), `cpu` or `cuda` comes to on this machine; imports torch.

    Raises:
        InputError: when a GPU is asked for and there is none.
    """
    import torch  # noqa: PLC0415 - as below

    has_gpu = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if has_gpu else "cpu"
    if asked == "cuda" and not has_gpu:
        raise InputError(
            f"--device cuda: torch {torch.__version__} finds no CUDA device on this machine. "
            "Use --device cpu, or install a CUDA build of torch where there is a GPU."
        )
    return asked


def software() -> Software:
    """Versions that a receipt records; imports torch."""
    import torch  # noqa: PLC0415 - seconds and 300 MB, for those only who compute

    return {
        "enformer_ray": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def hardware(device: "torch.device") -> Hardware:
    """What computes on `device`, for a receipt."""
    import torch  # noqa: PLC0415 - as above

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {
        "device_type": device.type,
        "device": name,
        "cpu_features": cpu_features(),
        "threads": torch.get_num_threads(),
    }


def cpu_features() -> tuple[str, ...]:
    """Those of `_FEATURES` that this processor has; none where the system does not say."""
    # of x86 "flags", of ARM "Features"
    lists = [*_descriptions("flags"), *_descriptions("Features")]
    has = set(lists[0].split()) if lists else set()
    return tuple(name for name in _FEATURES if name in has)


def _processor_name() -> str:
    if not _CPU_DESCRIPTIONS.exists():  # not Linux
        return platform.processor() or platform.machine()
    # ARM processors have no "model name" there.
    names = _descriptions("model name")
    return names[0] if names else platform.machine()


def _descriptions(name: str) -> list[str]:
    """What the system says of each CPU under a name; nothing where it says nothing."""
    lines = (_read(_CPU_DESCRIPTIONS) or "").splitlines()
    entries = [line.partition(":") for line in lines]
    return [value.strip() for key, _, value in entries if key.strip() == name]


def _cpu_quotas() -> Iterator[float]:
    """CPUs that each control group around this process allows, where it limits them."""
    for folder in _control_groups("cpu"):
        # v2 has both numbers in one file, "250000 100000" or "max 100000"; v1 a file for each, -1 for no limit.
        numbers = (_read(folder / "cpu.max") or "").split()
        if not numbers:
            files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            numbers = [_read(folder / name) or "" for name in files]
        if len(numbers) == 2 and all(number.isdigit() for number in numbers):
            quota_us, period_us = map(int, numbers)
            yield quota_us / period_us


def _memory_limits() -> Iterator[tuple[int, int]]:
    """Bytes that each control group around this process allows, and bytes of them that are in use for good."""
    for folder in _control_groups("memory"):
        for limit_file, usage_file, cache_entry in (
            ("memory.max", "memory.current", "inactive_file"),  # v2
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # v1
        ):
            limit = _read(folder / limit_file) or ""
            usage = _read(folder / usage_file) or ""
            if limit.isdigit() and usage.isdigit():
                # Pages of files that nobody looks at are counted as used, but given back as soon as they are needed.
                yield int(limit), int(usage) - _statistic(folder / "memory.stat", cache_entry)


def _control_groups(controller: _Controller) -> Iterator[Path]:
    """Directories of this process's control group and of those around it, whose limits hold as well.

    `/proc/self/cgroup` names the group, `0::/user.slice/x` in v2 and `4:memory:/docker/x` in v1; a container sees its
    own group as the root, and the name may be one that only the host knows.
    """
    for line in (_read(_OWN_CGROUPS) or "0::/").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root = _CGROUPS
        elif controller in controllers.split(","):
            root = _CGROUPS / controller
        else:
            continue
        innermost = root / group.lstrip("/")
        for folder in (innermost, *innermost.parents):
            if folder.is_dir():
                yield folder
            if folder == root:
                break


def _read(path: Path) -> str | None:
    """A small file's text; None where there is none, or it may not be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _statistic(path: Path, name: str) -> int:
    """A line's number, from a file of lines `name number`; 0 where it has no such line."""
    for line in (_read(path) or "").splitlines():
        entry, _, value = line.partition(" ")
        if entry == name:
            return int(value)
    return 0
