"""A run as files alone, made by hand so that every question of docs/sql.md has rows; and tables of a user's own."""

from pathlib import Path

import pyarrow as pa

from enformer_core.dataset import schemas
from enformer_core.dataset.codec import Footer, canonical_json, to_parquet
from enformer_core.dataset.keys import receipt_key, table_key
from enformer_core.models.tracks.table import Tracks, described_track
from enformer_core.sql.opening import RunTable

TRACKS = Tracks(
    "human",
    9,
    (
        described_track(2, "ENCFF1", "DNASE:liver tissue"),
        described_track(4, "ENCFF2", "DNASE:K562"),
        described_track(8, "CNhs10624", "CAGE:liver, adult"),
    ),
)

SCORES = [
    # id, chrom, pos, ref, alt, values, more
    ("rs6052080", "chr20", 4_699_605, "A", "G", [1.5, -2.5, 0.25], {"effect_sign": -1}),
    ("rs6052080", "chr20", 4_699_605, "A", "G", [1.5, -2.5, 0.25], {"flags": ["duplicate"]}),
    ("rs2", "chr20", 4_650_000, "C", "T", [-0.5, 0.125, 4.0], {"flags": ["ref_swapped"]}),
    ("rs3", "chr20", 9_000_000, "G", "T", [0.0, 0.5, -1.0], {"effect_sign": 1}),
    ("rs4", "chrX", 100, "T", "TA", [-3.0, 0.75, 2.0], {}),
    ("rs5", "chrX", 200, "T", "A", None, {"status": "failed"}),
    ("rs6", None, None, None, None, None, {"status": "malformed"}),
]

GENES = [
    ("chr20", "chr20:4699605:A:G", "PRNP", [0.5, -1.0, 0.25]),
    ("chr20", "chr20:4650000:C:T", "PRNP", [0.125, 0.25, 0.25]),
    ("chrX", "chrX:100:T:TA", "XIST", [0.0, 0.0, 2.0]),
]

OWN = {
    "gwas": [
        {"chrom": "chr20", "pos": 4_699_605, "ref": "A", "alt": "G", "beta": 0.5, "p": 1e-9},
        {"chrom": "chr20", "pos": 4_650_000, "ref": "C", "alt": "T", "beta": 0.1, "p": 0.5},
        {"chrom": "chrX", "pos": 100, "ref": "T", "alt": "TA", "beta": -0.5, "p": 1e-12},
    ],
    "credible": [
        {"set_id": 1, "variant_id": "chr20:4650000:C:T", "pip": 0.25},
        {"set_id": 1, "variant_id": "chr20:9000000:G:T", "pip": 0.75},
        {"set_id": 2, "variant_id": "chrX:100:T:TA", "pip": 1.0},
    ],
}


def write_run(folder: Path) -> list[RunTable]:
    """Write the run's files; its tables as engines open them."""
    scores = [_score(line, *row) for line, row in enumerate(SCORES, start=1)]
    effects = [row for score in scores for row in _effects(score)]
    genes = [_gene(*row) for row in GENES]
    parts = {
        "scores": (schemas.scores_schema(["sad"]), scores),
        "effects": (schemas.EFFECTS_SCHEMA, effects),
        "gene_effects": (schemas.gene_effects_schema(), genes),
    }
    for shard, chrom in enumerate(("chr20", "chrX", None)):
        for name, (schema, rows) in parts.items():
            own = [row for row in rows if row["chrom"] == chrom]
            content = _parquet(name, pa.Table.from_pylist(own, schema=schema))
            _write(folder / table_key(name, chrom, shard), content)
        provenance = {"arithmetic": ("bfloat16", "float32")[shard == 0], "device": "a GPU"}
        receipt = {"shard": shard, "chrom": chrom, "rows": shard + 1, "provenance": provenance}
        _write(folder / receipt_key(shard), canonical_json(receipt))
    _write(folder / "tracks.parquet", _parquet("tracks", TRACKS.to_arrow()))
    tables = [RunTable(name, schema) for name, (schema, _) in parts.items()]
    return [*tables, RunTable("tracks", TRACKS.to_arrow().schema, "tracks.parquet")]


def write_own(folder: Path) -> dict[str, Path]:
    """Write the user's tables; their files by name."""
    paths = {}
    for name, rows in OWN.items():
        paths[name] = folder / f"{name}.parquet"
        _write(paths[name], _parquet(name, pa.Table.from_pylist(rows)))
    return paths


def _score(line, name, chrom, pos, ref, alt, values, more):
    placed = None if chrom is None else f"{chrom}:{pos}:{ref}:{alt}"
    row = {
        "chrom": chrom,
        "variant_id": placed,
        "pos": pos,
        "id": name,
        "ref": ref,
        "alt": alt,
        "input_file": "a.vcf",
        "input_line": line,
        "alt_index": 1,
        "input_ref": ref,
        "input_alt": alt,
        "status": "ok",
        "flags": [],
        "sad": values,
        **more,
    }
    if values is not None:
        strongest = max(values, key=abs)
        row["max_abs_sad"] = abs(strongest)
        row["max_abs_sad_track"] = TRACKS.indices()[values.index(strongest)]
    return row


def _effects(score):
    """All three tracks; a repeated allele has its rows once."""
    if score["sad"] is None or "duplicate" in score["flags"]:
        return
    ranked = sorted(
        zip(score["sad"], TRACKS.indices(), strict=True), key=lambda each: -abs(each[0])
    )
    for rank, (value, track) in enumerate(ranked, start=1):
        allele = {name: score[name] for name in ("chrom", "variant_id", "pos", "ref", "alt")}
        yield {**allele, "track": track, "statistic": "sad", "value": value, "rank": rank}


def _gene(chrom, variant, gene, ratios):
    return {
        "chrom": chrom,
        "variant_id": variant,
        "gene_id": f"ENSG-{gene}",
        "gene_name": gene,
        "distance": -100,
        "log2_ratio": ratios,
        "max_abs_log2_ratio": max(map(abs, ratios)),
        "max_abs_log2_ratio_track": TRACKS.indices()[0],
    }


def _parquet(kind, table):
    return to_parquet(table, Footer(kind, "0" * 64, None))


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
