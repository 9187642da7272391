"""Tiles: every base asked for has one bin, and its values are those of its window predicted alone."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enformer_core.analyses import run_type_of
from enformer_core.analyses.base import ShardWorker
from enformer_core.analyses.tile_run_type import TilesType, tile_bins
from enformer_core.analyses.tiles import TileComputation, tiles_of
from enformer_core.dataset.codec import from_parquet, readable_json, to_parquet
from enformer_core.dataset.commit import footer_of
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import chrom_of_key, receipt_key, table_key
from enformer_core.dataset.plan_builder import draft_tiles
from enformer_core.dataset.plan_storage import read_plan
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.schemas import PREDICTIONS_SCHEMA
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import read_regions
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.direct import SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.tile_prediction import TilePredictor
from enformer_core.scoring.windows import Window, reference_sequence
from enformer_core.storage.local import LocalStore
from tests.support.small_models import small_basenji2, small_borzoi, small_enformer
from tests.support.toy_runs import put_tracks, toy_identity, toy_ledger, toy_run

CPU = torch.device("cpu")

FLOAT64 = Arithmetic(reference=torch.float64, delta=torch.float64)

MODELS = {"enformer": small_enformer, "basenji2": small_basenji2, "borzoi": small_borzoi}

TOY = Geometry(window_bp=44, bin_bp=4, bins=5)  # tiles of 20 bp

LENGTHS = (1, 3, 4, 5, 19, 20, 21, 39, 40, 41, 97)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A contig for each of LENGTHS, and one with N in its second tile and in a part of the first and last."""
    path = tmp_path_factory.mktemp("toy") / "toy.fa"
    contigs = {f"chr{length}": "ACGTA" * 20 for length in LENGTHS}
    sequences = {name: letters[: int(name[3:])] for name, letters in contigs.items()}
    sequences["gap"] = "ACGT" * 4 + "N" * 4 + "n" * 20 + "N" * 2 + "A" + "N" * 5
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in sequences.items()))
    return Genome(path)


def bins_of(tiles):
    """Start and end of every bin of a table of tiles, contig by contig."""
    found = []
    for contig in tiles["chrom"].unique().to_pylist():
        bins = tile_bins(tiles.filter(pa.compute.equal(tiles["chrom"], contig)))
        found += [
            (contig, *ends)
            for ends in zip(bins["start"].to_pylist(), bins["end"].to_pylist(), strict=True)
        ]
    return found


# which tiles


@given(st.sampled_from(LENGTHS), st.data())
def test_bins_are_those_that_overlap_a_region_each_once(toy, tmp_path_factory, length, data):
    firsts = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=6))
    regions = [(first, data.draw(st.integers(first + 1, length))) for first in firsts]
    bed = tmp_path_factory.getbasetemp() / "property.bed"
    bed.write_text("".join(f"chr{length}\t{start}\t{end}\n" for start, end in regions))
    tiles = tiles_of(toy, read_regions(str(bed), toy), TOY)
    bins = [(start, min(start + 4, length)) for start in range(0, length, 4)]
    asked = [(a, b) for a, b in bins if any(start < b and a < end for start, end in regions)]
    assert bins_of(tiles) == [(f"chr{length}", a, b) for a, b in asked]
    assert sum(tiles["bins"].to_pylist()) == len(asked)
    assert all(start % 20 == 0 for start in tiles["start"].to_pylist())


def test_the_whole_genome_has_each_base_once(toy):
    tiles = tiles_of(toy, read_regions(None, toy), TOY)
    covered = {contig: np.zeros(length, int) for contig, length in toy.contigs.items()}
    for contig, start, end in bins_of(tiles):
        covered[contig][start:end] += 1
    gap = covered.pop("gap")
    assert all((times == 1).all() for times in covered.values())
    assert (
        gap.tolist() == [1] * 20 + [0] * 20 + [1] * 8
    )  # the tile without a known base is left out
    listed = tiles.filter(pa.compute.equal(tiles["status"], "all_n")).to_pylist()
    assert [(tile["chrom"], tile["start"], tile["end"], tile["bins"]) for tile in listed] == [
        ("gap", 20, 40, 5)
    ]


def test_tiles_are_cut_into_shards_of_one_contig(toy):
    draft = draft_tiles(tiles_of(toy, read_regions(None, toy), TOY), 2)
    assert sum(shard.rows for shard in draft.shards) == 6 * 1 + 3 * 2 + 3 + 5 + 3
    assert [(shard.chrom, shard.rows) for shard in list(draft.shards)[-5:]] == [
        ("chr97", 2),
        ("chr97", 2),
        ("chr97", 1),
        ("gap", 2),
        ("gap", 1),
    ]
    assert draft.by_status == {"all_n": 1, "ok": 22}
    assert [default_shard_size(tiles, least=1, most=8) for tiles in (1, 64, 65, 27_000)] == [
        1,
        1,
        2,
        8,
    ]


# which regions


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("chr97", {"chr97": [[0, 97]]}),
        ("97", {"chr97": [[0, 97]]}),
        ("chr97:1-97", {"chr97": [[0, 97]]}),
        ("97:5-5", {"chr97": [[4, 5]]}),
    ],
)
def test_one_region(toy, asked, found):
    assert {
        contig: intervals.tolist() for contig, intervals in read_regions(asked, toy).items()
    } == found


def test_a_bed_file_is_sorted_and_joined(toy, tmp_path):
    text = "track name=x\n#note\nchr97\t50\t60\textra\n97 5 10\n\nchr97\t7\t8\nchr97\t10\t12\nchr4\t0\t4\n"
    plain, packed = tmp_path / "a.bed", tmp_path / "a.bed.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    for path in (plain, packed):
        found = {
            contig: intervals.tolist() for contig, intervals in read_regions(str(path), toy).items()
        }
        assert found == {"chr4": [[0, 4]], "chr97": [[5, 12], [50, 60]]}
        assert list(found) == ["chr4", "chr97"]  # as the genome is sorted


def test_a_number_may_have_commas_and_a_contig_a_colon(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">HLA*01:01\n{'ACGT' * 300}\n")
    genome = Genome(path)
    assert read_regions("HLA*01:01", genome)["HLA*01:01"].tolist() == [[0, 1200]]
    assert read_regions("HLA*01:01:1,001-1,100", genome)["HLA*01:01"].tolist() == [[1000, 1100]]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("chrQ", ["chrQ", "toy.fa", "chr1, chr3"]),
        ("chrQ:1-2", ["chrQ", "toy.fa", "chr1, chr3"]),
        ("regions.bed", ["regions.bed", "toy.fa", "no such BED file"]),
        ("chr97:0-5", ["0 to 5", "count from 1"]),
        ("chr97:9-5", ["9 to 5"]),
        ("chr97:90-98", ["98", "97", "assembly"]),
    ],
)
def test_a_region_that_cannot_be_is_named(toy, asked, named):
    with pytest.raises(InputError) as refused:
        read_regions(asked, toy)
    assert all(part in str(refused.value) for part in named), refused.value


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["x.bed", "no regions"]),
        ("chr97\t5\n", ["x.bed, line 1", "not BED"]),
        ("#\nchr97\tfive\t6\n", ["x.bed, line 2", "not BED"]),
        ("chr97\t5\t5\n", ["line 1", "5 to 5"]),
        ("chr97\t-1\t5\n", ["line 1", "-1 to 5"]),
        ("chr97\t5\t98\n", ["line 1", "98", "97"]),
        ("chr97\t5\t9\nchrQ\t5\t9\n", ["line 2", "chrQ", "toy.fa"]),
        ("\x1f\x8bno", ["x.bed", "cannot be read"]),
    ],
)
def test_a_bad_bed_line_is_named(toy, tmp_path, text, named):
    path = tmp_path / "x.bed"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as refused:
        read_regions(str(path), toy)
    assert all(part in str(refused.value) for part in named), refused.value


# one tile's prediction


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Four tiles of the small Enformer, the second all N, the last one 700 bp; and a contig shorter than a bin."""
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    letters = np.random.default_rng(0).choice(
        list("ACGTacgtN"), 3 * 2560 + 700, p=[0.12] * 8 + [0.04]
    )
    letters[2560:5120] = "N"
    path.write_text(f">c\n{''.join(letters)}\n>d\n{''.join(letters[:100])}\n")
    return Genome(path)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


def predictor_of(model, genome, *, strands="both", tracks=None, pairs=None):
    network = delta_network(
        model, "human", tracks, device=CPU, arithmetic=FLOAT64, strand_pairs=pairs
    )
    return TilePredictor(network, genome, strands=strands)


def alone(model, genome, contig, start, *, strands="both", tracks=None, pairs=None):
    """The tile's window through the whole model, by itself."""
    conventions = Conventions(
        geometry=model.geometry,
        statistics=("sad",),
        centre_index=model.geometry.window_bp // 2,  # of no variant: a tile has none
        strands=strands,
    )
    plain = SequencePredictor(
        model, "human", tracks, conventions, CPU, torch.float64, strand_pairs=pairs
    )
    window = Window(start - model.geometry.crop_bp)
    return plain.averaged(
        window, lambda at: reference_sequence(genome, contig, at, model.geometry.window_bp)
    )


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"strands": "forward"},
        {"tracks": (4, 1)},
        {"tracks": (4, 1), "pairs": (0, 1)},
    ],
    ids=["both", "forward", "tracks", "strand pairs"],
)
def test_a_tile_is_its_window_predicted_alone(model, genome, how):
    tiles = tiles_of(genome, read_regions(None, genome), model.geometry).to_pylist()
    assert len(tiles) >= 5
    predictor = predictor_of(model, genome, **how)
    for tile in tiles:  # ends of contigs among them
        expected = alone(model, genome, tile["chrom"], tile["start"], **how)
        assert expected.std() > 1e-3
        predicted = predictor.predict(tile["chrom"], tile["start"])
        np.testing.assert_allclose(predicted.numpy(), expected.numpy(), rtol=1e-9, atol=0)


def test_a_prediction_does_not_depend_on_what_came_before(model, genome):
    forwards, backwards = predictor_of(model, genome), predictor_of(model, genome)
    starts = [number * model.geometry.output_bp for number in range(4)]
    there = [forwards.predict("c", start) for start in starts]
    back = [backwards.predict("c", start) for start in reversed(starts)]
    for one, other in zip(there, reversed(back), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


# shards of tiles


def make_run(root, genome, *, regions=None, shard_size=2):
    store = LocalStore(root)
    tiles = tiles_of(genome, read_regions(regions, genome), small_enformer().geometry)
    draft = draft_tiles(tiles, shard_size)
    run = toy_run(
        toy_identity("tiles", tracks=5),
        sha256=draft.sha256,
        shards=len(draft.shards),
        by_status=draft.by_status,
    )
    run.claim(store)
    put_tracks(store, run)
    return store, run, draft.put(store)


def ledger_of(store, run):
    return toy_ledger(store, run, TilesType())


def predict_all(store, run, plan, predictor):
    ledger = ledger_of(store, run)
    shards = ShardWorker(TileComputation(predictor), ledger)
    for shard in plan.shards:
        shards(ShardTask(shard))
    return ledger.finish(plan)


def stored(store):
    """Values of every bin as stored, by contig, start and end."""
    rows = {}
    for key in store.keys("predictions/"):
        table, _ = from_parquet(store.get(key), key)
        for row in table.to_pylist():
            place = chrom_of_key(key), row["start"], row["end"]
            assert place not in rows
            rows[place] = row["values"]
    return rows


@pytest.fixture(scope="module")
def whole(genome, tmp_path_factory):
    """A finished run over the genome."""
    store, run, plan = make_run(tmp_path_factory.mktemp("runs") / "whole", genome)
    return store, run, plan, predict_all(store, run, plan, predictor_of(small_enformer(), genome))


def test_a_finished_run_has_each_bin_once_and_verifies(whole, genome):
    store, run, plan, manifest = whole
    assert list(read_plan(store, 1).shards) == list(plan.shards)
    assert manifest.rows == 5
    assert manifest.by_status == {"all_n": 1, "ok": 4}
    verdict = verify_run(ledger_of(store, run))
    assert verdict.problems == ()
    assert (verdict.complete, verdict.rows, verdict.unit) == (True, 5, "tiles")
    progress = run_progress(ledger_of(store, run))
    assert (progress.rows_done, progress.rows, progress.unit, progress.finished) == (
        5,
        5,
        "tiles",
        True,
    )
    places = [(start, end) for contig, start, end in stored(store) if contig == "c"]
    ends = [
        (start, min(start + 128, 8380)) for start in range(0, 8380, 128) if not 2560 <= start < 5120
    ]
    assert places == ends
    assert [place for place in stored(store) if place[0] == "d"] == [("d", 0, 100)]


def test_the_values_stored_are_those_of_the_model(whole, genome):
    rows, model = stored(whole[0]), small_enformer()
    for contig, start in [("c", 0), ("c", 5120), ("c", 7680), ("d", 0)]:
        expected = alone(model, genome, contig, start).numpy()
        mine = {
            place: values
            for place, values in rows.items()
            if place[0] == contig and 0 <= place[1] - start < 2560
        }
        for (_, at, _), values in mine.items():
            np.testing.assert_allclose(values, expected[(at - start) // 128], rtol=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 8379), st.integers(1, 3000)), min_size=1, max_size=4),
    st.integers(1, 5),
)
@settings(max_examples=8)
def test_regions_give_the_bins_of_the_whole_run_with_any_shard_size(
    whole, genome, tmp_path_factory, drawn, size
):
    root = tmp_path_factory.mktemp("part")
    regions = [(start, min(start + length, 8380)) for start, length in drawn]
    (root / "r.bed").write_text("".join(f"c\t{start}\t{end}\n" for start, end in regions))
    store, run, plan = make_run(root / "run", genome, regions=str(root / "r.bed"), shard_size=size)
    predict_all(store, run, plan, predictor_of(small_enformer(), genome))
    assert verify_run(ledger_of(store, run)).problems == ()
    expected = {
        place: values
        for place, values in stored(whole[0]).items()
        if place[0] == "c" and any(start < place[2] and place[1] < end for start, end in regions)
    }
    assert stored(store) == expected


class Broken:
    """One value of one tile is not finite."""

    def __init__(self, predictor, at):
        self._predictor, self._at = predictor, at

    def predict(self, contig, start):
        predicted = self._predictor.predict(contig, start).clone()
        if (contig, start) == self._at:
            predicted[0, 2] = np.inf
        return predicted


def test_a_tile_that_is_not_finite_fails_and_is_counted(genome, tmp_path):
    store, run, plan = make_run(tmp_path / "run", genome)
    predictor = Broken(predictor_of(small_enformer(), genome), ("c", 5120))
    manifest = predict_all(store, run, plan, predictor)
    assert manifest.by_status == {"all_n": 1, "failed": 1, "ok": 3}
    verdict = verify_run(ledger_of(store, run))
    assert verdict.problems == ()
    assert verdict.by_status["failed"] == 1
    empty = [place[1] for place, values in stored(store).items() if values is None]
    assert empty == list(range(5120, 7680, 128))


def test_a_twin_that_comes_second_takes_the_first_ones_values(genome, tmp_path):
    store, run, plan = make_run(tmp_path / "run", genome)
    ledger, shard = ledger_of(store, run), plan.shards[-1]
    predictor = predictor_of(small_enformer(), genome)
    ShardWorker(TileComputation(predictor), ledger)(ShardTask(shard))
    first = json.loads(store.get(receipt_key(shard.number)))
    (store.root / receipt_key(shard.number)).unlink()
    committed = ShardWorker(TileComputation(Broken(predictor, ("d", 0))), ledger)(ShardTask(shard))
    assert committed.found == 1
    second = json.loads(store.get(receipt_key(shard.number)))
    assert second["tables"] == first["tables"]
    assert second["by_status"] == {"ok": 1}


def rewrite(store, run, shard, change):
    """A shard whose table was changed, its receipt with it: each agrees with the other, not with the plan."""
    ledger = ledger_of(store, run)
    key = table_key("predictions", shard.chrom, shard.number)
    table = change(from_parquet(store.get(key), key)[0])
    content = to_parquet(table, footer_of(ledger.run, "predictions", shard))
    receipt = json.loads(store.get(receipt_key(shard.number)))
    receipt["tables"]["predictions"] |= {
        "rows": table.num_rows,
        "sha256": sha256(content),
        "content_digest": content_digest(table),
    }
    (store.root / key).write_bytes(content)
    (store.root / receipt_key(shard.number)).write_bytes(readable_json(receipt))


def without_last(table):
    return table.slice(0, table.num_rows - 1)


def one_shorter(table):
    values = table["values"].to_pylist()
    values[0] = values[0][:-1]
    return table.set_column(2, "values", pa.array(values, pa.list_(pa.float32())))


def one_null(table):
    values = [None, *table["values"].to_pylist()[1:]]
    return table.set_column(2, "values", pa.array(values, pa.list_(pa.float32())))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (without_last, "do not hold the planned tiles in order"),
        (lambda table: pa.concat_tables([table, table]), "do not hold the planned tiles in order"),
        (one_shorter, "lists of [4, 5] values, the run 5"),
        (one_null, "not there for just the rows that are ok"),
    ],
)
def test_a_table_that_does_not_answer_the_plan_is_found(genome, tmp_path, change, found):
    store, run, plan = make_run(tmp_path / "run", genome)
    shards = ShardWorker(
        TileComputation(predictor_of(small_enformer(), genome)), ledger_of(store, run)
    )
    for shard in plan.shards:
        shards(ShardTask(shard))
    assert verify_run(ledger_of(store, run)).problems == ()
    rewrite(store, run, plan.shards[0], change)
    assert any(found in problem for problem in verify_run(ledger_of(store, run)).problems)


def test_a_run_of_an_unknown_kind_is_refused():
    with pytest.raises(
        DatasetError, match="kind 'attributions', this program knows variants, tiles"
    ):
        run_type_of("attributions")


def test_the_first_table_names_its_rows_by_its_keys():
    (predictions,) = TilesType.value_tables
    assert TilesType().tables == (predictions.name,) == ("predictions",)
    assert [field.name for field in PREDICTIONS_SCHEMA] == [*predictions.key_columns, "values"]
