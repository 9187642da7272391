"""`enformer-ray plot track`, `logo`, `links` and `insulators`: pictures hold the runs' numbers."""

import json
import re

import numpy as np
import polars as pl
import pytest

from enformer_core.api.run_tables import open_run
from enformer_core.export.insulation import insulation_of
from enformer_core.insulators.summary import contrasts
from enformer_core.pictures.stack import Stretch
from jobs.cli import main
from jobs.finished_run import open_ledger
from jobs.plot_logo import strongest
from jobs.plot_track import pooled, unpredicted
from tests.support.attending import registered
from tests.support.genomes import write_fasta

SITE = "AGATAAGA"
TSS = 150_000
HOSTILE = "</script><img src=x onerror=alert(1)>"
CTCF = "CCACTAGAGGGC"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A contig of C with a site of GATA1 at a TSS and one far away; genes, elements, a boundary."""
    folder = tmp_path_factory.mktemp("plots")
    letters = ["C"] * 300_000
    for site in (TSS, TSS + 60_000):
        letters[site : site + len(SITE)] = SITE
    write_fasta(folder / "g.fa", {"chr1": "".join(letters)})
    (folder / "genes.bed").write_text(f"chr1\t{TSS}\t{TSS + 9000}\tPLUS\t0\t+\n")
    rows = [("chr", "start", "end", "name", "activity_base")]
    rows += [("chr1", TSS + 59_900, TSS + 60_400, HOSTILE, 3), ("chr1", 90_000, 90_500, "left", 2)]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (folder / "elements.tsv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def made(folder):
    """Runs by name, each made once, when it is asked for."""
    model = ["--model", "motif", "--ray", "off", "--strands", "forward"]
    genome = ["--genome", str(folder / "g.fa")]
    genes = ["--genes", str(folder / "genes.bed"), "--candidates", str(folder / "elements.tsv")]
    commands = {
        "tiles": ["tiles", *genome, *model, "--tracks", "1,6", "--regions", "chr1:100001-200000"],
        "contributions": [
            *("attribute", f"chr1:{TSS - 127}-{TSS + 128}", *genome, *model),
            *("--group", "GATA1=1", "--group", "blood=6", "--hypothetical"),
        ],
        "links": ["links", *genes, *genome, *model, "--group", "blood=6", "--scores", "gradient"],
        "links.parquet": ["links", *genes, "--scores", "abc"],
    }

    def run(name):
        out = folder / name
        if not out.exists():
            assert main([*commands[name], "--out", str(out)]) == 0
        return out

    return run


@pytest.fixture
def plotted(run, tmp_path):
    """The specification of a picture as a page has it, and what was said."""

    def call(*words):
        out = tmp_path / "picture.html"
        code, _, error = run("plot", *words, "--out", out)
        assert code == 0, error
        page = out.read_text()
        assert "<img src=x" not in page
        (spec,) = re.findall(r'class="chart-spec">(.*?)</script>', page)
        return json.loads(spec), error

    return call


@pytest.fixture
def refused(run, tmp_path):
    """The message of a command that must fail."""

    def call(*words, out="picture.svg"):
        code, text, error = run("plot", *words, "--out", tmp_path / out)
        assert code == 2, text
        assert "Traceback" not in error
        assert not (tmp_path / out).exists()
        return " ".join(error.split())

    return call


def data_of(spec, row, layer):
    return spec["datasets"][spec["vconcat"][row]["layer"][layer]["data"]["name"]]


def test_bins_in_the_picture_are_those_of_the_run(made, plotted):
    tiles = made("tiles")
    spec, _ = plotted("track", tiles, "--region", "chr1:149001-151000", "--tracks", "1")
    stored = open_run(tiles).predictions.filter(
        (pl.col("end") > 149_000) & (pl.col("start") < 151_000)
    )
    bins = stored.sort("start").collect()
    drawn = data_of(spec, 0, 1)
    assert [row["start"] for row in drawn] == bins["start"].to_list()
    assert [row["value"] for row in drawn] == bins["values"].list.get(0).to_list()
    assert max(row["value"] for row in drawn) > 9
    scale = spec["vconcat"][0]["layer"][0]["encoding"]["x"]["scale"]
    assert scale["domain"] == [149_000.5, 151_000.5]


def test_both_alleles_of_a_variant_are_those_of_the_scorer(folder, plotted):
    name = f"chr1:{TSS + 3}:A:G"
    words = ("--genome", folder / "g.fa", "--model", "motif", "--flank", "300")
    spec, error = plotted("track", "--variant", name, *words, "--tracks", "motif-GATA1")
    rows = {row["start"]: row for row in data_of(spec, 0, 3)}
    # the variant is the last base of its bin, the middle of the site in the next one: 10 with it, 0 without
    at = max(rows, key=lambda start: rows[start]["reference"])
    assert at == TSS + 3
    assert rows[at]["reference"] == pytest.approx(10, rel=1e-3)
    assert rows[at]["alternate"] == pytest.approx(0, abs=1e-2)
    assert "DEMONSTRATION" in error


def test_many_bins_become_means():
    table = pl.DataFrame({"start": [0, 2, 4], "end": [2, 4, 6], "x": [1.0, None, 5.0]})
    assert pooled(table, 2).rows() == [(0, 4, 1.0), (4, 6, 5.0)]


def test_letters_in_the_logo_are_the_contributions_of_the_run(made, plotted):
    run = made("contributions")
    spec, error = plotted("logo", run, "--length", "20")
    assert "of 2 groups of tracks GATA1 is drawn" in error
    assert "--group chooses another group: blood" in error
    (row,) = open_run(run).contributions.filter(group="GATA1").collect().to_dicts()
    tips = {each["pos"]: each for each in data_of(spec, 0, 5)}
    # the site lies in the middle of the stretch of its strongest bases
    assert min(tips) == TSS + 1 - 6
    for pos, tip in tips.items():
        at = pos - 1 - row["start"]
        assert (tip["letter"], tip["value"]) == (row["sequence"][at], row["values"][at])
    assert max(corner["y"] for corner in data_of(spec, 0, 0)) == pytest.approx(max(row["values"]))


def test_hypothetical_letters_are_those_of_the_run(made, plotted):
    run = made("contributions")
    region = f"1:{TSS + 1}-{TSS + 8}"
    words = ("--group", "blood", "--region", region, "--hypothetical")
    spec, _ = plotted("logo", run, *words)
    assert len(spec["vconcat"]) == 2
    (row,) = open_run(run).contributions.filter(group="blood").collect().to_dicts()
    at = TSS - row["start"]
    tips = {(each["pos"], each["letter"]): each["value"] for each in data_of(spec, 1, 5)}
    assert len(tips) == 32
    for letter in "ACGT":
        assert tips[TSS + 1, letter] == row[f"hypothetical_{letter.lower()}"][at]


def test_a_short_motif_stands_in_the_middle_of_its_stretch():
    assert strongest(np.array([0, 0, 0, -3, 0, 0, 0]), 3) == 2
    assert strongest(np.array([1, 0, 0, 5, 0]), 1) == 3
    assert strongest(np.array([1, 2]), 9) == 0


def test_what_a_logo_cannot_show_is_refused(made, refused):
    run = made("contributions")
    start = open_run(run).contributions.select("start").collect().item(0, 0)
    for words, message in (
        (
            ("--target", "other"),
            "--target other: .* has no such target; known are chr1:149873-150128",
        ),
        (("--group", "bloot"), "has no such group; did you mean blood"),
        (("--region", "chr1:1-300"), "has 300 bases, and a logo has room for 200"),
        (("--region", f"chr1:{start - 9}-{start + 9}"), "the window of .* is chr1:"),
        (("--region", "chr2:149900-149950"), "give bases of it"),
        (("--length", "0"), "must be from 1 to 200"),
    ):
        assert re.search(message, refused("logo", run, *words)), words


def test_arcs_are_as_high_as_the_scores_of_the_run(made, plotted):
    run = made("links")
    spec, _ = plotted("links", run, "--gene", "PLUS")
    stored = open_run(run).links.collect()
    drawn = {row["name"]: row for row in data_of(spec, 0, 2)}
    assert drawn.keys() == {*stored["name"]}
    for row in stored.to_dicts():
        found = drawn[row["name"]]
        assert (found["first"], found["last"]) == (row["start"] + 1, row["end"])
        assert found["score"] == pytest.approx(row["gradient"])
        assert found["tss"] == TSS + 1
    heights = sorted({corner["y"] for corner in data_of(spec, 0, 1)})
    assert heights[-1] == pytest.approx(stored["gradient"].max())


def test_tables_of_links_are_drawn_whole_or_in_a_region(made, plotted, refused, tmp_path):
    table = made("links.parquet")
    spec, _ = plotted("links", table, "--score", "powerlaw_contact")
    assert len(data_of(spec, 0, 2)) == 2
    spec, error = plotted("links", table, "--region", "1:80000-160000")
    assert [row["name"] for row in data_of(spec, 0, 2)] == ["left"]
    assert "1 element outside 1:80000-160000 left out" in error
    text = tmp_path / "links.tsv"
    pl.read_parquet(table).write_csv(text, separator="\t")
    assert data_of(plotted("links", text)[0], 0, 2)[0]["score"] > 0
    for words, message in (
        (("--gene", "PLUM"), "has no links of it; did you mean PLUS"),
        (("--score", "name"), "has no such column of numbers"),
        (("--group", "blood"), "was made without a model and has no groups"),
        (
            ("--region", "chr1:1-9"),
            "no element of PLUS lies there; they lie within chr1:90001-210400",
        ),
    ):
        assert message in refused("links", table, *words), words
    empty = tmp_path / "empty.parquet"
    pl.read_parquet(table).clear().write_parquet(empty)
    assert "empty.parquet: has no links" in refused("links", empty)
    other = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    assert "has no column gene, so it is no table of links" in refused("links", other)


def test_the_genes_own_promoter_has_no_arc(made, plotted, tmp_path):
    """Its score is 1 by definition, beside which others would be flat."""
    table = tmp_path / "own.parquet"
    of_run = pl.read_parquet(made("links.parquet"))
    is_own = pl.Series("is_self_promoter", of_run["name"] == "left")
    of_run.with_columns(is_own).write_parquet(table)
    spec, error = plotted("links", table, "--score", "powerlaw_contact")
    assert [row["name"] for row in data_of(spec, 0, 2)] == [HOSTILE]
    assert len(data_of(spec, 1, 0)) == 2
    assert "without an arc, as PLUS's own promoter: left (" in error
    # where there is nothing else it is drawn
    of_run.filter(is_own).with_columns(is_self_promoter=True).write_parquet(table)
    spec, error = plotted("links", table, "--score", "powerlaw_contact")
    assert [row["name"] for row in data_of(spec, 0, 2)] == ["left"]
    assert "without an arc" not in error


@pytest.fixture(scope="module")
def insulated(tmp_path_factory):
    """A run of one boundary between domains of two factors."""
    folder = tmp_path_factory.mktemp("insulated")
    domain_bp = 240_000 // 128 * 128
    sites = ("AGATAAGA", "CAAAGTCCA", "AGATAAGA")
    letters = list("".join((site + "C" * (128 - len(site))) * (domain_bp // 128) for site in sites))
    letters[domain_bp : domain_bp + len(CTCF)] = CTCF
    write_fasta(folder / "d.fa", {"chr1": "".join(letters)})
    (folder / "b.bed").write_text(f"chr1\t{domain_bp - 500}\t{domain_bp + 500}\tb\n")
    with registered() as model:
        words = ["--genome", folder / "d.fa", "--model", model, "--ray", "off", "--out"]
        more = ["--strands", "forward", "--apart-bp", "100000", "--boundary-bp", "256"]
        command = ["insulators", folder / "b.bed", *words, folder / "run", *more]
        assert main([str(word) for word in command]) == 0
    return folder / "run"


def test_profiles_are_the_contrasts_of_the_run(insulated, plotted):
    spec, error = plotted("insulators", insulated)
    above, below = (each["hconcat"] for each in spec["vconcat"])
    assert len(above) == 3
    ledger = open_ledger(str(insulated))
    expected = list(contrasts(insulation_of(ledger)))
    for number, statistic in enumerate(("across", "at")):
        points = spec["datasets"][below[number]["layer"][2]["data"]["name"]]
        of = [each.contrast for each in expected if each.statistic == statistic]
        assert [row["difference"] for row in points] == [one.difference for one in of]
        assert [(row["low"], row["high"]) for row in points] == [(one.low, one.high) for one in of]
    assert "an interval over 1 boundary says little" in error


def test_a_run_of_another_kind_is_named_with_what_makes_the_right_one(made, refused):
    tiles = made("tiles")
    contributions = made("contributions")
    for words, kind in (
        (("logo", tiles), "attribute"),
        (("links", tiles), "links"),
        (("insulators", tiles), "insulators"),
        (("track", contributions, "--region", "chr1:1-9"), "tiles"),
    ):
        said = refused(*words)
        assert str(words[1]) in said
        assert f"enformer-ray {kind}" in said, said


def test_settings_of_a_track_that_do_not_go_together_are_refused(made, folder, refused):
    run = made("tiles")
    model = ("--genome", folder / "g.fa", "--model", "motif")
    for words, message in (
        ((), "--variant, --genome, --model: not given"),
        ((run,), "--region: not given"),
        ((run, "--region", "chr1:1-9", "--variant", "chr1:5:A:C"), "is of a variant, not of a run"),
        ((run, "--region", "chr1:1-9"), "has no bin there; it has some within chr1:"),
        ((run, "--region", "chr1:149001-151000", "--tracks", "5"), "5"),
        (("--variant", "chr1:5:A:C", *model, "--region", "chr1:1-9"), "of a variant give --flank"),
        (("--variant", "chr1:5:A:C", *model, "--flank", "0"), "--flank 0: must be at least 1"),
        (("--variant", "chr1:5:A:C", *model, "--tracks", "0-6"), "has room for 6"),
        (("--variant", "chr1:5:A:G", *model), "the genome has C here"),
    ):
        assert message in refused("track", *words), words


def test_what_a_run_of_tiles_does_not_predict_is_shaded(made, plotted):
    spec, error = plotted("track", made("tiles"), "--region", "chr1:90001-150000")
    first = open_run(made("tiles")).predictions.select(pl.col("start").min()).collect().item()
    (shade,) = data_of(spec, 0, 0)
    assert shade == {"from": 90_000.5, "to": first + 0.5}
    assert f"predicts nothing of {first - 90_000:,} of these 60,000 bp" in error
    assert spec["vconcat"][0]["title"]["text"]


def test_gaps_between_bins():
    table = pl.DataFrame({"start": [2, 6, 8], "end": [6, 8, 9], "a": [1.0, None, 2.0]})
    assert unpredicted(table, Stretch("c", 1, 9)) == [(1, 2), (7, 8)]
    assert unpredicted(table, Stretch("c", 4, 12)) == [(7, 8), (10, 12)]
