"""`enformer-ray plan`: what a run comes to, before anything is written or paid for."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from enformer_core.analyses.audit_kinds import audit_sample
from enformer_core.analyses.cost import Work, output_bytes, total_operations
from enformer_core.analyses.cost_notes import Sharing, cost_notes
from enformer_core.analyses.model_inputs import (
    check_strands,
    genome_named,
    located,
    squashings_undone,
    tracks_named,
)
from enformer_core.analyses.mutagenesis_input import passed_over
from enformer_core.analyses.named_weights import models_named
from enformer_core.analyses.reusable_runs import Deciding, find_reusable
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_input import VariantInput
from enformer_core.dataset.keys import UNPLACED
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.machine import total_memory_bytes
from enformer_core.models.registry import sized_spec
from enformer_core.models.spec import ModelSpec, PassOperations
from enformer_core.models.tracks.selector import select_tracks, selection_in_words
from enformer_core.models.tracks.table import Tracks
from enformer_core.storage.open import parse_address
from enformer_core.user_path import file_in_the_way
from enformer_core.variants.columns_taken import ColumnsTaken
from enformer_core.words import counted
from jobs import exit_codes
from jobs.count import significant
from jobs.gene_plan import genes_asked, read_asked
from jobs.log import note
from jobs.plan_hours import Basis, Hours, basis_of, check_basis, hours_of, lines_of, no_hours
from jobs.plan_weights import unseen_weights
from jobs.resources import worker_memory_bytes
from jobs.settings import PlanSettings, check_price
from jobs.terminal import print_prose
from jobs.variant_plan import (
    conventions_of,
    notes_of_sharing,
    planning_progress,
    score_spec,
    variant_input,
)

_GB = 10**9


@dataclass(frozen=True)
class Outlook:
    """A run before it begins.

    Attributes:
        model: which one it is reckoned for.
        replicates: of how many of it the mean is.
        records: of the input, after the filters.
        alleles: rows that the output will have.
        by_status: those by status.
        contigs: those by contig of the genome; `__unplaced__` for rows without a place.
        by_flag: rows by flag; a row may have several.
        filtered: records that the filters took out, by filter.
        columns: which columns of the files were taken for what.
        tracks: how many of the head's, and the first of them.
        shards: pieces of work.
        windows: windows of the reference to be read, each in every strand and shift.
        alts: distinct alleles to be scored.
        reused: distinct alleles that other runs have scored, with --reuse; they are no part of `alts` nor of the work.
        tflop: 10¹² floating-point operations.
        gene_rows: pairs of an allele and a gene in reach, with --genes.
        output_bytes: size of the tables, some 20 % more or less.
        indels: those of `alts` that insert or delete.
        towers: windows of which the tower computes tokens, of those that overlap only what is new.
        flanks: as many windows' tokens more, for flanks that indels move in shared windows.
        estimate: hours, wall clock and cost; None for small models, and for GPUs of which nothing is known.
        audited: alleles that are scored a second time, by direct passes.
        audit_share: part of the work that this takes, 0 to 1.
        audit_hours: part of the estimate's hours that this takes; None without an estimate.
        sharing: what it would save if neighbours shared windows, by how far off the centre; what is little is left out.
        notes: both for people.
    """

    model: str
    replicates: int
    records: int
    alleles: int
    by_status: Mapping[str, int]
    contigs: Mapping[str, int]
    by_flag: Mapping[str, int]
    filtered: Mapping[str, int]
    columns: Sequence[ColumnsTaken]
    tracks: str
    shards: int
    windows: int
    alts: int
    reused: int
    tflop: float
    gene_rows: int
    output_bytes: int
    indels: int
    towers: float
    flanks: float
    estimate: Hours | None
    audited: int
    audit_share: float
    audit_hours: float | None
    sharing: tuple[Sharing, ...]
    notes: tuple[str, ...]


def plan(settings: PlanSettings) -> int:
    """Read the variants, plan the run and print what it will take.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that `score` would refuse of the input, and for what fits neither memory nor disk.
    """
    check_basis(settings)
    model = _model(settings)
    geometry = model.config.geometry
    conventions = conventions_of(settings, geometry)
    unseen = unseen_weights(settings)
    variants = variant_input(settings, geometry, genome_named(settings.genome))
    outlook = _look_ahead(settings, variants, score_spec(settings, conventions))
    outlook = replace(outlook, notes=(*unseen, *outlook.notes))
    if settings.json:
        print(json.dumps(asdict(outlook)))
    else:
        print_prose(_lines(outlook, variants.filtered_unit, no_hours(model, settings.head)))
    # what is planned for other hardware need not fit here
    if settings.hardware is None:
        check_memory(settings)
    check_disk(settings.out, outlook.output_bytes)
    return exit_codes.DONE


def _model(settings: PlanSettings) -> ModelSpec[Any]:
    return sized_spec(settings.model, located(settings.params))


def _look_ahead(settings: PlanSettings, variants: VariantInput, spec: ScoreSpec) -> Outlook:
    model = _model(settings)
    selected = _tracks(settings, model)
    tracks = selected.indices()
    if settings.genes is not None:
        asked = genes_asked(settings, settings.genes, selected)
        genes = read_asked(asked, variants.genome)
        variants = replace(variants, reach=asked.reach(genes, spec))
    replicates = models_named(settings.weights)
    of_one = model.pass_operations(settings.head, tracks)
    operations = of_one.times(replicates)
    basis = _basis(settings, spec, of_one)
    views = spec.conventions.views
    with variants.read(progress=planning_progress, warn=note) as read:
        alleles = read.alleles
        audit = audit_sample(spec, "", variants.genome, operations=operations)
        draft = variants.draft(alleles, spec.conventions, audit=audit)
        deciding = _deciding(settings, selected, variants.genome, spec)
        parts, reused = _without_reused(settings, draft.parts, deciding)
        notes = cost_notes(parts, spec, operations, speed=None if basis is None else basis.speed)
        work = notes.work
        total = total_operations(work, settings.engine, views=views, operations=operations)
        estimate = None
        if basis is not None:
            shards = len(draft.shards)
            share = notes.audit_share
            estimate = hours_of(settings, basis, spec, work, audit_share=share, shards=shards)
        return Outlook(
            model=settings.model,
            replicates=replicates,
            records=alleles.records,
            alleles=alleles.alleles,
            by_status=dict(draft.by_status),
            contigs={name or UNPLACED: rows for name, rows in alleles.by_contig.items()},
            by_flag=dict(alleles.by_flag),
            filtered=read.removed,
            columns=read.columns,
            tracks=selection_in_words(selected),
            shards=len(draft.shards),
            windows=work.windows,
            alts=work.alts,
            reused=reused,
            tflop=total / 1e12,
            gene_rows=read.gene_rows,
            output_bytes=_output_bytes(
                spec, work, reused, len(tracks), read.gene_rows, has_spread=replicates > 1
            ),
            indels=work.indels,
            towers=round(work.towers, 2),
            flanks=round(work.flanks, 2),
            estimate=estimate,
            audited=work.audited,
            audit_share=round(notes.audit_share, 4),
            audit_hours=None if estimate is None else estimate.hours * notes.audit_share,
            sharing=notes.sharing,
            notes=(
                *notes_of_sharing(settings, spec.conventions),
                *notes.sharing_lines(),
            ),
        )


def _basis(settings: PlanSettings, spec: ScoreSpec, operations: PassOperations) -> Basis | None:
    """Whose seconds are taken, of a model whose pass takes these operations; a price must have hours."""
    check_price(settings.price_per_hour)
    basis = basis_of(settings, spec, operations, models_named(settings.weights))
    if basis is None and settings.price_per_hour is not None:
        raise InputError("--price-per-hour: the cost follows from hours; give --benchmark FILE too")
    return basis


def _tracks(settings: PlanSettings, model: ModelSpec[Any]) -> Tracks:
    """The head's tracks that are asked for, which the engine can carry and read as is asked."""
    table = tracks_named(model, settings.head, settings.targets)
    check_strands(model, table, settings.strands)
    selected, doubts = select_tracks(table, settings.tracks)
    for doubt in doubts:
        note(doubt)
    # refused before anything is read
    squashings_undone(selected, settings.unsquash)
    return selected


def _deciding(
    settings: PlanSettings,
    selected: Tracks,
    genome: Genome,
    spec: ScoreSpec,
) -> Deciding:
    """What another run must have in common with this one, that its scores are taken."""
    return Deciding(
        model=settings.model,
        head=settings.head,
        weights_sha256=None,
        tracks=selected.indices(),
        genome=genome,
        spec=spec,
        strand_pairs=selected.strand_pairs(),
        squashings=squashings_undone(selected, settings.unsquash),
        replicates=models_named(settings.weights),
    )


def _without_reused(
    settings: PlanSettings,
    parts: Sequence[Path | bytes],
    deciding: Deciding,
) -> tuple[Sequence[Path | bytes], int]:
    """What of the plan is left to score, and how many alleles other runs have."""
    if not settings.reuse:
        return parts, 0
    from enformer_core.analyses.reuse import without_reused

    runs = [find_reusable(run, deciding) for run in settings.reuse]
    return without_reused(parts, runs, deciding.spec.conventions.statistics)


def _output_bytes(
    spec: ScoreSpec, work: Work, reused: int, tracks: int, gene_rows: int, *, has_spread: bool
) -> int:
    return output_bytes(
        replace(work, alts=work.alts + reused),
        statistics=len(spec.conventions.statistics),
        tracks=tracks,
        top_tracks=spec.top_tracks,
        mantissa_bits=spec.mantissa_bits,
        gene_rows=gene_rows,
        has_spread=has_spread,
    )


def check_memory(settings: PlanSettings) -> None:
    """Refuse what this machine cannot hold, where the run is to be on this machine.

    Raises:
        InputError: with both figures.
    """
    if settings.ray not in ("off", "local"):
        return
    workers = 1 if settings.ray == "off" else settings.workers or 1
    replicates = models_named(settings.weights)
    needed = workers * worker_memory_bytes(settings.model, replicates)
    if needed > (has := total_memory_bytes()):
        raise InputError(
            f"--workers {workers}, each with {replicates} × {settings.model}: needs {needed / _GB:.1f} GB of memory, "
            f"this machine has {has / _GB:.1f} GB. Take fewer workers or replicates, or a cluster (--ray ADDRESS)."
        )


def check_disk(out: str, needed_bytes: int) -> None:
    """Refuse an output that the disk of a local directory cannot hold, and one that cannot be a directory.

    Raises:
        InputError: with both figures; naming the file that stands in the way.
    """
    if not out or parse_address(out) is not None:
        return
    file = file_in_the_way(Path(out))
    if file is not None:
        raise InputError(f"{out}: {file} is a file; --out must be a directory")
    folder = Path(out).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise InputError(
            f"{out}: the output takes about {needed_bytes / _GB:,.1f} GB, {folder} has {free / _GB:,.1f} GB free. "
            "Choose fewer tracks or statistics, another --out, or s3://."
        )


def _lines(outlook: Outlook, unit: str, without_hours: str) -> list[str]:
    """The outlook for people.

    Args:
        outlook: what is to be said.
        unit: what filters take out, in the plural.
        without_hours: what is said where there is no estimate.
    """
    lines = [
        *(f"columns  {taken}" for taken in outlook.columns),
        f"records  {outlook.records:,}",
        f"alleles  {outlook.alleles:,} in {counted(outlook.shards, 'shards')}",
        *(f"  {status:<16}{rows:>14,}" for status, rows in outlook.by_status.items()),
        *(f"left out {_left_out(name, rows, unit)}" for name, rows in outlook.filtered.items()),
        f"contigs  {_by_contig(outlook.contigs)}",
        f"tracks   {outlook.tracks}",
        *(
            [f"reused   {counted(outlook.reused, 'distinct alleles')}, if the weights are the same"]
            if outlook.reused
            else []
        ),
        *_to_score(outlook),
        *(
            [f"genes    {counted(outlook.gene_rows, 'rows')} of gene_effects"]
            if outlook.gene_rows
            else []
        ),
        f"output   about {_size(outlook.output_bytes)}",
    ]
    if outlook.alts:
        lines.extend([without_hours] if outlook.estimate is None else lines_of(outlook.estimate))
    if outlook.audit_share:
        lines.append(f"audit    {_audit(outlook)}")
    return [*lines, *(f"note: {note}" for note in outlook.notes)]


def _left_out(name: str, rows: int, unit: str) -> str:
    """What has no rows, and by which filter; of mutagenesis also what it had to pass over."""
    said = passed_over(name, rows)
    if said is not None:
        return said
    return f"{rows:,} {unit} by {name}"


def _by_contig(contigs: Mapping[str, int]) -> str:
    """How many rows each contig has, and how many have no place on any."""
    counts = [f"{name} {rows:,}" for name, rows in contigs.items() if name != UNPLACED]
    unplaced = contigs.get(UNPLACED)
    return ", ".join([*counts, f"{unplaced:,} without a place"] if unplaced else counts)


def _to_score(outlook: Outlook) -> list[str]:
    if not outlook.alts and outlook.reused:
        return ["to score nothing: all is reused"]
    if not outlook.alts:
        return [f"to score nothing: of {counted(outlook.alleles, 'alleles')} none is ok"]
    alleles = counted(outlook.alts, "distinct alleles")
    several = "" if outlook.replicates == 1 else f"{outlook.replicates} replicates of "
    return [
        f"to score {alleles} in {counted(outlook.windows, 'windows')}",
        f"work     {significant(outlook.tflop)} TFLOP by {several}{outlook.model}",
    ]


def _audit(outlook: Outlook) -> str:
    """What of the hours goes into scoring some alleles twice; `score` says at its end how many seconds it was."""
    alleles = counted(outlook.audited, "alleles")
    # which ones are copied is not known before their shards are looked at
    about = "about " if outlook.reused else ""
    said = (
        f"{about}{alleles} a second time, by direct passes: {outlook.audit_share:.1%} of the work"
    )
    if outlook.estimate is not None and outlook.audit_hours is not None:
        kind = "GPU" if outlook.estimate.device == "cuda" else "CPU-core"
        said += f", {significant(outlook.audit_hours)} {kind}-hours"
    copied = "; copied ones are not audited" if outlook.reused else ""
    return f"{said} (--audit-fraction){copied}"


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"
