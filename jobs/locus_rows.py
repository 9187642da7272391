"""The rows of a locus: of a study, of fine-mapping, of a run's scores and of genes, where each has something to show.

For `plot locus` and for the loci of a report alike. Knows which file gives which row; does not know how rows are drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from enformer_core.errors import InputError
from enformer_core.genome.genes import Gene, GenesElsewhereError, read_genes_by_contig
from enformer_core.pictures.gene_row import gene_row
from enformer_core.pictures.point_rows import association_row, probability_row, score_row
from enformer_core.pictures.stack import Row, Stretch
from enformer_core.scoring.statistic_meanings import with_unit
from enformer_core.storage.open import local_path
from enformer_core.variants.formats.given import GivenColumns
from jobs.locus_scores import LocusScores, read_scores
from jobs.locus_study import Association, read_association, read_probabilities
from jobs.plot_settings import LocusSources

_LEFT_OUT = "; that row is left out"


@dataclass(frozen=True)
class LocusRows:
    """What is drawn of a stretch.

    Attributes:
        stretch: which.
        rows: from above.
        notes: what is left out.
        hints: what is said to whoever asks for the picture alone.
        scores: of the run; None where no run was given.
    """

    stretch: Stretch
    rows: list[Row]
    notes: list[str]
    hints: list[str]
    scores: LocusScores | None

    @property
    def picture_notes(self) -> list[str]:
        """The notes, and what a demonstration says of its scores."""
        notice = None if self.scores is None else self.scores.notice
        return [*self.notes, notice] if notice else self.notes


def check_sources(sources: LocusSources, run: str | None) -> None:
    """Refuse options that say something of what is not given.

    Raises:
        InputError: naming the option, and what it needs.
    """
    for option, value, needed, of in (
        ("--ld", sources.ld, sources.sumstats, "--sumstats FILE"),
        ("--ld-variants", sources.ld_variants, sources.ld, "--ld FILE"),
        ("--statistic", sources.statistic, run, "a run"),
        ("--tracks", sources.tracks, run, "a run"),
        ("--group", sources.group or None, run, "a run"),
        ("--gene-types", sources.gene_types or None, sources.genes, "--genes FILE"),
    ):
        if value is not None and needed is None:
            raise InputError(f"{option}: says something of {of}; give that too, or leave it out")


def locus_rows(
    sources: LocusSources,
    run: str | None,
    stretch: Stretch,
) -> LocusRows:
    """Each row that was asked for and has something to show.

    Args:
        sources: what is drawn.
        run: whose scores are.
        stretch: of the contig; a variant at its marked place is named in each row.

    Raises:
        InputError: for files that cannot be used.
        DatasetError: for a run that is damaged.
    """
    association = None
    if sources.sumstats is not None:
        columns = GivenColumns.parse(sources.columns, sources.effect_allele)
        association = read_association(
            sources.sumstats, columns, stretch, sources.ld, sources.ld_variants
        )
    scores = None
    if run is not None:
        scores = read_scores(run, stretch, sources.statistic, sources.tracks, sources.group)
    rows: list[Row] = []
    notes: list[str] = []
    for row, said in _rows(sources, stretch, association, run, scores):
        notes += said
        if row is not None:
            rows.append(row)
    return LocusRows(stretch, rows, notes, [] if scores is None else list(scores.hints), scores)


_Rows = Iterator[tuple[Row | None, list[str]]]
"""Rows, each with what is to be said."""


def _rows(
    sources: LocusSources,
    stretch: Stretch,
    association: Association | None,
    run: str | None,
    scores: LocusScores | None,
) -> _Rows:
    probable, said = _probabilities(sources, stretch, association)
    if association is not None:
        yield _of_study(sources, association, probable, stretch.marked)
    if sources.pips is not None and not probable:
        said = [*said, _nothing(sources.pips, "variants with a PIP")]
    yield None, said
    source = str(sources.pips or sources.sumstats)
    for name, table in probable.items():
        yield probability_row(table, name=name, source=source, marked=stretch.marked), []
    if scores is not None:
        assert run is not None
        yield from _of_run(run, scores, stretch.marked)
    if sources.genes is not None:
        yield _of_genes(sources, sources.genes, stretch)


def _probabilities(
    sources: LocusSources,
    stretch: Stretch,
    association: Association | None,
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """By the row's name; of the study's own file only where no other says it."""
    if sources.pips is not None:
        return read_probabilities(sources.pips, stretch)
    own = None if association is None else association.fine_mapped
    return ({"PIP": own} if own is not None and own.height else {}), []


def _of_study(
    sources: LocusSources,
    found: Association,
    probable: dict[str, pl.DataFrame],
    marked: int | None,
) -> tuple[Row | None, list[str]]:
    name = str(sources.sumstats)
    if not found.table.height:
        return None, [*found.notes, _nothing(name, "variants with P or z")]
    # with a prior where there is one: that row is the first
    sets = next(iter(probable.items()), None)
    row = association_row(found.table, source=name, lead=found.lead, sets=sets, marked=marked)
    return row, list(found.notes)


def _of_run(
    run: str,
    found: LocusScores,
    marked: int | None,
) -> _Rows:
    if not found.groups:
        covered = f"; {found.covered}" if found.covered else ""
        said = f"{run}: has no scored alleles here{covered}; that row is left out"
        yield None, [*found.notes, *([said] if found.contigs else [])]
        return
    notes = list(found.notes)
    for name, table in found.groups.items():
        row = score_row(
            table,
            name=_in_words(name, found),
            statistic=found.statistic,
            axis=with_unit(found.statistic),
            marked=marked,
        )
        yield row, notes
        notes = []


def _in_words(name: str, found: LocusScores) -> str:
    """A row of one track is called by it; of several it shows the largest, and says so."""
    tracks = len(found.tracks[name])
    if tracks == 1:
        return name
    return f"largest {found.statistic} among {tracks:,} tracks{'' if name == 'all tracks' else f': {name}'}"


def _of_genes(
    sources: LocusSources,
    name: str,
    stretch: Stretch,
) -> tuple[Row | None, list[str]]:
    try:
        genes = read_genes_by_contig(
            local_path(name), [stretch.chrom], gene_types=sources.gene_types
        )
    except GenesElsewhereError as error:
        return None, [f"{error}{_LEFT_OUT}"]
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


def without_rows(notes: Sequence[str]) -> str:
    """The notes of a locus of which nothing is drawn: no row is left out of anything then."""
    return "; ".join(each.removesuffix(_LEFT_OUT) for each in notes)


def _nothing(name: str, what: str) -> str:
    return f"{name}: has no {what} here{_LEFT_OUT}"
