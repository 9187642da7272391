"""Alleles that are looked up say where they stand in the null, where their run has the table `percentiles`."""

import json

import pytest

from enformer_core.dataset.lookup import look_up
from enformer_core.errors import DatasetError
from enformer_core.variants.allele_keys import parse_key
from jobs.calibrate import CalibrateSettings, calibrate_run
from jobs.cli import main
from jobs.percentiles import PercentilesSettings, rank
from jobs.query import run_query
from tests.support.summaries import given_run

VALUES = [[-1, 0.5, 0], [0, 1, 0], [0, 1.5, 0], [2, 2, 0], [2, -3, 0]]


@pytest.fixture
def ranked(tmp_path):
    """A run of five alleles in two shards, ranked by itself."""
    run = given_run(tmp_path / "run", VALUES)
    null = str(tmp_path / "null.parquet")
    calibrate_run(CalibrateSettings(str(run.store.root), out=null))
    rank(PercentilesSettings(str(run.store.root), null=null, statistics=("sad",)))
    return run


def strongest(run, key):
    (allele,) = look_up(run.ledger, [parse_key(key)]).alleles
    return allele.strongest


def test_each_effect_has_the_rank_that_the_table_has(ranked):
    sql = "SELECT variant_id, sad_quantile, sad_phred FROM percentiles"
    table = {name: lists for name, *lists in run_query(str(ranked.store.root), sql)}
    for start in range(5):
        name = f"chr1:{start + 1}:A:G"
        quantiles, phreds = table[name]
        for effect in strongest(ranked, name):
            place = [0, 5, 7].index(effect["track"])
            if effect["statistic"] == "sad":
                assert (effect["quantile"], effect["phred"]) == (quantiles[place], phreds[place])
            else:
                # ranked by one statistic alone
                assert (effect["quantile"], effect["phred"]) == (None, None)
    # of the sizes 1/2 1 3/2 2 3 the largest, and below all of −3 1/2 1 3/2 2 but itself
    (largest, *_) = [each for each in strongest(ranked, "chr1:5") if each["statistic"] == "sad"]
    assert (largest["track"], largest["phred"]) == (5, 10)
    assert largest["quantile"] == pytest.approx(-0.8)


def test_a_run_without_the_table_says_nothing_of_ranks(tmp_path):
    run = given_run(tmp_path / "run", VALUES)
    assert all("phred" not in effect for effect in strongest(run, "chr1:5"))


def test_the_command_shows_them(ranked, capsys):
    place = str(ranked.store.root)
    assert main(["lookup", place, "chr1:5"]) == 0
    header, _, row = capsys.readouterr().out.splitlines()
    assert header.split()[-2:] == ["d1_track", "d1_phred"]
    assert "sad_phred" in header.split()
    assert " 10.0" in row
    assert main(["lookup", place, "chr1:5", "--json"]) == 0
    (allele,) = json.loads(capsys.readouterr().out)["alleles"]
    ranks = {
        each["track"]: (each["quantile"], each["phred"])
        for each in allele["strongest"]
        if each["statistic"] == "sad"
    }
    assert ranks[5] == (-0.8, 10.0)


def test_a_table_of_other_rows_is_refused(ranked):
    first, second = sorted(ranked.store.root.glob("percentiles/*/*.parquet"))
    second.write_bytes(first.read_bytes())
    with pytest.raises(DatasetError, match=r"bytes, its receipt says|is chr1:1:A:G, and chr1:4"):
        strongest(ranked, "chr1:4")
