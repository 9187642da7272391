"""From settings to what they mean for alleles: which are read, and how they are scored.

`score` and `plan` resolve them alike, here and once; nothing below sees an option of the command line.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from enformer_core.analyses.cost_notes import SHARED_OFFSET_BP
from enformer_core.analyses.model_inputs import located
from enformer_core.analyses.mutagenesis_input import Mutagenesis, find_targets
from enformer_core.analyses.named_weights import models_named
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_input import VariantInput
from enformer_core.dataset.plan_builder import Report
from enformer_core.dataset.schemas import scores_schema, spread_of
from enformer_core.dataset.sharding import ALLELES_LEAST
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Regions
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import (
    AUDIT_TOLERANCE,
    Conventions,
    centre_index_of,
    default_max_allele_bp,
    parse_indel_rule,
    parse_statistics,
    sharing_windows,
)
from enformer_core.scoring.rounding import default_mantissa_bits
from enformer_core.storage.open import local_path, parse_address
from enformer_core.user_path import named_as_given, readable_name
from enformer_core.variants.filters import Filters, regions_of
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.input_files import InputFile
from enformer_core.variants.kept_columns import parse_kept
from enformer_core.variants.named_files import files_named
from jobs.mutagenesis_settings import DEFAULT_FLANK_BP
from jobs.reading_progress import ReadingProgress
from jobs.settings import VariantRecordSettings, VariantSettings

_SHARING_LEAST = 96
"""Alleles of a shard at least where all share windows: a window's reference takes as long as some seven alleles, and
every shard computes it anew."""


def conventions_of(settings: VariantSettings, geometry: Geometry) -> Conventions:
    """How alleles are to be scored; looks at no file.

    Raises:
        InputError: for what a model of this geometry cannot do.
    """
    _check_spread(settings)
    given = Conventions(
        geometry=geometry,
        statistics=parse_statistics(settings.statistics),
        centre_index=centre_index_of(settings.centre_bin, geometry),
        strands="forward" if settings.strands == "forward" else "both",
        shifts=settings.shifts,
        central_bins=settings.central_bins,
        centre_mask_bp=settings.centre_mask_bp,
        indel_rule=parse_indel_rule(settings.indel_rule),
        max_offset_bp=settings.max_offset_bp or 0,
        average_shifts=settings.average_shifts,
        unsquash=settings.unsquash,
    )
    # all changes of a stretch lie beside each other: without shared windows most of the work would be repeated
    if settings.mutates and settings.max_offset_bp is None:
        return sharing_windows(given, SHARED_OFFSET_BP)
    return given


def _check_spread(settings: VariantSettings) -> None:
    """Refuse a statistic that has the name of another one's spread."""
    if models_named(settings.weights) == 1:
        return
    for name in settings.statistics:
        if spread_of(name) in settings.statistics:
            raise InputError(
                f"--statistics {name},{spread_of(name)}: the second is what the spread of the first over replicates is "
                "called. Leave out one of them."
            )


def notes_of_sharing(settings: VariantSettings, conventions: Conventions) -> list[str]:
    """What a user should know of an offset that nobody asked for."""
    offset_bp = conventions.max_offset_bp
    if settings.max_offset_bp is not None or not offset_bp:
        return []
    return [
        f"--max-offset-bp {offset_bp} by default, since changes of --mutagenesis lie beside each other: they share "
        f"windows, up to {offset_bp:,} bp off their centre; 0 centres each base exactly, at several times the work"
    ]


def score_spec(settings: VariantSettings, conventions: Conventions) -> ScoreSpec:
    """How alleles are scored, with the defaults that follow from engine and precision."""
    is_direct = settings.engine == "direct"
    mantissa_bits = settings.mantissa_bits
    if mantissa_bits is None:
        mantissa_bits = default_mantissa_bits(settings.engine, settings.precision)
    return ScoreSpec(
        conventions=conventions,
        engine=settings.engine,
        precision=settings.precision,
        audit_fraction=0.0 if is_direct else settings.audit_fraction,  # it would repeat the same
        audit_tolerance=settings.audit_tolerance or AUDIT_TOLERANCE[settings.precision],
        mantissa_bits=mantissa_bits,
        top_tracks=settings.top_tracks,
    )


def variant_input(settings: VariantSettings, geometry: Geometry, genome: Genome) -> VariantInput:
    """Which alleles are to be scored.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    _check_gene_options(settings)
    names = (*settings.variants, *settings.mutagenesis_around)
    files = tuple(file for name in names for file in files_named(name))
    records = records_of(files, settings, geometry, genome)
    return replace(
        records,
        shard_size=settings.shard_size,
        mutagenesis=_mutagenesis(settings, genome, records.max_allele_bp)
        if settings.mutates
        else None,
        least_shard=_SHARING_LEAST if settings.mutates else ALLELES_LEAST,
        keep=_kept(settings),
    )


def _kept(settings: VariantSettings) -> tuple[str, ...]:
    """Names of columns that are kept, none of them the run's own."""
    names = settings.keep_columns
    if names and settings.mutates:
        raise InputError(
            f"--keep-columns {','.join(names)}: keeps columns of the input's records, and changes of --mutagenesis are "
            "in no file. Leave it out."
        )
    has_spread = models_named(settings.weights) > 1
    own = scores_schema(parse_statistics(settings.statistics), has_spread=has_spread).names
    # of SQL's tables and of Iceberg's
    return parse_kept(names, [*own, "chrom", "run"])


def records_of(
    files: tuple[InputFile, ...],
    settings: VariantRecordSettings,
    geometry: Geometry,
    genome: Genome,
) -> VariantInput:
    """The alleles of files that the settings of records choose, whatever is done with them.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    filters = Filters(
        regions=_regions(settings.regions, genome) if settings.regions else None,
        min_maf=settings.min_maf,
        max_maf=settings.max_maf,
        only_pass=settings.only_pass,
        max_indel_bp=settings.max_indel_bp,
        seed=settings.sample_seed,
    )
    return VariantInput(
        files=files,
        sites=None if settings.sites is None else _sites_named(settings.sites),
        given=GivenColumns.parse(settings.columns, settings.effect_allele),
        filters=filters,
        sample=settings.sample,
        genome=genome,
        max_allele_bp=settings.max_allele_bp or default_max_allele_bp(geometry),
        allow_swapped=settings.allow_swapped,
        allow_mismatch=settings.allow_mismatch,
        shard_size=None,
        allow_malformed=settings.allow_malformed,
    )


def _check_gene_options(settings: VariantSettings) -> None:
    """Refuse what says nothing without genes."""
    values = {
        "--gene-types": settings.gene_types or None,
        "--gene-list": settings.gene_list,
        "--tss-bins": settings.tss_bins,
        "--exon-tracks": settings.exon_tracks,
    }
    given = " and ".join(option for option, value in values.items() if value is not None)
    if given and settings.genes is None:
        raise InputError(f"{given}: is about genes, and none were given. Add --genes FILE.")


def _mutagenesis(settings: VariantSettings, genome: Genome, max_allele_bp: int) -> Mutagenesis:
    _check_file_options(settings)
    deletions_bp = settings.deletions
    # REF has the base before the stretch too
    if deletions_bp is not None and deletions_bp >= max_allele_bp:
        raise InputError(
            f"--deletions {deletions_bp}: REF, with the base before, would have {deletions_bp + 1:,} bases, and "
            f"--max-allele-bp is {max_allele_bp:,}"
        )
    regions = [InputFile(Path(located(text)), readable_name(text)) for text in settings.mutagenesis]
    flank_bp = DEFAULT_FLANK_BP if settings.flank is None else settings.flank
    return Mutagenesis(find_targets(regions, genome), flank_bp, deletions_bp)


def _regions(names: Sequence[str], genome: Genome) -> Regions:
    """The regions of texts and of files, which refusals call as the user does."""
    paths = [located(name) for name in names]
    with ExitStack() as named:
        for path, name in zip(paths, names, strict=True):
            named.enter_context(named_as_given(path, name))
        return regions_of(paths, genome)


def _check_file_options(settings: VariantSettings) -> None:
    """Refuse what says how files are read where none is."""
    if settings.mutagenesis_around:
        return
    values = {
        "--sites": settings.sites,
        "--columns": settings.columns,
        "--effect-allele": settings.effect_allele,
    }
    given = " and ".join(option for option, value in values.items() if value)
    if given:
        raise InputError(
            f"{given} say how files are read, and --mutagenesis reads none of variants"
        )


@contextmanager
def planning_progress() -> Iterator[Report]:
    """Show how many alleles are through which step of planning."""
    with ReadingProgress("alleles") as progress:
        yield progress.show


def _sites_named(name: str) -> Path | InputFile:
    """The table of sites on this node; of an object, with the address that messages name."""
    if parse_address(name) is None:
        return Path(located(name))
    return InputFile(Path(local_path(name)), name)
