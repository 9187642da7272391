"""`enformer-ray pca fit` and `pca apply`, as a user calls them."""

import json

import numpy as np
import pytest

from enformer_core import open_run
from enformer_core.summaries.pca_file import read_pca
from jobs.cli import main
from tests.summaries.test_robust_pca import heavy_tailed, yardstick
from tests.support.vcf import write_vcf
from tests.support.wide_runs import begun_wide_run, wide_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Where a run of 300 alleles and 40 tracks lies, and its scores."""
    place = tmp_path_factory.mktemp("pca") / "run"
    values = heavy_tailed(300, 40)
    wide_run(place, values, repeats=[2], unplaced=1)
    return place, values


def fit(run, out, *options):
    return main(["pca", "fit", str(run), "--out", str(out), *options])


def apply(run, pca, *options):
    return main(["pca", "apply", str(run), "--pca", str(pca), *options])


def test_the_released_way_from_scores_to_components(run, tmp_path, capsys):
    place, values = run
    out = tmp_path / "x.safetensors"
    assert fit(place, out) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "20 components of sad over 40 tracks, fitted on 300 alleles"
    assert f"apply it: enformer-ray pca apply {place} --pca {out}" in said.out
    assert said.err.splitlines()[0] == "pca: scores of 300 alleles"
    assert apply(place, out) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "pca: 302 rows in 5 files",
        f"output: {place}/pca",
        f"ask it: enformer-ray query {place} 'FROM pca LIMIT 10'",
    ]
    assert "only a test" in said.err
    assert main(["verify", str(place)]) == 0
    table = open_run(place).table("pca").collect().filter(status="ok")
    rows = [pos - 1 for pos in table["pos"].to_list()]
    wanted = yardstick(values, 20).transform(values[rows].astype(np.float64))
    found = table.select([f"pc{number}" for number in range(1, 21)]).to_numpy()
    assert len(rows) == 301
    assert np.abs(found - wanted).max() < 1e-4
    capsys.readouterr()
    question = "SELECT pos FROM pca WHERE pc1 IS NOT NULL ORDER BY pc1 DESC LIMIT 1"
    assert main(["query", str(place), question, "--json"]) == 0
    (strongest,) = json.loads(capsys.readouterr().out)
    assert strongest["pos"] - 1 == rows[int(wanted[:, 0].argmax())]


def test_it_goes_on_where_it_was_and_stays_what_it_is(run, tmp_path, capsys):
    place, _ = run
    first, other = tmp_path / "first.safetensors", tmp_path / "other.safetensors"
    assert fit(place, first, "--components", "2") == 0
    assert fit(place, other, "--components", "3", "--sample", "100", "--seed", "7") == 0
    assert read_pca(str(other)).fitted_on.alleles == 100
    assert apply(place, first, "--name", "two") == 0
    assert apply(place, first, "--name", "two") == 0
    capsys.readouterr()
    assert apply(place, other, "--name", "two") == 2
    said = capsys.readouterr().err
    assert "has a table two already" in said
    assert "components: there 2, now 3" in said
    assert apply(place, other, "--name", "three") == 0
    tables = {name: open_run(place).table(name).collect().columns for name in ("two", "three")}
    assert "pc3" in tables["three"]
    assert "pc3" not in tables["two"]


def test_the_file_that_is_there_is_replaced_when_the_fit_is_done(run, tmp_path, capsys):
    place, _ = run
    out = tmp_path / "x.safetensors"
    before = r'{"enformer-ray":"{\"kind\":\"pca\"}"} of an earlier release'
    out.write_text(before)
    assert fit(place, out, "--components", "400") == 2
    assert "--components 400: 300 alleles and 40 tracks have at most 40" in capsys.readouterr().err
    assert out.read_text() == before
    assert fit(place, out, "--components", "1") == 0
    assert f"output: {out} (replaced the file that was there)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("absent/x.safetensors", "there is no directory"),
        ("run/x.safetensors", "lies in the run"),
    ],
)
def test_places_that_cannot_be_written_are_told_before_anything_is_read(
    run, where, message, capsys
):
    place, _ = run
    assert fit(place, place.parent / where) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "pca: " not in said.err


def test_an_unfinished_run_is_told_so(tmp_path, run, capsys):
    place, _ = run
    begun = tmp_path / "begun"
    begun_wide_run(begun, heavy_tailed(300, 40))
    assert fit(begun, tmp_path / "x.safetensors") == 5
    assert (
        "is not complete. Run its own command again, then fit a PCA to it."
        in capsys.readouterr().err
    )
    assert not (tmp_path / "x.safetensors").exists()
    assert fit(place, tmp_path / "y.safetensors") == 0
    capsys.readouterr()
    assert apply(begun, tmp_path / "y.safetensors") == 5
    assert "is not complete" in capsys.readouterr().err


def test_tracks_that_do_not_vary_are_counted(tmp_path, capsys):
    values = heavy_tailed(50, 6)
    values[:, 2] = 0
    values[3, 4] = 7
    values[np.arange(50) != 3, 4] = 0
    wide_run(tmp_path / "run", values)
    assert fit(tmp_path / "run", tmp_path / "x.safetensors", "--components", "3") == 0
    assert (
        "not scaled: 2 of 6 tracks, in which half of the alleles or more have the same sad (within 2e-15)"
        in capsys.readouterr().out
    )


def test_a_run_without_the_table_says_what_makes_it(tmp_path, capsys):
    wide_run(tmp_path / "run", heavy_tailed(20, 3))
    assert main(["export", str(tmp_path / "run"), "--tsv", "-", "--table", "pca"]) == 2
    assert (
        f"`enformer-ray pca apply {tmp_path / 'run'} --pca FILE` makes it"
        in capsys.readouterr().err
    )


def test_a_run_of_a_network(tmp_path, genome, letters, capsys):
    """The whole way: alleles scored by a model, their components fitted and put beside them."""
    records = [
        ("chr1", pos, letters["chr1"][pos - 1], "ACGT"["CGTA".index(letters["chr1"][pos - 1])])
        for pos in range(1001, 1009)
    ]
    vcf = write_vcf(tmp_path / "v.vcf", records)
    out = tmp_path / "run"
    small = f"--genome {genome} --model motif --ray off --audit-fraction 0"
    words = f"score {vcf} {small} --strands forward --out {out}"
    assert main(words.split()) == 0
    pca = tmp_path / "x.safetensors"
    assert fit(out, pca, "--components", "1") == 0
    assert apply(out, pca) == 0
    about = read_pca(str(pca)).fitted_on
    assert (about.model.name, about.alleles, about.conventions["strands"]) == (
        "motif",
        8,
        "forward",
    )
    one = write_vcf(tmp_path / "one.vcf", records[:1])
    again = f"score {one} {small} --strands both --out {tmp_path / 'both'}"
    assert main(again.split()) == 0
    capsys.readouterr()
    assert apply(tmp_path / "both", pca) == 2
    assert 'conventions.strands: there "forward", now "both"' in capsys.readouterr().err
