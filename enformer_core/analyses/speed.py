"""How fast a run is computed: seconds of its parts, from a measurement or a table, and the hours that follow.

Does not know plans, nor what hardware there is: see `cost` and `throughput`.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

from enformer_core.analyses.cost import AUDIT_WEIGHT, MOVED_FLANK, Work
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.dataset.codec import JsonObject
from enformer_core.errors import InputError
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import Engine
from enformer_core.variants.table import Status
from enformer_core.words import counted

_HOUR_S = 3600

_BENCHMARK_MODEL = "enformer"  # of the benchmark's files that do not name one

# Cases of `benchmarks.engine`, which are letters
_DIRECT = "c"  # two full passes for each variant
_DELTA_CENTRED = "d"  # differences; every variant has a window of its own
_DELTA_SHARED = "e"  # differences; all variants share one window

_TOWER_SHARE = 0.76
"""Of the operations of a window's reference, Enformer's tower."""


@dataclass(frozen=True)
class Speed:
    """Seconds of a GPU or of a CPU core, of one reading of each part of a run.

    Attributes:
        device: `cuda`, of which hours are hours of a GPU; or `cpu`, of which they are hours of a core.
        tower_s: of a window's tokens.
        trunk_s: of the rest of its reference.
        snv_s: of an SNV beside its reference.
        shared_indel_s: of an insertion or deletion beside a shared reference, without its moved flank's tokens.
        centred_indel_s: of one beside a reference of its own, those included.
        direct_s: of an allele by two direct passes.
        allele_s: or of an allele in all, of a run like the one that is planned, in all of its readings, without the
            audit.
        audited_s: of an audited allele, likewise; None where the run audited none.
        said: how the measurement was turned into that of the plan.
    """

    device: str
    tower_s: float = 0.0
    trunk_s: float = 0.0
    snv_s: float = 0.0
    shared_indel_s: float = 0.0
    centred_indel_s: float = 0.0
    direct_s: float = 0.0
    allele_s: float | None = None
    audited_s: float | None = None
    said: str = ""

    def hours(self, work: Work, engine: Engine, *, views: int) -> float:
        """Device-hours that the work takes at this speed.

        Args:
            work: what is computed.
            engine: how.
            views: strands × shifts.
        """
        if self.allele_s is not None:
            audited = work.audited if engine == "delta" else 0
            return (work.alts * self.allele_s + audited * (self.audited_s or 0.0)) / _HOUR_S
        if engine == "direct":
            return views * work.alts * self.direct_s / _HOUR_S
        indel_s = self.shared_indel_s if work.overlapping else self.centred_indel_s
        references = (work.towers + work.flanks) * self.tower_s + work.windows * self.trunk_s
        differences = (work.alts - work.indels) * self.snv_s + work.indels * indel_s
        audit = work.audited * self.direct_s * AUDIT_WEIGHT
        return views * (references + differences + audit) / _HOUR_S

    def times(self, factor: float) -> "Speed":
        """The seconds of as many times the work."""
        timed = [each.name for each in fields(self) if each.name.endswith("_s")]
        seconds = {name: getattr(self, name) for name in timed}
        return replace(
            self, **{name: factor * value for name, value in seconds.items() if value is not None}
        )

    def scaled(self, to: PassOperations, measured: PassOperations) -> "Speed":
        """The seconds of a model whose passes take other operations than that which was measured."""
        tower = to.tower / measured.tower
        rest = to.after_tower / measured.after_tower
        tower_s = tower * self.tower_s

        def of_indel(seconds: float) -> float:
            # what an indel takes beyond an SNV is the tower's
            return rest * self.snv_s + tower * (seconds - self.snv_s)

        return Speed(
            device=self.device,
            tower_s=tower_s,
            trunk_s=rest * self.trunk_s,
            snv_s=rest * self.snv_s,
            shared_indel_s=of_indel(self.shared_indel_s),
            centred_indel_s=of_indel(self.centred_indel_s),
            direct_s=to.total / measured.total * self.direct_s,
        )


def read_speed(path: str, *, model: str, spec: ScoreSpec, replicates: int = 1) -> Speed:
    """Read a measurement: JSON of `benchmarks.engine`, or the status of a run with the same settings.

    Args:
        path: of the file.
        model: the name of the model that is to be planned for.
        spec: how it is to score; a pilot of more or fewer readings, of strands and shifts, is scaled.
        replicates: of how many models the mean is planned; a pilot of more or fewer is scaled likewise.

    Raises:
        InputError: when it is neither, or of another model; and where its windows, engine or precision are others.
    """
    try:
        figures = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        if "rows_done" in figures:
            speed = _speed_of_run(figures)
            measured = figures["model"]
            readings = _readings(figures)
        else:
            speed = _speed_of_benchmark(figures)
            readings = None
            measured = figures.get("model", _BENCHMARK_MODEL)
        models = figures.get("replicates", 1)
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
    if readings is None:
        return speed.times(replicates / models)
    _check_like(path, figures, spec)
    return _in_readings(speed, readings, spec.conventions.views).times(replicates / models)


def _readings(status: JsonObject) -> int | None:
    """How many predictions of a window a run averages; None of files that do not say it."""
    conventions = status.get("conventions")
    if conventions is None:
        return None
    return len(conventions["shifts"]) * (2 if conventions["strands"] == "both" else 1)


def _check_like(path: str, status: JsonObject, spec: ScoreSpec) -> None:
    """Refuse a pilot whose seconds say nothing of the plan's."""
    planned = {
        "--engine": spec.engine,
        "--precision": spec.precision if spec.engine == "delta" else None,
        "--max-offset-bp": spec.conventions.max_offset_bp,
    }
    offset_bp = status["conventions"].get("max_offset_bp", 0)
    measured = {
        "--engine": status.get("engine"),
        "--precision": status.get("precision"),
        "--max-offset-bp": offset_bp,
    }
    differing = [name for name, value in planned.items() if measured[name] != value]
    if not differing:
        return
    of_pilot = ", ".join(f"{name} {measured[name]}" for name in differing)
    of_plan = ", ".join(f"{name} {planned[name]}" for name in differing)
    raise InputError(
        f"{path}: the pilot was scored with {of_pilot}, the plan is for {of_plan}, which takes another time for each "
        "allele. Plan with the pilot's settings, or score a pilot with the plan's."
    )


def _in_readings(speed: Speed, measured: int, planned: int) -> Speed:
    """The seconds of as many readings as are planned."""
    if measured == planned:
        return speed
    factor = planned / measured
    audited_s = None if speed.audited_s is None else factor * speed.audited_s
    said = (
        f"its strands and shifts are {counted(measured, 'readings')} of each window and the plan's {planned}, so its "
        f"seconds count {factor:.3g} times"
    )
    allele_s = factor * (speed.allele_s or 0.0)
    return replace(speed, allele_s=allele_s, audited_s=audited_s, said=said)


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
    device_s = (gpu_hours or status["cpu_hours"]) * _HOUR_S
    # as many cores or GPUs are held while alleles are audited as while they are scored
    audit_part = _audit_part(status)
    audited = max((each["audited"] for each in status.get("audit", {}).values()), default=0)
    return Speed(
        device="cuda" if gpu_hours else "cpu",
        allele_s=device_s * (1 - audit_part) / status["by_status"][Status.OK],
        audited_s=device_s * audit_part / audited if audited and audit_part else None,
    )


def _audit_part(status: JsonObject) -> float:
    """Which part of a run's time its audit took; 0 of runs that did not write it down."""
    computed_s = status.get("seconds", 0.0)
    return min(1.0, status.get("audit_seconds", 0.0) / computed_s) if computed_s else 0.0


def _speed_of_benchmark(figures: JsonObject) -> Speed:
    """From the figures of `benchmarks.engine`; what they lack raises KeyError."""
    machine = figures["machine"]
    # On CPUs all cores worked on one variant; hours are told of one core.
    cores = 1 if machine["device_type"] == "cuda" else machine["threads"]
    # Files that do not say which strands they read are of one.
    readings = 2 if figures.get("strands") == "both" else 1

    def device_s(case: str) -> float:
        return figures["cases"][case]["seconds_per_variant"] * cores / readings

    snv_s = device_s(_DELTA_SHARED)
    window_s = max(0.0, device_s(_DELTA_CENTRED) - snv_s)
    tower_s = _TOWER_SHARE * window_s
    return Speed(
        device=machine["device_type"],
        tower_s=tower_s,
        trunk_s=window_s - tower_s,
        snv_s=snv_s,
        shared_indel_s=snv_s,
        centred_indel_s=snv_s + MOVED_FLANK * tower_s,
        direct_s=device_s(_DIRECT),
    )
