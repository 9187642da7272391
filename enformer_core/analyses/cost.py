"""What a planned run will take, before anything is computed: windows, operations, hours, bytes.

Counts come from the plan and are exact; operations from the model's graph; hours from a measurement that the caller
gives. Does not know where the output goes or who computes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.dataset.order import changes
from enformer_core.errors import InputError
from enformer_core.scoring.conventions import Engine
from enformer_core.variants.table import Flag, Status, has_flag

_HOUR_S = 3600

# Measured on stored runs; a value takes its mantissa, its sign, and what is left of its exponent's 8 bits.
_ALLELE_BYTES, _EFFECT_BYTES, _EXPONENT_BITS = 160, 18, 5

_COLUMNS = ("chrom", "start", "status", "flags", "window_start", "audited", "shard")


@dataclass(frozen=True)
class Work:
    """What of a plan is computed.

    Attributes:
        alleles: rows of the plan.
        alts: distinct alleles that are scored; their repeats take over what is found for the first.
        audited: those of them that are scored a second time, plainly.
        windows: windows of the reference, each read once for the neighbours that share it.
    """

    alleles: int
    alts: int
    audited: int
    windows: int


def count_work(parts: Iterable[Path | bytes]) -> Work:
    """Count the rows of a plan's stored parts."""
    alleles = alts = audited = windows = 0
    for part in parts:
        source = pa.BufferReader(part) if isinstance(part, bytes) else part
        rows = pq.read_table(source, columns=list(_COLUMNS))
        ok = pc.equal(rows["status"], Status.OK)
        scored = rows.filter(pc.and_(ok, pc.invert(has_flag(rows, Flag.DUPLICATE))))
        alleles += rows.num_rows
        alts += scored.num_rows
        audited += pc.sum(scored["audited"]).as_py() or 0
        windows += int(np.count_nonzero(changes(scored, ("shard", "window_start"))))
    return Work(alleles, alts, audited, windows)


def total_operations(work: Work, engine: Engine, *, readings: int, tower: int, rest: int) -> int:
    """Floating-point operations of a run.

    By differences, each window's reference is one pass, and each allele what follows the tower, of which it renews a
    few tokens; by plain passes, each allele takes two.

    Args:
        work: what is computed.
        engine: how.
        readings: strands × shifts.
        tower: operations of a pass up to the tokens.
        rest: those after.
    """
    plain = 2 * (tower + rest)
    if engine == "direct":
        return readings * work.alts * plain
    return readings * (work.windows * (tower + rest) + work.alts * rest + work.audited * plain)


def output_bytes(
    work: Work, *, statistics: int, tracks: int, top_tracks: int, mantissa_bits: int
) -> int:
    """Size of the tables, some 20 % more or less: repeats and what is not scored are counted as scored."""
    value_bytes = (mantissa_bits + _EXPONENT_BITS) / 8
    effects = work.alts * statistics * min(top_tracks, tracks) * _EFFECT_BYTES
    return round(work.alleles * (_ALLELE_BYTES + statistics * tracks * value_bytes) + effects)


@dataclass(frozen=True)
class Speed:
    """What was measured on some machine.

    Attributes:
        device: `cuda`, of which hours are hours of a GPU; or `cpu`, of which they are hours of a core.
        window_s: device seconds of a window's reference by differences, of one reading.
        alt_s: of an allele beside it, of one reading.
        direct_s: of an allele by two plain passes, of one reading.
        allele_s: or of an allele in all, of a run like the one that is planned.
    """

    device: str
    window_s: float = 0.0
    alt_s: float = 0.0
    direct_s: float = 0.0
    allele_s: float | None = None

    def hours(self, work: Work, engine: Engine, *, readings: int) -> float:
        """Device-hours that the work takes at this speed."""
        if self.allele_s is not None:
            return work.alts * self.allele_s / _HOUR_S
        if engine == "direct":
            return readings * work.alts * self.direct_s / _HOUR_S
        once = work.windows * self.window_s + work.alts * self.alt_s + work.audited * self.direct_s
        return readings * once / _HOUR_S


def read_speed(path: str, *, model: str) -> Speed:
    """The speed that a file tells: of `benchmarks.engine`, or the status of a run with the same settings, as JSON.

    Raises:
        InputError: when it is neither, or of another model.
    """
    try:
        figures = json.loads(Path(path).read_text(encoding="utf-8"))
        speed, measured = _of_run(figures) if "rows_done" in figures else _of_benchmark(figures)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            f"{path}: not a measurement ({error!r}). Give the JSON of `python -m benchmarks.engine --json FILE`, or "
            "`enformer-ray status OUT --json` of a run that has scored something."
        ) from error
    if measured != model:
        raise InputError(f"{path}: measured with model {measured}, the plan is for {model}.")
    return speed


def _of_run(figures: Mapping[str, Any]) -> tuple[Speed, str]:
    device = "cuda" if figures["gpu_hours"] else "cpu"
    hours = figures["gpu_hours"] or figures["cpu_hours"]
    return Speed(device, allele_s=hours * _HOUR_S / figures["by_status"][Status.OK]), figures[
        "model"
    ]


def _of_benchmark(figures: Mapping[str, Any]) -> tuple[Speed, str]:
    machine, cases = figures["machine"], figures["cases"]
    cores = 1 if machine["device_type"] == "cuda" else machine["threads"]
    direct_s, centred_s, shared_s = (
        cases[case]["seconds_per_variant"] * cores for case in ("c", "d", "e")
    )
    speed = Speed(machine["device_type"], max(0.0, centred_s - shared_s), shared_s, direct_s)
    return speed, figures.get("model", "enformer")  # earlier benchmarks measured no other
