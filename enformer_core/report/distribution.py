"""How effects are distributed by assay: of a small run all values, of a large one those of some shards.

A share of values that are at least so large, for sizes in steps of a quarter of a power of ten: both axes are powers
of ten, since most values are small and a few are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.report.asked import Asked, in_one_line
from enformer_core.report.content import Block, Drawn, Prose, Section, Table
from enformer_core.report.distribution_picture import distribution_picture
from enformer_core.storage.fenced_files import FENCED

MOST_VALUES = 10_000_000
"""That are read for one statistic: some seconds of two cores."""

_MOST_SHARDS = 16
"""Of a sample, spread evenly over the plan: more would be read for nothing."""

_MOST_GROUPS = 12
"""Tracks that are told apart where none has an assay."""

_MOST_STATISTICS = 2


@dataclass(frozen=True)
class Part:
    """Which values are read.

    Attributes:
        rows: what stands behind FROM: `assay`, `track_index` and `value` of each allele and track.
        note: what is left out; empty where nothing is.
    """

    rows: str
    note: str = ""


def distribution_section(asked: Asked, statistics: list[str]) -> Section:
    """Sizes by assay, of each of the first statistics, of a run that has scores."""
    return Section("assays", "Effects by assay", list(_blocks(asked, statistics)))


def _blocks(asked: Asked, statistics: list[str]) -> Iterator[Block]:
    group = _group(asked)
    for statistic in statistics[:_MOST_STATISTICS]:
        part = _part(asked, statistic, group)
        sizes = _sizes(asked, statistic, part)
        if not sizes.rows:
            yield Prose(f"{statistic}: no allele has values.", "note")
            continue
        picture = distribution_picture(statistic, sizes.rows, _picture_notes(asked, part))
        if picture is not None:
            yield Drawn(picture, sizes.source)
        yield _quantiles(asked, statistic, part)
        yield sizes


def _group(asked: Asked) -> str:
    """What tells tracks apart, as SQL over `tracks`: the assay; without it few tracks by name, many not at all."""
    sql = "SELECT count(assay), count(*) FROM tracks"
    ((with_assay, tracks),) = asked.rows(sql)
    if with_assay:
        return "coalesce(t.assay, 'no assay')"
    if tracks <= _MOST_GROUPS:
        return "coalesce(t.description, t.identifier, t.index::VARCHAR)"
    return "'all tracks'"


def _part(asked: Asked, statistic: str, group: str) -> Part:
    tracks = asked.ledger.run.typed_identity.tracks.count
    alleles = asked.progress.rows_done
    wanted = max(MOST_VALUES // tracks, 1)
    if alleles <= wanted:
        return Part(_rows("scores", statistic, group))
    keys = list(stored_objects(asked.ledger)["scores"])
    step = max(len(keys) // _MOST_SHARDS, 1)
    chosen = keys[step // 2 :: step][:_MOST_SHARDS]
    listed = ", ".join("'" + f"{FENCED}{key}".replace("'", "''") + "'" for key in chosen)
    every = max(alleles * len(chosen) // (len(keys) * wanted), 1)
    sample = f"read_parquet([{listed}])"
    which = f" AND s.pos % {every} = 0" if every > 1 else ""
    of_places = f"places that {every:,} divides in " if every > 1 else ""
    note = (
        f"A sample, since the run has {alleles * tracks:,} values: the alleles at {of_places}{len(chosen):,} of "
        f"{len(keys):,} shards, spread evenly over the genome."
    )
    return Part(_rows(sample, statistic, group, which), note)


def _rows(scores: str, statistic: str, group: str, which: str = "") -> str:
    return in_one_line(f"""
        (SELECT {group} AS assay, t.index AS track_index, s.{statistic}[t.list_position]::DOUBLE AS value
         FROM {scores} s CROSS JOIN tracks t WHERE s.{statistic} IS NOT NULL{which})
    """)  # noqa: S608 - names of this program


def _picture_notes(asked: Asked, part: Part) -> list[str]:
    """A picture is looked at alone: a demonstration's says that it is one."""
    notice = asked.ledger.run.notice
    return [*_notes(part), notice] if notice else _notes(part)


def _notes(part: Part) -> list[str]:
    return [part.note] if part.note else []


def _quantiles(asked: Asked, statistic: str, part: Part) -> Table:
    return asked.table(
        f"{statistic}: sizes by assay",
        f"""
        SELECT assay, count(DISTINCT track_index) AS tracks, count(*) AS value_count, median(abs(value)) AS median_size,
               quantile_cont(abs(value), 0.99) AS p99, max(abs(value)) AS max_size,
               count(*) FILTER (value > 0) / count(*) AS above_0
        FROM {part.rows} WHERE isfinite(value) GROUP BY assay ORDER BY assay
        """,  # noqa: S608 - names of this program
        notes=_notes(part),
    )


def _sizes(asked: Asked, statistic: str, part: Part) -> Table:
    """Values by assay and size, in steps of a quarter of a power of ten; 0 is a step of its own."""
    return asked.table(
        f"{statistic}: values by assay and size",
        f"""
        SELECT assay, CASE WHEN value = 0 THEN 0 ELSE pow(10, floor(4 * log10(abs(value))) / 4) END AS least_size,
               count(*) AS value_count
        FROM {part.rows} WHERE isfinite(value) GROUP BY ALL ORDER BY assay, least_size
        """,  # noqa: S608 - names of this program
        notes=_notes(part),
    )
