"""ABC scores are the program's own, and baselines on ENCODE's table are what they were found to be."""

import json

import numpy as np
import polars as pl
import pytest

from jobs.cli import main


@pytest.fixture(scope="module")
def linked(data_dir, tmp_path_factory):
    """Our table of the program's run on chr22."""
    out = tmp_path_factory.mktemp("links") / "links.parquet"
    folder = data_dir / "links"
    arguments = {
        "--genes": folder / "abc_chr22_atac_GeneList.tsv.gz",
        "--candidates": folder / "abc_chr22_atac_EnhancerList.tsv.gz",
        "--scores": "abc",
        "--out": out,
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    assert main(["links", *words]) == 0
    return pl.read_parquet(out)


@pytest.fixture(scope="module")
def program(data_dir):
    """What the program predicts above its threshold."""
    path = data_dir / "links" / "abc_chr22_atac_predictions.tsv.gz"
    return pl.read_csv(path, separator="\t", null_values="NaN")


@pytest.fixture(scope="module")
def both(linked, program):
    """Each of its predictions beside ours."""
    keys = {"TargetGene": "gene", "start": "start", "end": "end", "chr": "chrom"}
    theirs = program.rename(keys).drop("name", "class")
    return theirs.join(linked, on=list(keys.values()), how="left", maintain_order="left")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("distance", "distance_right"),
        ("powerlaw_contact", "powerlaw_contact_right"),
        ("ABC.Score.Numerator", "abc_numerator"),
        ("ABC.Score", "abc"),
        ("activity_base", "activity"),
        ("TargetGeneTSS", "tss"),
        ("isSelfPromoter", "is_self_promoter"),
        ("TargetGeneIsExpressed", "is_expressed"),
    ],
)
def test_every_prediction_of_the_program_is_ours(both, theirs, ours):
    assert both.height == 3_793
    wanted = both[theirs].cast(pl.Float64).to_numpy()
    found = both[ours].cast(pl.Float64).to_numpy()
    # six decimals are written; 1e-4 of the value too, of which contacts are a few hundredths
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_we_predict_no_more_than_the_program(linked, program):
    # its file leaves out promoters of other genes, and pairs below its threshold
    is_promoter = (pl.col("class") == "promoter") & ~pl.col("is_self_promoter")
    above = linked.filter(~is_promoter, pl.col("abc") > 0.013)
    assert above.height == program.height


def test_baselines_on_the_table_of_crispr_experiments(data_dir, capsys):
    table = data_dir / "links" / "crispr_training_K562.GRCh38.tsv.gz"
    bins = "0-10000,10000-20000,20000-57344,57344-98304,0-57344"
    assert (
        main(["evaluate", "links", str(table), "--json", "--bins", bins, "--bootstrap", "20"]) == 0
    )
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["score"] for row in rows} == {"inverse_distance", "activity_contact"}
    found = {each["bin"]: (each["pairs"], each["positives"]) for each in rows}
    assert found["all"] == (10_356, 471)
    assert found["0-57344"] == (1_098, 338)
    precision = {(row["score"], row["bin"]): round(row["average_precision"], 3) for row in rows}
    expected = {
        "all": (0.438, 0.519),
        "0-98000": (0.505, 0.599),
        "0-10000": (0.716, 0.791),
        "10000-20000": (0.330, 0.553),
        "20000-57344": (0.265, 0.437),
        "57344-98304": (0.113, 0.235),
        "0-57344": (0.541, 0.636),
    }
    assert precision == {
        (score, each): values[place]
        for each, values in expected.items()
        for place, score in enumerate(("inverse_distance", "activity_contact"))
    }


def test_abc_finds_regulated_pairs_better_than_distance(linked, data_dir, tmp_path, capsys):
    """On chr22, where the program's elements are; of each pair the elements that overlap it."""
    predictions = tmp_path / "links.parquet"
    linked.write_parquet(predictions)
    table = pl.read_csv(
        data_dir / "links" / "crispr_training_K562.GRCh38.tsv.gz",
        separator="\t",
        infer_schema=False,
    )
    pairs = tmp_path / "chr22.tsv"
    table.filter(pl.col("chrom") == "chr22").write_csv(pairs, separator="\t")
    words = [str(pairs), "--predictions", str(predictions), "--json", "--bootstrap", "0"]
    assert main(["evaluate", "links", *words]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    precision = {row["score"]: row["average_precision"] for row in rows if row["bin"] == "all"}
    assert precision["abc"] > precision["inverse_distance"]
