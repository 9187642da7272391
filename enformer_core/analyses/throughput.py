"""How fast known hardware scores: a table of what was measured, and what follows from peak rates where nothing was.

The table is `throughput.tsv`, of Enformer in its published size, and says where each row comes from. Of hardware of
which only the data sheet is known, each part of the work takes

    seconds = operations / (share · peak rate), or bytes / bandwidth where that is longer

with the share of its peak rate that the same part reaches on the H200, which was measured. A reference is float32; its
tower's long convolutions count as six products of 16 bits where the row says so, as when they were measured: they are
three now, which nobody has timed yet.

Loads no torch: which hardware this machine has is asked of the system.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from enformer_core.analyses.cost import MOVED_FLANK
from enformer_core.analyses.speed import Speed
from enformer_core.errors import InputError, nearest
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import Policy

MEASURED_ON = PassOperations(tower=2_275_997_122_560, after_tower=735_281_086_464)
"""Operations of a pass of Enformer with all human tracks, of which the table's seconds are."""

_TOWER_TFLOP = MEASURED_ON.tower / 1e12
_TRUNK_TFLOP = MEASURED_ON.after_tower / 1e12
_DIFFERENCES_TFLOP = 0.783  # docs/engine.md; a test of the benchmarks counts it
_DIFFERENCES_TB = 0.0036  # read and written beside the products, by fused kernels (docs/engine.md)
_WITHOUT_KERNELS = 4  # times as much, where each step is an operation of torch's

# Shares of peak rates, of the H200's seconds: 0.0708 s of a window, 42 parts of 72 in convolutions and 30 in the
# transformer's products, 0.00325 s of differences, and 0.24 s of two passes without split convolutions (docs/engine.md)
_SPLIT_SHARE = 6 * _TOWER_TFLOP / 0.041 / 989
_FLOAT32_SHARE = _TRUNK_TFLOP / 0.0296 / 67
_DIFFERENCES_SHARE = _DIFFERENCES_TFLOP / 0.00325 / 989
_CONVOLUTION_SHARE = 2 * (_TOWER_TFLOP + _TRUNK_TFLOP) / 0.2415 / 67

_GPUS = Path("/proc/driver/nvidia/gpus")
_CPU_DESCRIPTIONS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class PeakRates:
    """What a GPU can do by its data sheet.

    Attributes:
        title: as its maker calls it.
        float32: products outside of tensor cores; TFLOP/s.
        low: products of 16 bits, summed up in 32, without sparsity; TFLOP/s.
        bandwidth: of its memory; TB/s.
        splits: whether long convolutions in float32 go to tensor cores, in parts.
        has_kernels: whether the fused kernels run there.
    """

    title: str
    float32: float
    low: float
    bandwidth: float
    splits: bool
    has_kernels: bool


@dataclass(frozen=True)
class Hardware:
    """A GPU, or a CPU core, and its seconds for each variant and strand.

    Attributes:
        name: what `--hardware` calls it.
        device: `cuda` or `cpu`.
        title: for people.
        kind: `measured` or `estimated`.
        source: where the seconds come from.
        fast: seconds by `--precision fast`.
        exact: by `--precision exact`.
        peaks: of GPUs.
    """

    name: str
    device: str
    title: str
    kind: str
    source: str
    fast: Speed
    exact: Speed
    peaks: PeakRates | None

    def speed(self, policy: Policy, operations: PassOperations) -> Speed:
        """Its seconds for a model, by the operations that a pass takes beside Enformer's."""
        measured = self.fast if policy == "fast" else self.exact
        return measured.scaled(operations, MEASURED_ON)


@lru_cache(maxsize=1)
def known_hardware() -> dict[str, Hardware]:
    """All rows of the table, by name."""
    table = resources.files(__package__) / "throughput.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return {row["name"]: _hardware(row) for row in rows}


def hardware_named(name: str) -> Hardware:
    """A row of the table, by its name in any case of letters.

    Raises:
        InputError: where there is none of this name.
    """
    known = known_hardware()
    key = name.lower()
    if key not in known:
        raise InputError(
            f"--hardware {name}: not in the table{nearest(key, known)}. For others measure: --calibrate there, or "
            "--benchmark FILE (enformer-ray docs cluster)"
        )
    return known[key]


def hardware_here(device: str) -> tuple[Hardware | None, int]:
    """What this machine would compute with, and how many of its GPUs there are, 0 for CPU cores.

    Args:
        device: `auto`, `cpu` or `cuda`.

    Returns:
        None for a GPU that the table does not have.
    """
    gpus = [] if device == "cpu" else _gpus()
    known = known_hardware()
    if not gpus:
        return known["cpu-bf16" if _multiplies_16_bits() else "cpu"], 0
    # "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3"; the longest first, for "A10G" has "A10" in it
    words = gpus[0].upper().replace("-", " ").split()
    for row in known.values():
        if row.name.upper() in words:
            return row, len(gpus)
    return None, len(gpus)


def _gpus() -> list[str]:
    """Names of NVIDIA's GPUs, as their driver has them; none without one."""
    names = []
    for path in sorted(_GPUS.glob("*/information")):
        fields = dict(line.partition(":")[::2] for line in path.read_text().splitlines())
        names.append(fields.get("Model", "").strip())
    return names


def _multiplies_16_bits() -> bool:
    """Whether products in 16 bits are faster than others here."""
    try:
        text = _CPU_DESCRIPTIONS.read_text(encoding="utf-8")
    except OSError:  # not Linux
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return bool({"avx512_bf16", "amx_bf16"}.intersection(flags.split()))


def _hardware(row: dict[str, str]) -> Hardware:
    peaks = _peaks(row) if row["device"] == "cuda" else None
    is_measured = row["kind"] != "peak"
    if is_measured:
        fast, exact = (_of_seconds(row, exact=exact) for exact in (False, True))
    else:
        assert peaks is not None, "there are data sheets of GPUs alone"
        fast, exact = (of_peaks(peaks, exact=exact) for exact in (False, True))
    return Hardware(
        name=row["name"],
        device=row["device"],
        title=row["title"],
        kind=row["kind"] if is_measured else "estimated",
        source=row["source"] if is_measured else f"peak rates ({row['source']})",
        fast=fast,
        exact=exact,
        peaks=peaks,
    )


def _peaks(row: dict[str, str]) -> PeakRates:
    return PeakRates(
        title=row["title"],
        float32=float(row["float32_tflop_s"]),
        low=float(row["low_tflop_s"]),
        bandwidth=float(row["memory_tb_s"]),
        splits=bool(row["split"]),
        has_kernels=bool(row["kernels"]),
    )


def _of_seconds(row: dict[str, str], *, exact: bool) -> Speed:
    window_s = float(row["centred_snv_s"]) - float(row["shared_snv_s"])
    tower_s = window_s * float(row["tower_share"])
    slower_s = float(row["exact_snv_s"]) - float(row["shared_snv_s"]) if exact else 0.0
    return Speed(
        device=row["device"],
        tower_s=tower_s,
        trunk_s=window_s - tower_s,
        snv_s=float(row["shared_snv_s"]) + slower_s,
        shared_indel_s=float(row["shared_indel_s"]) + slower_s,
        centred_indel_s=float(row["centred_indel_s"]) - window_s + slower_s,
        direct_s=float(row["direct_s"]),
    )


def of_peaks(peaks: PeakRates, *, exact: bool) -> Speed:
    """What follows from a data sheet.

    Args:
        peaks: of the GPU.
        exact: whether differences are float32, not 16 bits.
    """
    tower_s = _TOWER_TFLOP / (_CONVOLUTION_SHARE * peaks.float32)
    if peaks.splits:
        tower_s = 6 * _TOWER_TFLOP / (_SPLIT_SHARE * peaks.low)
    products_s = _DIFFERENCES_TFLOP / (_DIFFERENCES_SHARE * peaks.low)
    if exact:
        products_s = _DIFFERENCES_TFLOP / (_FLOAT32_SHARE * peaks.float32)
    moved_tb = _DIFFERENCES_TB * (1 if peaks.has_kernels else _WITHOUT_KERNELS)
    snv_s = max(products_s, moved_tb / peaks.bandwidth)
    return Speed(
        device="cuda",
        tower_s=tower_s,
        trunk_s=_TRUNK_TFLOP / (_FLOAT32_SHARE * peaks.float32),
        snv_s=snv_s,
        shared_indel_s=snv_s,
        centred_indel_s=snv_s + MOVED_FLANK * tower_s,
        direct_s=2 * (_TOWER_TFLOP + _TRUNK_TFLOP) / (_CONVOLUTION_SHARE * peaks.float32),
    )
