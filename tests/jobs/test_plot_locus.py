"""`enformer-ray plot locus`, as a user calls it: the numbers in the picture, what is left out, and what is refused."""

import json
import re
import shutil

import numpy as np
import polars as pl
import pytest

from enformer_core import open_run
from enformer_core.finemapping.strength import minus_log10_p
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.pictures.page import vega_bundle
from enformer_core.pictures.stack import Stretch
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from jobs.locus_study import is_within
from jobs.selection_hint import selection_hint
from tests.support.genomes import OTHER
from tests.support.summaries import GivenScorer
from tests.support.toy_runs import begun_toy_run
from tests.support.vcf import write_vcf

PLACES = (1000, 1500, 2000, 9000)
Z = (1.0, -6.0, 3.0, 2.0)
SCORES = {999: [0.5, -1, 0], 1499: [0, 0.25, 0], 1999: [-2, 1, 1], 8999: [9, 9, 9]}
R = np.array([[1, 0.5, -0.9, 0], [0.5, 1, 0.8, 0], [-0.9, 0.8, 1, 0], [0, 0, 0, 1]])
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """A finished run of four alleles, of which three lie in the locus."""
    place = tmp_path_factory.mktemp("plot") / "run"
    rows = [("chr20", start, "A", "G") for start in SCORES]
    run = begun_toy_run(LocalStore(place), rows, {"chr20": 20_000}, scorer=GivenScorer(SCORES))
    run.commit_all()
    run.ledger.finish(run.plan)
    return place


@pytest.fixture
def study(tmp_path):
    """Sumstats whose contig is called without chr, and LD of all their rows."""

    def made(names=("rs1", "rs2", "rs3", "rs4"), contig="20"):
        rows = zip(names, PLACES, Z, strict=True)
        lines = [f"{contig}\t{pos}\t{name}\tG\tA\t{z}\t500\n" for name, pos, z in rows]
        path = tmp_path / "gwas.tsv"
        path.write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(lines))
        return path

    np.savez(tmp_path / "ld.npz", R=R)
    return made


@pytest.fixture
def genes(tmp_path):
    """Two genes, of which one lies in the locus, the other far from it."""
    path = tmp_path / "genes.bed"
    path.write_text("chr20\t1200\t1900\tPRNP\t0\t+\nchr20\t15000\t16000\tFAR\t0\t-\n")
    return path


@pytest.fixture
def plotted(run, tmp_path):
    """The specification of a picture as a page has it, and what was said."""

    def call(*words, locus=("--locus", "chr20:900-2100")):
        out = tmp_path / "picture.html"
        code, _, error = run("plot", "locus", *words, *locus, "--out", out)
        assert code == 0, error
        (spec,) = re.findall(r'class="chart-spec">(.*?)</script>', out.read_text())
        return json.loads(spec), error

    return call


@pytest.fixture
def refused(run, tmp_path):
    """The message of a command that must fail."""

    def call(*words, out="picture.svg"):
        code, text, error = run("plot", "locus", *words, "--out", tmp_path / out)
        assert code == 2, text
        assert "Traceback" not in error
        assert not (tmp_path / out).exists()
        return error.splitlines()[-1]

    return call


def rows_with(spec, column):
    """The rows of data that have a column, of the largest set that does."""
    sets = [rows for rows in spec["datasets"].values() if rows and column in rows[0]]
    return max(sets, key=len)


def scales_of(spec, channel):
    """The scales of a channel, wherever in a specification they stand."""
    if isinstance(spec, list):
        return [scale for each in spec for scale in scales_of(each, channel)]
    if not isinstance(spec, dict):
        return []
    own = [spec[channel]["scale"]] if "scale" in (spec.get(channel) or ()) else []
    return own + [scale for each in spec.values() for scale in scales_of(each, channel)]


def test_scores_in_the_picture_are_those_of_the_run(scores, plotted):
    spec, _ = plotted(scores, "--tracks", "0,5,7")
    in_run = open_run(scores).scores.filter(pl.col("pos") <= 2100).sort("pos").collect()
    values = np.array(in_run["sad"].to_list())
    assert len(spec["vconcat"]) == 3
    for track, row in enumerate(spec["vconcat"]):
        points = row["layer"][2]
        drawn = spec["datasets"][points["data"]["name"]]
        assert [each["score"] for each in drawn] == values[:, track].tolist()
        assert [each["pos"] for each in drawn] == in_run["pos"].to_list()


def test_of_a_group_the_score_of_the_largest_size_is_drawn_with_its_sign(scores, plotted):
    spec, _ = plotted(scores, "--group", "both=0,5")
    drawn = rows_with(spec, "score")
    assert [each["score"] for each in drawn] == [-1, 0.25, -2]
    assert [each["track"] for each in drawn] == ["track 5", "track 5", "track 0"]


def test_all_rows_stand_on_one_axis(scores, study, genes, tmp_path, plotted):
    pips = tmp_path / "fm.tsv"
    header = "id\tchrom\tpos\tpip_uniform\tpip_prior\tset_uniform\tset_prior\n"
    pips.write_text(header + "rs1\t20\t1000\t0.1\t\t\t\nrs3\t20\t2000\t0.9\t\t1\t\n")
    spec, error = plotted(
        *(scores, "--sumstats", study(), "--ld", tmp_path / "ld.npz"),
        *("--pips", pips, "--genes", genes),
    )
    assert len(spec["vconcat"]) == 4
    assert {row["width"] for row in spec["vconcat"]} == {860}
    domains = {tuple(scale["domain"]) for scale in scales_of(spec, "x")}
    assert domains == {(899.5, 2100.5)}
    named = [row["name"] for row in rows_with(spec, "label")]
    assert named == ["PRNP"]
    assert "left out" not in error


def test_association_and_ld_are_those_of_the_files(study, tmp_path, plotted):
    spec, _ = plotted("--sumstats", study(), "--ld", tmp_path / "ld.npz")
    drawn = {row["name"]: row for row in rows_with(spec, "r2")}
    # 6 is two-sided 2e-9; the lead is rs2, with which rs1 and rs3 have r of 0.5 and 0.8
    assert set(drawn) == {"rs1", "rs2", "rs3"}
    assert drawn["rs2"]["minus_log10_p"] == pytest.approx(8.7049, abs=1e-4)
    assert [drawn[name]["r2"] for name in ("rs1", "rs2", "rs3")] == pytest.approx([0.25, 1, 0.64])


def test_contigs_are_one_with_and_without_chr(scores, study, genes, plotted):
    words = (scores, "--sumstats", study(contig="chr20"), "--genes", genes)
    with_chr, _ = plotted(*words)
    without, _ = plotted(*words, locus=("--locus", "20:900-2100"))
    assert len(with_chr["vconcat"]) == len(without["vconcat"]) == 3
    assert with_chr["datasets"] == without["datasets"]


def test_hostile_names_stay_text(scores, study, genes, tmp_path, run):
    genes.write_text(f"chr20\t1200\t1900\t{HOSTILE}\t0\t+\n")
    out = tmp_path / "hostile.html"
    code, _, error = run(
        *("plot", "locus", scores, "--sumstats", study(names=(HOSTILE, "rs2", "rs3", "rs4"))),
        *(
            "--genes",
            genes,
            "--group",
            "</script><img>=0",
            "--locus",
            "chr20:900-2100",
            "--out",
            out,
        ),
    )
    assert code == 0, error
    page = out.read_text()
    # Vega's own script names the tag
    assert page.count("<img") == vega_bundle().count("<img")
    assert page.count("</script>") == 2


def test_a_variant_has_its_surroundings(scores, plotted):
    around = ("--variant", "chr20:1500:A:G", "--flank", "600")
    spec, error = plotted(scores, locus=around)
    assert [row["pos"] for row in rows_with(spec, "score")] == [1000, 1500, 2000]
    assert "chr20:1500:A:G and 600 bp around it" in error


def test_a_variant_that_the_run_lacks_is_said_to_be_absent(scores, plotted):
    _, error = plotted(scores, locus=("--variant", "chr20:1500:A:G"))
    assert "does not have" not in error
    _, error = plotted(scores, locus=("--variant", "chr20:1500:T:C"))
    assert f"{scores}: does not have chr20:1500:T:C; at its place it has chr20:1500:A:G" in error
    _, error = plotted(scores, locus=("--variant", "chr20:1501:A:C"))
    assert f"{scores}: does not have chr20:1501:A:C\n" in error


def test_the_variant_is_named_and_marked_in_every_row(scores, study, plotted):
    words = (scores, "--sumstats", study(), "--tracks", "0,5")
    spec, _ = plotted(*words, locus=("--variant", "chr20:1000:A:G", "--flank", "1000"))
    for row in spec["vconcat"]:
        assert spec["datasets"][row["layer"][-1]["data"]["name"]] == [{"variant": 1000}]
        named = [
            each["name"]
            for layer in row["layer"]
            if layer["encoding"].get("text", {}).get("field") == "name"
            for each in spec["datasets"][layer["data"]["name"]]
        ]
        assert {"rs1", "chr20:1000:A:G"} & {*named}


def test_what_a_picture_says_of_its_scores(scores, plotted):
    spec, error = plotted(scores, "--group", "both=0,5")
    assert "only a test" in error
    assert spec["vconcat"][0]["title"]["text"] == "largest sad among 2 tracks: both"
    assert spec["vconcat"][0]["layer"][1]["encoding"]["y"]["axis"]["title"] == "sad (counts)"


def test_which_tracks_a_text_has_found_is_said_where_they_are_more_than_it():
    rows = (Track(index=1, description="GATA1"), Track(index=6, description="blood, GATA1"))
    found = Tracks("human", 8, rows)
    (said,) = selection_hint(found, "GATA1")
    assert said == "--tracks GATA1: 2 of 8: 1 GATA1, 6 blood, GATA1"
    (said,) = selection_hint(found, "GATA1", "--group a=")
    assert said.startswith("--group a=GATA1: 2 of 8")
    for plain in (None, "1-6", "assay=CAGE", "GATA1,blood"):
        assert not list(selection_hint(found, plain))


def test_one_variant_is_drawn(scores, plotted):
    spec, _ = plotted(scores, locus=("--locus", "chr20:1500-1500"))
    assert [row["score"] for row in rows_with(spec, "track")] == [0.25]


def test_what_is_not_there_is_left_out_with_a_note(scores, study, genes, plotted):
    words = (scores, "--sumstats", study(), "--genes", genes)
    spec, error = plotted(*words, locus=("--locus", "chr20:8500-9500"))
    assert len(spec["vconcat"]) == 2
    assert f"{genes}: has no genes here; that row is left out" in error
    spec, error = plotted(*words, locus=("--locus", "chr20:14000-16000"))
    assert len(spec["vconcat"]) == 1
    assert error.count("that row is left out") == 2


def test_more_points_than_can_be_seen_are_thinned(tmp_path, plotted):
    lines = [f"20\t{pos}\trs{pos}\tG\tA\t{pos % 89 / 10}\t500\n" for pos in range(1, 6001)]
    (tmp_path / "many.tsv").write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(lines))
    spec, error = plotted("--sumstats", tmp_path / "many.tsv", locus=("--locus", "20:1-6000"))
    assert len(rows_with(spec, "minus_log10_p")) == 5_000
    assert "of 6,000 points 5,000 are drawn: all of the 2,500 strongest" in error


def test_p_of_any_size():
    log_p = np.array([np.log(0.01), -np.inf, np.nan, np.nan, -400 * np.log(10)])
    z = np.array([np.nan, 40.0, 1.959964, np.nan, 5.0])
    found = minus_log10_p(log_p, z)
    # of z 40 as scipy's log_ndtr has it
    assert found[[0, 1, 2, 4]] == pytest.approx([2, 349.135976, 1.30103, 400], abs=1e-6)
    assert np.isnan(found[3])


def test_places_within_a_stretch():
    found = is_within(
        ["chr2", "2", None, "chr20", "2"], np.array([5, 5, 5, 5, 11]), Stretch("2", 1, 10)
    )
    assert found.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--locus", "chr20:1-9"], "nothing to draw: give a run, --sumstats, --pips or --genes"),
        (["RUN"], "give --locus chr20:4600000-4800000 or --variant"),
        (["RUN", "--variant", "rs5"], "--variant rs5: is not in .*; give its place"),
        (
            ["--genes", "x", "--variant", "rs5"],
            "--variant rs5: where it lies is looked up in a run",
        ),
        (["RUN", "--variant", "here"], "--variant here: is not in .*; give its place"),
        (["--genes", "x", "--variant", "here"], "--variant here: give chr20:4699605"),
        (
            ["RUN", "--variant", "chr20:9", "--contributions-group", "g"],
            "--contributions-group g: is of a run of contributions",
        ),
        (
            ["RUN", "--locus", "chr20:1-9"],
            "nothing to draw: .* has no scored alleles here; it has some within chr20:1000-9000",
        ),
        (["RUN", "--locus", "chr20:1-9", "--ld", "x"], "--ld: says something of --sumstats FILE"),
        (
            ["RUN", "--locus", "chr20:1-9", "--statistic", "sat"],
            "Did you mean sad|no such statistic",
        ),
        (["RUN", "--locus", "chrZ:1-9"], "has no alleles on chrZ; it has some on chr20$"),
        (["RUN", "--locus", "chr20:1-999999999999"], "ends beyond 2,147,483,647"),
        (["RUN", "--locus", "chr20:1-9", "--group", "0"], "--group 0: give a name and its tracks"),
        (["RUN", "--variant", "chr20:9", "--flank", "0", "--tracks", "0"], "--flank 0: must be"),
        (["RUN", "--locus", "chr20:1-9", "--flank", "9"], "--flank 9: is of --variant"),
        (["RUN", "--variant", "chr20:9", "--zoom", "9"], "--zoom 9: is of predictions"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scores, refused, words, message):
    given = [scores if word == "RUN" else word for word in words]
    assert re.search(message, refused(*given))


@pytest.fixture
def damaged(scores, tmp_path):
    """A copy of the run that a test may damage."""
    return shutil.copytree(scores, tmp_path / "damaged")


def test_a_damaged_table_is_named(damaged, refused):
    (table, *_) = sorted((damaged / "scores").rglob("*.parquet"))
    content = bytearray(table.read_bytes())
    content[len(content) // 3 : 2 * len(content) // 3] = bytes(len(content) // 3)
    table.write_bytes(content)
    said = refused(damaged, "--locus", "chr20:900-2100")
    assert table.name in said
    assert "enformer-ray verify" in said


def test_what_is_left_of_a_run_is_not_drawn_as_all_of_it(damaged, run, tmp_path):
    for path in (damaged / "commits").iterdir():
        path.unlink()
    words = ("plot", "locus", damaged, "--locus", "chr20:900-2100", "--out", tmp_path / "x.svg")
    code, _, error = run(*words)
    assert code == 2
    assert "lost or damaged" in error


def test_names_of_other_files_are_refused_before_anything_is_read(scores, refused):
    said = refused("no-such-run", "--locus", "chr20:1-9", out="picture.jpg")
    assert "pictures are written as .png, .svg or .html" in said


def test_what_finemap_prints_as_json_is_drawn_with_a_prior_and_without(tmp_path, plotted):
    variants = [
        {
            "id": f"rs{pos}",
            "chrom": "20",
            "pos": pos,
            "pip_uniform": 0.25,
            "pip_prior": pip,
            "set_uniform": None,
            "set_prior": 1 if pip > 0.5 else None,
        }
        for pos, pip in ((1000, 0.125), (2000, 0.75), (9000, 1.0))
    ]
    (tmp_path / "fm.json").write_text(json.dumps({"variants": variants}))
    spec, _ = plotted("--pips", tmp_path / "fm.json")
    with_prior, without = spec["vconcat"]
    drawn = [
        {row["name"]: row["pip"] for row in spec["datasets"][layer["data"]["name"]]}
        for layer in (*with_prior["layer"][:2], without["layer"][0])
    ]
    assert drawn == [{"rs1000": 0.125}, {"rs2000": 0.75}, {"rs1000": 0.25, "rs2000": 0.25}]


def test_a_file_that_is_no_fine_mapping_is_named(tmp_path, refused):
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n")
    said = refused("--pips", tmp_path / "other.tsv", "--locus", "chr20:1-9")
    assert (
        "other.tsv: has no column id. Give the --out or the --json of `enformer-ray finemap`"
        in said
    )


def test_members_of_credible_sets_have_rings_in_the_association(study, tmp_path, plotted):
    pips = tmp_path / "fm.tsv"
    header = "id\tchrom\tpos\tpip_uniform\tpip_prior\tset_uniform\tset_prior\n"
    rows = ("rs1\t20\t1000\t0.1\t\t2\t\n", "rs3\t20\t2000\t0.9\t\t1\t\n", "rs2\t20\t7\t0\t\t2\t\n")
    pips.write_text(header + "".join(rows))
    spec, _ = plotted("--sumstats", study(), "--pips", pips)
    association, probability = spec["vconcat"]
    (ring,) = [each for each in association["layer"] if "stroke" in each["encoding"]]
    drawn = spec["datasets"][ring["data"]["name"]]
    assert [(row["name"], row["credible_set"]) for row in drawn] == [("rs1", "2"), ("rs3", "1")]
    (domain,) = {tuple(scale["domain"]) for scale in scales_of(probability, "color")}
    assert list(domain) == ring["encoding"]["stroke"]["scale"]["domain"] == ["1", "2"]


def test_a_file_of_genes_elsewhere_gives_no_row(scores, tmp_path, plotted):
    (tmp_path / "genes.bed").write_text("chr3\t1200\t1900\tFAR\t0\t+\n")
    spec, error = plotted(scores, "--genes", tmp_path / "genes.bed")
    assert len(spec["vconcat"]) == 1
    assert "has no genes on chr20; it has some on chr3; that row is left out" in error


def test_an_rsid_is_looked_up_in_the_run(run, genome, letters, tmp_path, plotted):
    ref = letters["chr1"][999]
    vcf = tmp_path / "v.vcf"
    lines = [f"chr1\t{pos}\trs10\t{letters['chr1'][pos - 1]}\t" for pos in (1000,)]
    vcf.write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(f"{line}{OTHER[ref]}\t.\t.\t.\n" for line in lines)
    )
    words = ["score", vcf, "--genome", genome, "--model", "motif", "--strands", "forward"]
    assert run(*words, "--ray", "off", "--out", tmp_path / "run")[0] == 0
    spec, error = plotted(tmp_path / "run", locus=("--variant", "RS10", "--flank", "50"))
    assert [row["name"] for row in rows_with(spec, "score")] == ["rs10"]
    assert {tuple(scale["domain"]) for scale in scales_of(spec, "x")} == {(949.5, 1050.5)}
    assert "RS10 and 50 bp around it" in error


@pytest.fixture(scope="module")
def around(tmp_path_factory, genome, letters):
    """A variant with its run of scores and one of contributions, both of the model motif."""
    folder = tmp_path_factory.mktemp("around")
    ref = letters["chr1"][1999]
    vcf = write_vcf(folder / "v.vcf", [("chr1", 2000, ref, OTHER[ref])])
    motif = ["--genome", genome, "--model", "motif", "--strands", "forward", "--ray", "off"]
    score = ["score", vcf, *motif, "--out", folder / "scores"]
    groups = ["--group", "g=motif-GATA1", "--group", "h=expression-blood"]
    attribute = ["attribute", vcf, *motif, *groups, "--out", folder / "given"]
    for words in (score, attribute):
        assert main([str(word) for word in words]) == 0
    return folder, f"chr1:2000:{ref}:{OTHER[ref]}"


def test_alleles_and_contributions_stand_below_on_axes_of_their_own(
    around, run, genome, tmp_path, plotted
):
    folder, variant = around
    spec, error = plotted(
        *(folder / "scores", "--genome", genome, "--model", "motif", "--zoom", "400"),
        *("--contributions", folder / "given"),
        locus=("--variant", variant, "--flank", "1000"),
    )
    locus, predicted, logo = spec["vconcat"]
    widths = [
        {scale["domain"][1] - scale["domain"][0] for scale in scales_of(part, "x")}
        for part in (locus, predicted, logo)
    ]
    assert widths[0] == {2001}
    # whole bins of 128 bp that reach into 400 bp on either side
    (width,) = widths[1]
    assert 800 < width <= 800 + 2 * 128
    assert widths[2] == {81}
    # the track that the run's scores say is changed most
    (row,) = open_run(folder / "scores").scores.collect().iter_rows(named=True)
    tracks = dict(
        open_run(folder / "scores").tracks.select("index", "description").collect().rows()
    )
    assert tracks[row["max_abs_sad_track"]] in predicted["vconcat"][0]["title"]["text"]
    assert "difference" in rows_with(spec, "difference")[0]
    assert "--contributions-group chooses another group: h" in error


def test_the_group_of_contributions_can_be_chosen(around, plotted, refused):
    folder, variant = around
    words = ("--contributions", folder / "given", "--contributions-group")
    _, error = plotted(*words, "h", locus=("--variant", variant))
    assert "chooses another" not in error
    said = refused(*words, "i", "--variant", variant)
    assert "--contributions-group i: " in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--locus", "chr1:1-9", "--model", "motif"], "--model motif: is drawn around a variant"),
        (["--variant", "chr1:2000", "--model", "motif"], "give --genome FASTA"),
        (["--variant", "chr1:2000", "--contributions", "x"], "is a place; .* need its alleles"),
        (["--variant", "chr1:2000", "--genome", "x"], "--genome x: is for a model"),
    ],
)
def test_what_cannot_be_drawn_around_a_variant_is_refused(refused, words, message):
    assert re.search(message, refused(*words))
