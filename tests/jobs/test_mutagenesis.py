"""Saturation mutagenesis through the commands: what is planned, what is scored, what is refused."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from enformer_core import open_run
from enformer_core.models.motif_spec import MOTIFS
from jobs import exit_codes
from tests.support.genomes import random_letters, write_fasta
from tests.support.vcf import write_vcf

SITE = "AGATAAGA"
"""GATA1 binds here (`motif` reads AGATAAGR)."""

PLANTED_AT = 2_000
"""0-based place of the site."""

GATA1_TRACK = [motif.name for motif in MOTIFS].index("GATA1")

SITE_BP = f"chr1:{PLANTED_AT}-{PLANTED_AT + 5}"

KB = f"chr1:{PLANTED_AT - 499}-{PLANTED_AT + 500}"

EXACT = ["--statistics", "sad,log_d2", "--precision", "exact"]

SMALL = ["--model", "motif", "--ray", "off", "--strands", "forward", "--audit-fraction", "0"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A contig with one planted site, one with an N, and one of N alone."""
    letters = random_letters(4_000, seed=5)
    letters = letters[:PLANTED_AT] + SITE + letters[PLANTED_AT + len(SITE) :]
    other = random_letters(1_000, seed=6)
    contigs = {"chr1": letters, "chr2": other[:500] + "NN" + other[502:], "chr3": "N" * 300}
    return write_fasta(tmp_path_factory.mktemp("genome") / "planted.fa", contigs)


@pytest.fixture
def score(run, planted, tmp_path):
    """Score into a directory of this name; gives it."""

    def call(out, *arguments):
        code, _, error = run(
            *("score", *arguments, "--genome", planted, "--out", tmp_path / out, *SMALL),
        )
        assert code == 0, error
        return tmp_path / out

    return call


def planned(run, planted, *arguments):
    code, text, error = run("plan", *arguments, "--genome", planted, "--model", "motif", "--json")
    assert code == 0, error
    return json.loads(text)


def test_the_bases_of_a_site_are_those_that_matter(score, run, rows):
    first = PLANTED_AT - 8 + 1
    last = PLANTED_AT + 16
    out = score("map", "--mutagenesis", f"chr1:{first}-{last}", "--tracks", f"{GATA1_TRACK}")
    sql = (
        "SELECT input_file, input_line, alt_index, id, pos, ref, alt, status, flags, sad[1] AS sad"
        " FROM scores ORDER BY input_line, alt_index"
    )
    found = rows(out, sql)
    assert len(found) == 3 * 24
    region = f"chr1:{first}-{last}"
    assert {row["input_file"] for row in found} == {f"mutagenesis:{region}"}
    assert {row["id"] for row in found} == {region}
    assert [(row["input_line"], row["alt_index"]) for row in found] == [
        (base, alt) for base in range(1, 25) for alt in (1, 2, 3)
    ]
    assert all(row["pos"] == first + row["input_line"] - 1 for row in found)
    assert all(row["ref"] != row["alt"] for row in found)
    for row in found:
        within = row["pos"] - 1 - PLANTED_AT
        # the last letter may be A or G; every other change loses the site's 10.0 (models/motif.py)
        breaks = 0 <= within < len(SITE) and not (within == 7 and row["alt"] == "G")
        expected = -10.0 if breaks else 0.0
        assert row["sad"] == pytest.approx(expected, abs=0.1), row
    assert run("verify", out)[0] == 0
    code, drawn, error = run("export", out, "--map", "-")
    assert code == 0, error
    assert drawn.startswith(f"sad of track {GATA1_TRACK} ")
    # three changes of seven letters of the site lose it, and two of the last, which may be A or G
    assert drawn.count("█") == 1 + 3 * 7 + 2


@pytest.mark.parametrize(
    ("region", "bases"),
    [(SITE_BP, 6), pytest.param(KB, 1_000, marks=pytest.mark.full)],
    ids=["site", "1 kb"],
)
def test_differences_and_two_passes_agree(score, region, bases):
    asked = ["--mutagenesis", region, *EXACT]
    plain = open_run(score("direct", *asked, "--engine", "direct")).scores.collect()
    differences = open_run(score("delta", *asked)).scores.collect()
    both = plain.join(differences, on="variant_id", suffix="_delta")
    assert both.height == plain.height == differences.height == 3 * bases
    assert both.filter(pl.col("max_abs_sad") > 1).height
    # the same windows, so the same question
    assert both["window_start"].equals(both["window_start_delta"], check_names=False)
    for statistic in ("sad", "log_d2"):
        ours = np.array(both[f"{statistic}_delta"].to_list())
        theirs = np.array(both[statistic].to_list())
        assert np.allclose(ours, theirs, rtol=1e-3, atol=2e-3)


def test_deletions_come_beside_the_substitutions(score, rows):
    first = PLANTED_AT - 3
    out = score(
        "both",
        *("--mutagenesis", f"chr1:{first}-{first + 15}", "--deletions", "3"),
        *("--tracks", f"{GATA1_TRACK}"),
    )
    sql = "SELECT input_file, count(*) AS n, count(DISTINCT variant_id) AS alleles FROM scores"
    counts = rows(out, f"{sql} GROUP BY ALL ORDER BY input_file")
    assert [(row["input_file"].partition(":")[0], row["n"]) for row in counts] == [
        ("deletions-3", 14),
        ("mutagenesis", 48),
    ]
    sql = (
        "SELECT input_line, length(input_ref) AS bp, input_alt, sad[1] AS sad FROM scores"
        " WHERE input_file LIKE 'deletions-3:%' ORDER BY input_line"
    )
    deleted = rows(out, sql)
    assert {row["bp"] for row in deleted} == {4}
    assert all(len(row["input_alt"]) == 1 for row in deleted)
    # a stretch that begins at the site's third base takes TAA out of AGATAAGA
    within = next(row for row in deleted if row["input_line"] - 1 + first - 1 - PLANTED_AT == 3)
    assert within["sad"] == pytest.approx(-10, abs=0.5)


@pytest.mark.full
def test_what_lies_in_two_regions_is_scored_once_and_answered_twice(score, run, rows, tmp_path):
    bed = tmp_path / "peaks.bed"
    bed.write_text("chr1\t100\t110\tone\n1\t105\t112\ttwo\nchr2\t498\t504\n")
    out = score("run", "--mutagenesis", bed)
    sql = (
        "SELECT id, input_file, count(*) AS n, min(input_line) AS first,"
        " count(*) FILTER (list_contains(flags, 'duplicate')) AS repeats FROM scores GROUP BY ALL"
        " ORDER BY first"
    )
    assert [tuple(row.values()) for row in rows(out, sql)] == [
        ("one", "mutagenesis:peaks.bed", 30, 1, 0),
        ("two", "mutagenesis:peaks.bed", 21, 11, 15),
        ("chr2:499-504", "mutagenesis:peaks.bed", 12, 18, 0),
    ]
    sql = "SELECT count(DISTINCT sad) AS n FROM scores GROUP BY variant_id HAVING n > 1"
    assert not rows(out, sql)
    assert json.loads((out / "run.json").read_text())["plan"]["filtered"] == {"unknown_base": 2}
    assert run("verify", out)[0] == 0


def test_the_same_regions_are_the_same_run_and_others_are_not(score, run, planted, tmp_path):
    bed = tmp_path / "peaks.bed"
    bed.write_text("chr1\t100\t110\n")
    out = score("run", "--mutagenesis", bed)
    (digest,) = json.loads((out / "run.json").read_text())["identity"]["input"]
    assert digest["name"] == "mutagenesis:peaks.bed"
    bed.write_text("#a comment\n1 100 110\n")
    again = ["--genome", planted, "--out", out, *SMALL]
    code, text, _ = run("score", "--mutagenesis", bed, *again)
    assert code == 0
    assert text.startswith("already complete")
    for other in (["--deletions", "2"], ["--max-offset-bp", "0"]):
        code, _, error = run("score", "--mutagenesis", bed, *again, *other)
        assert code == exit_codes.BAD_INPUT
        assert "another run" in error or "there" in error
    bed.write_text("chr1\t100\t111\n")
    code, _, error = run("score", "--mutagenesis", bed, *again)
    assert code == exit_codes.BAD_INPUT
    assert "sha256" in error


@pytest.mark.full
def test_a_run_that_was_interrupted_is_continued_to_the_same_table(score, run, rows, tmp_path):
    asked = ["--mutagenesis", "chr1:101-110,chr2:495-505", "--deletions", "2", "--shard-size", "9"]
    sql = "FROM scores ORDER BY input_file, input_line, alt_index"
    whole = rows(score("half", *asked), sql)
    half = tmp_path / "half"
    (half / "manifest.json").unlink()
    sorted((half / "commits").iterdir())[1].unlink()
    shutil.rmtree(half / "plan")
    assert rows(score("half", *asked), sql) == whole
    assert run("verify", half)[0] == 0


def test_around_variants(score, run, rows, planted, tmp_path):
    letters = planted.read_text().split("\n")[1]
    vcf = write_vcf(
        tmp_path / "v.vcf",
        [
            ("chr1", 5, letters[4], "A" if letters[4] != "A" else "C"),
            ("chr1", 2001, letters[2000:2003], letters[2000]),
            ("chr1", 3000, letters[2999], "<DEL>"),
        ],
    )
    found = planned(run, planted, "--mutagenesis-around", vcf, "--flank", "10")
    assert found["alleles"] == 3 * (15 + 23)
    assert found["filtered"] == {"not_placed": 1}
    assert "v.vcf" in found["columns"][0]["files"]
    out = score("around", "--mutagenesis-around", vcf, "--flank", "10")
    sql = "SELECT input_file, id, min(pos) AS first, max(pos) AS last FROM scores GROUP BY ALL ORDER BY first"
    of_snv, of_deletion = rows(out, sql)
    assert of_snv["input_file"] == "mutagenesis:around-10:v.vcf"
    assert (of_snv["first"], of_snv["last"]) == (1, 15)
    assert of_deletion["last"] - of_deletion["first"] == 22
    assert of_deletion["id"].startswith("chr1:")
    # what filters take out has all changes of a base: it is no record of the file
    near = ["--mutagenesis-around", vcf, "--flank", "10", "--regions", "chr1:1-3"]
    code, text, error = run("plan", *near, "--genome", planted, "--model", "motif")
    assert code == 0, error
    assert f"filters took out bases or stretches: {12 + 23} by regions" in error
    assert f"left out {12 + 23} bases or stretches by regions" in text
    assert "left out 1 record has no allele that fits the genome" in text
    # by default 50 on either side
    assert planned(run, planted, "--mutagenesis-around", vcf)["alleles"] == 3 * (55 + 103)


def test_plan_says_what_is_mutated_and_that_windows_are_shared(run, planted):
    asked = ["--mutagenesis", "chr1:1,001-1,200,chr2:491-510", "--deletions", "5"]
    found = planned(run, planted, *asked)
    # of the 16 stretches of the second region those that begin at 496 to 501 (from 0) hold an N of 500 and 501
    assert found["records"] == 200 + 18 + 196 + 10
    assert found["alleles"] == 3 * 218 + 196 + 10
    assert found["filtered"] == {"unknown_base": 2 + 6}
    assert found["windows"] <= 10
    assert found["sharing"] == []
    (note,) = [note for note in found["notes"] if "--max-offset-bp 8192 by default" in note]
    assert "8,192 bp off their centre" in note
    assert found["columns"] == []
    centred = planned(run, planted, *asked, "--max-offset-bp", "0")
    assert centred["windows"] >= 218
    assert not any("by default" in note for note in centred["notes"])
    _, text, _ = run("plan", *asked, "--genome", planted, "--model", "motif")
    assert "left out 8 bases, or stretches to be removed, are N or hold N" in text
    assert "note: --max-offset-bp 8192 by default" in text


def test_the_default_offset_is_what_other_settings_leave_room_for(run, planted):
    asked = ["--mutagenesis", "chr1:1-20"]
    found = planned(run, planted, *asked, "--shifts", "-56000,56000")
    assert any("--max-offset-bp 1024 by default" in note for note in found["notes"])
    found = planned(run, planted, *asked, "--central-bins", "896")
    assert not any("by default" in note for note in found["notes"])


@pytest.fixture
def refused(run, planted, tmp_path):
    """Score with these arguments; gives the message."""

    def call(*arguments):
        code, _, error = run(
            *("score", *arguments, "--genome", planted, "--out", tmp_path / "run", *SMALL)
        )
        assert code == exit_codes.BAD_INPUT
        assert "Traceback" not in error
        assert not (tmp_path / "run" / "run.json").exists()
        # notes may come before
        _, name, message = error.rpartition("enformer-ray: ")
        assert name
        return message

    return call


def test_regions_that_cannot_be(refused, tmp_path):
    bed = tmp_path / "empty.bed"
    bed.write_text("# nothing\n")
    assert "empty.bed: no regions to mutate" in refused("--mutagenesis", bed)
    bed.write_text("chr1\t50\t40\n")
    assert "empty.bed, line 1: from 50 to 40" in refused("--mutagenesis", bed)
    beyond = refused("--mutagenesis", "chr1:3990-4001")
    assert "--mutagenesis chr1:3990-4001: ends at base 4,001" in beyond
    assert "chr1 of the genome has 4,000" in beyond
    assert "no contig 'chr9', it has chr1, chr2, chr3" in refused("--mutagenesis", "chr9:1-5")
    of_gene = refused("--mutagenesis", "PRNP")
    assert "no contig 'PRNP', it has chr1, chr2, chr3. Give a region such as" in of_gene
    assert "Is PRNP a gene? Then give where it lies" in of_gene
    assert "from base 50 to 40" in refused("--mutagenesis", "chr1:50-40")
    assert "there is no such BED file either" in refused("--mutagenesis", "nowhere.bed")
    assert "chr1:1-5 is given twice" in refused("--mutagenesis", "chr1:1-5,1:1-5")
    all_n = refused("--mutagenesis", "chr3:11-50")
    assert "mutagenesis:chr3:11-50: there is nothing to mutate: 40 bases" in all_n
    # of these, two are N, and it is the filter that leaves nothing
    elsewhere = refused("--mutagenesis", "chr2:491-510", "--regions", "chr1:1-3")
    assert "nothing to mutate: 2 bases" in elsewhere
    assert "filters took out bases or stretches: 18 by regions" in elsewhere


def test_options_that_do_not_go_together(refused, vcf):
    region = ["--mutagenesis", "chr1:1-20"]
    both = refused(vcf, *region)
    assert "--mutagenesis: in the place of files of variants" in both
    assert "small.vcf was given too" in both
    assert "--flank 5: is around the variants of --mutagenesis-around" in refused(
        *region, "--flank", "5"
    )
    assert "--flank -1: must be at least 0" in refused("--mutagenesis-around", vcf, "--flank", "-1")
    assert "--deletions 0: must be at least 1" in refused(*region, "--deletions", "0")
    assert "--deletions 3: goes with --mutagenesis" in refused(vcf, "--deletions", "3")
    assert "the longest region has 20 bases" in refused(*region, "--deletions", "21")
    long = refused("--mutagenesis", "chr1:1-200", "--deletions", "100", "--max-allele-bp", "100")
    assert "--deletions 100: REF, with the base before, would have 101 bases" in long
    assert "has no allele frequencies" in refused(*region, "--min-maf", "0.1")
    files = refused(*region, "--columns", "chrom=x", "--sites", vcf)
    assert "--sites and --columns say how files are read" in files


def test_without_variants_or_regions_both_are_named(refused, planted, run):
    message = refused()
    assert "missing: VARIANTS. See" in message
    code, _, error = run("plan", "--genome", planted, "--mutagenesis", "")
    assert code == exit_codes.BAD_INPUT
    assert "--mutagenesis or --mutagenesis-around" in error


def test_around_variants_of_another_genome(refused, vcf, tmp_path):
    wrong = write_vcf(tmp_path / "w.vcf", [("chr3", pos, "A", "G") for pos in range(100, 150)])
    assert "agree with planted.fa" in refused("--mutagenesis-around", wrong)
    symbolic = write_vcf(tmp_path / "s.vcf", [("chr3", 100, "N", "<DEL>")])
    message = refused("--mutagenesis-around", symbolic)
    assert "nothing to mutate: 1 record has no allele that fits the genome" in message


def test_a_file_of_any_name(run, planted, tmp_path):
    bed = tmp_path / "caf\udce9.bed"  # in Latin-1
    bed.write_text("chr1\t10\t12\n")
    assert planned(run, planted, "--mutagenesis", bed)["alleles"] == 6
