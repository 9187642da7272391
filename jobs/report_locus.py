"""Sections of a report on loci: the picture that `plot locus` draws, and the strongest scores there with their SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from enformer_core.dataset.run_tracks import ChosenTracks
from enformer_core.errors import InputError
from enformer_core.pictures.stack import stacked
from enformer_core.report.asked import Asked, in_one_line
from enformer_core.report.content import Block, Drawn, Prose, Section, Source
from jobs.locus_place import stretch_of
from jobs.locus_rows import LocusRows, check_sources, locus_rows, without_rows
from jobs.locus_scores import LocusScores
from jobs.plot_settings import LocusSources

_SHOWN = 25
"""Of each row of scores; the picture's own table has more."""


@dataclass(frozen=True)
class Locus:
    """A locus that a report shows.

    Attributes:
        region: as it was given.
        found: what is drawn of it.
    """

    region: str
    found: LocusRows


def read_loci(
    sources: LocusSources,
    run: str,
    regions: Sequence[str],
) -> list[Locus]:
    """What is drawn of each region, read before anything else is made.

    Raises:
        InputError: for regions that are none, files that cannot be used, and sources without a region.
        DatasetError: for a run that is damaged.
    """
    if not regions:
        _refuse_without_locus(sources)
        return []
    check_sources(sources, run)
    stretches = [stretch_of("--locus", region) for region in regions]
    return [
        Locus(region, locus_rows(sources, run, stretch))
        for region, stretch in zip(regions, stretches, strict=True)
    ]


def locus_sections(asked: Asked, loci: Sequence[Locus]) -> list[Section]:
    """A section for each locus."""
    return [
        Section(f"locus-{number}", f"Locus {locus.found.stretch.text}", list(_blocks(asked, locus)))
        for number, locus in enumerate(loci, 1)
    ]


def _refuse_without_locus(sources: LocusSources) -> None:
    for name, value in vars(sources).items():
        if name in LocusSources.__dataclass_fields__ and value not in (None, ()):
            option = "--" + name.replace("_", "-")
            raise InputError(f"{option}: says what is drawn of a locus; give --locus REGION too")


def _blocks(asked: Asked, locus: Locus) -> Iterator[Block]:
    found = locus.found
    scores = found.scores
    assert scores is not None
    if found.rows:
        picture = stacked(
            found.stretch,
            found.rows,
            title=f"Along {found.stretch.text}",
            notes=found.picture_notes,
        )
        yield Drawn(picture, Source("query", _drawn_sql(found, scores)))
    else:
        yield Prose(f"Nothing is known here: {without_rows(found.notes)}.", "note")
    for name, tracks in scores.tracks.items():
        if name in scores.groups:
            yield asked.table(
                f"{found.stretch.text}: strongest {scores.statistic} of {name}",
                _strongest_sql(found, scores, tracks),
            )


def _here(found: LocusRows) -> str:
    stretch = found.stretch
    contigs = found.scores.contigs if found.scores is not None else ()
    named = ", ".join("'" + each.replace("'", "''") + "'" for each in contigs) or "NULL"
    return f"s.chrom IN ({named}) AND s.pos BETWEEN {stretch.first} AND {stretch.last}"


def _drawn_sql(found: LocusRows, scores: LocusScores) -> str:
    """The points of each row of scores, from above; without such rows the alleles that the run has there."""
    drawn = [scores.tracks[name] for name in scores.groups]
    if not drawn:
        return in_one_line(f"""
            SELECT variant_id, id, pos, status FROM scores s WHERE {_here(found)} ORDER BY pos, variant_id
        """)  # noqa: S608 - names of this program, and a text that SQL reads as one
    rows = [
        f"SELECT {number} AS row_number, * FROM ({_scores_sql(found, scores, tracks)})"  # noqa: S608
        for number, tracks in enumerate(drawn, 1)
    ]
    return in_one_line(f"{' UNION ALL '.join(rows)} ORDER BY row_number, pos, variant_id")


def _strongest_sql(
    found: LocusRows,
    scores: LocusScores,
    tracks: ChosenTracks,
) -> str:
    """The strongest alleles of some tracks."""
    return f"{_scores_sql(found, scores, tracks)} ORDER BY abs({scores.statistic}) DESC, pos, variant_id LIMIT {_SHOWN}"


def _scores_sql(
    found: LocusRows,
    scores: LocusScores,
    tracks: ChosenTracks,
) -> str:
    """Of each allele, once, the value of the largest size among some tracks, and whose it is."""
    indices = ", ".join(map(str, tracks.tracks.indices()))
    chosen = "" if tracks.are_all else f"AND t.index IN ({indices})"
    return f"""
        WITH here AS (
            SELECT s.variant_id, s.id, s.pos, t.index AS track_index, coalesce(t.description, t.identifier) AS name,
                   s.{scores.statistic}[t.list_position]::DOUBLE AS value
            FROM scores s CROSS JOIN tracks t
            WHERE {_here(found)} AND s.{scores.statistic} IS NOT NULL {chosen}
        )
        SELECT variant_id, string_agg(DISTINCT id, ',' ORDER BY id) AS id, pos,
               arg_max(value, (abs(value), -track_index)) AS {scores.statistic},
               CASE WHEN max(abs(value)) > 0 THEN arg_max(track_index, (abs(value), -track_index)) END AS track_index,
               CASE WHEN max(abs(value)) > 0 THEN arg_max(name, (abs(value), -track_index)) END AS track
        FROM here WHERE isfinite(value) GROUP BY variant_id, pos
    """  # noqa: S608 - names of this program, and a text that SQL reads as one
