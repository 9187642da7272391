"""`enformer-ray links` with a model: every score on `motif` by hand, and a planted enhancer found by every method."""

import json
import shutil
from math import exp, log1p, log2

import numpy as np
import polars as pl
import pytest

from enformer_core.analyses.link_computation import LinkComputation
from enformer_core.api.run_tables import open_run
from jobs.cli import main
from tests.support.attending import registered
from tests.support.genomes import write_fasta
from tests.support.runs import content_digests

CONTIG_BP = 300_000

SITE = "AGATAAGA"  # of GATA1; a run of C has no site of any motif
CTCF = "CCACTAGAGGGC"

TSS = 150_000
FAR = 210_000

ELEMENTS = {
    "enhancer": (FAR - 250, FAR + 250),
    "near": (TSS + 2_000, TSS + 2_500),
    "ctcf": (TSS - 6_000, TSS - 5_500),
    "left": (TSS - 40_000, TSS - 39_500),
}

GENE = "PLUS"


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log1p(exp(x))


def plant(letters, site, *starts):
    for start in starts:
        letters[start : start + len(site)] = site


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A contig of C with GATA1 at a TSS and twice 60 kb away; and the files of genes and elements."""
    folder = tmp_path_factory.mktemp("links")
    letters = ["C"] * CONTIG_BP
    plant(letters, SITE, TSS, FAR, FAR + 20)
    plant(letters, CTCF, TSS - 5_800)
    write_fasta(folder / "planted.fa", {"chr1": "".join(letters), "chr2": "C" * 5_000})
    rows = [
        ("chr1", TSS, TSS + 9_000, GENE, 0, "+"),
        ("chr1", 40_000, FAR + 70_000, "MINUS", 0, "-"),
    ]
    (folder / "genes.bed").write_text(lines(rows))
    write_elements(folder / "elements.tsv", ELEMENTS)
    return folder


def lines(rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def write_elements(path, elements):
    rows = [("chr1", *bounds, name, 3.0) for name, bounds in elements.items()]
    path.write_text(lines([("chr", "start", "end", "name", "activity_base"), *rows]))
    return path


def command(folder, out, *more, candidates=None, genes=None):
    """Link with the model `motif`, one strand and one group, unless more is said."""
    words = ["links", "--genes", genes or folder / "genes.bed"]
    words += ["--candidates", candidates or folder / "elements.tsv"]
    words += ["--genome", folder / "planted.fa", "--ray", "off", "--out", out]
    given = {"--model": "motif", "--strands": "forward", "--group": "blood=6"}
    for option, value in given.items():
        words += [] if option in more else [option, value]
    return [*map(str, words), *map(str, more)]


@pytest.fixture
def link(run, folder, tmp_path):
    """Call it, into a folder of this test."""

    def call(*more, out="run", **files):
        return (*run(*command(folder, tmp_path / out, *more, **files)), tmp_path / out)

    return call


CHEAP = ("--scores", "attention", "--shard-size", "2")


@pytest.fixture(scope="module")
def cheap(folder):
    """A whole run with the score that takes least, for all tests that read it or copy it."""
    assert main(command(folder, folder / "cheap", *CHEAP)) == 0
    return folder / "cheap"


def table(out, **where):
    return open_run(out).table("links").collect().filter(**where)


def contacts(token, decay=1.0):
    """P of the model's attention, from its docstring: ∝ 2^(−α ⌊log2(|i − j| + 1)⌋), rows sum to 1."""
    distance = np.abs(np.arange(1536) - token)
    weights = 2.0 ** (-decay * np.floor(np.log2(distance + 1)))
    return weights / weights.sum()


def test_every_score_by_hand(link, run):
    """softplus(60 c − 3), c = Σ_j P_ij m_j: one site at the TSS, two at the enhancer, of three bins each."""
    code, text, error, out = link(
        *("--scores", "gradient,attention,mutagenesis,shuffles", "--shuffles", "2"),
        *("--strands", "both", "--group", "blood=6", "--group", "CTCF=motif-CTCF"),
        *("--shard-size", "8"),
    )
    assert code == 0, error
    assert "5 pairs in" in text
    found = table(out, group="blood", gene=GENE)
    assert found["name"].to_list() == ["left", "ctcf", "near", "enhancer"]
    first = TSS - 98_304
    own, site = 768, (FAR - first) // 128
    assert (FAR + 28 - first) // 128 == site
    bins = (767, 768, 769)
    by_site = np.array([contacts(token)[[own, site]] for token in bins])
    c = by_site @ [1, 2]
    row = found.row(by_predicate=pl.col("name") == "enhancer", named=True)
    # a letter of a site adds 2 to its number, as in test_attribute; two sites of eight
    slopes = np.array([sigmoid(60 * each - 3) for each in c])
    gradient = (120 * by_site[:, 1] * slopes).mean() * 16
    assert row["gradient"] == pytest.approx(gradient, rel=2e-3)
    assert row["gradient_2kb"] == pytest.approx(gradient, rel=2e-3)
    tokens = range((FAR - 250 - first) // 128, (FAR + 249 - first) // 128 + 1)
    of_heads = [contacts(token, decay)[list(tokens)].sum() for token in bins for decay in (1, 0.75)]
    assert row["attention"] == pytest.approx(np.mean(of_heads), rel=1e-4)
    with_it = sum(softplus(60 * each - 3) for each in c)
    without = sum(softplus(60 * each - 3) for each in by_site[:, 0])
    change = log2((1 + without) / (1 + with_it))
    assert change < -0.01
    assert row["mutagenesis"] == pytest.approx(change, rel=2e-3)
    # both shuffles break both sites, as it is by far the most likely
    assert row["shuffles"] == pytest.approx(change, rel=2e-3)
    assert (row["start"], row["end"], row["tss"]) == (*ELEMENTS["enhancer"], TSS)
    assert row["distance"] == FAR - TSS
    # the files' own scores stand beside
    assert row["activity"] == 3.0
    assert 0 < row["abc"] < 1
    for name in ("near", "left", "ctcf"):
        other = found.row(by_predicate=pl.col("name") == name, named=True)
        assert max(abs(other[key]) for key in ("gradient", "mutagenesis", "shuffles")) < 1e-5
    # a group of its own: nothing else is asked of the track that counts CTCF
    assert table(out, group="CTCF", gene=GENE)["mutagenesis"].abs().max() < 1e-5
    asked = 'FROM links SELECT name, "group", mutagenesis ORDER BY mutagenesis LIMIT 1'
    (answer,) = json.loads(run("query", out, asked, "--json")[1])
    assert (answer["name"], answer["group"]) == ("enhancer", "blood")
    code, text, _ = run("verify", out)
    assert code == 0
    assert text.startswith("verified: 5 pairs (5 ok), each with a row for every group")


@pytest.mark.parametrize("gene", [GENE, "MINUS"])
def test_the_planted_enhancer_is_first_by_every_method(link, folder, tmp_path, gene):
    """Of a gene on either strand, beside elements that are nearer, and one that has sites of another factor."""
    genes = tmp_path / "genes.bed"
    start, end, strand = (TSS, TSS + 9_000, "+") if gene == GENE else (TSS - 9_000, TSS + 8, "-")
    genes.write_text(lines([("chr1", start, end, gene, 0, strand), ("chr2", 9, 99, "x", 0, "+")]))
    scores = "gradient,attention,mutagenesis,shuffles"
    with registered() as model:
        code, _, error, out = link(
            *("--model", model, "--scores", scores, "--shuffles", "1", "--shard-size", "8"),
            genes=genes,
        )
    assert code == 0, error
    found = table(out, gene=gene)
    assert found.height == 4
    for name in scores.split(","):
        strongest = found.sort(pl.col(name).abs(), descending=True)
        assert strongest["name"][0] == "enhancer", name
        assert abs(strongest[name][0]) > 3 * abs(strongest[name][1]), name
    # the nearest comes first by what knows no sequence
    assert found.sort("distance")["name"].to_list()[0] == "near"


def test_killed_and_continued_it_is_the_same(link, cheap, run, monkeypatch):
    compute, calls = LinkComputation.compute, []

    def dying(self, rows, left_out):
        calls.append(rows)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(self, rows, left_out)

    monkeypatch.setattr(LinkComputation, "compute", dying)
    code, *_, half = link(*CHEAP, out="half")
    assert code == 130
    assert run("verify", half)[0] == 5
    monkeypatch.undo()
    assert link(*CHEAP, out="half")[0] == 0
    assert content_digests(half, ["links"]) == content_digests(cheap, ["links"])
    assert run("verify", half)[0] == 0
    code, text, *_ = link(*CHEAP, out="half")
    assert text.startswith("already complete")


def test_another_driver_finishes_first(link, run, monkeypatch):
    """While the first computes its first shard, a second one does all; the first keeps what it finds."""
    compute, calls = LinkComputation.compute, []

    def slow(self, rows, left_out):
        calls.append(rows.num_rows)
        if len(calls) == 1:
            assert link(*CHEAP)[0] == 0
        return compute(self, rows, left_out)

    monkeypatch.setattr(LinkComputation, "compute", slow)
    code, text, error, out = link(*CHEAP)
    assert code == 0, error
    assert "5 pairs in" in text
    assert run("verify", out)[0] == 0


def test_another_question_is_another_run(link, cheap, tmp_path):
    shutil.copytree(cheap, tmp_path / "run")
    for more, named in [
        (["--strands", "both"], "strands"),
        (["--group", "blood=7"], "groups"),
        (["--scores", "gradient"], "scores"),
        (["--window-bp", "70000"], "pairs.window_bp"),
    ]:
        words = [word for word in CHEAP if "--scores" not in more or word not in CHEAP[:2]]
        code, _, error, _ = link(*words, *more)
        assert code == 2
        assert named in error, error


def test_what_is_not_finite_has_no_values(link, run, monkeypatch):
    of_reading = LinkComputation._of_reading

    def spoilt(self, read, pair):
        scores = of_reading(self, read, pair)
        return {**scores, "attention": np.array([np.nan])} if pair["name"] == "near" else scores

    monkeypatch.setattr(LinkComputation, "_of_reading", spoilt)
    code, text, _, out = link(*CHEAP)
    assert code == 3
    assert "1 failed, 4 ok" in text
    (row,) = table(out, status="failed").to_dicts()
    assert (row["name"], row["reason"]) == ("near", "attention is not finite")
    assert row["attention"] is None
    assert run("verify", out)[0] == 3


def test_a_run_without_scores_cannot_be_judged(link, run, monkeypatch, tmp_path):
    nothing = {"attention": np.array([np.nan])}
    monkeypatch.setattr(LinkComputation, "_of_reading", lambda self, read, pair: nothing)
    *_, out = link("--scores", "attention", "--shard-size", "8")
    tested = tmp_path / "tested.tsv"
    names = "chrom\tchromStart\tchromEnd\tmeasuredGeneSymbol\tRegulated\tdistanceToTSS\n"
    tested.write_text(f"{names}chr1\t{FAR}\t{FAR + 9}\t{GENE}\tTRUE\t60000\n")
    code, _, error = run("evaluate", "links", tested, "--predictions", out)
    assert code == 2
    assert "no pair of this run has scores" in error


def test_elements_at_the_edge_of_the_window_and_of_contigs(link, tmp_path):
    """Whole in the window, or not at all; a window beyond its contig's end reads N."""
    first, end = TSS - 98_304, TSS + 98_304
    elements = {
        "in": (first, first + 100),
        "out": (first - 1, first + 100),
        "last": (end - 100, end),
        "beyond": (end - 100, end + 1),
    }
    path = write_elements(tmp_path / "edges.tsv", elements)
    genes = tmp_path / "genes.bed"
    genes.write_text(
        lines([("chr1", TSS, TSS + 9_000, GENE, 0, "+"), ("chr2", 9, 99, "x", 0, "+")])
    )
    code, _, error, out = link("--scores", "gradient,attention", candidates=path, genes=genes)
    assert code == 0, error
    assert table(out)["name"].to_list() == ["in", "last"]
    of_heads = [contacts(token, decay)[[0, -1]] for token in (767, 768, 769) for decay in (1, 0.75)]
    np.testing.assert_allclose(table(out)["attention"], np.mean(of_heads, axis=0), rtol=1e-4)


def test_evaluate_reads_the_run(link, run, tmp_path):
    """The enhancer regulates its gene: its change is below 0, and its magnitude is what counts."""
    code, _, error, out = link("--scores", "gradient,mutagenesis", "--shard-size", "8")
    assert code == 0, error
    names = ["chrom", "chromStart", "chromEnd", "measuredGeneSymbol", "Regulated"]
    names += ["ValidConnection", "distanceToTSS", "DHS.RPM", "H3K27ac.RPM.expandedRegion"]
    pairs = [
        ("chr1", start, end, GENE, name == "enhancer", "TRUE", abs(start + 250 - TSS), 1, 1)
        for name, (start, end) in ELEMENTS.items()
    ]
    tested = tmp_path / "tested.tsv"
    tested.write_text(lines([names, *pairs]))
    code, text, error = run("evaluate", "links", tested, "--predictions", out, "--json")
    assert code == 0, error
    precision = {
        row["score"]: row["average_precision"]
        for row in json.loads(text)["rows"]
        if row["bin"] == "all"
    }
    assert precision["gradient (blood)"] == 1
    assert precision["mutagenesis (blood)"] == 1
    assert precision["inverse_distance"] == 0.25
    assert "abc (blood)" not in precision
    assert precision["abc"] < 1


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--group", "x=9999"], ["--group x: 9999", "8 tracks"]),
        (["--group", "x=assay=CAGE"], ["--group x: assay=CAGE", "DEMO"]),
        (["--scores", "gradint"], ["--scores gradint: there is no such score", "gradient"]),
        (["--scores", "abc"], ["--scores abc: none of them is the model's"]),
        (["--shuffles", "3"], ["--shuffles 3: add shuffles to --scores"]),
        (["--scores", "shuffles", "--shuffles", "0"], ["--shuffles 0: must be at least 1"]),
        (["--scores", "shuffles", "--shuffles", "1001"], ["--shuffles 1001: is too many"]),
        (["--activity", "nothing"], ["--activity nothing", "has no such column"]),
        (["--gene-types", "x"], ["has no types of genes"]),
    ],
)
def test_bad_settings_are_named_and_nothing_is_written(link, more, named):
    code, text, error, out = link(*more)
    assert code == 2, text
    assert error.splitlines()[-1].startswith("enformer-ray: ")
    assert all(part in error for part in named), error
    assert not out.exists()


@pytest.mark.parametrize(
    ("genes", "candidates", "named"),
    [
        ("", None, ["genes.bed", "an empty file"]),
        (None, "", ["elements.bed", "an empty file"]),
        (None, "chr9\t5\t90\n", ["elements.bed, line 1", "no contig 'chr9'", "chr1, chr2"]),
        (None, "chr1\t5\t300001\n", ["elements.bed, line 1", "ends at base 300,001"]),
        (None, "chr1\t90\t5\n", ["elements.bed, line 1", "the end comes after the start"]),
        (
            None,
            "chr2\t5\t90\n",
            ["no candidate lies whole in the 196,608 bp around a TSS", "chr1", "chr2"],
        ),
        ("chr9\t5\t90\tx\t0\t+\nchr9\t7\t99\ty\t0\t+\n", None, ["genes.bed", "chr9"]),
    ],
)
def test_bad_files_are_named_and_nothing_is_written(
    link, folder, tmp_path, genes, candidates, named
):
    paths = {}
    for option, text, name in (
        ("genes", genes, "genes.bed"),
        ("candidates", candidates, "elements.bed"),
    ):
        if text is not None:
            paths[option] = tmp_path / name
            paths[option].write_text(text)
    code, text, error, out = link(**paths)
    assert code == 2, text
    assert all(part in error for part in named), error
    assert not out.exists()


def test_what_a_model_needs_and_what_needs_a_model(run, folder, tmp_path, monkeypatch):
    words = ["links", "--genes", folder / "genes.bed", "--candidates", folder / "elements.tsv"]
    words += ["--out", tmp_path / "links.parquet"]
    for more, named in [
        (["--model", "motif", "--group", "x=1"], "--genome: is missing"),
        (["--model", "motif", "--genome", folder / "planted.fa"], "--group: is missing"),
        (["--scores", "gradient"], "--scores gradient: is a model's; give --model"),
        (["--ray", "off"], "--ray is for scores of a model"),
        (["--group", "x=1"], "--group is for scores of a model"),
        (["--shuffles", "3"], "--shuffles is for scores of a model"),
    ]:
        code, _, error = run(*words, *more)
        assert code == 2
        assert named in error, error
        assert not (tmp_path / "links.parquet").exists()
    config = "enformer_core.models.enformer_spec.EnformerConfig.attention_layers"
    monkeypatch.setattr(config, 0)
    more = ["--model", "motif", "--group", "x=1", "--genome", folder / "planted.fa"]
    code, _, error = run(*words, *more, "--scores", "attention")
    assert code == 2
    assert "--scores attention: model motif has no attention; leave it out" in error
    assert main([str(word) for word in (*words[:-1], tmp_path / "two.parquet")]) == 0
