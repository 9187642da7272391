"""`score --genes` on a locus whose answer is known: a row for each allele and gene in reach, worked out by hand."""

import gzip
import hashlib
import json
import shutil
from math import floor, log2

import numpy as np
import pytest

from enformer_core.models.motif_spec import EXPRESSIONS
from enformer_core.storage import open as gateway
from enformer_core.storage.store import ObjectStat, ObjectStore
from jobs import exit_codes
from tests.support.genes import write_bed
from tests.support.genomes import write_fasta
from tests.support.vcf import write_vcf

CONTIG_BP = 400_000

SITES = 24
SITE = "AGATAAGA"
APART_BP = 128
ENHANCER = 200_000
"""An enhancer of 24 GATA1 sites, one in each bin of 3 kb; no other site is on the contig, which is all A."""

VARIANT = ENHANCER + 9 * APART_BP + 1
"""The second base of the tenth site, G."""

GENES = [
    (
        "chr1",
        VARIANT - 30_000,
        VARIANT - 20_000,
        "NEAR",
        "-",
    ),  # its TSS is 20 kb left of the variant
    ("chr1", VARIANT + 50_000, VARIANT + 50_500, "TARGET", "+"),
    ("chr1", VARIANT + 70_000, VARIANT + 90_000, "NEIGHBOUR", "+"),
    ("chr2", 100, 200, "ELSEWHERE", "+"),
]
"""50 kb is in reach of a window whose output ends 57,344 bp from its middle; 70 kb is not."""

MOTIF = ["--model", "motif", "--ray", "off", "--shard-size", "2", "--audit-fraction", "0"]

ROWS = (
    "FROM gene_effects SELECT * EXCLUDE (input_file, chrom) ORDER BY input_line, alt_index, gene_id"
)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    letters = bytearray(b"A" * CONTIG_BP)
    for number in range(SITES):
        at = ENHANCER + number * APART_BP
        letters[at : at + len(SITE)] = SITE.encode()
    contigs = {"chr1": letters.decode(), "chr2": "A" * 5_000}
    return write_fasta(tmp_path_factory.mktemp("locus") / "locus.fa", contigs)


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    return write_bed(tmp_path_factory.mktemp("genes") / "genes.bed", GENES)


@pytest.fixture
def vcf(tmp_path):
    """A broken site, the same once more, an indel that moves TARGET, a change far from genes, and no sequence."""
    return write_vcf(
        tmp_path / "v.vcf",
        [
            ("chr1", VARIANT + 1, "G", "C"),
            ("chr1", VARIANT + 1, "G", "C"),
            ("chr1", VARIANT + 1, "G", "G" + "T" * 256),
            ("chr1", 390_001, "A", "C"),
            ("chr1", 200_001, "A", "<DEL>"),
        ],
    )


@pytest.fixture
def score(run, vcf, genome, bed, tmp_path):
    def call(out, *more, genes=bed):
        options = ["--genome", genome, "--out", tmp_path / out, *MOTIF]
        return (*run("score", vcf, *options, "--genes", genes, *more), tmp_path / out)

    return call


def softplus(value):
    return np.logaddexp(0, value)


def prediction(track, bin_index, sites_by_token):
    """An expression track in one bin: softplus(60 c - 3), c the sites that attention gathers (models/motif.py)."""
    decay = EXPRESSIONS[track].decay
    here = bin_index + 320  # the output's first bin is token 320 of 1,536
    weights = [2 ** (-decay * floor(log2(abs(here - token) + 1))) for token in range(1536)]
    gathered = sum(weights[token] * sites for token, sites in sites_by_token.items())
    return softplus(60 * gathered / sum(weights) - 3)


def sites_of_enhancer():
    return [ENHANCER + number * APART_BP for number in range(SITES)]


def tokens_of_sites(window, broken=()):
    tokens = [(at - window) // 128 for at in sites_of_enhancer() if at not in broken]
    return {token: tokens.count(token) for token in tokens}


def test_a_broken_site_lowers_the_genes_in_reach(score, rows, run):
    code, text, error, out = score("run", "--precision", "exact", "--strands", "forward")
    assert code == 0, error
    assert "6 rows of gene_effects\n" in text
    assert f"ask it: enformer-ray query {out} 'FROM top_genes LIMIT 10'\n" in text
    assert "tables   6 rows of gene_effects" in run("status", out)[1]
    assert ", 6 rows of gene_effects, every checksum right" in run("verify", out)[1]
    answered = rows(out, ROWS)
    # the allele and its repeat have both genes; NEIGHBOUR and ELSEWHERE are out of reach, and the others have none
    first = answered[0]
    assert [(row["input_line"], row["gene_id"]) for row in answered] == [
        (line, name) for line in (3, 4, 5) for name in ("NEAR", "TARGET")
    ]
    assert (first["variant_id"], first["strand"]) == (f"chr1:{VARIANT + 1}:G:C", "-")
    window = VARIANT - 98_303
    sites = tokens_of_sites(window)
    fewer = tokens_of_sites(window, broken=[VARIANT - 1])
    for row, tss in zip(answered[:2], (VARIANT - 20_001, VARIANT + 50_000), strict=True):
        own = (tss - window) // 128 - 320
        assert row["tss_bins"] == [own - 1, own, own + 1]
        for track, value in ((6, 0), (7, 1)):
            ref = sum(prediction(value, each, sites) for each in row["tss_bins"])
            alt = sum(prediction(value, each, fewer) for each in row["tss_bins"])
            if track == 7:  # of liver: GATA1 is none of its motifs
                assert row["difference"][track] == pytest.approx(0, abs=1e-6)
                continue
            # the model's LayerNorm is linear in counts to some 1e-4
            assert row["difference"][track] == pytest.approx(alt - ref, rel=5e-4)
            assert row["log2_ratio"][track] == pytest.approx(log2((1 + alt) / (1 + ref)), rel=5e-4)
            assert row["difference"][track] < 0
    near, target = answered[:2]
    assert (near["distance"], target["distance"]) == (-20_001, -50_000)
    assert near["difference"][6] < target["difference"][6]  # nearer, so more
    # what a bin of a far gene reads of its own sites does not change
    assert near["max_abs_log2_ratio_track"] == target["max_abs_difference_track"] == 6
    assert near["max_abs_difference"] == abs(near["difference"][6])
    repeat = answered[2:4]
    assert [row["log2_ratio"] for row in repeat] == [row["log2_ratio"] for row in answered[:2]]
    # 256 bp more between: the sites behind, and TARGET, lie two bins further right in the alternate's window
    later = [site for site in sites_of_enhancer() if site >= VARIANT]
    moved = {
        (site - window) // 128 + (2 if site in later else 0): 1 for site in sites_of_enhancer()
    }
    del moved[(VARIANT - 1 - window) // 128]  # the site into which 256 T are put
    inserted = answered[5]
    assert inserted["tss_bins"] == target["tss_bins"]
    ref = sum(prediction(0, each, sites) for each in target["tss_bins"])
    alt = sum(prediction(0, each + 2, moved) for each in target["tss_bins"])
    assert inserted["difference"][6] == pytest.approx(alt - ref, rel=5e-4)
    assert run("verify", out)[0] == 0


def test_an_enhancer_60_kb_away_lowers_its_gene_and_not_the_neighbour(run, rows, genome, tmp_path):
    # a window of its own ends 57 kb from the variant; a shared one has its middle nearer to the gene
    bed = write_bed(
        tmp_path / "g.bed",
        [
            ("chr1", VARIANT - 60_000, VARIANT - 59_500, "TARGET", "+"),
            ("chr1", VARIANT - 70_000, VARIANT - 65_000, "NEIGHBOUR", "+"),
        ],
    )
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", VARIANT + 1, "G", "C")])
    asked = ["score", vcf, "--genome", genome, "--genes", bed, *MOTIF, "--strands", "forward"]
    code, _, error = run(*asked, "--out", tmp_path / "centred")
    assert code == exit_codes.BAD_INPUT
    assert "in reach" in error
    shared = ["--max-offset-bp", "8192", "--precision", "exact"]
    code, _, error = run(*asked, *shared, "--out", tmp_path / "shared")
    assert code == 0, error
    [row] = rows(tmp_path / "shared", ROWS)
    [scored] = rows(tmp_path / "shared", "FROM scores SELECT window_start")
    window = scored["window_start"]
    assert (row["gene_id"], row["distance"]) == ("TARGET", 60_000)
    own = (VARIANT - 60_000 - window) // 128 - 320
    assert row["tss_bins"] == [own - 1, own, own + 1]
    ref, alt = (
        sum(prediction(0, each, sites) for each in row["tss_bins"])
        for sites in (tokens_of_sites(window), tokens_of_sites(window, broken=[VARIANT - 1]))
    )
    assert row["difference"][6] == pytest.approx(alt - ref, rel=5e-4)
    assert row["difference"][6] < -1e-3


def test_without_genes_the_run_is_what_it_was(score, run, vcf, genome, tmp_path, rows):
    *_, out = score("with", "--strands", "forward")
    options = ["--genome", genome, "--out", tmp_path / "without", *MOTIF, "--strands", "forward"]
    assert run("score", vcf, *options)[0] == 0
    sql = "FROM scores SELECT variant_id, sad, status ORDER BY input_line"
    assert rows(out, sql) == rows(tmp_path / "without", sql)
    assert not (tmp_path / "without" / "gene_effects").exists()
    identity = json.loads((tmp_path / "without" / "run.json").read_text())["identity"]
    assert "genes" not in identity
    assert identity["kind"] == "variants"
    # two runs, which never share a directory
    code, _, error = run("score", vcf, *options, "--genes", tmp_path / "g.bed")
    assert code == 2
    write_bed(tmp_path / "g.bed", GENES)
    code, _, error = run("score", vcf, *options, "--genes", tmp_path / "g.bed")
    assert code == 2
    assert "genes: there null" in error
    assert 'kind: there "variants", now "variants_and_genes"' in error


@pytest.mark.parametrize("rule", [pytest.param("left-fixed", marks=pytest.mark.full), "stitched"])
def test_engines_agree(score, rows, rule):
    common = ["--indel-rule", rule, "--max-offset-bp", "128", "--mantissa-bits", "23"]
    *_, plain = score("direct", "--engine", "direct", *common)
    *_, differences = score("delta", "--precision", "exact", *common)
    one, other = rows(plain, ROWS), rows(differences, ROWS)
    assert len(one) == len(other) == 6
    for row, expected in zip(other, one, strict=True):
        for name in ("log2_ratio", "difference"):
            np.testing.assert_allclose(row[name], expected[name], rtol=2e-3, atol=2e-6)
        assert {key: row[key] for key in ("gene_id", "distance", "tss_bins")} == {
            key: expected[key] for key in ("gene_id", "distance", "tss_bins")
        }


def test_a_half_finished_run_is_continued_to_the_same_table(score, rows, run):
    *_, whole = score("whole", "--strands", "forward")
    half = shutil.copytree(whole, whole.parent / "half")
    (half / "manifest.json").unlink()
    for receipt in (half / "commits").iterdir():
        receipt.unlink()
    # one shard died between its tables, another before both
    tables = sorted((half / "gene_effects" / "chrom=chr1").iterdir())
    tables[0].unlink()
    shutil.rmtree(half / "effects")
    code, text, _ = run("status", half, "--json")
    assert code == 5
    assert json.loads(text)["shards_done"] == 0
    assert score("half", "--strands", "forward")[0] == 0
    assert rows(half, ROWS) == rows(whole, ROWS)
    assert run("verify", half)[0] == 0


def test_verify_finds_a_row_that_is_missing(score, run):
    *_, out = score("run", "--strands", "forward")
    table = min((out / "gene_effects" / "chrom=chr1").iterdir())
    table.write_bytes(table.read_bytes()[:-9])
    code, text, error = run("verify", out)
    assert code == 2
    assert "gene_effects" in text + error


def test_exons_filters_and_the_order_of_genes_in_the_identity(score, run, tmp_path, rows):
    gtf = tmp_path / "genes.gtf"
    line = '1\tx\texon\t{}\t{}\t.\t{}\t.\tgene_id "{}"; transcript_id "{}.1"; gene_type "{}";\n'
    wanted = [
        (VARIANT + 50_001, VARIANT + 50_400, "+", "TARGET", "TARGET", "protein_coding"),
        (VARIANT - 29_999, VARIANT - 20_000, "-", "NEAR", "NEAR", "lncRNA"),
    ]
    gtf.write_text("".join(line.format(*each) for each in wanted))
    options = ["--strands", "forward", "--tss-bins", "1"]
    code, _, error, out = score(
        "run", *options, "--exon-tracks", "6", "--gene-types", "protein_coding", genes=gtf
    )
    assert code == 0, error
    first = rows(out, ROWS)[0]
    assert (first["gene_id"], first["gene_type"], len(first["tss_bins"])) == (
        "TARGET",
        "protein_coding",
        1,
    )
    assert abs(first["difference"][6]) > 3 * abs(first["difference"][7])
    identity = json.loads((out / "run.json").read_text())["identity"]
    assert identity["kind"] == "variants_and_genes"
    assert identity["genes"]["genes"] == 1
    assert identity["genes"]["exon_tracks"]["count"] == 1
    # the same genes in other words are the same run, other bins are not
    gtf.write_text("# nothing new\n" + "".join(line.format(*each) for each in reversed(wanted)))
    same = ["--exon-tracks", "expression-blood", "--gene-types", "protein_coding"]
    code, text, error, _ = score("run", *options, *same, genes=gtf)
    assert (code, text.startswith("already complete")) == (0, True), error
    code, _, error, _ = score("run", "--strands", "forward", *same, genes=gtf)
    assert code == 2
    assert "genes.tss_bins: there 1, now 3" in error


def test_plan_foresees_the_rows(run, vcf, genome, bed):
    options = ["--genome", genome, "--model", "motif", "--genes", bed]
    code, text, error = run("plan", vcf, *options, "--json")
    assert code == 0, error
    assert json.loads(text)["gene_rows"] == 6
    assert "6 rows of gene_effects" in run("plan", vcf, *options)[1]
    code, text, _ = run("plan", vcf, *options[:4], "--json")
    assert json.loads(text)["gene_rows"] == 0


@pytest.mark.parametrize(
    ("genes", "options", "message"),
    [
        (
            "chr7\t10\t20\tG\t0\t+\n",
            [],
            "shares no contig with locus.fa. It has chr7; the genome has chr1, chr2",
        ),
        (
            "chr1\t10\t999999\tG\t0\t+\n",
            [],
            "gene G ends at base 999,999, chr1 of locus.fa has 400,000",
        ),
        ("chr1\t20\t10\tG\t0\t+\n", [], "line 1: from 20 to 10; BED counts from 0"),
        ("", [], "no genes in this file"),
        ("chr2\t10\t20\tG\t0\t+\n", [], "the one gene is not in reach of any of 5 alleles"),
        ("chr1\t10\t20\tG\t0\t+\n", ["--tss-bins", "0"], "--tss-bins 0: must be between 1 and 896"),
        ("chr1\t10\t20\tG\t0\t+\n", ["--exon-tracks", "6"], "has no exons of 1 gene, G"),
        (
            "chr1\t10\t20\tG\t0\t+\n",
            ["--exon-tracks", "99"],
            "--exon-tracks 99: the human head has 8 tracks",
        ),
        (
            "chr1\t10\t20\tG\t0\t+\n",
            ["--gene-types", "x"],
            "has no types of genes. Leave out --gene-types",
        ),
    ],
)
def test_bad_input_stops_before_anything_is_written(score, tmp_path, genes, options, message):
    path = tmp_path / "bad.bed"
    path.write_text(genes)
    code, _, error, out = score("run", *options, genes=path)
    assert code == 2
    assert message in error
    assert "Traceback" not in error
    assert not (out / "run.json").exists()


@pytest.mark.parametrize(
    "option", ["--tss-bins=3", "--gene-list=x", "--gene-types=x", "--exon-tracks=1"]
)
def test_what_is_about_genes_needs_genes(run, vcf, genome, tmp_path, option):
    options = ["--genome", genome, "--out", tmp_path / "run", *MOTIF]
    code, _, error = run("score", vcf, *options, option)
    assert code == 2
    assert f"{option.partition('=')[0]}: is about genes, and none were given" in error


def test_the_sums_are_those_of_tiles(run, rows, tmp_path):
    """A variant whose window is a tile's: what `tiles` says of the genome before and after the change is the answer."""
    tile = 114_688
    variant = tile - 40_960 + 98_303
    letters = bytearray(b"A" * CONTIG_BP)
    for number in range(-6, 6):
        at = variant - 1 + number * 640
        letters[at : at + len(SITE)] = SITE.encode()
    before = write_fasta(tmp_path / "before.fa", {"chr1": letters.decode()})
    letters[variant : variant + 1] = b"C"
    after = write_fasta(tmp_path / "after.fa", {"chr1": letters.decode()})
    vcf = write_vcf(tmp_path / "one.vcf", [("chr1", variant + 1, "G", "C")])
    tss = {"PLUS": variant + 20_000, "MINUS": variant - 3_000, "EDGE": tile}
    genes = [
        ("chr1", tss["PLUS"], tss["PLUS"] + 10, "PLUS", "+"),
        ("chr1", tss["MINUS"] - 10, tss["MINUS"] + 1, "MINUS", "-"),
        ("chr1", tile, tile + 10, "EDGE", "+"),
    ]
    common = ["--genome", before, *MOTIF[:4]]
    options = ["--genes", write_bed(tmp_path / "g.bed", genes), "--precision", "exact"]
    options += ["--audit-fraction", "0", "--out", tmp_path / "run"]
    code, _, error = run("score", vcf, *common, *options)
    assert code == 0, error
    sums = {}
    for name, genome in (("ref", before), ("alt", after)):
        out = tmp_path / name
        region = f"chr1:{tile + 1}-{tile + 896 * 128}"
        command = ["tiles", "--genome", genome, *MOTIF[:4], "--regions", region, "--out", out]
        assert run(*command)[0] == 0
        predicted = {
            row["start"]: np.array(row["values"]) for row in rows(out, "FROM predictions SELECT *")
        }
        for gene, position in tss.items():
            own = position // 128 * 128
            near = [own - 128, own, own + 128]
            sums[gene, name] = sum(predicted[start] for start in near if start >= tile)
    found = rows(tmp_path / "run", "FROM gene_effects SELECT * EXCLUDE (input_file, chrom)")
    assert {row["gene_id"] for row in found} == set(tss)
    for row in found:
        ref, alt = sums[row["gene_id"], "ref"], sums[row["gene_id"], "alt"]
        # two predictions in float32 are told apart to a millionth
        np.testing.assert_allclose(row["difference"], alt - ref, rtol=1e-3, atol=3e-6)
        expected = np.log2((1 + alt) / (1 + ref))
        np.testing.assert_allclose(row["log2_ratio"], expected, rtol=1e-3, atol=3e-6)
        assert row["difference"][6] < -1e-4


class OneObject(ObjectStore):
    """A store of one object, as much of it as copies of inputs need."""

    location = "toy://bucket"
    content = b""

    def __init__(self, bucket, prefix, *, single_writer=False):
        pass

    def stat(self, key):
        return ObjectStat(len(self.content), hashlib.sha256(self.content).hexdigest())

    def pieces(self, key, *, etag, first_byte=0, end_byte=None):
        yield self.content[first_byte:end_byte]


def test_genes_lie_in_object_storage(score, bed, monkeypatch):
    monkeypatch.setitem(gateway.STORES, "toy", OneObject)
    monkeypatch.setattr(OneObject, "content", gzip.compress(bed.read_bytes()))
    address = "toy://bucket/genes.bed.gz"
    code, text, error, _ = score("run", "--strands", "forward", genes=address)
    assert code == 0, error
    # the same genes, wherever they lie
    code, text, error, _ = score("run", "--strands", "forward")
    assert (code, text.startswith("already complete")) == (0, True), error
    monkeypatch.setattr(OneObject, "content", b"chr1\t20\t10\tG\t0\t+\n")
    code, _, error, _ = score("other", genes=address)
    assert code == 2
    assert f"{address}, line 1: from 20 to 10" in error


def test_with_mutagenesis(run, rows, genome, bed, tmp_path):
    out = tmp_path / "run"
    region = f"chr1:{VARIANT}-{VARIANT + 1}"
    command = ["score", "--mutagenesis", region, "--genome", genome, "--out", out, *MOTIF]
    code, _, error = run(*command, "--strands", "forward", "--genes", bed)
    assert code == 0, error
    found = rows(out, "FROM gene_effects SELECT variant_id, gene_id ORDER BY ALL")
    assert len(found) == len({tuple(row.values()) for row in found}) == 6 * 2
    assert run("verify", out)[0] == 0
