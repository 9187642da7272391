"""The strongest effects, with what is known of their genes and ranks."""

from collections.abc import Iterator

from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.dataset.summary_tables import summary_receipts
from enformer_core.report.asked import Asked, quoted
from enformer_core.report.content import Block, Prose, Section
from enformer_core.report.limits import SHORT
from enformer_core.scoring.statistic_meanings import meaning_of
from enformer_core.summaries.names import PERCENTILES

_SHOWN = 50
"""Of each statistic; a page of more is not read, and `query` gives all."""

_MOST_STATISTICS = 4

_DISTANCE = "distance: from its TSS along transcription, below 0 upstream"

_NEAREST_GENE = """
LEFT JOIN (
    SELECT variant_id, first(gene_name ORDER BY abs(distance), gene_name) AS gene_name,
           first(distance ORDER BY abs(distance), gene_name) AS gene_bp
    FROM gene_effects WHERE variant_id IN (SELECT variant_id FROM strongest) GROUP BY variant_id
) genes USING (variant_id)
"""

_RANKS = """
LEFT JOIN (
    SELECT variant_id, any_value({statistic}_phred) AS phred FROM {table}
    WHERE variant_id IN (SELECT variant_id FROM strongest) GROUP BY variant_id
) ranks USING (variant_id)
"""

# an allele has each rank once, and rank 1 is its strongest track
_STRONGEST = """
WITH strongest AS MATERIALIZED (
    SELECT variant_id, track, value FROM effects WHERE statistic = '{statistic}' AND rank = 1
    ORDER BY abs(value) DESC, variant_id LIMIT {most}
)
SELECT {columns} FROM strongest
JOIN tracks t ON t.index = strongest.track
LEFT JOIN (
    SELECT variant_id, string_agg(DISTINCT id, ',' ORDER BY id) AS id FROM scores
    WHERE variant_id IN (SELECT variant_id FROM strongest) GROUP BY variant_id
) named USING (variant_id)
{joined}
WHERE abs(value) > {no_effect} * (SELECT max(abs(value)) FROM strongest)
ORDER BY abs(value) DESC, variant_id
"""


def effects_section(asked: Asked, statistics: list[str]) -> Section:
    """The strongest alleles of each statistic, and the strongest pairs of allele and track.

    Args:
        asked: a run that has the view `top`.
        statistics: of the run.
    """
    return Section("effects", "Strongest effects", list(_blocks(asked, statistics)))


def _blocks(asked: Asked, statistics: list[str]) -> Iterator[Block]:
    if not asked.rows("SELECT 1 FROM effects LIMIT 1"):
        yield Prose("No allele has values.", "note")
        return
    yield Prose(SHORT, "note")
    for note in asked.notes("FROM top"):
        yield Prose(note, "warning")
    for statistic in statistics[:_MOST_STATISTICS]:
        yield asked.table(
            f"{statistic}: alleles with the largest effect in any track, at most {_SHOWN}",
            _strongest_sql(asked, statistic),
            notes=list(_notes(asked, statistic)),
            forms={"phred": "number"},
        )
    left_out = statistics[_MOST_STATISTICS:]
    if left_out:
        yield Prose(
            f"Not shown here: {', '.join(left_out)}; `query` has them in the view top.", "note"
        )
    yield asked.table(
        f"Largest effects of all tracks and statistics, at most {_SHOWN}",
        f"FROM top LIMIT {_SHOWN}",
        notes=[
            "An allele stands here once for each track; of largest: size as a part of the statistic's largest."
        ],
        forms={"share": "percent"},
    )


def _notes(asked: Asked, statistic: str) -> Iterator[str]:
    """What a reader should know of the strongest alleles of a statistic."""
    meaning = meaning_of(statistic)
    said = f"; value: {meaning}" if meaning else ""
    yield f"Each allele once, with its strongest track{said}."
    yield "Alleles whose value is a millionth of the largest or less, as rounding leaves of nothing, are left out."
    if "gene_effects" in asked.tables:
        yield f"gene: the nearest; {_DISTANCE}."


def _strongest_sql(asked: Asked, statistic: str) -> str:
    ranked = ranks_of(asked, statistic)
    genes = "gene_effects" in asked.tables
    columns = [
        *("variant_id", "named.id"),
        *(("genes.gene_name", "genes.gene_bp") if genes else ()),
        "strongest.value",
        *(("ranks.phred[t.list_position] AS phred",) if ranked else ()),
        *(
            "t.assay",
            "t.biosample",
            "coalesce(t.description, t.identifier, t.index::VARCHAR) AS track",
        ),
        "t.index AS track_index",
    ]
    ranks = _RANKS.format(statistic=statistic, table=quoted(ranked)) if ranked else ""
    return _STRONGEST.format(
        statistic=statistic,
        most=_SHOWN,
        columns=", ".join(columns),
        joined=f"{_NEAREST_GENE if genes else ''} {ranks}",
        no_effect=NO_EFFECT,
    )


def ranks_of(asked: Asked, statistic: str) -> str | None:
    """The table of percentiles beside the run that has this statistic; of several the one with the usual name."""
    found = [
        name
        for name, receipt in summary_receipts(asked.ledger).items()
        if receipt.begun.kind == PERCENTILES and f"{statistic}_phred" in asked.columns_of(name)
    ]
    return PERCENTILES if PERCENTILES in found else next(iter(found), None)


def genes_section(asked: Asked) -> Section:
    """The strongest effects on genes, of a run that has the view `top_genes`."""
    table = asked.table(
        f"Largest ratios, allele by gene, at most {_SHOWN}",
        f"FROM top_genes LIMIT {_SHOWN}",
        notes=[f"log2 ratio: 1 is a doubling of the prediction at the gene's TSSs; {_DISTANCE}."],
    )
    notes = [Prose(note, "warning") for note in asked.notes("FROM top_genes")]
    return Section("genes", "Strongest effects on genes", [Prose(SHORT, "note"), *notes, table])
