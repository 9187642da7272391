"""The view `top_genes`: which gene an allele changes most, in which track, and in which direction."""

import re

import duckdb
import pyarrow as pa
import pytest

from enformer_core.analyses.contribution_run_type import ContributionsType
from enformer_core.analyses.gene_run_type import GeneEffectsType
from enformer_core.analyses.tile_run_type import TilesType
from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.schemas import gene_effects_schema
from enformer_core.dataset.summary import rows_beside
from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.sql.notes import notes_of_answer
from enformer_core.sql.views import create_top_genes
from enformer_core.storage.local import LocalStore
from jobs.query_refusals import _why_no_view
from tests.support.toy_runs import toy_identity, toy_ledger, toy_run

TRACKS = [
    {"index": 4, "list_position": 1, "identifier": "CNhs1", "description": "CAGE:liver"},
    {"index": 9, "list_position": 2, "identifier": "CNhs2"},
]


def effect(variant, gene, ratios, **more):
    """A row of gene effects, whose strongest track follows from the ratios."""
    sizes = [abs(ratio) for ratio in ratios]
    strongest = sizes.index(max(sizes))
    return {
        "variant_id": variant,
        "gene_id": f"ENSG-{gene}",
        "gene_name": gene,
        "pos": 5,
        "strand": "+",
        "distance": -100,
        "log2_ratio": ratios,
        "max_abs_log2_ratio": sizes[strongest],
        "max_abs_log2_ratio_track": TRACKS[strongest]["index"],
        **more,
    }


@pytest.fixture
def top_genes():
    """The rows of the view, made of rows of gene effects."""

    def call(effects):
        with duckdb.connect() as connection:
            gene_effects = pa.Table.from_pylist(effects, schema=gene_effects_schema())
            connection.register("gene_effects", gene_effects)
            connection.register("tracks", pa.Table.from_pylist(TRACKS, schema=TRACKS_SCHEMA))
            create_top_genes(connection)
            answer = connection.sql("FROM top_genes")
            return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]

    return call


def test_the_strongest_ratio_has_its_sign_and_the_name_of_its_track(top_genes):
    rows = top_genes(
        [
            effect("chr1:5:A:G", "weak", [0.25, -0.5]),
            effect("chr1:5:A:G", "strong", [-2.0, 1.0]),
            effect("chr1:9:A:G", "none", [0.0, 0.0]),
            effect("chr1:9:A:G", "rounding", [1e-7, 0.0]),
            effect("chr1:9:A:G", "as two passes", [1.4e-6, 0.0]),
        ]
    )
    assert [(row["gene_name"], row["track"], row["log2_ratio"]) for row in rows] == [
        ("strong", "CAGE:liver", -2.0),
        ("weak", "CNhs2", -0.5),
    ]
    assert (rows[0]["variant_id"], rows[0]["track_index"], rows[0]["distance"]) == (
        *("chr1:5:A:G", 4),
        -100,
    )


def test_the_tss_lies_along_the_genes_strand(top_genes):
    """Both genes are upstream of their allele by 100 bp: behind it on +, before it on -."""
    changed = [effect("chr1:905:A:G", "plus", [1.0, 0.0], pos=905)]
    changed += [effect("chr1:905:A:G", "minus", [0.5, 0.0], pos=905, strand="-")]
    assert [row["tss_pos"] for row in top_genes(changed)] == [1_005, 805]


def test_rows_of_the_input_that_are_one_allele_are_one_row(top_genes):
    rows = top_genes(
        [
            effect("chr1:5:A:G", "gene", [1.0, 0.0], id="rs2", effect_sign=1),
            effect("chr1:5:A:G", "gene", [1.0, 0.0], id="rs1", effect_sign=-1),
        ]
    )
    assert [(row["id"], row["effect_sign"]) for row in rows] == [("rs1,rs2", None)]


def test_an_allele_that_failed_has_no_row(top_genes):
    failed = effect("chr1:5:A:G", "gene", [1.0, 0.0]) | {
        "log2_ratio": None,
        "max_abs_log2_ratio": None,
        "max_abs_log2_ratio_track": None,
    }
    assert top_genes([failed]) == []


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([0.0], ["no allele of this run has an effect on a gene: every log2_ratio is 0, in every"]),
        ([1e-6, 0.0], ["no allele of this run has an effect on a gene: the largest log2_ratio is"]),
        (
            [1.0, 1e-6, 0.0],
            [
                "2 of 3 rows of gene_effects are not in top_genes: 1 is 0 in every track, and the largest log2_ratio "
                "of 1 is 1.4e-06 or less, which two passes in float32 cannot tell"
            ],
        ),
        (
            [10.0, 9e-6],
            [
                "1 of 2 rows of gene_effects is not in top_genes: the largest log2_ratio of 1 is 1e-05"
            ],
        ),
        ([1.0, 2e-6, 0.0], []),
    ],
)
def test_where_genes_are_not_changed_it_is_said(tmp_path, ratios, said):
    ledger = toy_ledger(LocalStore(tmp_path), toy_run(shards=0), GeneEffectsType())
    with duckdb.connect() as connection:
        effects = [effect("chr1:9:A:G", f"g{ratio}", [ratio, 0.0]) for ratio in ratios]
        table = pa.Table.from_pylist(effects, schema=gene_effects_schema())
        connection.from_arrow(table).create("gene_effects")
        connection.from_arrow(pa.Table.from_pylist(TRACKS, schema=TRACKS_SCHEMA)).create("tracks")
        create_top_genes(connection)
        notes = list(notes_of_answer(ledger, connection, "FROM top_genes", "out"))
        ((there,),) = connection.sql("SELECT count(*) FROM top_genes").fetchall()
    # what is left out and what is there are all
    for note in notes:
        if counts := re.match(r"(\d+) of (\d+) rows", note):
            left_out, rows = map(int, counts.groups())
            assert left_out + there == rows == len(ratios)
    assert len(notes) == len(said)
    assert all(note.startswith(start) for note, start in zip(notes, said, strict=True))


def test_tables_beside_the_first_are_counted():
    table_rows = {"scores": 5, "gene_effects": 1, "effects": 10}
    assert rows_beside(GeneEffectsType(), table_rows) == ["1 row of gene_effects"]
    assert rows_beside(GeneEffectsType(), {}) == ["0 rows of gene_effects"]
    assert rows_beside(ContributionsType(), {"contributions": 4}) == []


@pytest.mark.parametrize(
    ("run_type", "view", "said"),
    [
        (
            TilesType(),
            "top",
            "out: a run of tiles has no view top, which is of runs of `score`. It has predictions and tracks: "
            "ask 'FROM predictions LIMIT 20'",
        ),
        (
            ContributionsType(),
            "top_genes",
            "out: a run of targets has no view top_genes, which is of runs of `score --genes`. It has contributions, "
            "contribution_bins and tracks: ask 'FROM contributions LIMIT 20'",
        ),
    ],
)
def test_a_view_that_a_run_has_not_is_called_by_its_name(run_type: RunType, view, said, tmp_path):
    ledger = toy_ledger(LocalStore(tmp_path), toy_run(toy_identity(run_type.name)), run_type)
    assert _why_no_view(ledger, view, "out") == said
