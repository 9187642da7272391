"""Nulls and percentiles of runs: counted by hand, the same however a run is cut, refused where they do not fit."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core import open_run
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.run import SCORE_VERSION
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.local import LocalStore
from enformer_core.summaries.null_file import NullFile
from enformer_core.summaries.percentiles import percentiles_by
from enformer_core.summaries.processes import Processes
from enformer_core.summaries.work import one_by_one
from jobs import summary_written
from jobs.calibrate import CalibrateSettings, calibrate_run
from jobs.exit_codes import DONE, INCOMPLETE
from jobs.percentiles import PercentilesSettings, rank
from jobs.query import run_query
from tests.support.summaries import given_run, stored_run
from tests.support.toy_runs import begun_toy_run

VALUES = [[-1, 0.5, 0], [0, 1, 0], [0, 1.5, 0], [2, 2, 0]]


@pytest.fixture
def null_of(tmp_path):
    """Calibrate by a run; the null's path."""

    def made(run, **options):
        path = tmp_path / f"null-{len(list(tmp_path.iterdir()))}.parquet"
        assert calibrate_run(CalibrateSettings(str(run.store.root), out=str(path), **options)) == 0
        return str(path)

    return made


def percentiles(run, null, **options):
    settings = PercentilesSettings(str(run.store.root), null=null, **options)
    assert rank(settings) == DONE
    name = settings.name
    return open_run(run.store.root).table(name).sort("input_line").collect()


def test_a_run_of_four_alleles_ranked_by_another(tmp_path, null_of):
    background = given_run(tmp_path / "background", VALUES)
    asked = [[-5, 0.5, 0], [0, 0.75, 1], [9, 2, -1]]
    table = percentiles(given_run(tmp_path / "run", asked), null_of(background))
    quantiles = [[-0.75, -0.75, 0], [0, -0.5, 0.75], [0.75, 0.75, -0.75]]
    assert table["sad_quantile"].to_list() == quantiles
    # of the sizes 1 0 0 2, of 1/2 1 3/2 2 and of four zeros, so many eighths are as large
    eighths = [[1, 7, 4], [6, 6, 1], [1, 1, 1]]
    phreds = (-10 * np.log10(np.array(eighths) / 8)).astype(np.float32)
    assert table["sad_phred"].to_list() == phreds.tolist()
    # tracks 0 5 7
    assert table["sad_beyond_null"].to_list() == [[0], [7], [0, 7]]
    assert table["max_sad_phred"].to_list() == phreds.max(axis=1).tolist()
    assert table["max_sad_phred_track"].to_list() == [0, 7, 0]
    # sizes have no direction: 5 0.5 0, …
    assert table["d1_quantile"].to_list()[0] == [7 / 8, 1 / 8, 4 / 8]
    assert table["d1_phred"].to_list() == phreds.tolist()
    assert table["d1_beyond_null"].to_list() == [[0], [7], [0, 7]]


def test_rows_without_values_have_no_percentiles(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES, order=[0, 1, 2, 3, 1])
    other = begun_toy_run(
        LocalStore(tmp_path / "other"), [("chr1", 1, "A", "G"), (None, None, None, None)]
    )
    other.commit_all()
    other.ledger.finish(other.plan)
    table = percentiles(other, null_of(run))
    assert table["status"].to_list() == ["ok", "malformed"]
    for name in table.columns[10:]:
        assert table[name].is_null().to_list() == [False, True], name


def background_values(rows, seed=0):
    random = np.random.default_rng(seed)
    values = random.standard_t(2, (rows, 3)) * [1e-3, 1, 20]
    values[random.random(values.shape) < 0.1] = 0
    return values.astype(np.float32)


def arrays(path):
    return pq.read_table(path)


def test_the_null_is_the_same_for_any_order_any_shards_any_processes_and_repeated_alleles(
    tmp_path, null_of
):
    values = background_values(60)
    random = np.random.default_rng(5)
    shuffled = random.permutation(60)
    runs = [
        given_run(tmp_path / "a", values, shard_size=7),
        given_run(tmp_path / "b", values, shard_size=60, order=shuffled),
        given_run(tmp_path / "c", values, shard_size=4, order=[*shuffled, *shuffled[:30]]),
    ]
    first, *others = [arrays(null_of(run)) for run in runs]
    for other in others:
        assert other.equals(first)
    assert first["alleles"].to_pylist() == [60] * 6
    alone, together = null_of(runs[0]), null_of(runs[0], processes=2)
    assert Path(alone).read_bytes() == Path(together).read_bytes()
    # in the run that is ranked too
    tables = [percentiles(run, alone) for run in runs[:2]]
    keys = ["pos", "sad_quantile", "sad_phred", "sad_beyond_null", "max_d1_phred"]
    one, two = [table.select(keys).sort("pos") for table in tables]
    assert one.equals(two)


def test_several_processes_write_the_same_bytes(tmp_path, null_of):
    values = background_values(20)
    runs = [given_run(tmp_path / name, values) for name in ("one", "two")]
    null = null_of(runs[0])
    one, two = (
        percentiles_by(run.ledger, NullFile.open(null)).write(run.ledger, spread=spread)
        for run, spread in zip(runs, (one_by_one, Processes(2)), strict=True)
    )
    assert [file.sha256 for file in one.files] == [file.sha256 for file in two.files]


def test_the_file_says_what_it_is_a_null_of(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES, order=[0, 1, 2, 3, 3])
    null = NullFile.open(null_of(run, statistics=("d1",)))
    assert null.of.run == run.run.digest
    assert null.of.identity == run.run.identity
    assert null.of.by_status == {"ok": 5}
    assert {name: each.alleles for name, each in null.of.statistics.items()} == {"d1": 4}
    assert [track.high.tolist() for track in null.tracks("d1")] == [
        [0, 0, 1, 2],
        [0.5, 1, 1.5, 2],
        [0, 0, 0, 0],
    ]


def test_alleles_with_nan_or_infinities_are_left_out_of_a_null_and_counted(
    tmp_path, null_of, capsys
):
    values = [*VALUES, [1, np.nan, 1], [np.inf, 0, 0]]
    run = stored_run(tmp_path, values)
    null = null_of(run)
    assert (
        "sad: 2 alleles left out, with values that are NaN or infinite" in capsys.readouterr().err
    )
    assert arrays(null).equals(arrays(null_of(given_run(tmp_path / "clean", VALUES))))
    # in the run that is ranked NaN has no rank, and does not hide the others
    table = percentiles(run, null)
    assert np.isnan(table["sad_quantile"][4][1])
    assert np.isnan(table["sad_phred"][4][1])
    assert table["max_sad_phred_track"][4] == 7
    # 0 is smaller than anything that the null has in the second track
    assert table["sad_beyond_null"][5].to_list() == [0, 5]
    assert not verify_run(run.ledger).problems


def test_a_run_of_nothing_but_nan_is_no_null(tmp_path):
    run = stored_run(tmp_path, [[np.nan] * 3] * 2)
    with pytest.raises(InputError, match="sad has NaN or infinite values in each of 2 alleles"):
        calibrate_run(CalibrateSettings(str(run.store.root), out=str(tmp_path / "null")))
    assert not (tmp_path / "null").exists()


def test_a_run_of_which_nothing_is_ok_is_no_null(tmp_path):
    rows = [(None, None, None, None)] * 2
    run = begun_toy_run(LocalStore(tmp_path / "run"), rows)
    run.commit_all()
    run.ledger.finish(run.plan)
    with pytest.raises(InputError, match=r"of 2 alleles none is ok \(2 malformed\)"):
        calibrate_run(CalibrateSettings(str(tmp_path / "run"), out=str(tmp_path / "null")))
    assert not (tmp_path / "null").exists()


def test_a_run_without_alleles_is_no_null(tmp_path):
    begun = begun_toy_run(LocalStore(tmp_path / "run"), [])
    begun.ledger.finish(begun.plan)
    with pytest.raises(InputError, match=r"of 0 alleles none is ok \(none at all\)"):
        calibrate_run_of(begun, tmp_path)


def calibrate_run_of(run, tmp_path):
    from enformer_core.summaries.calibrate import calibrate  # noqa: PLC0415

    with (tmp_path / "null").open("wb") as stream:
        calibrate(run.ledger, stream)


def test_ranks_of_what_rounding_leaves_are_counted(tmp_path, null_of, capsys):
    null = null_of(given_run(tmp_path / "background", VALUES))
    rank(PercentilesSettings(str(given_run(tmp_path / "some", VALUES).store.root), null=null))
    assert "ranked by what" not in capsys.readouterr().err
    silent = given_run(tmp_path / "run", [[3e-6, 0, 0], [0, 0, 0], [4, 0, 0]])
    rank(PercentilesSettings(str(silent.store.root), null=null))
    said = (
        "sad: 2 of 3 rows have no value above a millionth of the run's largest, and are ranked by"
    )
    assert said in capsys.readouterr().err


def test_a_run_under_way_is_neither_null_nor_ranked(tmp_path, null_of, capsys):
    null = null_of(given_run(tmp_path / "background", VALUES))
    begun = begun_toy_run(LocalStore(tmp_path / "run"))
    out = str(tmp_path / "run")
    capsys.readouterr()
    assert calibrate_run(CalibrateSettings(out, out=str(tmp_path / "none"))) == INCOMPLETE
    assert rank(PercentilesSettings(out, null=null)) == INCOMPLETE
    said = capsys.readouterr().err
    assert said.count("is not complete. Run its own command again") == 2
    assert not (tmp_path / "none").exists()
    assert begun.ledger.manifest() is None


def test_a_null_of_other_scores_is_refused_with_both_sides(tmp_path, null_of):
    null = NullFile.open(null_of(given_run(tmp_path / "background", VALUES)))
    run = given_run(tmp_path / "run", VALUES).run
    null.check_fits(run, ("sad", "d1"))
    others = {
        "model": ({"name": "basenji2", "weights_sha256": "1" * 64, "head": "human"}, "toy"),
        "tracks": ({"count": 4, "sha256": "0" * 64}, "there 3, now 4"),
        "conventions": ({"statistics": ["sad"], "strands": "both"}, "strands"),
        "score_version": (SCORE_VERSION + 1, f"there {SCORE_VERSION}, now {SCORE_VERSION + 1}"),
    }
    for name, (value, told) in others.items():
        other = replace(run, identity={**run.identity, name: value})
        with pytest.raises(InputError, match=f"is a null of other scores(.|\n)*{told}"):
            null.check_fits(other, ("sad",))
    # what says which alleles a run has, or how they are kept, says nothing of its scores
    null.check_fits(replace(run, identity={**run.identity, "shard_size": 7, "seed": 9}), ("sad",))
    # and fewer statistics than the null has are no other conventions
    fewer = {**run.identity, "conventions": {"statistics": ["sad"]}}
    null.check_fits(replace(run, identity=fewer), ("sad",))


def test_a_null_of_other_statistics_is_refused(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES)
    null = null_of(run, statistics=("sad",))
    with pytest.raises(InputError, match="has no null of d1, but of sad"):
        rank(PercentilesSettings(str(run.store.root), null=null))
    table = percentiles(run, null, statistics=("sad",))
    assert "d1_quantile" not in table.columns
    with pytest.raises(InputError, match="no such statistic"):
        rank(PercentilesSettings(str(run.store.root), null=null, statistics=("js",)))


def test_another_null_needs_another_name(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES)
    one = null_of(run)
    two = null_of(given_run(tmp_path / "other", [*VALUES, [4, 4, 4]]))
    first = percentiles(run, one)
    assert percentiles(run, one).equals(first)
    with pytest.raises(InputError, match=r"null\.sha256: there .* now (.|\n)*--name"):
        rank(PercentilesSettings(str(run.store.root), null=two))
    assert not percentiles(run, two, name="others").equals(first)


def test_what_is_no_null_is_said(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES)
    out = str(run.store.root)
    text, parquet = tmp_path / "a.txt", tmp_path / "b.parquet"
    text.write_text("no null")
    pq.write_table(pa.table({"a": [1]}), parquet)
    for path in (text, parquet):
        with pytest.raises(InputError, match=r"is no null distribution\. A null is made by"):
            rank(PercentilesSettings(out, null=str(path)))
    with pytest.raises(InputError, match="there is no such file"):
        rank(PercentilesSettings(out, null=str(tmp_path / "absent")))
    with pytest.raises(InputError, match="is a directory, and a null is one file"):
        rank(PercentilesSettings(out, null=str(tmp_path)))
    null = Path(null_of(run))
    content = bytearray(null.read_bytes())
    place = content.index(canonical_json({"version": 1})[1:-1])
    content[place + len('"version":')] = ord("7")
    null.write_bytes(content)
    with pytest.raises(InputError, match="a null of version 7, this program reads 1"):
        rank(PercentilesSettings(out, null=str(null)))


def test_a_damaged_null_is_found(tmp_path, null_of):
    run = given_run(tmp_path / "run", VALUES)
    null = Path(null_of(run))
    content = bytearray(null.read_bytes())
    # in a page of the first column
    content[20] ^= 255
    null.write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        rank(PercentilesSettings(str(run.store.root), null=str(null)))


def test_the_question_that_is_printed_has_an_answer(tmp_path, null_of, capsys):
    run = given_run(tmp_path / "run", VALUES)
    null = null_of(run)
    percentiles(run, null)
    said = capsys.readouterr()
    assert "a null of few alleles has coarse tails: 1 in 4 is the rarest" in said.err
    assert "percentiles: 4 rows in 2 files" in said.out
    question = said.out.split("'")[1]
    answer = run_query(str(run.store.root), question)
    # as large in size as the largest of the null, by its first track
    assert answer[0] == ("chr1:4:A:G", pytest.approx(10 * np.log10(8)), None)
    assert len(answer) == 4


@pytest.mark.parametrize("settings", [CalibrateSettings, PercentilesSettings])
def test_no_process_at_all_is_refused(settings):
    other = {"out": "a"} if settings is CalibrateSettings else {"null": "a"}
    with pytest.raises(InputError, match="--processes 0"):
        settings("run", **other, processes=0)


PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"

SHOWN = re.findall(r"enformer-ray query scores ([\"'])(SELECT.*?)\1", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("sql", [sql for _, sql in SHOWN])
def test_the_queries_of_the_page_have_answers(tmp_path, null_of, sql):
    run = given_run(tmp_path / "run", VALUES)
    percentiles(run, null_of(run))
    # of four alleles none is 1 in 1,000
    assert len(run_query(str(run.store.root), sql.replace(">= 30", ">= 9"))) >= 2


def test_the_background_says_how_large_a_maximum_is_unusual(tmp_path, null_of):
    (sql,) = re.findall(r"enformer-ray query background '(SELECT.*?)'", PAGE.read_text())
    run = given_run(tmp_path / "run", VALUES)
    largest = percentiles(run, null_of(run))["max_sad_phred"].to_list()
    # as large: 3 of 8 in the first track, 4 of 8 in the third, 3 of 8 in the second, 1 of 8 in the first
    assert largest == pytest.approx([10 * np.log10(8 / each) for each in (3, 4, 3, 1)])
    assert run_query(str(run.store.root), sql) == [(largest[3],)]


def test_the_page_has_queries():
    assert len(SHOWN) == 2


def test_a_command_that_takes_long_says_how_far_it_is(monkeypatch, capsys):
    clock = iter([0.0, 9.0, 11.0, 12.0, 30.0, 50.0])
    monkeypatch.setattr(summary_written, "_now_s", lambda: next(clock))
    told = summary_written.Told("shards")
    for done in (1, 2, 3, 4, 5):
        told.of("percentiles", done, 5)
    assert (
        capsys.readouterr().err
        == "note: percentiles: 2 of 5 shards\nnote: percentiles: 4 of 5 shards\n"
    )
