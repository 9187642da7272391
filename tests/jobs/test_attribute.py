"""Contributions on the model `motif`, worked out by hand: sites near and far, both alleles of a variant, attention."""

import json
from math import exp, log1p

import numpy as np
import pytest

from enformer_core.api.run_tables import open_run
from enformer_core.dataset.keys import receipt_key
from enformer_core.scoring.attribution import Attributor
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.runs import content_digests
from tests.support.vcf import write_vcf

CONTIG_BP = 300_000

SITE = "AGATAAGA"  # of GATA1; a run of C has no site of any motif

NEAR = 150_000  # in the bin of the target
FAR = 210_000  # 60 kb away: an enhancer

TSS = NEAR + 4 - 64  # so that the site's middle lies in the middle of the bin that begins here

TABLES = ["contributions", "contribution_bins", "attention"]


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log1p(exp(x))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A contig of C with a site of GATA1 at the target and one 60 kb away."""
    letters = ["C"] * CONTIG_BP
    for site in (NEAR, FAR):
        letters[site : site + len(SITE)] = SITE
    path = tmp_path_factory.mktemp("genome") / "planted.fa"
    return write_fasta(path, {"chr1": "".join(letters), "chr2": "C" * 2_000})


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """Three bins around the near site; and two of the other contig's few."""
    path = tmp_path_factory.mktemp("bed") / "targets.bed"
    path.write_text(
        f"# promoters\nchr2\t256\t512\tsmall\nchr1\t{TSS - 128}\t{TSS + 256}\tgene\t0\t-\n"
    )
    return path


def words(planted, *more):
    return ["--genome", str(planted), "--model", "motif", "--ray", "off", *map(str, more)]


GROUPS = ["--group", "GATA1=motif-GATA1", "--group", "blood=6"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, planted, bed):
    """A run with everything."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    command = ["attribute", str(bed), *words(planted, *GROUPS), "--hypothetical", "--attention"]
    assert main([*command, "--out", str(out)]) == 0
    return out


def table(out, name):
    return open_run(out).table(name).collect()


def rows_of(out, **where):
    found = table(out, "contributions").to_dicts()
    return [row for row in found if all(row[name] == value for name, value in where.items())]


def contacts(tss_token, decay):
    """P of the model's attention, from its docstring: ∝ 2^(−α ⌊log2(|i − j| + 1)⌋), rows sum to 1."""
    distance = np.abs(np.arange(1536) - tss_token)
    weights = 2.0 ** (-decay * np.floor(np.log2(distance + 1)))
    return weights / weights.sum()


def test_a_planted_site_is_what_its_track_rests_on(whole):
    """softplus(18 n − 8) of one bin of three. A letter of a site adds 40 to the 20 by which the site is matched.

    So n rises by 40 / 20 = 2 for each letter, the track by 18 σ(10) for each site, and the mean of three bins by a
    third: 12 σ(10) at each of eight letters.
    """
    (row,) = rows_of(whole, target="gene", group="GATA1")
    assert (row["chrom"], row["start"], row["end"]) == ("chr1", TSS - 98_304, TSS + 98_304)
    assert (row["target_start"], row["target_end"]) == (TSS - 128, TSS + 256)
    assert (row["first_bin"], row["end_bin"], row["strand"]) == (447, 450, "-")
    assert row["prediction"] == pytest.approx((softplus(10) + 2 * softplus(-8)) / 3, rel=1e-5)
    expected = np.zeros(196_608)
    expected[NEAR - row["start"] :][: len(SITE)] = 12 * sigmoid(10)
    np.testing.assert_allclose(row["values"], expected, rtol=1e-5, atol=1e-6)
    site = slice(NEAR - row["start"], NEAR - row["start"] + len(SITE))
    assert row["sequence"][site] == SITE
    letters = [np.array(row[f"hypothetical_{letter}"])[site] for letter in "acgt"]
    # the last letter of AGATAAGR may be A or G
    fits = [[letter in of for of in ("A", "G", "A", "T", "A", "A", "G", "AG")] for letter in "ACGT"]
    np.testing.assert_allclose(letters, 12 * sigmoid(10) * np.array(fits), rtol=1e-5, atol=1e-6)


def test_mutagenesis_of_the_site_is_what_contributions_point_at(run, planted, rows, tmp_path):
    """A change of any letter breaks the site, softplus(−8) − softplus(10), but of the last from A to G.

    The gradient promises 3 · 12 σ(10) for each letter, more than the site is worth: one letter is enough to lose it.
    """
    out = tmp_path / "map"
    region = f"chr1:{NEAR + 1}-{NEAR + len(SITE)}"
    more = ["--tracks", "1", "--strands", "forward", "--audit-fraction", "0", "--out", out]
    assert run("score", "--mutagenesis", region, *words(planted, *more))[0] == 0
    found = rows(out, "FROM scores SELECT pos, alt, sad[1] AS sad ORDER BY pos, alt")
    assert len(found) == 3 * len(SITE)
    for row in found:
        is_kept = (row["pos"], row["alt"]) == (NEAR + len(SITE), "G")
        lost = 0.0 if is_kept else softplus(-8) - softplus(10)
        assert row["sad"] == pytest.approx(lost, abs=2e-2), row


def test_a_distant_enhancer_is_what_expression_rests_on(whole):
    """softplus(60 c − 3), c = Σ_j P_ij m_j: a letter of the site at j adds 120 P_ij σ(60 c − 3), mean of 3 bins i."""
    (row,) = rows_of(whole, target="gene", group="blood")
    tokens = [(site + 4 - row["start"]) // 128 for site in (NEAR, FAR)]
    assert tokens == [768, 768 + 469]
    shares = np.array([contacts(token, 1.0)[tokens] for token in (767, 768, 769)])
    slopes = [sigmoid(60 * c - 3) for c in shares.sum(axis=1)]
    by_site = (120 * shares * np.array(slopes)[:, None]).mean(axis=0)
    values = np.array(row["values"])
    for site, expected in zip((NEAR, FAR), by_site, strict=True):
        at = site - row["start"]
        np.testing.assert_allclose(values[at : at + len(SITE)], expected, rtol=2e-3)
        values[at : at + len(SITE)] = 0
    assert by_site[1] > 1e-4
    assert np.abs(values).max() < 1e-6


def test_sums_over_bins_follow_from_the_contributions(whole):
    bins = table(whole, "contribution_bins")
    contributions = table(whole, "contributions")
    assert bins.height == 1536 * contributions.height
    for row in contributions.to_dicts():
        of_row = bins.filter(target=row["target"], group=row["group"]).sort("start")
        assert of_row["start"].to_list() == list(range(row["start"], row["end"], 128))
        assert of_row["end"][-1] == row["end"]
        sums = np.array(row["values"], np.float64).reshape(1536, 128).sum(axis=1)
        np.testing.assert_allclose(of_row["value"], sums, rtol=1e-6, atol=1e-12)


def test_attention_of_the_bins_is_the_models(whole):
    attention = table(whole, "attention").filter(target="gene").to_dicts()
    assert [(row["layer"], row["allele"]) for row in attention] == [(None, "ref"), (1, "ref")]
    of_heads = [contacts(token, decay) for token in (767, 768, 769) for decay in (1.0, 0.75)]
    for row in attention:
        np.testing.assert_allclose(row["values"], np.mean(of_heads, axis=0), rtol=1e-4)
        assert (row["start"], row["end"]) == (TSS - 98_304, TSS + 98_304)


def test_where_nothing_acts_it_is_said(small):
    """The other contig has no site of any motif."""
    code, _, error, _ = small("chr2:256-384")
    assert code == 0, error
    assert "the contributions to chr2:256-384 for group" in error


def test_a_short_contig_is_padded_with_n(whole):
    (row, _) = rows_of(whole, target="small")
    assert row["start"] < 0
    assert (row["contig_bp"], row["first_bin"], row["end_bin"]) == (2_000, 447, 449)
    assert row["sequence"].count("C") == 2_000
    assert not np.any(row["values"])


def test_the_run_is_like_any_other(whole, run):
    code, text, _ = run("verify", whole)
    assert code == 0
    assert text.startswith("verified: 2 targets (2 ok)")
    code, text, _ = run("status", whole)
    assert "targets  2 of 2" in text
    identity = json.loads((whole / "run.json").read_text())["identity"]
    assert [group["name"] for group in identity["groups"]] == ["GATA1", "blood"]
    assert identity["tracks"]["count"] == 2
    code, text, _ = run("query", whole, "FROM tracks SELECT index")
    assert [line.strip() for line in text.splitlines()[2:4]] == ["1", "6"]


@pytest.fixture
def small(run, planted, tmp_path):
    """Attribute with one strand and one group, unless more is said."""

    def call(targets, *more, out="run"):
        given = ["--strands", "forward"]
        if "--group" not in more:
            given += ["--group", "GATA1=1"]
        command = words(planted, *given, *more, "--out", tmp_path / out)
        return (*run("attribute", targets, *command), tmp_path / out)

    return call


def test_killed_and_continued_it_is_the_same(small, bed, run, monkeypatch):
    assert small(bed, "--attention", out="whole")[0] == 0
    attribute, calls = Attributor.attribute, []

    def dying(self, codes, bins):
        calls.append(bins)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return attribute(self, codes, bins)

    monkeypatch.setattr(Attributor, "attribute", dying)
    code, *_, half = small(bed, "--attention", out="half")
    assert code == 130
    assert run("verify", half)[0] == 5
    monkeypatch.undo()
    assert small(bed, "--attention", out="half")[0] == 0
    assert content_digests(half, TABLES) == content_digests(half.parent / "whole", TABLES)
    (half / "manifest.json").unlink()
    (half / receipt_key(1)).unlink()
    assert small(bed, "--attention", out="half")[0] == 0
    assert content_digests(half, TABLES) == content_digests(half.parent / "whole", TABLES)
    assert run("verify", half)[0] == 0
    code, text, _, _ = small(bed, "--attention", out="half")
    assert text.startswith("already complete")


def test_another_question_is_another_run(small):
    target = f"chr1:{TSS + 1}-{TSS + 128}"
    assert small(target)[0] == 0
    assert small(f" chr1: {TSS + 1:,}-{TSS + 128:,}")[1].startswith("already complete")
    for more, named in [
        (["--strands", "both"], 'strands: there "forward", now "both"'),
        (["--group", "GATA1=2"], "  groups: there GATA1=1, now GATA1=2"),
        (["--group", "other=1"], "groups"),
        (["--hypothetical"], "hypothetical: there false, now true"),
        (["--attention"], "attention"),
    ]:
        code, _, error, _ = small(target, *more)
        assert code == 2
        assert named in error, error
    code, _, error, _ = small(f"chr1:{TSS + 2}-{TSS + 129}")
    assert code == 2
    assert "targets.places" in error


def test_both_alleles_of_a_variant(small, run, tmp_path):
    """A change that breaks the site: what the track rested on is gone. Rows that cannot be say why."""
    vcf = write_vcf(
        tmp_path / "v.vcf",
        [
            ("chr1", NEAR + 3, "A", "C"),
            ("chr1", NEAR + 3, "A", "C"),
            ("chr1", NEAR + 1, "AGA", "A"),
            ("chr1", 500, "C", "<DEL>"),
        ],
    )
    code, text, error, out = small(vcf)
    assert code == 0, error
    assert "3 targets in" in text
    assert "1 symbolic" in text
    assert "1 allele repeats others; each is attributed once" in error
    ref, alt = rows_of(out, target=f"chr1:{NEAR + 3}:A:C")
    assert (ref["allele"], alt["allele"]) == ("ref", "alt")
    # the variant's first base is the last of bin 447, as in `score`; the bins are those of the article
    assert ref["start"] == NEAR + 2 - 98_303
    assert (ref["first_bin"], ref["end_bin"]) == (447, 450)
    assert ref["prediction"] == pytest.approx((softplus(10) + 2 * softplus(-8)) / 3, rel=1e-5)
    assert alt["prediction"] == pytest.approx(softplus(-8), rel=1e-3)
    values = np.array(ref["values"])
    at = NEAR - ref["start"]
    np.testing.assert_allclose(values[at : at + 8], 12 * sigmoid(10), rtol=1e-5)
    assert np.abs(alt["values"]).max() < 1e-6
    assert alt["sequence"][at : at + 8] == "AGCTAAGA"
    _, deleted = rows_of(out, target=f"chr1:{NEAR}:CAG:C")
    assert deleted["sequence"][NEAR - deleted["start"] :].startswith("ATAAGA" + "C" * 9)
    (symbolic,) = rows_of(out, status="symbolic")
    assert (symbolic["target"], symbolic["values"]) == ("v.vcf:6:1", None)
    assert run("verify", out)[0] == 0


def test_genes_are_attributed_at_their_tsss(small, tmp_path):
    """A minus gene begins at its end: the site lies in the bin right of the centre, 448."""
    end = TSS + 1
    gtf = tmp_path / "genes.gtf"
    gtf.write_text(
        f'chr1\tx\ttranscript\t{end - 500}\t{end}\t.\t-\t.\tgene_id "G1"; gene_name "HBB"; '
        f'transcript_id "T1"; gene_type "protein_coding";\n'
        f'chr1\tx\ttranscript\t9000\t9900\t.\t+\t.\tgene_id "G2"; transcript_id "T2"; gene_type "lncRNA";\n'
    )
    code, _, error, out = small(gtf, "--gene-types", "protein_coding")
    assert code == 0, error
    assert "at every base" not in error
    assert "note: --group GATA1: tracks: 1 of 8: 1 DEMO:GATA1" in error
    (row,) = rows_of(out)
    assert (row["target"], row["name"], row["strand"]) == ("HBB", "G1", "-")
    assert (row["start"], row["first_bin"], row["end_bin"]) == (TSS - 98_304, 447, 450)
    values = np.array(row["values"])[NEAR - row["start"] :][: len(SITE)]
    np.testing.assert_allclose(values, 12 * sigmoid(10), rtol=1e-5)
    identity = json.loads((out / "run.json").read_text())["identity"]
    assert identity["targets"]["kind"] == "genes"
    assert identity["targets"]["gene_types"] == ["protein_coding"]
    code, _, error, _ = small(gtf, "--gene-types", "x", out="other")
    assert code == 2
    assert "--gene-types x" in error


def test_what_is_not_finite_has_no_values(small, bed, run, monkeypatch):
    attribute = Attributor.attribute

    def spoilt(self, codes, bins):
        found = attribute(self, codes, bins)
        if bins.stop == 450:
            found.gradients[0, 5, 2] = np.nan
        return found

    monkeypatch.setattr(Attributor, "attribute", spoilt)
    code, text, _, out = small(bed, "--attention")
    assert code == 3
    assert "1 failed, 1 ok" in text
    (row,) = rows_of(out, target="gene")
    assert (row["status"], row["reason"]) == ("failed", "ref: a gradient is not finite")
    assert (row["values"], row["prediction"]) == (None, None)
    assert run("verify", out)[0] == 3


@pytest.mark.parametrize(
    ("bed_text", "more", "named"),
    [
        ("chr1\t5\t100\n", ["--group", "x=9999"], ["--group x: 9999", "8 tracks"]),
        ("chr1\t5\t100\n", ["--group", "x=assay=CAGE"], ["--group x: assay=CAGE", "DEMO"]),
        ("chr1\t5\t100\n", ["--group", "GATA1"], ["--group GATA1: give a name and its tracks"]),
        ("chr1\t5\t100\n", ["--group", "=1"], ["--group =1: give a name"]),
        (
            "chr1\t5\t100\n",
            ["--group", "x=1", "--group", "x=2"],
            ["--group x: given twice"],
        ),
        ("", [], ["an empty file (0 bytes)"]),
        ("# nothing\n", [], ["no intervals in this BED file"]),
        ("chr9\t5\t100\n", [], ["line 1", "no contig 'chr9'", "chr1, chr2"]),
        ("chr2\t5\t2001\n", [], ["line 1", "ends at base 2,001", "2,000"]),
        ("chr1\t100\t5\n", [], ["line 1", "the end comes after the start"]),
        ("chr1\t5\t200000\n", [], ["line 1", "199,995 bp", "a window predicts 114,688 bp"]),
        ("chr1\t5\tx\n", ["--target-type", "intervals"], ["line 1", "is not BED"]),
        ("chr1\t5\t100\n", ["--min-maf", "0.1"], ["--min-maf is for variants"]),
        ("chr1\t5\t100\n", ["--max-allele-bp", "0"], ["--max-allele-bp 0: must be at least 1"]),
        ("chr1\t5\t100\n", ["--gene-types", "x"], ["--gene-types is for genes"]),
        ("chr1\t5\t100\tx\t0\t*\n", ["--target-type", "genes"], ["bad.bed", "line 1"]),
        ("chr1\t5\t100\n", ["--shard-size", "99999"], ["99999", "a target has 393,216 values"]),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(small, tmp_path, bed_text, more, named):
    path = tmp_path / "bad.bed"
    path.write_text(bed_text)
    code, text, error, out = small(path, *more)
    assert code == 2, text
    assert error.startswith("enformer-ray: ")
    assert all(part in error for part in named), error
    assert not out.exists()


def test_places_that_are_not_there(small, tmp_path, bed):
    error = small("nowhere.bed")[2]
    assert "nowhere.bed: no such target file. PLACES are files of intervals (BED), genes" in error
    assert "chr1: is a contig as a whole. Give a region of it, chr1:START-END" in small("chr1")[2]
    assert "no contig 'chr7'" in small("chr7:5-90")[2]
    for gene in ("PRNP", "HLA-A", "ENSG00000171867.18"):
        code, _, error, _ = small(gene)
        assert code == 2
        assert f"{gene}: no such file, and no region such as" in error
        assert f"--gene-list LIST: a file with {gene} on a line" in error
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 500, "C", "A")])
    code, _, error = small(vcf, "--target-type", "intervals")[:3]
    assert code == 2
    assert "is not BED" in error


def test_intervals_with_strands_may_be_genes_which_is_said(small, bed, tmp_path):
    said = f"{bed}: its rows have strands, and are taken for intervals"
    code, _, error, _ = small(bed)
    assert code == 0
    assert said in error
    assert "--target-type genes" in error
    _, _, error, _ = small(bed, "--target-type", "intervals", out="asked")
    assert said not in error
    plain = tmp_path / "plain.bed"
    plain.write_text(f"chr1\t{TSS}\t{TSS + 128}\tpeak\t0\t.\n")
    _, _, error, _ = small(plain, out="peaks")
    assert "have strands" not in error


def test_settings_of_genes_say_how_bed_is_taken_for_genes(small, tmp_path, bed):
    names = tmp_path / "names.txt"
    names.write_text("gene\n")
    code, _, error, _ = small(bed, "--gene-list", names)
    assert code == 2
    assert "--gene-list is for genes; these targets are intervals. Are they genes?" in error
    assert "--target-type genes" in error
    code, _, error, _ = small("chr1:5-90", "--gene-list", names)
    assert code == 2
    assert error.splitlines()[-1].endswith("these targets are intervals")


def test_attention_needs_a_model_that_attends(run, planted, bed, tmp_path, monkeypatch):
    config = "enformer_core.models.enformer_spec.EnformerConfig.attention_layers"
    monkeypatch.setattr(config, 0)
    command = words(planted, "--group", "x=1", "--attention", "--out", tmp_path / "run")
    code, _, error = run("attribute", bed, *command)
    assert code == 2
    assert "--attention: model motif has no attention; leave it out" in error


def test_targets_of_two_kinds_are_refused(run, planted, bed, tmp_path):
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 500, "C", "A")])
    command = words(planted, "--group", "x=1", "--out", tmp_path / "run")
    code, _, error = run("attribute", bed, vcf, *command)
    assert code == 2
    assert "holds intervals" in error
    assert "give targets of one kind" in error
