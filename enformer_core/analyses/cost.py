"""What a planned run will take, before anything is computed: windows, operations, hours, bytes.

Counts come from the plan and are exact; operations from the model's graph; hours from a measurement that the caller
gives. Does not know where the output goes or who computes.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int64

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.order import changes
from enformer_core.dataset.schemas import GENE_VALUES
from enformer_core.errors import InputError
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import Engine
from enformer_core.variants.table import Flag, Status, has_flag

WindowStarts = Callable[[Int64[np.ndarray, " alleles"]], Int64[np.ndarray, " alleles"]]
"""From the first bases of alleles to those of their windows."""

_HOUR_S = 3600

# measured on stored runs
_ALLELE_BYTES = 160  # of a row of scores, its values aside
_EFFECT_BYTES = 18  # of a row of effects
_GENE_BYTES = 60  # of a row of gene_effects, its values aside

_EXPONENT_BITS = (
    5  # a value takes its mantissa, its sign, and what is left of its exponent's 8 bits
)

_COLUMNS = ("chrom", "start", "status", "flags", "window_start", "audited", "shard")

_BENCHMARK_MODEL = "enformer"  # of the benchmark's files that do not name one

# Cases of `benchmarks.engine`, which are letters
_DIRECT = "c"  # two full passes for each variant
_DELTA_CENTRED = "d"  # differences; every variant has a window of its own
_DELTA_SHARED = "e"  # differences; all variants share one window

# README, "How fast": 0.75 TFLOP of a variant that shares its window in 1.56 s on two cores with AVX512-BF16, and 3.8 of
# one that does not in 51 s on two cores with AVX2 only. What else was measured lies between.
_QUICK_CORE_TFLOP_S = 0.24
_SLOW_CORE_TFLOP_S = 0.037

_LARGE_PASS = 10**11
"""Operations of a pass beyond which they, and not what stands beside them, decide how long it takes."""


@dataclass(frozen=True)
class Work:
    """What of a plan is computed.

    Attributes:
        alleles: rows of the plan.
        alts: distinct alleles that are scored; their repeats take over the first one's scores.
        audited: those of them that are scored a second time, by direct passes.
        windows: windows of the reference, each computed once for the neighbours that share it.
    """

    alleles: int
    alts: int
    audited: int
    windows: int


def count_work(parts: Iterable[Path | bytes], *, window_starts: WindowStarts | None = None) -> Work:
    """Count the rows of a plan's stored parts.

    Args:
        parts: in order.
        window_starts: where windows would start, of the alleles' starts; None for where the plan has them.
    """
    alleles = alts = audited = windows = 0
    for part in parts:
        source = pa.BufferReader(part) if isinstance(part, bytes) else part
        rows = pq.read_table(source, columns=list(_COLUMNS))
        ok = pc.equal(rows["status"], Status.OK)
        scored = rows.filter(pc.and_(ok, pc.invert(has_flag(rows, Flag.DUPLICATE))))
        if window_starts is not None:
            column = scored.schema.get_field_index("window_start")
            starts = window_starts(np.asarray(scored["start"]))
            scored = scored.set_column(column, "window_start", pa.array(starts))
        alleles += rows.num_rows
        alts += scored.num_rows
        audited += pc.sum(scored["audited"]).as_py() or 0
        # Shards are computed apart, so a window that two of them need is computed twice.
        windows += int(np.count_nonzero(changes(scored, ("shard", "window_start"))))
    return Work(alleles, alts, audited, windows)


def total_operations(
    work: Work,
    engine: Engine,
    *,
    views: int,
    operations: PassOperations,
) -> int:
    """Floating-point operations of a run.

    By differences, each window's reference is one pass, and each allele what follows the tower, of which it renews a
    few tokens; by direct passes, each allele takes two.

    Args:
        work: what is computed.
        engine: how.
        views: strands × shifts.
        operations: of one pass.
    """
    of_direct = 2 * operations.total
    if engine == "direct":
        return views * work.alts * of_direct
    references = work.windows * operations.total
    differences = work.alts * operations.after_tower
    return views * (references + differences + work.audited * of_direct)


def estimated_core_hours(total: int, operations: PassOperations) -> tuple[float, float] | None:
    """Hours of a CPU core that a run takes on a quick machine and on a slow one, by what was measured on two.

    Args:
        total: operations of the run.
        operations: of one pass.

    Returns:
        None for small models, of which operations say little.
    """
    if operations.total < _LARGE_PASS:
        return None
    tflop = total / 1e12
    least = tflop / _QUICK_CORE_TFLOP_S / _HOUR_S
    most = tflop / _SLOW_CORE_TFLOP_S / _HOUR_S
    return least, most


def output_bytes(
    work: Work,
    *,
    statistics: int,
    tracks: int,
    top_tracks: int,
    mantissa_bits: int,
    gene_rows: int = 0,
) -> int:
    """Size of the tables, some 20 % more or less: repeats and what is not scored are counted as scored.

    Args:
        work: what is computed.
        statistics: how many each allele has.
        tracks: of each statistic.
        top_tracks: rows of effects for each allele and statistic.
        mantissa_bits: of each value, as stored.
        gene_rows: rows of gene_effects.
    """
    value_bytes = (mantissa_bits + _EXPONENT_BITS) / 8
    allele_bytes = _ALLELE_BYTES + statistics * tracks * value_bytes
    effects = work.alts * statistics * min(top_tracks, tracks)
    gene_bytes = _GENE_BYTES + len(GENE_VALUES) * tracks * value_bytes
    return round(work.alleles * allele_bytes + effects * _EFFECT_BYTES + gene_rows * gene_bytes)


@dataclass(frozen=True)
class Speed:
    """What was measured on some machine.

    Attributes:
        device: `cuda`, of which hours are hours of a GPU; or `cpu`, of which they are hours of a core.
        window_s: device seconds of a window's reference by differences, of one reading.
        alt_s: of an allele beside it, of one reading.
        direct_s: of an allele by two direct passes, of one reading.
        allele_s: or of an allele in all, of a run like the one that is planned.
    """

    device: str
    window_s: float = 0.0
    alt_s: float = 0.0
    direct_s: float = 0.0
    allele_s: float | None = None

    def hours(self, work: Work, engine: Engine, *, views: int) -> float:
        """Device-hours that the work takes at this speed.

        Args:
            work: what is computed.
            engine: how.
            views: strands × shifts.
        """
        if self.allele_s is not None:
            return work.alts * self.allele_s / _HOUR_S
        if engine == "direct":
            return views * work.alts * self.direct_s / _HOUR_S
        once = work.windows * self.window_s + work.alts * self.alt_s + work.audited * self.direct_s
        return views * once / _HOUR_S


def read_speed(path: str, *, model: str) -> Speed:
    """Read a measurement: JSON of `benchmarks.engine`, or the status of a run with the same settings.

    Args:
        path: of the file.
        model: the name of the model that is to be planned for.

    Raises:
        InputError: when it is neither, or of another model.
    """
    try:
        figures = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        if "rows_done" in figures:
            speed = _speed_of_run(figures)
            measured = figures["model"]
        else:
            speed = _speed_of_benchmark(figures)
            measured = figures.get("model", _BENCHMARK_MODEL)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{path}: not a measurement: {_why_none(error)}. Score some of the variants with the same settings "
            "(--sample 200), and give what `enformer-ray status OUT --json > FILE` writes of that run; in a checkout "
            "`python -m benchmarks.engine --json FILE` will do too."
        ) from error
    if measured != model:
        raise InputError(f"{path}: measured with model {measured}, the plan is for {model}.")
    return speed


def _why_none(error: Exception) -> str:
    """What is wrong with a file, in words that need no knowledge of Python."""
    if isinstance(error, ZeroDivisionError):
        return "the run has scored nothing yet"
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    return "it is no JSON" if isinstance(error, ValueError) else "it is JSON of something else"


def _speed_of_run(status: JsonObject) -> Speed:
    """From the status of a finished run; what it lacks raises KeyError."""
    gpu_hours = status["gpu_hours"]
    hours = gpu_hours or status["cpu_hours"]
    return Speed(
        device="cuda" if gpu_hours else "cpu",
        allele_s=hours * _HOUR_S / status["by_status"][Status.OK],
    )


def _speed_of_benchmark(figures: JsonObject) -> Speed:
    """From the figures of `benchmarks.engine`; what they lack raises KeyError."""
    machine = figures["machine"]
    # On CPUs all cores worked on one variant; hours are told of one core.
    cores = 1 if machine["device_type"] == "cuda" else machine["threads"]
    # Files that do not say which strands they read are of one.
    readings = 2 if figures.get("strands") == "both" else 1

    def device_s(case: str) -> float:
        return figures["cases"][case]["seconds_per_variant"] * cores / readings

    alt_s = device_s(_DELTA_SHARED)
    return Speed(
        device=machine["device_type"],
        window_s=max(0.0, device_s(_DELTA_CENTRED) - alt_s),
        alt_s=alt_s,
        direct_s=device_s(_DIRECT),
    )
