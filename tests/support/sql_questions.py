"""The questions of docs/sql.md, each once for all engines; what is done with lists stands in their own words there."""

# ruff: noqa: E501 - lines of the page
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """A question to a run.

    Attributes:
        title: its heading.
        why: what is to be known of it, in sentences.
        sql: with places as `enformer_core.sql.words` fills them; empty where each engine has a text of its own.
        beside: tables of the user's own that it asks too.
        own: text by engine, where that is more than SQL over the run's tables.
    """

    title: str
    why: str
    sql: str = ""
    beside: tuple[str, ...] = ()
    own: dict[str, str] = field(default_factory=dict)


QUESTIONS = [
    Question(
        "The strongest effects in a tissue",
        "`effects` keeps the strongest tracks of each allele (`--top-tracks`), so that no list is read. `query` has the view `top` for it.",
        """\
SELECT e.variant_id, t.identifier, t.description, e.value
FROM effects AS e JOIN tracks AS t ON e.track = t.index
WHERE t.biosample LIKE '%liver%' AND e.statistic = 'sad'
ORDER BY abs(e.value) DESC, e.variant_id, e.track
LIMIT 20""",
    ),
    Question(
        "A locus",
        "`pos` counts from 1. All but chDB open no file of another contig, and read of this one only stretches that may have such a `pos`.",
        """\
SELECT variant_id, pos, id, max_abs_sad, max_abs_sad_track
FROM scores
WHERE chrom = 'chr20' AND pos BETWEEN 4600000 AND 4700000 AND status = 'ok'
ORDER BY pos, alt""",
    ),
    Question(
        "All tracks of an allele",
        "A list has an item for each row of `tracks`, at `list_position`. `query` has the view `long` for it.",
        """\
SELECT t.index AS track, t.description, {element s.sad|t.list_position} AS sad
FROM scores AS s CROSS JOIN tracks AS t
WHERE s.chrom = 'chr20' AND s.variant_id = 'chr20:4699605:A:G' AND s.status = 'ok'
ORDER BY track""",
    ),
    Question(
        "One track of all alleles",
        "By its identifier in the table of `--targets`.",
        """\
SELECT s.chrom, s.pos, s.ref, s.alt, {element s.sad|t.list_position} AS sad
FROM scores AS s CROSS JOIN tracks AS t
WHERE t.identifier = 'CNhs10624' AND s.status = 'ok'
ORDER BY s.chrom, s.pos, s.alt, s.input_line""",
    ),
    Question(
        "An rsID",
        "By `enformer-ray lookup` it is found without reading the rest.",
        """\
SELECT variant_id, input_file, input_line, status, max_abs_sad
FROM scores
WHERE id = 'rs6052080'
ORDER BY input_line, alt_index""",
    ),
    Question(
        "Each allele by its strongest track of one assay",
        "Of all tracks of the assay, not only of those that `effects` keeps.",
        """\
SELECT v.variant_id, max(abs(v.sad)) AS strongest
FROM (
    SELECT s.variant_id, {element s.sad|t.list_position} AS sad
    FROM scores AS s CROSS JOIN tracks AS t
    WHERE t.assay = 'DNASE' AND s.status = 'ok'
) AS v
GROUP BY v.variant_id
ORDER BY strongest DESC, v.variant_id
LIMIT 20""",
    ),
    Question(
        "Assays compared",
        "How many of the kept effects are an assay's, and how large they are. Tracks of unlike assays have unlike units: their sizes are no ranking.",
        """\
SELECT t.assay, count(*) AS effects, max(abs(e.value)) AS largest
FROM effects AS e JOIN tracks AS t ON e.track = t.index
WHERE e.statistic = 'sad' AND t.assay IS NOT NULL
GROUP BY t.assay
ORDER BY t.assay""",
    ),
    Question(
        "Beside summary statistics",
        "`gwas` has the alleles as the genome has them. Where they may be exchanged, score the table itself: its rows come back by `input_line`.",
        """\
SELECT g.p, g.beta, s.variant_id, s.max_abs_sad
FROM gwas AS g
JOIN scores AS s ON g.chrom = s.chrom AND g.pos = s.pos AND g.ref = s.ref AND g.alt = s.alt
WHERE g.p < 5e-8 AND s.status = 'ok'
ORDER BY g.p, s.variant_id""",
        beside=("gwas",),
    ),
    Question(
        "The best allele of each credible set",
        "By the size of its score among those of the set; `pip` stands beside it.",
        """\
SELECT r.set_id, r.variant_id, r.pip, r.max_abs_sad
FROM (
    SELECT c.set_id, c.variant_id, c.pip, s.max_abs_sad,
           row_number() OVER (PARTITION BY c.set_id ORDER BY s.max_abs_sad DESC, c.variant_id) AS place
    FROM credible AS c JOIN scores AS s ON c.variant_id = s.variant_id
    WHERE s.status = 'ok'
) AS r
WHERE r.place = 1
ORDER BY r.set_id""",
        beside=("credible",),
    ),
    Question(
        "The allele that changes each gene most",
        "Of runs with `--genes`.",
        """\
SELECT r.gene_name, r.variant_id, r.distance, r.max_abs_log2_ratio
FROM (
    SELECT g.gene_name, g.gene_id, g.variant_id, g.distance, g.max_abs_log2_ratio,
           row_number() OVER (PARTITION BY g.gene_id ORDER BY g.max_abs_log2_ratio DESC, g.variant_id) AS place
    FROM gene_effects AS g
    WHERE g.max_abs_log2_ratio IS NOT NULL
) AS r
WHERE r.place = 1
ORDER BY r.max_abs_log2_ratio DESC, r.gene_name""",
    ),
    Question(
        "Effects of the effect allele",
        "A score is alt − ref; times `effect_sign` it is that of the allele for which the input reports its effect.",
        """\
SELECT s.id, e.variant_id, t.identifier, e.value * s.effect_sign AS of_effect_allele
FROM effects AS e
JOIN scores AS s ON e.variant_id = s.variant_id
JOIN tracks AS t ON e.track = t.index
WHERE e.statistic = 'sad' AND e.rank = 1 AND s.effect_sign IS NOT NULL
ORDER BY abs(e.value) DESC, e.variant_id, s.input_line""",
    ),
    Question(
        "What became of the rows",
        "Each row of the input has its status; `enformer-ray verify` proves it. Polars' `percent` is a decimal, "
        "those of the others are floats.",
        """\
SELECT s.status, count(*) AS number_of_rows, 100.0 * count(*) / max(a.number_of_all) AS percent
FROM scores AS s CROSS JOIN (SELECT count(*) AS number_of_all FROM scores) AS a
GROUP BY s.status
ORDER BY number_of_rows DESC, s.status""",
    ),
    Question(
        "Alleles that were exchanged",
        "`flags` is a list of words.",
        """\
SELECT variant_id, input_ref, input_alt, effect_sign
FROM scores
WHERE {contains flags|'ref_swapped'}
ORDER BY input_line""",
    ),
    Question(
        "How large values are",
        "Over all alleles and tracks, a row for each item of each list.",
        """\
SELECT count(*) AS number_of_values, avg(abs(u.item)) AS mean, max(abs(u.item)) AS largest
FROM ({unnest sad|variant_id|scores}) AS u
WHERE u.item IS NOT NULL""",
    ),
    Question(
        "Alleles that the input has more than once",
        "Each row has its scores; joins by `variant_id` have as many rows.",
        """\
SELECT variant_id, count(*) AS times
FROM scores
WHERE status = 'ok'
GROUP BY variant_id
HAVING count(*) > 1
ORDER BY variant_id""",
    ),
    Question(
        "In which arithmetic, and where, shards were computed",
        "Receipts say it; they are JSON, one object a file over several lines, which DataFusion does not read.",
        own={
            "duckdb": """\
SELECT provenance.arithmetic AS arithmetic, provenance.device AS device, count(*) AS shards, sum("rows")::BIGINT AS alleles
FROM read_json('RUN/commits/shard-*.json')
GROUP BY ALL
ORDER BY ALL;""",
            "polars": """\
from pathlib import Path

import polars as pl

receipts = pl.concat(
    pl.read_json(path).select("rows", pl.col("provenance").struct.unnest())
    for path in sorted(Path("RUN/commits").glob("shard-*.json"))
)
shards = (
    receipts.group_by("arithmetic", "device")
    .agg(pl.len().alias("shards"), pl.sum("rows").alias("alleles"))
    .sort("arithmetic", "device")
)
print(shards)""",
            "chdb": """\
SELECT JSONExtractString(json, 'provenance', 'arithmetic') AS arithmetic,
       JSONExtractString(json, 'provenance', 'device') AS device,
       count(*) AS shards, sum(JSONExtractInt(json, 'rows')) AS alleles
FROM file('RUN/commits/shard-*.json', JSONAsString, 'json String')
GROUP BY arithmetic, device
ORDER BY arithmetic, device;""",
            "spark": """\
CREATE TEMPORARY VIEW receipts USING json OPTIONS (path 'RUN/commits/', multiLine 'true');
SELECT provenance.arithmetic AS arithmetic, provenance.device AS device, count(*) AS shards, sum(rows) AS alleles
FROM receipts
GROUP BY provenance.arithmetic, provenance.device
ORDER BY arithmetic, device;""",
        },
    ),
]
