"""Tiles of a small genome: complete, repeatable, continued, and the same on every path."""

import json
import pickle
import random

import polars as pl
import pytest

from cluster.local_backend import LocalBackend
from cluster.scheduler import Scheduler
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import receipt_key, table_key
from enformer_core.scoring.tile_prediction import TilePredictor
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.runs import content_digests

OUTPUT_BP = 114_688

LENGTHS = {"chr1": OUTPUT_BP + 130_000, "chr2": 3_001}

SMALL = ["--model", "motif", "--ray", "off", "--tracks", "0,1", "--strands", "forward"]

BINS = 'FROM predictions SELECT chrom, start, "end", values ORDER BY ALL'


@pytest.fixture(scope="session")
def tiled_genome(tmp_path_factory):
    """Four tiles: one of N alone, one full, one that the contig's end cuts, and a contig of 3,001 bp."""
    path = tmp_path_factory.mktemp("genome") / "tiled.fa"
    letters = "".join(random.Random(0).choices("ACGT", k=130_000))
    path.write_text(f">chr1\n{'N' * OUTPUT_BP}{letters}\n>chr2\n{letters[:3_001]}\n")
    return path


@pytest.fixture
def tile(run, tiled_genome, tmp_path):
    """Predict the tiles into a directory."""

    def call(out="run", *more):
        small = [
            word for at, word in enumerate(SMALL) if not {word, SMALL[at - 1]} & set(more[::2])
        ]
        return (
            *run("tiles", "--genome", tiled_genome, "--out", tmp_path / out, *small, *more),
            tmp_path / out,
        )

    return call


def digests(out):
    return content_digests(out, ["predictions"])


@pytest.fixture(scope="session")
def whole(tmp_path_factory, tiled_genome):
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["tiles", "--genome", str(tiled_genome), "--out", str(out), *SMALL]) == 0
    return out


def test_every_base_has_one_bin_but_where_all_is_n(tile, rows, run):
    code, text, _, out = tile()
    assert code == 0
    assert "4 tiles in 4 shards: 1 all_n, 3 ok" in text
    assert "1,040 bins" in text
    assert "DEMONSTRATION" in text
    answered = rows(out, BINS)
    assert [(row["chrom"], row["start"], row["end"]) for row in answered] == [
        (chrom, start, min(start + 128, length))
        for chrom, length in LENGTHS.items()
        for start in range(0 if chrom == "chr2" else OUTPUT_BP, length, 128)
    ]
    assert all(len(row["values"]) == 2 for row in answered)
    assert max(value for row in answered for value in row["values"]) > 5  # some bin has a site
    planned = pl.read_parquet(out / "plan" / "*.parquet").filter(pl.col("status") != "ok")
    assert planned.select("chrom", "start", "status").rows() == [("chr1", 0, "all_n")]
    assert rows(out, "FROM tracks SELECT index, list_position") == [
        {"index": 0, "list_position": 1},
        {"index": 1, "list_position": 2},
    ]
    code, text, _ = run("verify", out)
    assert code == 0
    assert text.startswith("verified: 4 tiles (1 all_n, 3 ok)")
    code, text, _ = run("status", out)
    assert code == 0
    assert "tiles    4 of 4" in text
    assert "all_n" in text
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["by_status"] == {"all_n": 1, "ok": 3}
    for path in out.rglob("shard-*.parquet"):
        _, footer = from_parquet(path.read_bytes(), path.name)
        assert footer.notice.startswith("DEMONSTRATION")


def test_a_run_without_predictions_says_so(tile):
    code, text, _, _ = tile("run", "--regions", f"chr1:1-{OUTPUT_BP}")
    assert code == 0
    assert "no predictions: of 1 tile none is ok, so nothing was computed" in text
    assert "all_n: of 1 tile the genome knows no base" in text
    assert "ask it" not in text


def test_a_run_that_dies_in_the_middle_is_continued_to_the_same_table(
    tile, whole, run, monkeypatch
):
    predict, calls = TilePredictor.predict, []

    def dying(self, contig, start):
        calls.append((contig, start))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(self, contig, start)

    monkeypatch.setattr(TilePredictor, "predict", dying)
    assert tile("half")[0] == 130
    monkeypatch.undo()
    code, _, error, out = tile("other", "--shard-size", "3")
    assert code == 0, error
    half = out.parent / "half"
    code, text, _ = run("status", half, "--json")
    assert code == 5
    assert json.loads(text)["rows_done"] == 2
    assert run("verify", half)[0] == 5
    assert tile("half")[0] == 0
    assert digests(half) == digests(whole)
    assert run("verify", half)[0] == 0


def test_only_what_has_no_receipt_is_predicted_again(tile, whole, run, monkeypatch):
    out = tile()[-1]
    (out / "manifest.json").unlink()
    (out / receipt_key(3)).unlink()  # died between the table and its receipt
    (out / receipt_key(1)).unlink()
    (out / table_key("predictions", "chr1", 1)).unlink()
    puts = []
    original = LocalStore.put_if_absent
    monkeypatch.setattr(
        LocalStore,
        "put_if_absent",
        lambda self, key, content: puts.append(key) or original(self, key, content),
    )
    assert tile()[0] == 0
    assert {key for key in puts if key.startswith("commits/")} == {receipt_key(1), receipt_key(3)}
    assert digests(out) == digests(whole)
    assert run("verify", out)[0] == 0
    code, text, _, _ = tile()
    assert code == 0
    assert text.startswith("already complete")


def test_the_same_table_with_another_shard_size(tile, whole, rows):
    out = tile("other", "--shard-size", "3")[-1]
    assert len(digests(out)) == 2
    assert rows(out, BINS) == rows(whole, BINS)


def test_regions_give_their_bins_of_the_same_table(tile, whole, rows, tmp_path):
    bed = tmp_path / "some.bed"
    bed.write_text(
        "2\t100\t300\nchr1\t114600\t114900\nchr1\t114700\t115000\nchr1\t200000\t200001\n"
    )
    out = tile("some", "--regions", bed)[-1]
    starts = [("chr1", 114_688 + 128 * bin_) for bin_ in range(3)]
    starts += [("chr1", 199_936), ("chr2", 0), ("chr2", 128), ("chr2", 256)]
    found = rows(out, BINS)
    assert [(row["chrom"], row["start"]) for row in found] == starts
    assert found == [row for row in rows(whole, BINS) if (row["chrom"], row["start"]) in starts]
    one = tile("one", "--regions", "chr2:129-256")[-1]
    assert [(row["start"], row["end"]) for row in rows(one, BINS)] == [(128, 256)]


def test_the_same_regions_in_other_words_are_the_same_run(tile):
    assert tile("run", "--regions", "chr2")[0] == 0
    code, text, _, _ = tile("run", "--regions", "2:1-3,001")
    assert code == 0
    assert text.startswith("already complete")
    code, _, error, _ = tile("run", "--regions", "chr2:1-3000", "--tracks", "0")
    assert code == 2
    assert "regions.bases: there 3001, now 3000" in error
    assert "tracks: there 0, 1, now 0" in error
    assert "sha256" not in error


def test_variants_and_tiles_do_not_mix(tile, run, vcf, genome):
    out = tile("run", "--regions", "chr2")[-1]
    code, _, error = run(
        "score", vcf, "--genome", genome, "--model", "motif", "--ray", "off", "--out", out
    )
    assert code == 2
    assert 'kind: there "tiles", now "variants"' in error


def test_a_worker_gets_all_it_needs_with_its_factory_and_tasks(tile, whole, monkeypatch):
    def sent(thing):
        return pickle.loads(pickle.dumps(thing))

    class Remote(Scheduler):
        """As on another machine: only copies of what is sent."""

        def __init__(self, factory, *, classify, control):
            super().__init__(
                LocalBackend(sent(factory)), workers=1, classify=classify, control=control
            )

        def run(self, tasks):
            return super().run(sent(task) for task in tasks)

    monkeypatch.setattr("jobs.job.local_pool", Remote)
    code, _, error, out = tile("remote")
    assert code == 0, error
    assert digests(out) == digests(whole)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--regions", "chr9"], ["chr9", "tiled.fa", "chr1, chr2"]),
        (["--regions", "chr2:1-3002"], ["3,002", "3,001", "chr2"]),
        (["--regions", "nowhere.bed"], ["nowhere.bed"]),
        (["--genome", "nowhere.fa"], ["nowhere.fa"]),
        (["--shard-size", "2000000"], ["2000000", "1,792 values", "at most 1198372"]),
        (["--tracks", "9999"], ["9999"]),
        (["--model", "enformer"], ["needs --weights"]),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(tile, tmp_path, more, named):
    code, text, error, out = tile("run", *more)
    assert code == 2, text
    assert error.startswith("enformer-ray: ")
    assert all(part in error for part in named), error
    assert not out.exists()


def test_settings_may_stand_in_a_file(run, tiled_genome, tmp_path):
    path = tmp_path / "tiles.toml"
    path.write_text(
        f'genome = "{tiled_genome}"\nmodel = "motif"\nout = "{tmp_path / "run"}"\nray = "off"\nregions = "chr2"\n'
    )
    assert run("tiles", "--config", path)[0] == 0
    path.write_text('model = "motif"\nstatistics = "sad"\n')
    code, _, error = run("tiles", "--config", path)
    assert code == 2
    assert "unknown setting 'statistics'" in error
    code, _, error = run("tiles", "--model", "motif")
    assert code == 2
    assert "missing: --genome, --out. See enformer-ray tiles --help" in error
