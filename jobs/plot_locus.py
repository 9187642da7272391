"""`enformer-ray plot locus`: a study, fine-mapping, genes and a run's scores, one above the other on one stretch."""

from collections.abc import Iterator

import polars as pl

from enformer_core.errors import InputError
from enformer_core.genome.genes import Gene, read_genes_by_contig
from enformer_core.genome.regions import parse_region
from enformer_core.pictures.gene_row import gene_row
from enformer_core.pictures.point_rows import association_row, probability_row, score_row
from enformer_core.pictures.stack import Row, Stretch, stacked
from enformer_core.storage.open import local_path
from enformer_core.variants.allele_keys import parse_key
from enformer_core.variants.formats.given import GivenColumns
from jobs import exit_codes
from jobs.locus_scores import read_scores
from jobs.locus_study import read_association, read_probabilities
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_settings import LocusSettings

_NO_ROWS = "give a run, --sumstats, --pips or --genes"


def plot_locus(settings: LocusSettings) -> int:
    """Draw a stretch of a contig.

    Returns:
        The exit code.

    Raises:
        InputError: for a stretch that is none, files that cannot be used, and where nothing lies in the stretch.
    """
    check_picture_name(settings.out)
    _check_options(settings)
    stretch = _stretch(settings)
    rows: list[Row] = []
    notes: list[str] = []
    for row, said in _rows(settings, stretch):
        notes += said
        if row is not None:
            rows.append(row)
    if not rows:
        raise InputError(f"{stretch.text}: nothing to draw: " + "; ".join(notes))
    title = f"Locus {stretch.text}"
    if settings.variant is not None:
        title = f"{settings.variant} and {settings.flank:,} bp around it"
    save_picture(stacked(stretch, rows, title=title, notes=notes), settings.out)
    return exit_codes.DONE


def _check_options(settings: LocusSettings) -> None:
    if (settings.locus is None) == (settings.variant is None):
        raise InputError(
            "give --locus chr20:4600000-4800000 or --variant chr20:4699605:A:G, one of them"
        )
    if settings.flank < 1:
        raise InputError(f"--flank {settings.flank}: must be at least 1")
    sources = (settings.run, settings.sumstats, settings.pips, settings.genes)
    if all(source is None for source in sources):
        raise InputError(f"nothing to draw: {_NO_ROWS}")
    for option, value, needed, of in (
        ("--ld", settings.ld, settings.sumstats, "--sumstats FILE"),
        ("--ld-variants", settings.ld_variants, settings.ld, "--ld FILE"),
        ("--statistic", settings.statistic, settings.run, "a run"),
        ("--tracks", settings.tracks, settings.run, "a run"),
        ("--group", settings.group or None, settings.run, "a run"),
        ("--gene-types", settings.gene_types or None, settings.genes, "--genes FILE"),
    ):
        if value is not None and needed is None:
            raise InputError(f"{option}: says something of {of}; give that too, or leave it out")


def _stretch(settings: LocusSettings) -> Stretch:
    if settings.locus is not None:
        chrom, start, end = parse_region("--locus", settings.locus)
        return Stretch(chrom, start + 1, end)
    assert settings.variant is not None
    key = parse_key(settings.variant)
    if key is None or key.chrom is None or key.pos is None:
        raise InputError(
            f"--variant {settings.variant}: give its place, as chr20:4699605 or chr20:4699605:A:G; that of an rsID "
            "is told by enformer-ray lookup RUN rsID"
        )
    return Stretch(key.chrom, max(key.pos - settings.flank, 1), key.pos + settings.flank)


def _rows(
    settings: LocusSettings,
    stretch: Stretch,
) -> Iterator[tuple[Row | None, list[str]]]:
    """Each row that was asked for and has something to show, with what is to be said."""
    if settings.sumstats is not None:
        yield from _of_study(settings, settings.sumstats, stretch)
    if settings.pips is not None:
        found = read_probabilities(settings.pips, stretch)
        if not found:
            yield None, [_nothing(settings.pips, "variants")]
        for name, table in found.items():
            yield probability_row(table, name=name, source=settings.pips), []
    if settings.run is not None:
        yield from _of_run(settings, settings.run, stretch)
    if settings.genes is not None:
        yield _of_genes(settings, settings.genes, stretch)


def _of_study(
    settings: LocusSettings,
    name: str,
    stretch: Stretch,
) -> Iterator[tuple[Row | None, list[str]]]:
    columns = GivenColumns.parse(settings.columns, settings.effect_allele)
    found = read_association(name, columns, stretch, settings.ld, settings.ld_variants)
    notes = list(found.notes)
    if found.table.height:
        yield association_row(found.table, source=name, lead=found.lead), notes
    else:
        yield None, [*notes, _nothing(name, "variants with P or z")]
    own = found.fine_mapped
    if settings.pips is None and own is not None and own.height:
        yield probability_row(own, name="PIP", source=name), []


def _of_run(
    settings: LocusSettings,
    run: str,
    stretch: Stretch,
) -> Iterator[tuple[Row | None, list[str]]]:
    found = read_scores(run, stretch, settings.statistic, settings.tracks, settings.group)
    if not found.groups:
        yield None, [*found.notes, _nothing(run, "scored alleles")]
        return
    notes = list(found.notes)
    for name, table in found.groups.items():
        yield score_row(table, name=name, statistic=found.statistic), notes
        notes = []


def _of_genes(
    settings: LocusSettings,
    name: str,
    stretch: Stretch,
) -> tuple[Row | None, list[str]]:
    genes = read_genes_by_contig(local_path(name), [stretch.chrom], gene_types=settings.gene_types)
    here = [each for each in genes if each.start < stretch.last and each.end >= stretch.first]
    if not here:
        return None, [_nothing(name, "genes")]
    return gene_row(_gene_table(here), stretch, source=name), []


def _gene_table(genes: list[Gene]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "name": [gene.name for gene in genes],
            "id": [gene.id for gene in genes],
            "strand": [gene.strand for gene in genes],
            "first": [gene.start + 1 for gene in genes],
            "last": [gene.end for gene in genes],
            "exons": [[(start + 1, end) for start, end in gene.exons] for gene in genes],
        },
        schema_overrides={"exons": pl.List(pl.List(pl.Int64))},
    )


def _nothing(name: str, what: str) -> str:
    return f"{name}: has no {what} here; that row is left out"
