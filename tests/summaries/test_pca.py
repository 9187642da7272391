"""Components of runs: which alleles they are fitted on, what the file says, and which runs they are for."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from enformer_core.analyses import run_type_of
from enformer_core.api.run_tables import open_run
from enformer_core.dataset.finished import IncompleteRunError
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import DatasetError, InputError
from enformer_core.summaries import write_summary
from enformer_core.summaries.drawn_alleles import draw_alleles, planned_alleles
from enformer_core.summaries.pca import (
    Components,
    PcaSettings,
    components_by,
    fit_pca,
    without_components,
)
from enformer_core.summaries.pca_file import read_pca, tracks_for
from enformer_core.summaries.processes import Processes
from enformer_core.summaries.robust_pca import fit
from enformer_core.summaries.scratch_matrix import ScratchMatrix
from tests.support.wide_runs import begun_wide_run, wide_run

SETTINGS = PcaSettings(components=3, statistic="sad")


def matrix_of(rows=60, tracks=5, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_t(3, (rows, tracks)).astype(np.float32)


def fitted(run, settings=SETTINGS):
    return fit_pca(run.ledger, settings, lambda step: None)


def plainly(values, components=3):
    """The transform of these rows, without a run."""
    with ScratchMatrix(values.shape[1], np.float32) as matrix:
        matrix.add(values)
        matrix.finish()
        return fit(matrix, components)


def same_transforms(first, second):
    return all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items())


def applied(run, pca, **options):
    """The table `pca` of a run, by allele."""
    chosen = tracks_for(run.ledger, pca, "x.safetensors")
    components_by(pca, chosen).write(run.ledger, **options)
    return pa.concat_tables([rows for _, rows in stored_tables(run.ledger, "pca")])


def component_values(table):
    names = [name for name in table.column_names if name.startswith("pc")]
    return np.stack([table[name].to_numpy() for name in names], axis=1)


def test_each_scored_allele_counts_once_whatever_the_shards(tmp_path):
    values = matrix_of()
    values[7] = np.nan  # its scorer fails: the row is planned, and has no values
    good = np.delete(values, 7, axis=0)
    wanted = plainly(good)
    encoded = set()
    for size in (7, 1000):
        options = {"shard_size": size, "repeats": [3, 3, 40], "unplaced": 2}
        pca = fitted(wide_run(tmp_path / f"{size}", values, **options))
        assert pca.fitted_on.alleles == 59
        assert same_transforms(pca.transform, wanted)
        encoded.add(pca.digest)
    assert len(encoded) == 1


def test_the_table_has_a_row_for_each_of_scores(tmp_path):
    values = matrix_of()
    values[7] = np.nan
    run = wide_run(tmp_path / "run", values, repeats=[3], unplaced=2, shard_size=9)
    pca = fitted(run)
    table = applied(run, pca)
    scores = pa.concat_tables([rows for _, rows in stored_tables(run.ledger, "scores")])
    for key in ("variant_id", "input_line", "status"):
        assert table[key].to_pylist() == scores[key].to_pylist()
    assert [name for name in table.column_names if name.startswith("pc")] == ["pc1", "pc2", "pc3"]
    assert table.schema.field("pc1").type == pa.float32()
    has_values = np.array(table["status"].to_pylist()) == "ok"
    assert table["pc2"].is_null().to_pylist() == (~has_values).tolist()
    rows = [pos - 1 for pos in table.filter(pa.array(has_values))["pos"].to_pylist()]
    wanted = pca.transform.transform(values[rows]).astype(np.float32)
    assert np.array_equal(component_values(table)[has_values], wanted)
    # the repeat has what its allele has
    assert sorted(rows).count(3) == 2


def test_components_do_not_depend_on_shards_processes_or_other_alleles(tmp_path):
    pca = fitted(wide_run(tmp_path / "fit", matrix_of()))
    values = matrix_of(rows=50, seed=1)
    tables = [
        component_values(applied(wide_run(tmp_path / "a", values, shard_size=1000), pca)),
        component_values(
            applied(wide_run(tmp_path / "b", values, shard_size=3), pca, spread=Processes(2))
        ),
    ]
    assert np.array_equal(*tables)
    few = applied(wide_run(tmp_path / "c", values[:5]), pca)
    by_place = dict(zip(few["pos"].to_pylist(), component_values(few), strict=True))
    assert all(np.array_equal(by_place[row + 1], tables[0][row]) for row in range(5))


def test_columns_say_what_they_mean(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of())
    applied(run, fitted(run))
    key = next(run.store.keys("pca/"))
    schema = pa.parquet.read_schema(tmp_path / "run" / key)
    assert schema.field("pc2").metadata[b"description"].startswith(b"principal component 2 of")
    assert b"quartiles" in schema.field("pc2").metadata[b"unit"]
    assert open_run(tmp_path / "run").table("pca").collect().height == 60


def test_the_file_is_read_as_it_was_written_and_is_the_same_each_time(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of())
    pca = fitted(run)
    file = tmp_path / "x.safetensors"
    file.write_bytes(pca.encoded())
    read = read_pca(str(file))
    assert read.fitted_on == pca.fitted_on
    assert same_transforms(read.transform, pca.transform)
    assert read.digest == pca.digest
    assert fitted(run).encoded() == pca.encoded()
    assert pca.fitted_on.run == run.run.digest
    assert pca.fitted_on.notice == "only a test"
    assert pca.fitted_on.tracks[4].identifier == "id-4"


def test_reading_is_told_of_runs_of_many_shards(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of(rows=40), shard_size=1)
    told = []
    fit_pca(run.ledger, SETTINGS, told.append)
    read = [f"{shards} of 40 shards read" for shards in range(4, 40, 4)]
    assert told[:10] == ["scores of 40 alleles", *read]


def test_files_that_are_no_pca_are_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match=r"x\.safetensors: cannot be read as a PCA: .*pca fit"):
        read_pca(str(file))
    file.write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as a PCA"):
        read_pca(str(file))
    file.write_bytes(save({"a": np.zeros(3)}))
    with pytest.raises(InputError, match=r"is no PCA, though a \.safetensors file"):
        read_pca(str(file))
    pca = fitted(wide_run(tmp_path / "run", matrix_of()))
    whole = pca.encoded()
    file.write_bytes(whole.replace(b'\\"format\\":1', b'\\"format\\":9'))
    with pytest.raises(InputError, match="of format 9, this program reads 1"):
        read_pca(str(file))
    file.write_bytes(whole)
    with safe_open(file, "np") as stored:
        about = stored.metadata()
    arrays = load(whole)
    file.write_bytes(save({**arrays, "mean": arrays["mean"][:2]}, about))
    with pytest.raises(InputError, match=r"damaged: has the arrays .*'mean': \(2,\).*Fit it again"):
        read_pca(str(file))


def test_a_pca_of_other_scores_is_refused_with_both_sides(tmp_path):
    pca = fitted(wide_run(tmp_path / "run", matrix_of()))
    other = wide_run(tmp_path / "model", matrix_of(), model="brother")
    with pytest.raises(
        InputError, match=r'(?s)x: was fitted .*model\.name: there "toy", now "brother"'
    ):
        tracks_for(other.ledger, pca, "x")
    few = wide_run(tmp_path / "few", matrix_of(tracks=3))
    with pytest.raises(
        InputError, match=r"fitted on 5 tracks of toy human; .* has 3 tracks, without 3, 4"
    ):
        tracks_for(few.ledger, pca, "x")
    shifted = replace(pca.fitted_on, conventions={"shifts": [-1, 0, 1]})
    with pytest.raises(InputError, match=r"conventions\.shifts: there \[-1,0,1\], now null"):
        tracks_for(few.ledger, replace(pca, fitted_on=shifted), "x")
    other_statistic = replace(pca.fitted_on, statistic="d2")
    with pytest.raises(InputError, match=r"has no d2, but sad; .* score with --statistics d2"):
        tracks_for(few.ledger, replace(pca, fitted_on=other_statistic), "x")
    # which alleles a run has decides nothing
    alike = wide_run(tmp_path / "alike", matrix_of(rows=9), seed=2)
    assert len(tracks_for(alike.ledger, pca, "x")) == 5


def test_another_pca_does_not_take_the_tables_place(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of())
    first = applied(run, fitted(run))
    assert applied(run, fitted(run)).equals(first)
    with pytest.raises(InputError, match=r"components: there 3, now 2"):
        applied(run, fitted(run, replace(SETTINGS, components=2)))


def test_tracks_can_be_chosen_and_are_found_in_runs_of_more(tmp_path):
    values = matrix_of()
    whole = wide_run(tmp_path / "whole", values, indices=[2, 3, 5, 7, 11])
    pca = fitted(whole, PcaSettings(components=2, statistic="sad", tracks="3,11"))
    assert [track.index for track in pca.fitted_on.tracks] == [3, 11]
    assert same_transforms(pca.transform, plainly(values[:, [1, 4]], 2))
    two = wide_run(tmp_path / "two", values[:, [1, 4]], indices=[3, 11])
    assert np.array_equal(
        component_values(applied(whole, pca)), component_values(applied(two, pca))
    )


def test_a_sample_is_of_alleles_and_seed_alone(tmp_path):
    values = matrix_of(rows=200)
    runs = [
        wide_run(tmp_path / "a", values, shard_size=13, repeats=[5], unplaced=1),
        wide_run(tmp_path / "b", values, shard_size=1000),
    ]
    settings = replace(SETTINGS, sample=50, seed=4)
    first, second = (fitted(run, settings) for run in runs)
    assert first.digest == second.digest
    assert first.fitted_on.alleles == 50
    assert fitted(runs[0], replace(settings, seed=5)).digest != first.digest
    everybody = fitted(runs[0], replace(settings, sample=1000))
    assert everybody.digest == fitted(runs[0]).digest
    assert [planned_alleles(run.ledger) for run in runs] == [200, 200]


def test_the_alleles_of_a_sample_are_drawn_evenly(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of(rows=400, tracks=2), shard_size=100)
    drawn = draw_alleles(run.ledger, 200, seed=0)
    assert drawn.count == 200
    of_shards = [int(rows.sum()) for rows in drawn.of_shard.values()]
    # 50 of 100 are expected, and the standard deviation is 4.3
    assert all(30 < count < 70 for count in of_shards)
    smaller = draw_alleles(run.ledger, 20, seed=0)
    assert all((rows <= drawn.of_shard[shard]).all() for shard, rows in smaller.of_shard.items())
    with pytest.raises(InputError, match="--sample 0: give 1 allele or more"):
        draw_alleles(run.ledger, 0, seed=0)


def test_shards_without_a_drawn_allele_are_not_read(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of(rows=40), shard_size=2)
    drawn = draw_alleles(run.ledger, 5, seed=0)
    for receipt in run.ledger.receipts():
        if receipt.shard not in drawn.of_shard:
            file = tmp_path / "run" / receipt.tables["scores"].key
            file.write_bytes(b"x" * file.stat().st_size)
    assert fitted(run, replace(SETTINGS, sample=5)).fitted_on.alleles == 5
    with pytest.raises(DatasetError, match="is not what its receipt names"):
        fitted(run)


def test_runs_that_cannot_be_fitted_are_refused(tmp_path):
    begun = begun_wide_run(tmp_path / "begun", matrix_of())
    with pytest.raises(IncompleteRunError, match=r"is not complete.*then fit a PCA"):
        fitted(begun)
    without = wide_run(tmp_path / "without", matrix_of(rows=4), unplaced=1)
    with pytest.raises(InputError, match=r"--components 20: 4 alleles and 5 tracks have at most 3"):
        fitted(without, replace(SETTINGS, components=20))
    # before anything is read, and whatever it holds
    steps = []
    with pytest.raises(InputError, match=r"--components 6: .* have at most"):
        fit_pca(without.ledger, replace(SETTINGS, components=6), steps.append)
    assert steps == []
    with pytest.raises(InputError, match="has no js, but sad"):
        fitted(without, replace(SETTINGS, statistic="js"))
    tiles = replace(begun.ledger, run_type=run_type_of("tiles"))
    with pytest.raises(InputError, match="come from `enformer-ray score`"):
        fitted(replace(begun, ledger=tiles))
    with pytest.raises(InputError, match="no track"):
        fitted(without, replace(SETTINGS, tracks="CAGE"))


def test_values_that_are_no_numbers_have_no_components_and_leave_the_others_theirs(tmp_path):
    run = wide_run(tmp_path / "run", matrix_of())
    chosen = tracks_for(run.ledger, fitted(run), "x")
    components = Components(fitted(run).transform, chosen, "sad")
    status = ["ok", "failed", "ok", "ok", "ok"]
    numbers = [float("inf"), None, 2.0, float("nan"), 3.0]
    lists = [None if each is None else [1.0, 2.0, each, 3.0, 4.0] for each in numbers]
    column = pa.array(lists, pa.list_(pa.float32()))
    found = components(pa.table({"variant_id": list("abcde"), "status": status, "sad": column}))
    alone = components(
        pa.table(
            {"variant_id": ["c", "e"], "status": ["ok", "ok"], "sad": column.take(pa.array([2, 4]))}
        )
    )
    for name in found.column_names:
        of_c, of_e = alone[name].to_pylist()
        assert found[name].to_pylist() == [None, None, of_c, None, of_e]
        assert None not in (of_c, of_e)


def test_a_value_that_no_pca_can_be_fitted_to_is_named(tmp_path, monkeypatch):
    run = wide_run(tmp_path / "run", matrix_of())

    def spoiled(*words, **options):
        for chrom, rows in stored_tables(*words, **options):
            lists = rows["sad"].to_pylist()
            lists[4][2] = float("inf")
            at = rows.column_names.index("sad")
            yield chrom, rows.set_column(at, "sad", pa.array(lists, rows["sad"].type))

    monkeypatch.setattr("enformer_core.summaries.pca.stored_tables", spoiled)
    with pytest.raises(
        DatasetError, match=r"inf in track 2, and no PCA can be fitted .* by --tracks"
    ):
        fitted(run)


def test_rows_without_components_are_counted_beside_those_without_scores(tmp_path):
    values = matrix_of()
    values[7] = np.nan  # its scorer fails
    run = wide_run(tmp_path / "run", values, repeats=[3], unplaced=2)
    pca = fitted(run)
    applied(run, pca)
    assert without_components(run.ledger, "pca") == 0

    def first_one_alone(scores):
        column = [1.0] + [None] * (scores.num_rows - 1)
        return pa.table({"pc1": pa.array(column, pa.float32())})

    write_summary(run.ledger, "few", {"of": "first"}, first_one_alone, columns=["status"])
    shards = len(list(stored_tables(run.ledger, "few")))
    # 60 alleles and a repeat, of which one failed
    assert without_components(run.ledger, "few") == 60 - shards
