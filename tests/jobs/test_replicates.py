"""`score --weights a,b,c`: the mean and the spread of what each replicate alone comes to, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.genes import write_bed
from tests.support.new_model import known_toy, write_weights
from tests.support.runs import content_digests

STATISTICS = ("sad", "log_d1")

ALL = "FROM scores SELECT * EXCLUDE (input_file) ORDER BY input_line, alt_index"

GENES = "FROM gene_effects SELECT * EXCLUDE (input_file) ORDER BY input_line, alt_index, gene_id"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    with known_toy(tmp_path_factory.mktemp("toy")) as model:
        yield model


@pytest.fixture(scope="module")
def replicates(toy, tmp_path_factory):
    """Three models of one kind with other parameters each."""
    folder = tmp_path_factory.mktemp("replicates")
    return [
        str(write_weights(toy, folder / f"{name}.safetensors", seed))
        for seed, name in enumerate("abc")
    ]


@pytest.fixture
def genes(tmp_path):
    """One gene that the first record reaches, one that none does."""
    return write_bed(
        tmp_path / "genes.bed",
        [("chr1", 1_050, 1_200, "NEAR", "+"), ("chr2", 3_000, 3_100, "FAR", "+")],
    )


@pytest.fixture
def words(vcf, genome):
    """A command over the small VCF with these weights."""

    def of(command, weights, *more):
        settings = ["--genome", genome, "--model", "toy", "--head", "yeast", "--weights", weights]
        settings += ["--strands", "forward", "--ray", "off", "--statistics", ",".join(STATISTICS)]
        return list(map(str, [command, vcf, *settings, *more]))

    return of


@pytest.fixture
def scored(run, words, tmp_path):
    """The directory of a run of `score` with these weights, whose values keep all their bits."""

    def score(name, weights, *more):
        out = tmp_path / name
        code, text, error = run(
            *words("score", weights, "--out", out, "--mantissa-bits", "23", *more)
        )
        assert code == 0, error
        return out, text

    return score


def check_summary(mean, singles, names):
    """Rows of the mean against those of each replicate alone, in order."""
    count = 0
    for row, *alone in zip(mean, *singles, strict=True):
        for name in names:
            values = [each[name] for each in alone]
            if row[name] is None:
                assert (row[f"{name}_sd"], values) == (None, [None] * len(alone))
                continue
            of_all = np.array(values, np.float64)
            # each was rounded to float32 by itself
            scale = np.abs(of_all).max()
            np.testing.assert_allclose(row[name], of_all.mean(axis=0), rtol=1e-6, atol=1e-6 * scale)
            np.testing.assert_allclose(
                row[f"{name}_sd"], of_all.std(axis=0, ddof=1), rtol=1e-6, atol=1e-6 * scale
            )
            assert min(row[f"{name}_sd"]) > 0
            largest = np.abs(row[name]).max()
            np.testing.assert_allclose(row[f"max_abs_{name}"], largest, rtol=1e-6)
            count += 1
    assert count
    return count


@pytest.mark.parametrize("engine", ["delta", "direct"])
def test_mean_and_spread_are_those_of_single_runs(engine, scored, rows, run, replicates):
    audited = ("--engine", engine, "--audit-fraction", "1", "--strict")
    out, text = scored("mean", ",".join(replicates), *audited)
    singles = [scored(f"one-{at}", each, *audited)[0] for at, each in enumerate(replicates)]
    mean = rows(out, ALL)
    assert check_summary(mean, [rows(each, ALL) for each in singles], STATISTICS) == 10
    assert not [name for row in rows(singles[0], ALL) for name in row if name.endswith("_sd")]
    assert ("audit " in text) == (engine == "delta")
    # effects and the view of all values are of statistics, of which a spread is none
    effects = rows(out, "SELECT DISTINCT statistic FROM effects ORDER BY 1")
    assert [row["statistic"] for row in effects] == sorted(STATISTICS)
    long = rows(out, "SELECT DISTINCT statistic FROM long ORDER BY 1")
    assert [row["statistic"] for row in long] == sorted(STATISTICS)
    identity = json.loads((out / "run.json").read_text())["identity"]["model"]
    assert identity["replicates"] == 3
    single = json.loads((singles[0] / "run.json").read_text())["identity"]["model"]
    assert set(single) == {"name", "weights_sha256", "head"}
    status = json.loads(run("status", out, "--json")[1])
    assert (status["model"], status["replicates"]) == ("toy", 3)


def test_genes_have_mean_and_spread_too(scored, rows, run, replicates, genes):
    asked = ("--genes", genes)
    out, _ = scored("mean", ",".join(replicates[:2]), *asked)
    singles = [scored(f"one-{at}", each, *asked)[0] for at, each in enumerate(replicates[:2])]
    names = ("log2_ratio", "difference")
    assert check_summary(rows(out, GENES), [rows(each, GENES) for each in singles], names) == 2
    check_summary(rows(out, ALL), [rows(each, ALL) for each in singles], STATISTICS)
    assert run("verify", out)[0] == 0


def test_order_is_kept_in_the_identity_and_moves_no_value(scored, rows, run, words, replicates):
    one, _ = scored("one", ",".join(replicates))
    other, _ = scored("other", ",".join(reversed(replicates)))
    digests = [
        json.loads((out / "run.json").read_text())["identity"]["model"]["weights_sha256"]
        for out in (one, other)
    ]
    assert digests[0] != digests[1]
    for row, reversed_row in zip(rows(one, ALL), rows(other, ALL), strict=True):
        if row["sad"] is not None:
            np.testing.assert_allclose(row["sad"], reversed_row["sad"], rtol=1e-6, atol=1e-7)
    code, _, error = run(
        *words("score", ",".join(reversed(replicates)), "--out", one, "--mantissa-bits", "23")
    )
    assert code == 2
    assert "model.weights_sha256" in error


def test_what_reads_runs_takes_no_spread_for_a_statistic(scored, run, replicates, tmp_path):
    out, _ = scored("mean", ",".join(replicates), "--shard-size", "2")
    assert run("verify", out)[0] == 0
    compacted = tmp_path / "compacted"
    assert run("compact", out, "--out", compacted)[0] == 0
    assert run("verify", compacted)[0] == 0
    tsv = tmp_path / "scores.tsv"
    code, _, error = run("export", compacted, "--tsv", tsv, "--vcf", tmp_path / "scores.vcf")
    assert code == 0, error
    header = tsv.read_text().split("\n", 1)[0].split("\t")
    assert "max_abs_sad_value" in header
    assert not [name for name in header if "_sd" in name]
    assert 'Replicates="3"' in (tmp_path / "scores.vcf").read_text()
    code, _, error = run("summarise", out, "--by", "assay")
    assert code == 0, error
    null = tmp_path / "null.parquet"
    code, _, error = run("calibrate", out, "--out", null)
    assert code == 0, error
    assert run("percentiles", out, "--null", null)[0] == 0
    pca = tmp_path / "pca.safetensors"
    code, _, error = run("pca", "fit", out, "--components", "2", "--out", pca)
    assert code == 0, error
    assert run("pca", "apply", out, "--pca", pca)[0] == 0
    code, text, error = run("sql", out)
    assert code == 0, error
    code, text, _ = run("query", out, "DESCRIBE scores", "--json")
    kinds = {row["column_name"]: row["column_type"] for row in json.loads(text)}
    assert kinds["sad_sd"] == kinds["sad"] == "FLOAT[]"
    assert "max_abs_sad_sd" not in kinds


def test_alleles_are_copied_with_their_spread(scored, rows, run, words, replicates):
    weights = ",".join(replicates[:2])
    first, _ = scored("first", weights)
    again, text = scored("again", weights, "--reuse", first, "--top-tracks", "1")
    assert "copied from other runs" in text
    assert rows(again, ALL) == rows(first, ALL)
    assert run("verify", again)[0] == 0
    # of one model alone they are other numbers
    single = [replicates[0], "--reuse", first, "--out", again.with_name("single")]
    code, _, error = run(*words("score", *single, "--mantissa-bits", "23"))
    assert code == 2
    assert "model.replicates" in error


def test_a_killed_run_is_continued_to_the_same_tables(
    scored, run, words, replicates, tmp_path, monkeypatch
):
    class DeadError(BaseException):
        """What ends a process at once."""

    weights = ",".join(replicates[:2])
    whole, _ = scored("whole", weights, "--shard-size", "2")
    put = LocalStore.put_if_absent
    done = []

    def dying(store, key, content):
        # the second shard's table is there, its receipt is not
        if len(done) == 2:
            raise DeadError
        if key.startswith("scores/"):
            done.append(key)
        return put(store, key, content)

    again = tmp_path / "again"
    command = words("score", weights, "--out", again, "--mantissa-bits", "23", "--shard-size", "2")
    monkeypatch.setattr(LocalStore, "put_if_absent", dying)
    with pytest.raises(DeadError):
        main(command)
    monkeypatch.setattr(LocalStore, "put_if_absent", put)
    code, _, error = run(*command)
    assert code == 0, error
    assert content_digests(again) == content_digests(whole)
    assert run("verify", again)[0] == 0


def test_what_makes_no_mean_is_refused_by_name(toy, run, words, replicates, tmp_path):
    first, second, _ = replicates
    wider = write_weights(toy, tmp_path / "wider.safetensors", seed=7, output_tracks={"yeast": 4})
    copied = shutil.copy(first, tmp_path / "copied.safetensors")

    def refused(weights):
        code, _, error = run(*words("score", weights, "--out", tmp_path / "out"))
        assert code == 2
        assert not (tmp_path / "out" / "run.json").exists()
        return error

    assert f"{first} and {first} hold the same (sha256 " in refused(f"{first},{second},{first}")
    assert f"{first} and {copied} hold the same" in refused(f"{first},{copied}")
    assert f"{wider}: output.yeast.weight has shape (4, 6)" in refused(f"{first},{wider}")
    # the same parameters in a file of other bytes
    imported = tmp_path / "imported.safetensors"
    save_file(load_file(copied), imported, metadata={"source": "elsewhere"})
    assert imported.read_bytes() != Path(copied).read_bytes()
    assert f"{first} and {imported} hold the same" in refused(f"{first},{second},{imported}")
    assert "nowhere.h5" in refused(f"{first},nowhere.h5")
    assert "nothing between two commas" in refused(f"{first},")
    code, _, error = run(
        *("tiles", "--genome", words("", "")[3], "--model", "toy", "--head", "yeast"),
        *("--weights", f"{first},{second}", "--out", tmp_path / "out", "--ray", "off"),
    )
    assert code == 2
    assert "names 2 files" in error
    assert "`enformer-ray score`" in error


def test_a_file_whose_name_has_a_comma_is_one(scored, replicates, tmp_path):
    out, _ = scored("one", shutil.copy(replicates[0], tmp_path / "a,b.safetensors"))
    assert "replicates" not in json.loads((out / "run.json").read_text())["identity"]["model"]


def test_plan_counts_each_replicate(run, words, replicates):
    def planned(weights):
        code, text, error = run(*words("plan", weights, "--json"))
        assert code == 0, error
        return json.loads(text)

    one = planned(replicates[0])
    # weights need not be there to plan
    three = planned("a.h5,b.h5,hf://owner/c")
    assert (one["replicates"], three["replicates"]) == (1, 3)
    assert three["tflop"] == pytest.approx(3 * one["tflop"])
    assert one["output_bytes"] < three["output_bytes"] < 2 * one["output_bytes"]
    code, text, _ = run(*words("plan", "a.h5,b.h5"))
    assert code == 0
    assert "note: b.h5 is no file here, so nobody has looked" in text.replace("\n", " ")
    assert "is no file here" not in run(*words("plan", replicates[0]))[1]
    assert "TFLOP by 2 replicates of toy" in text
