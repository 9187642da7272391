"""What `query` adds to the tables of a run: its views, and which columns a narrow terminal is given first."""

from collections.abc import Iterator, Sequence

import duckdb

from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.dataset.ledger import Ledger
from enformer_core.scoring.rounding import RATIO_ROUNDING


def least_ratio(largest: str) -> str:
    """SQL for the ratio of a gene that is no effect, nor any smaller one, of SQL for the largest of the run."""
    return f"greatest({RATIO_ROUNDING}, {NO_EFFECT} * {largest})"


# One row for each of the strongest effects, strongest first, with what people call its variant and its track. A value
# that is a millionth or less of the statistic's largest in the run is what rounding in float32 leaves of nothing: a
# list of hits has none of it. `effects` has every row. Rows of the input that are one allele may name different effect
# alleles: then there is no one sign.
#
# The largest is asked of the column of `scores` that holds each allele's: `effects` has twenty rows for one of its, and
# the same largest, since repeats of an allele have its values.
_TOP = """
CREATE VIEW top AS
SELECT e.variant_id, named.id, coalesce(t.description, t.identifier, t.index::VARCHAR) AS track,
       e.statistic, e.value, round(abs(e.value::DOUBLE) / {of_statistic}, 6) AS share, named.effect_sign,
       e.track AS track_index, t.identifier, t.assay, t.biosample
FROM effects e
JOIN ({largest}) largest ON abs(e.value) > {no_effect} * {of_statistic}
JOIN tracks t ON t.index = e.track
LEFT JOIN (
    SELECT variant_id, array_to_string(list_sort(list_distinct(list(id) FILTER (id IS NOT NULL))), ',') AS id,
           CASE WHEN min(effect_sign) = max(effect_sign) THEN min(effect_sign) END AS effect_sign
    FROM scores WHERE id IS NOT NULL OR effect_sign IS NOT NULL GROUP BY variant_id
) named ON named.variant_id = e.variant_id
ORDER BY abs(e.value) DESC, e.variant_id, e.track, e.statistic
"""

# The same of genes: one row for each allele and gene, by its strongest track. Rows of the input that are one allele are
# one row. A ratio of sums has a size of its own below which it is rounding, whatever the largest of the run is. The TSS
# is found by its distance, which is along transcription.
_TOP_GENES = f"""
CREATE VIEW top_genes AS
SELECT g.gene_name, g.variant_id, string_agg(DISTINCT g.id, ',' ORDER BY g.id) AS id,
       coalesce(t.description, t.identifier, t.index::VARCHAR) AS track,
       first(g.log2_ratio[t.list_position]) AS log2_ratio, g.distance,
       g.pos + CASE g.strand WHEN '-' THEN g.distance ELSE -g.distance END AS tss_pos,
       CASE WHEN min(g.effect_sign) = max(g.effect_sign) THEN min(g.effect_sign) END AS effect_sign,
       g.gene_id, t.index AS track_index, t.identifier
FROM gene_effects g
JOIN tracks t ON t.index = g.max_abs_log2_ratio_track
WHERE g.max_abs_log2_ratio > {least_ratio("(SELECT max(max_abs_log2_ratio::DOUBLE) FROM gene_effects)")}
GROUP BY g.variant_id, g.gene_id, g.gene_name, g.pos, g.strand, g.distance, t.index, t.identifier, t.description
ORDER BY abs(first(g.log2_ratio[t.list_position])) DESC, g.variant_id, g.gene_id
"""  # noqa: S608 - of no text from outside

# Every value of every scored row. What is asked of some tracks or of one statistic reads no other lists.
_LONG = """
SELECT s.variant_id, s.id, coalesce(t.description, t.identifier, t.index::VARCHAR) AS track,
       '{statistic}' AS statistic, s.{statistic}[t.list_position] AS value, s.effect_sign,
       t.index AS track_index, t.identifier, t.assay, t.biosample,
       s.chrom, s.pos, s.ref, s.alt, s.input_file, s.input_line, s.alt_index
FROM scores s CROSS JOIN tracks t
WHERE s.{statistic} IS NOT NULL
"""

_WHAT_A_ROW_IS_ABOUT = (
    *("variant_id", "target", "place", "gene", "gene_name"),
    *("group", "allele", "layer", "start", "end", "track"),
)
"""What tells the rows of a run's tables apart: without these two rows look equal, and their values contradict."""

_MAIN_VALUE = ("value", "log2_ratio", "id")

_THEN = ("name", "status", "share")


def create_top(connection: duckdb.DuckDBPyConnection, statistics: Sequence[str]) -> None:
    """Make the view `top` of the views `effects`, `scores` and `tracks`, which have these statistics."""
    cases = " ".join(f"WHEN '{name}' THEN largest.{name}" for name in statistics)
    asked = {
        "largest": largest_of_scores(statistics),
        "of_statistic": f"CASE e.statistic {cases} END",
    }
    connection.execute(_TOP.format(no_effect=NO_EFFECT, **asked))


def largest_of_scores(statistics: Sequence[str]) -> str:
    """SQL for one row that has the largest size of each statistic in a column of its name, null without scores."""
    columns = ", ".join(f"max(max_abs_{name}::DOUBLE) AS {name}" for name in statistics)
    return f"SELECT {columns} FROM scores"  # noqa: S608 - of no text from outside


def create_long(connection: duckdb.DuckDBPyConnection, statistics: Sequence[str]) -> None:
    """Make the view `long` of the views `scores` and `tracks`, a row for each value of these statistics."""
    parts = [_LONG.format(statistic=statistic) for statistic in statistics]
    connection.execute(f"CREATE VIEW long AS {'UNION ALL'.join(parts)}")


def create_views(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, tables: Sequence[str]
) -> None:
    """Make the views that these tables of the run allow."""
    there = set(tables)
    if {"scores", "tracks"} <= there:
        statistics = statistics_of(ledger)
        create_long(connection, statistics)
        if "effects" in there:
            create_top(connection, statistics)
    if {"gene_effects", "tracks"} <= there:
        create_top_genes(connection)


def statistics_of(ledger: Ledger) -> Sequence[str]:
    """Columns of lists over tracks of a run's first table, of which `effects` has the strongest."""
    first, *_ = ledger.run_type.value_tables
    return ledger.run_type.value_columns(first, ledger.run)


def create_top_genes(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view `top_genes` of the views `gene_effects` and `tracks`."""
    connection.execute(_TOP_GENES)


def kept_columns(ledger: Ledger) -> list[str]:
    """Columns that are shown before others, what matters most first: what tells rows apart, values, tracks."""
    values = list(_value_columns(ledger))
    strongest = [f"max_abs_{name}" for name in values]
    tracks = [f"{name}_track" for name in strongest]
    return [
        *_WHAT_A_ROW_IS_ABOUT,
        *_MAIN_VALUE,
        *_statistic(ledger),
        "distance",
        *strongest,
        "prediction",
        *values,
        *_THEN,
        *tracks,
    ]


def _value_columns(ledger: Ledger) -> Iterator[str]:
    for table in ledger.run_type.value_tables:
        yield from ledger.run_type.value_columns(table, ledger.run)


def _statistic(ledger: Ledger) -> tuple[str, ...]:
    """The column that says which number a value is, where a run has several."""
    scores = ledger.run_type.value_tables[0]
    several = len(ledger.run_type.value_columns(scores, ledger.run)) > 1
    return ("statistic",) if several else ()
