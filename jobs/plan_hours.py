"""From a plan's work to hours of hardware, wall clock and money: whose seconds are taken, and what is said of them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from enformer_core.analyses.cost import Work
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.speed import Speed, read_speed
from enformer_core.analyses.throughput import Hardware, hardware_here, hardware_named
from enformer_core.errors import InputError
from enformer_core.machine import cpu_count, device_here
from enformer_core.models.spec import ModelSpec, PassOperations
from enformer_core.words import counted, duration
from jobs.count import significant
from jobs.log import note
from jobs.resources import FULL_SIZE_CPUS
from jobs.settings import PlanSettings

if TYPE_CHECKING:
    from enformer_core.analyses.self_timing import Timed

_LARGE_PASS = 10**11
"""Operations of a pass beyond which they, and not what stands beside them, decide how long it takes."""

_HOUR_S = 3600

_PILOT = "--benchmark takes a pilot (enformer-ray docs cluster)"

_BETTER_HERE = f"Better: --calibrate times this machine, {_PILOT}"

_BETTER = f"Better: {_PILOT}"


@dataclass(frozen=True)
class Basis:
    """Whose seconds the hours follow from.

    Attributes:
        speed: the seconds.
        kind: `benchmark`, `calibrated`, `measured` or `estimated`.
        hardware: its name in the table of known hardware; None where it is measured.
        said: the same for people.
        gpus_here: of this machine; 0 where cores compute.
        rates: 10¹² operations a second of this machine, where it was calibrated.
        spread: part of its seconds by which rounds of that lie off their median; None of a single round, and elsewhere.
    """

    speed: Speed
    kind: str
    hardware: str | None
    said: str
    gpus_here: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    spread: float | None = None


@dataclass(frozen=True)
class Hours:
    """What a run takes of some hardware.

    Attributes:
        device: `cuda`, of which hours are hours of a GPU; or `cpu`, of which they are hours of a core.
        hours: those.
        by: the kind of basis.
        hardware: its name in the table of known hardware.
        workers: that work at once.
        units: GPUs or cores that they keep busy.
        wall_hours: from the first shard to the last.
        cost: at the price given.
        said: where the seconds come from, for people.
        rates: of this machine, where it was calibrated.
        spread: part of the hours by which that may be off, as far as its rounds show; None where they do not.
    """

    device: str
    hours: float
    by: str
    hardware: str | None
    workers: int
    units: int
    wall_hours: float
    cost: float | None
    said: str
    rates: Mapping[str, float]
    spread: float | None


def check_basis(settings: PlanSettings) -> None:
    """Refuse several sources of seconds, and a device beside hardware that has its own.

    Raises:
        InputError: naming them.
    """
    given = {
        "--benchmark": settings.benchmark is not None,
        "--hardware": settings.hardware is not None,
        "--calibrate": settings.calibrate,
    }
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise InputError(
            f"{' and '.join(named)}: each says how fast the run will be; give one of them"
        )
    if settings.hardware is not None and settings.device != "auto":
        raise InputError(
            f"--device {settings.device} and --hardware {settings.hardware}: the hardware says whether a GPU or a CPU "
            "computes; leave out --device"
        )


def basis_of(
    settings: PlanSettings, spec: ScoreSpec, operations: PassOperations, replicates: int = 1
) -> Basis | None:
    """Whose seconds are taken: a measurement's that is given, this machine's, or the table's.

    Args:
        settings: of the command.
        spec: how alleles are scored.
        operations: of one pass of one model.
        replicates: models that score each allele, of which these are the seconds together.

    Returns:
        None for small models, of which operations say little, and for GPUs that the table does not have.

    Raises:
        InputError: for a measurement that is none, for hardware of another name, and for either with a small model.
    """
    if settings.benchmark is not None:
        speed = read_speed(
            settings.benchmark, model=settings.model, spec=spec, replicates=replicates
        )
        gpus = 0 if speed.device == "cpu" else hardware_here(settings.device)[1]
        said = f"{settings.benchmark}; {speed.said}" if speed.said else str(settings.benchmark)
        return Basis(speed, "benchmark", None, said, max(1, gpus))
    if operations.total < _LARGE_PASS:
        if settings.calibrate or settings.hardware is not None:
            option = "--calibrate" if settings.calibrate else f"--hardware {settings.hardware}"
            raise InputError(
                f"{option}: {settings.model} is a small model, whose operations say little of its hours; "
                "give --benchmark FILE (enformer-ray docs cluster)"
            )
        return None
    basis = _basis_of_one(settings, spec, operations)
    return None if basis is None else replace(basis, speed=basis.speed.times(replicates))


def _basis_of_one(
    settings: PlanSettings, spec: ScoreSpec, operations: PassOperations
) -> Basis | None:
    """The seconds of one model, of this machine or the table."""
    if settings.calibrate:
        return _calibrated(settings, spec, operations)
    if settings.hardware is not None:
        return _of_table(
            hardware_named(settings.hardware), spec, operations, gpus_here=0, is_named=True
        )
    hardware, gpus = hardware_here(settings.device)
    if hardware is None:
        return None
    return _of_table(hardware, spec, operations, gpus_here=gpus, is_named=False)


def no_hours(model: ModelSpec[Any], head: str) -> str:
    """What is said where there is no basis: for people, with what would be one.

    Args:
        model: as it is scored, with the sizes of its own `--params`.
        head: of it.
    """
    of_a_track = model.pass_operations(head, [0])
    if of_a_track.total < _LARGE_PASS:
        return (
            f"hours    not known: the model is small (seconds for some hundred alleles). {_BETTER}"
        )
    return f"hours    not known: the table has no such GPU. {_BETTER_HERE}"


def _of_table(
    hardware: Hardware,
    spec: ScoreSpec,
    operations: PassOperations,
    *,
    gpus_here: int,
    is_named: bool,
) -> Basis:
    speed = hardware.speed(spec.precision, operations)
    # of hardware that is named this machine's seconds say nothing
    better = _BETTER if is_named else _BETTER_HERE
    said = f"{hardware.title}, {hardware.kind.upper()}: {hardware.source}. {better}"
    return Basis(speed, hardware.kind, hardware.name, said, gpus_here)


def _calibrated(settings: PlanSettings, spec: ScoreSpec, operations: PassOperations) -> Basis:
    # torch takes seconds to load, which are of the same budget
    begun = time.perf_counter()
    import torch

    from enformer_core.analyses.self_timing import BUDGET_S, stopwatch, time_this_machine

    note(f"timing this machine, some {BUDGET_S:.0f} s …")
    device = torch.device(device_here(settings.device))
    watch = stopwatch(device, ends=begun + BUDGET_S)
    timed = time_this_machine(device, spec.precision, spec.conventions.statistics, watch)
    said = _said_of(timed, time.perf_counter() - begun, is_gpu=device.type == "cuda")
    gpus = hardware_here(settings.device)[1]
    speed = timed.speed.scaled(operations, timed.operations)
    return Basis(speed, "calibrated", None, said, gpus, timed.rates, timed.spread)


def _said_of(timed: "Timed", spent_s: float, *, is_gpu: bool) -> str:
    """How long a machine timed itself, how sure that is, and what came out."""
    sure = "one round of pieces, so that nothing says how sure it is"
    if timed.spread is not None:
        sure = f"{counted(timed.rounds, 'rounds')} of pieces, within ± {timed.spread:.1%}"
    if timed.length < 1:
        sure += f", in layers of {timed.length:.0%} of a window"
    rates = ", ".join(f"{name} {significant(rate)}" for name, rate in timed.rates.items())
    unit = "a GPU" if is_gpu else "a core"
    return (
        f"this machine, CALIBRATED in {spent_s:.0f} s: {sure} "
        f"(TFLOP/s of {unit}: {rates}; {timed.arithmetic})"
    )


def hours_of(
    settings: PlanSettings,
    basis: Basis,
    spec: ScoreSpec,
    work: Work,
    *,
    audit_share: float,
    shards: int,
) -> Hours:
    """Hours, wall clock and cost of a plan's work.

    Args:
        settings: which workers there are, and the price.
        basis: whose seconds.
        spec: how alleles are scored.
        work: what is computed.
        audit_share: part of it that the audit takes, where the basis has timed none.
        shards: in how many pieces.
    """
    speed = basis.speed
    hours = speed.hours(work, spec.engine, views=spec.conventions.views)
    if speed.allele_s is not None and speed.audited_s is None:
        hours /= 1 - audit_share
    workers, each = _workers(settings, basis)
    # a piece of work has one worker
    workers = max(1, min(workers, shards))
    units = workers * each
    price = settings.price_per_hour
    return Hours(
        device=speed.device,
        hours=hours,
        by=basis.kind,
        hardware=basis.hardware,
        workers=workers,
        units=units,
        wall_hours=hours / units,
        cost=None if price is None else hours * price,
        said=basis.said,
        rates=basis.rates,
        spread=basis.spread,
    )


def _workers(settings: PlanSettings, basis: Basis) -> tuple[int, int]:
    """How many workers there are, and how many GPUs or cores each has."""
    named = settings.hardware is not None or settings.ray not in ("off", "local")
    if basis.speed.device == "cuda":
        here = 1 if named or settings.ray == "off" else basis.gpus_here
        return settings.workers or max(1, here), 1
    if named:
        return settings.workers or 1, FULL_SIZE_CPUS
    cores = cpu_count()
    if settings.ray == "off":
        return 1, cores
    # more workers than cores have no more than these
    workers = min(settings.workers or max(1, cores // FULL_SIZE_CPUS), cores)
    return workers, max(1, cores // workers)


def lines_of(hours: Hours) -> list[str]:
    """The same for people."""
    unit = "GPU" if hours.device == "cuda" else "CPU-core"
    units = counted(hours.units, "GPUs" if hours.device == "cuda" else "CPU cores")
    if hours.device != "cuda" and hours.workers > 1:
        each = hours.units // hours.workers
        units += f" ({hours.workers:,} workers × {each:,})"
    lines = [
        f"hours    {significant(hours.hours)} {unit}-hours",
        f"time     {duration(hours.wall_hours * _HOUR_S)} on {units}",
    ]
    if hours.cost is not None:
        lines.append(f"cost     {hours.cost:,.2f}")
    return [*lines, f"by       {hours.said}"]
