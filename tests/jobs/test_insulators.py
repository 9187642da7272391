"""`enformer-ray insulators`: attention that stops between two kinds of sites is seen there, and not at controls."""

import json
from functools import partial

import numpy as np
import polars as pl
import pytest

from enformer_core.analyses.insulator_computation import InsulatorComputation
from enformer_core.api.run_tables import open_run
from enformer_core.insulators.attention import contrast
from enformer_core.insulators.attention import insulation as insulation_of_map
from enformer_core.insulators.summary import LayerContrast
from enformer_core.scoring.attention_maps import AttentionMapper
from jobs.insulators import cautions, summary_of
from tests.support.attending import registered
from tests.support.genomes import write_fasta
from tests.support.runs import content_digests

DOMAIN_BP = 240_000 // 128 * 128
DOMAINS = 4

# domains are full of sites of one factor or the other; two tokens at each boundary have one of CTCF
GATA1 = "AGATAAGA"
HNF4A = "CAAAGTCCA"
CTCF = "CCACTAGAGGGC"

BOUNDARIES = [number * DOMAIN_BP for number in range(1, DOMAINS)]

TABLES = ["insulation", "attention_maps"]


def domain(site):
    return (site + "C" * (128 - len(site))) * (DOMAIN_BP // 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A contig of domains; boundaries as rows of 1 kb, and genes everywhere."""
    folder = tmp_path_factory.mktemp("domains")
    letters = list("".join(domain((GATA1, HNF4A)[number % 2]) for number in range(DOMAINS)))
    for boundary in BOUNDARIES:
        for start in (boundary - 64, boundary + 64):
            letters[start : start + len(CTCF)] = CTCF
    write_fasta(folder / "domains.fa", {"chr1": "".join(letters), "chr2": "C" * 5_000})
    rows = [f"chr1\t{place - 500}\t{place + 500}\tb{place}\n" for place in BOUNDARIES]
    (folder / "boundaries.bed").write_text("# domains\n" + "".join(rows))
    starts = range(2_048, 950_000, 4_096)
    genes = [f"chr1\t{at}\t{at + 90 + at % 7}\tg{at}\t0\t+\n" for at in starts]
    (folder / "genes.bed").write_text("".join(genes))
    return folder


@pytest.fixture(scope="module", autouse=True)
def model():
    with registered() as name:
        yield name


@pytest.fixture
def insulate(run, folder, model, tmp_path):
    """Read with one strand and controls far from any boundary, unless more is said."""

    def call(*more, boundaries=None, out="run"):
        words = ["insulators", boundaries or folder / "boundaries.bed"]
        words += ["--genome", folder / "domains.fa", "--ray", "off", "--out", tmp_path / out]
        given = {
            "--model": model,
            "--strands": "forward",
            "--apart-bp": "100000",
            "--boundary-bp": "256",
        }
        for option, value in given.items():
            words += [] if option in more else [option, value]
        return (*run(*words, *more), tmp_path / out)

    return call


def insulation_alone(width):
    """Of attention by distance alone, as `motif` says it: its rows sum to 1, those near the window's ends too."""
    tokens = np.arange(1536)
    distance = np.abs(tokens[:, None] - tokens)
    heads = [2.0 ** (-decay * np.floor(np.log2(distance + 1))) for decay in (1.0, 0.75)]
    shares = [head / head.sum(axis=1, keepdims=True) for head in heads]
    return insulation_of_map(np.mean(shares, axis=0), width=width)


def insulation(out, **where):
    return open_run(out).table("insulation").collect().filter(**where)


def test_a_planted_insulator_is_seen_and_a_control_is_not(insulate, folder, run, tmp_path):
    genes = ("--genes", folder / "genes.bed")
    code, text, error, out = insulate(*genes, "--strands", "both")
    assert code == 0, error
    assert "6 places in" in text
    means = insulation(out).filter(pl.col("layer").is_null())
    of_boundaries = means.filter(kind="boundary")
    assert of_boundaries["position"].to_list() == BOUNDARIES
    # within a domain a logit is higher by 6 than across: log2 e^6 is 8.7
    np.testing.assert_allclose(of_boundaries["across"], -6 / np.log(2), atol=0.1)
    # to the place: from its own side e^3, from the other e^(3 - 6), against 1 within
    expected = np.log2((np.exp(3) + np.exp(-3)) / 2)
    np.testing.assert_allclose(of_boundaries["at"], expected, atol=0.1)
    controls = means.filter(kind="control")
    assert controls.height == 3
    alone = insulation_alone(width=2)
    for name in ("across", "at"):
        np.testing.assert_allclose(controls[name], alone[name], atol=1e-3)
        assert abs(alone[name]) < 0.1
    # the one layer is the mean over layers
    layer = insulation(out, layer=1)
    assert layer["across"].to_list() == means["across"].to_list()
    summary = [line.split() for line in text.splitlines() if line.startswith(("across", "at "))]
    for row, (name, boundary, control, difference, low, _, high) in zip(
        ("across", "at"), summary, strict=True
    ):
        assert name == row
        assert float(boundary) == pytest.approx(of_boundaries[row].mean(), abs=2e-3)
        assert float(difference) == pytest.approx(float(boundary) - float(control), abs=2e-3)
        assert float(low) <= float(difference) <= float(high)
    code, text, _ = run("verify", out)
    assert code == 0
    assert text.startswith("verified: 6 places (6 ok), each with its map")
    code, _, error = run("export", out, "--insulation", tmp_path / "pictures")
    assert code == 0, error
    maps = np.load(tmp_path / "pictures" / "maps.npz")
    assert maps["boundaries"].shape == maps["controls"].shape == (96, 96)
    assert maps["position_bp"][[0, 48]].tolist() == [-98_304 + 1_024, 1_024]
    # blue blocks and a red stripe: of pixels equally far apart less across than within, and more to the middle
    boundaries = maps["boundaries"]
    assert boundaries[40, 55] < 0.1 * boundaries[20, 35]
    assert boundaries[20, 47] > 1.5 * boundaries[10, 37]
    # nearer to the window's ends rows have fewer tokens to share among
    middle = maps["controls"][24:72, 24:72]
    np.testing.assert_allclose(middle, 1, atol=0.15)
    lines = (tmp_path / "pictures" / "insulation.tsv").read_text().splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["mean", "across", "3"],
        ["mean", "at", "3"],
        ["1", "across", "3"],
        ["1", "at", "3"],
    ]


@pytest.fixture
def one(insulate, tmp_path):
    """As `insulate`, of one boundary and its control: a shard each."""
    bed = tmp_path / "one.bed"
    bed.write_text(f"chr1\t{BOUNDARIES[0] - 500}\t{BOUNDARIES[0] + 500}\n")
    return partial(insulate, boundaries=bed)


def test_killed_and_continued_it_is_the_same(one, run, monkeypatch):
    assert one(out="whole")[0] == 0
    compute, calls = InsulatorComputation.compute, []

    def dying(self, rows, left_out):
        calls.append(rows)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(self, rows, left_out)

    monkeypatch.setattr(InsulatorComputation, "compute", dying)
    code, *_, half = one(out="half")
    assert code == 130
    assert run("verify", half)[0] == 5
    monkeypatch.undo()
    assert one(out="half")[0] == 0
    assert content_digests(half, TABLES) == content_digests(half.parent / "whole", TABLES)
    assert run("verify", half)[0] == 0
    code, text, *_ = one(out="half")
    assert text.startswith("already complete")
    assert "across" in text
    for more, named in [
        (["--seed", "1"], "matching.seed"),
        (["--boundary-bp", "512"], "boundary_tokens"),
        (["--strands", "both"], "strands"),
    ]:
        code, _, error, _ = one(*more, out="half")
        assert code == 2
        assert named in error, error


def test_another_driver_finishes_first(one, run, monkeypatch):
    """While the first computes its first shard, a second one does all; the first keeps what it finds."""
    compute, calls = InsulatorComputation.compute, []

    def slow(self, rows, left_out):
        calls.append(rows.num_rows)
        if len(calls) == 1:
            assert one()[0] == 0
        return compute(self, rows, left_out)

    monkeypatch.setattr(InsulatorComputation, "compute", slow)
    code, text, error, out = one()
    assert code == 0, error
    assert "2 places in" in text
    assert run("verify", out)[0] == 0


def test_boundaries_without_controls_and_maps_that_are_not_finite(
    insulate, run, tmp_path, monkeypatch
):
    """Near a contig's end there is no window; what is not finite is a failed row."""
    maps = AttentionMapper.maps
    calls = []

    def spoilt(self, codes):
        found = maps(self, codes)
        calls.append(codes)
        if len(calls) == 1:
            found[0, 5, 5] = np.nan
        return found

    monkeypatch.setattr(AttentionMapper, "maps", spoilt)
    bed = tmp_path / "some.bed"
    rows = [
        (500, 600),
        *((place, place + 1) for place in BOUNDARIES[:2]),
        (BOUNDARIES[0], BOUNDARIES[0] + 9),
    ]
    bed.write_text("".join(f"1\t{start}\t{end}\n" for start, end in rows))
    code, text, error, out = insulate("--controls", "2", boundaries=bed)
    assert code == 3, error
    assert "1 boundary lies where others do, and counts once" in error
    assert "1 of 3 boundaries has no control, and is not read" in error
    assert "1 failed, 5 ok, 1 unmatched" in text
    (unmatched,) = insulation(out, status="unmatched", layer=1).to_dicts()
    assert (unmatched["place"], unmatched["across"]) == ("chr1:512", None)
    why = "its window of 196,608 bp leaves chr1, or none of its bases is known"
    assert unmatched["reason"] == why
    assert f"and is not read. chr1:512: {why}" in error
    assert "an interval over 1 boundary says little" in error
    failed = insulation(out, status="failed").to_dicts()
    assert {row["reason"] for row in failed} == {"attention is not finite"}
    assert run("verify", out)[0] == 3
    identity = json.loads((out / "run.json").read_text())["identity"]
    assert identity["matching"]["controls"] == 2


@pytest.mark.parametrize(
    ("bed", "more", "named"),
    [
        ("", [], ["an empty file (0 bytes)"]),
        ("# nothing\n", [], ["no boundaries in this BED file"]),
        ("chr9\t5\t100\n", [], ["line 1", "no contig 'chr9'", "chr1, chr2"]),
        ("chr2\t5\t5001\n", [], ["line 1", "ends at base 5,001", "5,000"]),
        ("chr1\t100\t5\n", [], ["line 1", "the end comes after the start"]),
        ("chr1\t5\tx\n", [], ["line 1", "is not BED"]),
        ("chr1\t5\t100000\n", [], ["line 1", "99,995 bp", "Are these domains?"]),
        (
            "chr2\t5\t100\n",
            [],
            ["the one boundary has no control", "--apart-bp", "Of chr2:0: its window"],
        ),
        (None, ["--apart-bp", "400000"], ["none of 3 boundaries has a control"]),
        (None, ["--controls", "0"], ["--controls 0: must be between 1 and 100"]),
        (None, ["--boundary-bp", "100"], ["--boundary-bp 100: must be a multiple of 256"]),
        (None, ["--gc-within", "-1"], ["--gc-within -1.0: must not be below 0"]),
        (None, ["--tracks", "1"], ["--tracks 1: attention is the same for all tracks"]),
        (None, ["--gene-types", "x"], ["--gene-types: give --genes too"]),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(insulate, tmp_path, bed, more, named):
    path = None
    if bed is not None:
        path = tmp_path / "bad.bed"
        path.write_text(bed)
    code, text, error, out = insulate(*more, boundaries=path)
    assert code == 2, text
    assert error.splitlines()[-1].startswith("enformer-ray: ")
    assert all(part in error for part in named), error
    assert not out.exists()


def test_what_else_it_needs(insulate, run, tmp_path, monkeypatch):
    genes = tmp_path / "genes.bed"
    genes.write_text("chr2\t5\t90\tx\t0\t+\nchr2\t5\t99\ty\t0\t+\n")
    code, _, error, _ = insulate("--genes", genes)
    assert code == 2
    assert "chr1: has boundaries and no gene" in error
    code, _, error, _ = insulate(boundaries="nowhere.bed")
    assert code == 2
    assert "nowhere.bed: no such BED file" in error
    config = "enformer_core.models.enformer_spec.EnformerConfig.attention_layers"
    monkeypatch.setattr(config, 0)
    code, _, error, _ = insulate()
    assert code == 2
    assert "has no attention, by which insulators are seen" in error


def test_where_attention_is_the_same_everywhere_no_interval_is_shown():
    """And that boundaries are few is said all the same."""
    same = contrast(np.full((1, 2), -0.1))
    found = [LayerContrast(None, name, same) for name in ("across", "at")]
    rows = summary_of(found, is_same=True).splitlines()[1:3]
    assert all(row.endswith("0.000   the same at all places") for row in rows)
    assert "-0.100 to" not in summary_of(found, is_same=True)
    notes = list(cautions(1, is_same=True))
    assert notes[0].startswith("attention is the same at all places")
    assert notes[1].startswith("an interval over 1 boundary says little")
    assert not list(cautions(10, is_same=False))
