"""`evaluate tracks`: a model held against a published set and against bigWigs, itself and by a run of tiles."""

import json

import numpy as np
import polars as pl
import pyBigWig
import pytest
import torch

from enformer_core.genome.alphabet import encode
from enformer_core.models.layers import one_hot
from enformer_core.models.motif_spec import IUPAC, MOTIFS
from enformer_core.models.registry import ModelSource
from jobs.cli import main
from tests.jobs.conftest import CONTIG_BP
from tests.support.genes import write_bed
from tests.support.genomes import random_letters, write_fasta
from tests.support.published_sets import write_set

BINS, BIN_BP, SEQUENCE_BP = 8, 128, 1_280

PLACES = [("chr1", start, start + BINS * BIN_BP) for start in (256, 1_300, 2_500)]

SOME = ("--tracks", "0,4,6")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Two contigs of random letters, in which each motif has sites."""
    rng = np.random.default_rng(7)
    any_letter = {code: one_of[0] for code, one_of in IUPAC.items()}
    sites = ["".join(any_letter[code] for code in motif.consensus) for motif in MOTIFS]
    contigs = {}
    for name, seed in (("chr1", 0), ("chr2", 1)):
        letters = random_letters(CONTIG_BP, seed)
        for start in range(10, CONTIG_BP - 20, 30):
            site = sites[rng.integers(len(sites))]
            letters = letters[:start] + site + letters[start + len(site) :]
        contigs[name] = letters
    return write_fasta(tmp_path_factory.mktemp("genome") / "sites.fa", contigs)


@pytest.fixture(scope="module")
def letters(genome):
    return dict(zip(("chr1", "chr2"), genome.read_text().split("\n")[1::2], strict=True))


@pytest.fixture(scope="module")
def predicted(letters):
    """What `motif` predicts for the bins of each place: every track, by the network alone."""
    network = ModelSource("motif").build(torch.device("cpu"))
    found = []
    for contig, start, end in PLACES:
        middle = (start + end) // 2
        flank = "N" * 100_000
        padded = flank + letters[contig] + flank
        first = 100_000 + middle - 98_304
        codes = torch.from_numpy(encode(padded[first : first + 196_608]).copy())
        with torch.inference_mode():
            profile = network(one_hot(codes[None], torch.float32), "human")[0]
        found.append(profile[444:452].double().numpy())
    return found


@pytest.fixture(scope="module")
def published(letters, predicted, tmp_path_factory):
    """A set whose measurements are the predictions and noise."""
    bases = encode(letters["chr1"])
    rng = np.random.default_rng(0)
    targets = [(each + rng.gamma(1.0, 1.0, each.shape)).astype(np.float16) for each in predicted]
    codes = []
    for _, start, end in PLACES:
        middle = (start + end) // 2
        codes.append(bases[middle - SEQUENCE_BP // 2 : middle + SEQUENCE_BP // 2])
    folder = tmp_path_factory.mktemp("published") / "human"
    write_set(folder, codes, targets, PLACES, bin_bp=BIN_BP)
    return folder, np.concatenate(targets).astype(np.float64)


@pytest.fixture
def judge(run, genome):
    """Call the command with `motif` and the genome."""

    def call(measured, *more):
        words = ["evaluate", "tracks", measured, "--model", "motif", "--genome", genome]
        return run(*words, *more)

    return call


def test_a_set_is_judged_bin_by_bin(judge, published, predicted, tmp_path):
    folder, measured = published
    every = np.concatenate(predicted)
    code, text, error = judge(folder, "--json", "--parquet", tmp_path / "tracks.parquet", *SOME)
    assert code == 0
    assert "intervals are drawn of 3 regions: of so few they mean little" in error
    answer = json.loads(text)
    assert (answer["regions"], answer["bins"], answer["tracks"]) == (3, 24, 3)
    rows = pl.read_parquet(tmp_path / "tracks.parquet")
    assert rows["index"].to_list() == [0, 4, 6]
    assert rows["bins"].to_list() == [24, 24, 24]
    for row in rows.to_dicts():
        p, y = every[:, row["index"]], measured[:, row["index"]]
        assert row["pearson"] == pytest.approx(np.corrcoef(p, y)[0, 1], abs=1e-5)
        r2 = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        assert row["r2"] == pytest.approx(r2, abs=1e-5)
        logs = np.corrcoef(np.log2(1 + p), np.log2(1 + y))[0, 1]
        assert row["log_pearson"] == pytest.approx(logs, abs=1e-5)
        assert row["pearson_low"] <= row["pearson"] <= row["pearson_high"]
    mean = answer["means"][0]
    assert (mean["over"], mean["scale"], mean["assay"]) == ("bins", "raw", "all")
    assert mean["pearson"] == pytest.approx(rows["pearson"].mean())


def test_people_read_a_table(judge, published):
    folder, _ = published
    code, text, _ = judge(folder, *SOME, "--bootstrap", 0)
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == f"{folder}, split test, against motif (human)"
    assert lines[1] == "3 regions, 24 bins, 3 tracks"
    assert "each track over all bins, log2(1 + x); mean of tracks" in lines
    assert any(line.startswith("all") for line in lines)


def test_genes_are_judged_too(judge, published, predicted, tmp_path):
    folder, measured = published
    # TSSs in bin 3 of each place
    rows = [
        (contig, start + 3 * 128 + 5, start + 900, f"g{start}", "+") for contig, start, _ in PLACES
    ]
    bed = write_bed(tmp_path / "genes.bed", rows)
    code, text, _ = judge(folder, "--genes", bed, "--json", *SOME)
    assert code == 0
    answer = json.loads(text)
    assert (answer["genes"], answer["genes_left_out"]) == (3, 0)
    over_genes = [each for each in answer["means"] if each["over"] == "genes"]
    found = next(each for each in over_genes if each["assay"] == "all" and each["scale"] == "raw")
    p = np.stack([each[2:5].sum(axis=0) for each in predicted])
    y = measured.reshape(3, BINS, -1)[:, 2:5].sum(axis=1)
    by_hand = [np.corrcoef(p[:, at], y[:, at])[0, 1] for at in (0, 4, 6)]
    assert found["pearson"] == pytest.approx(np.nanmean(by_hand), abs=1e-4)


@pytest.fixture(scope="module")
def tiles(genome, tmp_path_factory):
    """A run over the small genome."""
    out = tmp_path_factory.mktemp("tiles") / "run"
    words = ["tiles", "--genome", str(genome), "--model", "motif", "--ray", "off"]
    assert main([*words, "--strands", "forward", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def bigwigs(tmp_path_factory):
    """Two measured tracks, one of which has gaps, and their table."""
    folder = tmp_path_factory.mktemp("bigwigs")
    rng = np.random.default_rng(1)
    for name in ("a.bw", "b.bw"):
        with pyBigWig.open(str(folder / name), "w") as file:
            file.addHeader([("chr1", CONTIG_BP), ("chr2", CONTIG_BP)])
            starts = np.arange(0, CONTIG_BP, 100)
            if name == "b.bw":
                starts = starts[(starts < 1_000) | (starts >= 1_600)]
            for contig in ("chr1", "chr2"):
                levels = rng.gamma(1.0, 2.0, starts.size)
                file.addEntries([contig] * starts.size, starts, ends=starts + 100, values=levels)
    table = folder / "measured.tsv"
    table.write_text("track\tpath\n4\tb.bw\n0\ta.bw\n")
    return table


def test_a_run_and_its_model_are_judged_alike(judge, run, bigwigs, tiles):
    code, by_model, _ = judge(bigwigs, "--json")
    assert code == 0
    code, by_run, _ = run("evaluate", "tracks", bigwigs, "--run", tiles, "--json")
    assert code == 0
    one, other = json.loads(by_model), json.loads(by_run)
    assert one["regions"] == other["regions"] == 2
    # 4,000 bp are 32 bins; of b, bins 8 to 11 have no base that was measured
    assert one["bins"] == other["bins"] == 64
    assert one["missing"] == other["missing"] == 2 * 4
    for mean, same in zip(one["means"], other["means"], strict=True):
        assert mean["pearson"] == pytest.approx(same["pearson"], abs=1e-5)
        assert mean["r2"] == pytest.approx(same["r2"], rel=1e-4, abs=1e-4)
    code, text, _ = run("evaluate", "tracks", bigwigs, "--run", tiles, "--gaps", "zero", "--json")
    assert code == 0
    assert json.loads(text)["missing"] == 0


def test_regions_choose_bins(judge, bigwigs):
    code, text, _ = judge(bigwigs, "--regions", "chr2:1-1280", "--json", "--bootstrap", 0)
    assert code == 0
    assert (json.loads(text)["regions"], json.loads(text)["bins"]) == (1, 10)


def said(answer) -> str:
    code, text, error = answer
    assert (code, text) == (2, "")
    return " ".join(error.split())


def test_what_does_not_fit_is_refused(judge, run, published, bigwigs, tiles, tmp_path):
    folder, _ = published
    alone = run("evaluate", "tracks", folder, "--model", "motif")
    assert "has sequences of 1,280 bp, the model reads 196,608. Give the genome too" in said(alone)
    assert "who predicts? Give --model" in said(run("evaluate", "tracks", folder))
    by_run = run("evaluate", "tracks", folder, "--run", tiles)
    assert "bins of a run lie on a grid of the genome" in said(by_run)
    assert "choose some by --split" in said(judge(folder, "--regions", "chr1"))
    assert "names the tracks that are judged" in said(judge(bigwigs, "--tracks", "0"))
    assert "leave out --run" in said(judge(bigwigs, "--run", tiles))
    no_genome = run("evaluate", "tracks", bigwigs, "--model", "motif")
    assert "--genome: is needed to predict beside bigWigs" in said(no_genome)
    assert "give --genes too" in said(judge(folder, "--tss-bins", 3))


def test_a_set_of_other_sizes_is_refused(judge, tmp_path):
    letters = [np.zeros(SEQUENCE_BP, np.uint8)]
    for name, shape, bin_bp, why in (
        ("tracks", (8, 3), 128, "has 3 tracks, the human head "),
        ("bin", (32, 8), 32, "has bins of 32 bp, the model predicts bins of 128"),
        ("half", (7, 8), 128, "their middles are half a bin apart"),
    ):
        tracks = shape[1] if name == "tracks" else ModelSource("motif").output_tracks["human"]
        targets = [np.ones((shape[0], tracks))]
        place = [("chr1", 0, shape[0] * bin_bp)]
        folder = write_set(tmp_path / name, letters, targets, place, bin_bp=bin_bp)
        assert why in said(judge(folder))


def test_a_genome_with_other_letters_is_refused(run, published, tmp_path, letters):
    folder, _ = published
    other = tmp_path / "other.fa"
    other.write_text(f">chr1\n{letters['chr1'][1:]}A\n")
    answer = run("evaluate", "tracks", folder, "--model", "motif", "--genome", other)
    assert "Give the assembly that the set was made of" in said(answer)
    other.write_text(f">chr7\n{letters['chr1']}\n")
    answer = run("evaluate", "tracks", folder, "--model", "motif", "--genome", other)
    assert "has no contig chr1, which the set has" in said(answer)


def test_where_nothing_was_measured_the_command_stops(judge, tmp_path):
    with pyBigWig.open(str(tmp_path / "a.bw"), "w") as file:
        file.addHeader([("chr1", CONTIG_BP), ("chr2", CONTIG_BP)])
        file.addEntries(["chr2"], [0], ends=[10], values=[1.0])
    table = tmp_path / "measured.tsv"
    table.write_text("path\ttrack\na.bw\t0\n")
    answer = judge(table, "--regions", "chr1:1-1280")
    assert "none of 10 bins was measured" in said(answer)


def test_what_is_read_stays(judge, run, published, bigwigs, tiles):
    folder, _ = published
    bed = folder / "sequences.bed"
    before = bed.read_bytes()
    assert "lies in it, which is read" in said(judge(folder, "--parquet", bed))
    assert bed.read_bytes() == before
    file = bigwigs.parent / "a.bw"
    assert "which is read" in said(judge(bigwigs, "--output", file))
    twice = judge(folder, "--output", "one", "--parquet", "./one")
    assert "--output and --parquet are one file" in said(twice)
    inside = run("evaluate", "tracks", bigwigs, "--run", tiles, "--parquet", tiles / "x.parquet")
    assert "lies in the run" in said(inside)
