"""`enformer-ray finemap`, as a user calls it: what is printed and written, both priors, and what is refused."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from enformer_core.version import __version__
from tests.support.loci import made_up_locus
from tests.support.plink import write_plink

VARIANTS = 40
CAUSAL = 17


@pytest.fixture(scope="module")
def locus():
    return made_up_locus(seed=2, variants=VARIANTS, causal=(CAUSAL,), explained=0.02)


@pytest.fixture
def files(tmp_path, locus):
    """Sumstats and a matrix of the locus, beside a reference panel of its people."""
    weights = np.ones(VARIANTS)
    weights[CAUSAL] = 50
    lines = [
        f"20\t{1000 + each}\trs{each}\tA\tG\t{z:.17g}\t{weights[each]}\t{locus.people:.0f}\n"
        for each, z in enumerate(locus.z)
    ]
    (tmp_path / "study.tsv").write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tw\tN\n" + "".join(lines))
    np.savez(tmp_path / "ld.npz", R=locus.correlations)
    names = [("chr20", f"rs{each}", 1000 + each, "A", "G") for each in range(VARIANTS)]
    write_plink(tmp_path / "panel", locus.genotypes.astype(int), names)
    return tmp_path


@pytest.fixture
def finemapped(run, files):
    """The JSON of a command that must end well, and what it noted."""

    def call(*more, ld="ld.npz"):
        code, text, error = run(
            "finemap", "--sumstats", files / "study.tsv", "--ld", files / ld, *more, "--json"
        )
        assert code == 0, error
        return json.loads(text), error

    return call


@pytest.fixture
def refused(run, files):
    """The message of a command that must fail."""

    def call(*more, ld="ld.npz"):
        code, text, error = run(
            "finemap", "--sumstats", files / "study.tsv", "--ld", files / ld, *more
        )
        assert code == 2, text
        assert "Traceback" not in error
        return error.splitlines()[-1].removeprefix("enformer-ray: ")

    return call


def test_the_prior_raises_its_variant_side_by_side(finemapped):
    answer, error = finemapped("--n", 2000, "--prior-column", "w")
    variants = {each["id"]: each for each in answer["variants"]}
    assert list(variants) == [f"rs{each}" for each in range(VARIANTS)]
    causal = variants[f"rs{CAUSAL}"]
    assert causal["pip_prior"] > causal["pip_uniform"]
    assert causal["pip_change"] == pytest.approx(causal["pip_prior"] - causal["pip_uniform"])
    assert causal["prior"] == pytest.approx(50 / (VARIANTS + 49))
    for which in ("uniform", "prior"):
        (members,) = answer["credible_sets"][which]
        assert f"rs{CAUSAL}" in members
        numbered = {each["id"] for each in answer["variants"] if each[f"set_{which}"] == 1}
        assert numbered == set(members)
        (details,) = answer["credible_set_details"][which]
        assert details["coverage"] >= 0.95
        assert details["purity"] >= 0.5
    assert answer["tolerance"] == 1e-4
    given = {name for name, value in answer["inputs"].items() if value is not None}
    assert given == {"sumstats", "ld", "prior_column"}
    assert answer["inputs"]["prior_column"] == "w"
    assert answer["created_by"] == f"enformer-ray {__version__}"
    assert answer["fits"]["prior"]["has_converged"]
    assert answer["diagnostics"]["lambda"] < 0.05
    assert answer["diagnostics"]["suspects"] == []
    assert answer["missing"] == []
    assert "has no names; its rows are taken" in error
    assert [f"note: {note}" for note in answer["notes"]] == error.splitlines()


def test_without_a_prior_there_is_one_fit(finemapped):
    answer, _ = finemapped()
    assert answer["credible_sets"]["prior"] is None
    assert answer["fits"]["prior"] is None
    assert {each["pip_prior"] for each in answer["variants"]} == {None}
    assert answer["n"] == 2_000


def test_the_genotypes_give_what_the_matrix_gives(finemapped):
    of_matrix, _ = finemapped()
    of_panel, error = finemapped(ld="panel.bed")
    pips = [[each["pip_uniform"] for each in one["variants"]] for one in (of_matrix, of_panel)]
    np.testing.assert_allclose(*pips, atol=1e-9)
    assert "no names" not in error


def test_the_golden_locus(run, tmp_path, golden_dir):
    golden = np.load(golden_dir / "susie_locus1.npz")
    frame = {
        "SNP": [f"rs{each}" for each in range(300)],
        "BETA": golden["bhat"],
        "SE": golden["shat"],
        "A1": ["A"] * 300,
        "A2": ["C"] * 300,
        "w": golden["w0"],
    }
    pl.DataFrame(frame).write_csv(tmp_path / "F.tsv", separator="\t")
    np.savetxt(tmp_path / "R.ld", golden["R"], fmt="%.17g")
    for more, residual in (((), "fixed"), (("--estimate-residual-variance",), "estimated")):
        code, text, error = run(
            *("finemap", "--sumstats", tmp_path / "F.tsv", "--ld", tmp_path / "R.ld"),
            *("--n", 5000, "--prior-column", "w", *more, "--json"),
        )
        assert code == 0, error
        answer = json.loads(text)
        for column, prior in (("pip_uniform", "none"), ("pip_prior", "w0")):
            expected = golden[f"pip_susieR_0_16_5_{prior}_{residual}_residual"]
            found = [each[column] for each in answer["variants"]]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
        assert "30 variants have a prior of 0" in error


def test_text_for_people(run, files, monkeypatch):
    words = ["finemap", "--sumstats", files / "study.tsv", "--ld", files / "ld.npz"]
    code, text, _ = run(*words, "--prior-column", "w", "--top", 3)
    assert code == 0
    lines = text.splitlines()
    assert lines[0].startswith("locus    40 variants, 2,000 people; at most 10 effects")
    assert lines[1].startswith("lambda   0.0")
    assert lines[1].endswith("as those of one sample do")
    assert lines[2].startswith("uniform  set 1: ")
    # an effect that is spread over nearly all variants is no set
    spread = "1 set of less purity than 0.5 is left out, the purest of 38 variants, coverage 0.954"
    assert lines[3].startswith(f"uniform  {spread}, purity 0.003")
    assert lines[4].startswith("prior    set 1: ")
    header, rule, *rows, below = lines[lines.index("") + 1 :]
    assert below.startswith("3 of 40 variants shown; ")
    assert header.split() == [
        *(
            "id",
            "chrom",
            "pos",
            "effect_allele",
            "other_allele",
            "z",
            "prior",
            "pip_uniform",
            "pip_prior",
            "pip_change",
        ),
        *("set_uniform", "set_prior"),
    ]
    assert set(rule) <= {"-", " "}
    assert len(rows) == 3
    assert rows[0].split()[0] == f"rs{CAUSAL}"
    code, text, _ = run(*words, "--top", 1, "--diagnostics", "none")
    assert code == 0
    assert "lambda" not in text
    assert "prior" not in text
    # of many variants those alone that may be causal
    code, text, _ = run(*words, "--top", 40, "--effects", 1)
    table = text.splitlines()[text.splitlines().index("") + 3 :]
    *rows, below = table
    assert all(float(row.split()[-2]) >= 0.001 or row == rows[0] for row in rows)
    assert f"{len(rows)} of 40 variants shown; {40 - len(rows)} have PIPs below 0.001" in below
    assert below.endswith("add up to: pip_uniform 1.000")


def test_sets_that_are_not_pure_are_listed(finemapped):
    answer, _ = finemapped("--n", 2000)
    pure = answer["credible_set_details"]["uniform"]
    assert answer["credible_sets_left_out"]["prior"] is None
    (spread,) = answer["credible_sets_left_out"]["uniform"]
    assert spread["purity"] < 0.5 <= pure[0]["purity"]
    answer, _ = finemapped("--n", 2000, "--min-purity", 0, "--prior-column", "w")
    assert answer["credible_sets_left_out"] == {"uniform": [], "prior": []}
    assert answer["credible_set_details"]["uniform"] == [*pure, spread]


def test_squares_are_not_said_to_fit(finemapped, files, locus):
    np.savez(files / "squared.npz", R=locus.correlations**2)
    answer, error = finemapped(ld="squared.npz")
    assert "Is it r²?" in error
    assert answer["diagnostics"]["lambda"] < 0.25
    assert "says nothing if these are r²" in answer["diagnostics"]["meaning"]


def test_the_table(run, files):
    out = files / "out.tsv"
    words = ["finemap", "--sumstats", files / "study.tsv", "--ld", files / "ld.npz", "--out", out]
    code, _, error = run(*words, "--prior-column", "w")
    assert code == 0
    assert f"finemap: 40 variants in {out}" in error
    table = pl.read_csv(out, separator="\t")
    assert table.height == VARIANTS
    page = (Path(__file__).parents[2] / "docs" / "finemapping.md").read_text()
    documented = page.partition("| column | meaning |")[2].partition("\n\n")[0]
    assert [name for name in table.columns if f"`{name}`" not in documented] == []
    code, _, error = run(*words)
    assert code == 2
    assert "is there already" in error
    code, _, error = run(*words[:-1], files / "out.txt")
    assert code == 2
    assert "written as .tsv" in error


def test_exchanged_alleles_are_named(run, files, locus):
    strongest = int(np.abs(locus.z).argmax())
    lines = (files / "study.tsv").read_text().splitlines()
    cells = lines[strongest + 1].split("\t")
    cells[5] = str(-float(cells[5]))
    lines[strongest + 1] = "\t".join(cells)
    (files / "study.tsv").write_text("\n".join(lines))
    code, text, _ = run("finemap", "--sumstats", files / "study.tsv", "--ld", files / "ld.npz")
    assert code == 0
    assert "suspect  " in text
    assert "1 variant has a z of the other sign than its neighbours make likely" in text
    assert f"rs{strongest}" in text.partition("suspect  ")[2].splitlines()[0]


def test_effects_that_only_repeat_the_prior_are_told_of(run, tmp_path):
    locus = made_up_locus(seed=1, variants=60, causal=(12,))
    weights = np.ones(60)
    weights[np.random.default_rng(1).choice(60, 8, replace=False)] = 100.0
    rows = zip(locus.z, weights, strict=True)
    lines = [
        f"20\t{at}\trs{at}\tA\tG\t{z:.17g}\t{weight}\n" for at, (z, weight) in enumerate(rows, 1)
    ]
    (tmp_path / "study.tsv").write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tw\n" + "".join(lines))
    np.savez(tmp_path / "ld.npz", R=locus.correlations)
    command = ["finemap", "--sumstats", tmp_path / "study.tsv", "--ld", tmp_path / "ld.npz"]
    command += ["--n", f"{locus.people:.0f}", "--prior-column", "w", "--json"]
    code, _, log = run(*command)
    assert code == 0
    assert "9 of 10 effects of the fit with the prior gain less than 0.1 of log evidence" in log
    assert "--least-evidence 0.1 leaves such effects out" in log
    assert "there may be more" not in log
    code, answer, log = run(*command, "--least-evidence", "0.1")
    assert sum(each["pip_prior"] for each in json.loads(answer)["variants"]) == pytest.approx(1)
    assert "log evidence" not in log
    assert "--least-evidence -1: must be 0 or more" in run(*command, "--least-evidence", "-1")[2]


def test_a_residual_variance_of_other_peoples_ld_is_warned_of(finemapped, files):
    other = made_up_locus(seed=70, variants=VARIANTS, causal=(CAUSAL,), people=150)
    np.savez(files / "other.npz", R=other.correlations)
    answer, error = finemapped("--estimate-residual-variance", ld="other.npz")
    assert answer["diagnostics"]["lambda"] > 0.05
    assert "the residual variance is estimated, and lambda is" in error
    _, error = finemapped("--estimate-residual-variance")
    assert "residual variance" not in error


def test_a_locus_and_what_is_missing(finemapped, files):
    lines = (files / "panel.bim").read_text().splitlines()
    lines[12] = lines[12].replace("rs12", "new").replace("1012", "9012")
    lines[13] = lines[13].replace("A\tG", "A\tT")
    (files / "panel.bim").write_text("\n".join(lines))
    answer, error = finemapped("--locus", "chr20:1,010-1025", ld="panel.bed")
    assert len(answer["variants"]) == 14
    assert {each["id"]: each["from"] for each in answer["missing"]} == {"rs12": "ld", "rs13": "ld"}
    assert "2 variants are left out: line 14, rs12, is not in" in error


def change(files, old, new):
    text = (files / "study.tsv").read_text()
    assert old in text
    (files / "study.tsv").write_text(text.replace(old, new, 1))


def test_a_contradicting_repeat_is_refused(refused, files):
    change(files, "20\t1001\trs1\t", "20\t1000\trs0\t")
    assert "lines 2 and 3 are one variant, rs0, with z" in refused()


def test_matrices_that_are_none(refused, files, locus):
    def save(matrix):
        np.savez(files / "bad.npz", R=matrix)

    save(locus.correlations[:-1, :-1])
    assert "has 39 × 39 correlations without names, and" in refused(ld="bad.npz")
    matrix = locus.correlations.copy()
    matrix[3, 5] = 0.123
    save(matrix)
    assert "is not symmetric: row 4 and row 6 have 0.123" in refused(ld="bad.npz")
    matrix[3, 5] = np.nan
    save(matrix)
    assert "the correlation of row 4 and row 6 is nan" in refused(ld="bad.npz")
    matrix = locus.correlations.copy()
    matrix[0, 1:] = matrix[1:, 0] = 0.9
    save(matrix)
    message = refused(ld="bad.npz")
    assert "is not positive definite: of 40 eigenvalues 1 lie below 0" in message
    assert refused("--diagnostics", "none", ld="bad.npz") == message
    # the remedy that is named is one
    shrinkage = message.rpartition("--ld-shrinkage ")[2].split()[0]
    assert refused("--ld-shrinkage", float(shrinkage) / 2, ld="bad.npz") != message


def test_the_shrinkage_that_is_named_is_enough(run, refused, files, locus):
    matrix = locus.correlations.copy()
    matrix[0, 1:] = matrix[1:, 0] = 0.9
    np.savez(files / "bad.npz", R=matrix)
    shrinkage = refused(ld="bad.npz").rpartition("--ld-shrinkage ")[2].split()[0]
    code, _, error = run(
        *("finemap", "--sumstats", files / "study.tsv", "--ld", files / "bad.npz"),
        *("--ld-shrinkage", shrinkage),
    )
    assert code == 0, error


def test_without_sizes_n_is_asked_for(refused, files):
    change(files, "\tN\n", "\tpeople\n")
    message = refused()
    assert "has no column of sample sizes (N); it has CHR, BP" in message
    assert message.endswith("Give it by --n N")


def test_a_locus_without_overlap(refused):
    assert "none of the 40 rows of" in refused("--locus", "chr21:1-99")
    assert "is no region" in refused("--locus", "chr20")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--n", "2", "--n 2: must be at least 3"),
        ("--coverage", "1", "--coverage 1: must be above 0 and below 1"),
        ("--coverage", "1.2", "--coverage 1.2: must be between 0 and 1"),
        ("--min-purity", "-1", "--min-purity -1: must be between 0 and 1"),
        ("--ld-shrinkage", "7", "--ld-shrinkage 7: must be between 0 and 1"),
        ("--tolerance", "0", "--tolerance 0: must be above 0"),
        ("--effects", "0", "--effects 0: must be at least 1"),
        ("--max-iterations", "0", "--max-iterations 0: must be at least 1"),
        ("--top", "0", "--top 0: must be at least 1"),
        ("--prior-column", "nothing", "has no such column"),
        ("--ld-variants", "nowhere.bim", "nowhere.bim"),
    ],
)
def test_settings_that_cannot_be(refused, option, value, message):
    assert message in refused(f"{option}={value}")


def test_rows_in_another_order_are_noticed(finemapped, files, locus):
    order = np.random.default_rng(0).permutation(VARIANTS)
    np.savez(files / "order.npz", R=locus.correlations[np.ix_(order, order)])
    answer, error = finemapped(ld="order.npz")
    assert answer["diagnostics"]["lambda"] > 0.25
    assert "study.tsv and LD of" in error
    assert "do not fit each other: lambda is" in error
    # with names they are put in order
    names = np.array([f"rs{each}" for each in order])
    np.savez(files / "order.npz", R=locus.correlations[np.ix_(order, order)], rsid=names)
    named, error = finemapped(ld="order.npz")
    assert named["diagnostics"]["lambda"] < 0.05
    assert "do not fit" not in error


def test_a_locus_of_one_variant(finemapped):
    answer, _ = finemapped("--locus", "20:1003-1003", ld="panel.bed")
    assert [each["id"] for each in answer["variants"]] == ["rs3"]
    assert answer["diagnostics"] is None


def test_one_prior_at_a_time(refused):
    assert "give one of them" in refused("--prior", "run", "--prior-column", "w")
    assert "give --prior RUN too" in refused("--prior-sql", "max_abs_sad")


def test_a_fit_that_has_not_converged_says_so(finemapped):
    answer, error = finemapped("--max-iterations", 1)
    assert not answer["fits"]["uniform"]["has_converged"]
    assert "has not converged after 1 round" in error


def test_a_z_that_no_study_has_is_left_out_with_its_row(finemapped, files, locus):
    change(files, f"{locus.z[3]:.17g}", "1e200")
    answer, error = finemapped()
    (missing,) = answer["missing"]
    assert (missing["id"], missing["line"]) == ("rs3", 5)
    assert missing["reason"] == "has no z within ±1,000,000: Z 1e200"
    assert "1 variant is left out: line 5, rs3" in error
    assert "Warning" not in error
    assert len(answer["variants"]) == VARIANTS - 1


@pytest.mark.parametrize("weight", ["1e308", "1", "1e-320"])
def test_weights_of_any_scale_are_the_same_prior(finemapped, files, weight):
    text = (files / "study.tsv").read_text().replace("\t1.0\t", f"\t{weight}\t")
    (files / "study.tsv").write_text(text.replace("\t50.0\t", f"\t{weight}\t"))
    answer, error = finemapped("--prior-column", "w")
    priors = [each["prior"] for each in answer["variants"]]
    assert priors == pytest.approx([1 / VARIANTS] * VARIANTS)
    changes = [each["pip_change"] for each in answer["variants"]]
    assert changes == pytest.approx([0] * VARIANTS, abs=1e-9)
    assert "Warning" not in error
