"""The Python API gives what the command stores, to the last bit, and refuses what cannot be with words that help."""

import dataclasses
import inspect
import json
import sys
import types
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from safetensors.torch import save_file

import enformer_core
from enformer_core import InputError
from enformer_core.api.scorer import Scorer, _sound, one_of
from enformer_core.models import registry
from enformer_core.scoring.conventions import ENGINES
from jobs.cli import main
from jobs.model_settings import ModelSettings
from jobs.settings import (
    GenomeSettings,
    ScoreSettings,
    ScoringSettings,
    StrandSettings,
)
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.seeded import seeded_state
from tests.support.small_models import ENFORMER
from tests.support.vcf import write_vcf

pytestmark = pytest.mark.usefixtures("one_thread")

CONTIG_BP = 12_000
WINDOW_BP = ENFORMER.geometry.window_bp
LETTERS = {"chr1": random_letters(CONTIG_BP), "chr2": random_letters(CONTIG_BP, seed=1)}
CONFIG = replace(ENFORMER, output_tracks={"human": 5, "mouse": 3})


def snv(contig, pos):
    ref = LETTERS[contig][pos - 1]
    return contig, pos, ref, OTHER[ref]


def alleles():
    """Two neighbours, a deletion and an insertion of a whole token, an MNV, and a variant at the contig's end."""
    one = LETTERS["chr1"]
    return [
        snv("chr1", 6_000),
        snv("chr1", 6_003),
        ("chr1", 7_001, one[7_000:7_009], one[7_000]),
        ("chr1", 7_101, one[7_100], one[7_100] + "GATTACA" * 20),
        (
            "chr2",
            5_001,
            LETTERS["chr2"][5_000:5_002],
            "".join(OTHER[x] for x in LETTERS["chr2"][5_000:5_002]),
        ),
        snv("chr2", CONTIG_BP),
    ]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", LETTERS)


@pytest.fixture(scope="module")
def small_enformer(tmp_path_factory):
    """A small Enformer in the published one's place, and the file of its weights."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    state = seeded_state(0, CONFIG)
    save_file({name: value for name, value in state.items() if value.is_floating_point()}, path)
    with pytest.MonkeyPatch.context() as patch:
        spec = replace(registry.SPECS["enformer"], config=CONFIG)
        patch.setitem(registry.SPECS, "enformer", spec)
        # the command and the scorer take all CPUs there are: one, so that a busy machine is no slower
        for module in ("jobs.resources", "enformer_core.api.scorer"):
            patch.setattr(f"{module}.cpu_count", lambda: 1)
        yield path


@pytest.fixture(scope="module")
def scorer(genome, small_enformer):
    return enformer_core.Scorer("enformer", weights=small_enformer, genome=genome)


SETTINGS = {
    "defaults": {},
    "direct": {"engine": "direct", "statistics": ("sad", "js")},
    "everything else": {
        "tracks": "1,3-4",
        "head": "human",
        "statistics": ("sax", "log_d2"),
        "strands": "forward",
        "shifts": (0, 3),
        "centre_bin": 10,
        "central_bins": 4,
        "indel_rule": "stitched",
        "precision": "exact",
        "max_offset_bp": 320,
    },
}


def as_options(settings):
    for name, value in settings.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield from (f"--{name.replace('_', '-')}", text)


@pytest.mark.parametrize("case", SETTINGS)
def test_it_gives_what_the_command_stores_to_the_last_bit(case, genome, small_enformer, tmp_path):
    settings = SETTINGS[case]
    vcf = write_vcf(tmp_path / "some.vcf", alleles())
    words = ["score", vcf, "--genome", genome, "--model", "enformer", "--weights", small_enformer]
    words += ["--out", tmp_path / "run", "--ray", "off", "--mantissa-bits", "23"]
    words += ["--audit-fraction", "0"]
    assert main([str(word) for word in [*words, *as_options(settings)]]) == 0

    stored = enformer_core.open_run(tmp_path / "run").scores.sort("input_line").collect()
    scorer = enformer_core.Scorer("enformer", weights=small_enformer, genome=genome, **settings)
    effects = scorer.variants(alleles())
    assert stored["variant_id"].to_list() == [effect.variant_id for effect in effects]
    assert len(effects) == len(alleles())
    for row, effect in zip(stored.iter_rows(named=True), effects, strict=True):
        assert effect.statistics.keys() == set(settings.get("statistics", ("sad",)))
        for name, values in effect.statistics.items():
            assert values.dtype == np.float32
            assert row[name] == values.tolist()
            assert np.abs(values).max() > 0
    alone = scorer.variant(alleles()[1])
    assert all(
        np.array_equal(alone.statistics[name], effects[1].statistics[name])
        for name in alone.statistics
    )


def test_defaults_and_names_are_those_of_the_command():
    parameters = inspect.signature(Scorer).parameters
    ours = {name: parameter.default for name, parameter in parameters.items()}
    theirs = {field.name: field.default for field in dataclasses.fields(ScoreSettings)}
    every_choice = {
        field.name
        for settings in (GenomeSettings, ModelSettings, StrandSettings, ScoringSettings)
        for field in dataclasses.fields(settings)
    }
    assert ours.keys() >= every_choice
    assert ours.keys() - theirs.keys() == {"threads"}
    # of the command's it depends on whether the variants are those of files: then it is 0
    assert (ours["max_offset_bp"], theirs["max_offset_bp"]) == (0, None)
    for name in ours.keys() - {"threads", "model", "genome", "max_offset_bp"}:
        assert ours[name] == theirs[name], name


def test_ref_alt_and_difference_lie_where_they_say(scorer):
    effect = scorer.variant(snv("chr1", 6_000))
    assert effect.ref.shape == effect.alt.shape == effect.difference.shape == (20, 5)
    assert effect.difference.any()
    assert np.array_equal(effect.alt, effect.ref + effect.difference)
    assert np.allclose(
        effect.difference.sum(axis=0), effect.statistics["sad"], rtol=1e-3, atol=1e-4
    )
    # the variant's first base is the last of the left half: it ends bin 9 of 20
    assert effect.contig == "chr1"
    assert effect.bin_starts[10] == 6_000
    assert (effect.start, effect.end) == (effect.bin_starts[0], effect.bin_starts[-1] + 128)
    around = scorer.predict("chr1:6,000-6,000")
    assert np.allclose(around.values, effect.ref, rtol=1e-4)
    assert (around.start, around.end) == (effect.start, effect.end)


def test_fewer_bins_are_those_around_the_variant(genome, small_enformer):
    few = Scorer("enformer", weights=small_enformer, genome=genome, central_bins=4)
    every = Scorer("enformer", weights=small_enformer, genome=genome)
    one, other = (each.variant(snv("chr1", 6_000)) for each in (few, every))
    assert one.ref.shape == (4, 5)
    assert one.start == other.bin_starts[8]
    assert np.allclose(one.ref, other.ref[8:12], rtol=1e-5)


def test_an_indel_is_scored_in_its_normal_form(scorer):
    letters = LETTERS["chr1"]
    # the same deletion, with a base that both share at the right
    plain = scorer.variant(("1", 7_001, letters[7_000:7_009], letters[7_000]))
    padded = scorer.variant(("chr1", 7_001, letters[7_000:7_010], letters[7_000] + letters[7_009]))
    assert plain.variant_id == padded.variant_id
    assert plain.given != padded.given
    assert np.array_equal(plain.difference, padded.difference)


def test_a_region_is_the_window_around_its_middle(scorer):
    exact = scorer.predict(f"chr1:2001-{2000 + WINDOW_BP}")
    crop_bp = ENFORMER.geometry.crop_bp
    assert (exact.contig, exact.start, exact.end) == (
        "chr1",
        2000 + crop_bp,
        2000 + WINDOW_BP - crop_bp,
    )
    assert exact.values.shape == (20, 5)
    for same in (
        f"1:2,000-{2000 + WINDOW_BP:,}",  # one base more, as people write a window
        "chr1:5,072-5,073",
        "chr1:5072",
    ):
        assert np.array_equal(scorer.predict(same).values, exact.values), same
    sequence = LETTERS["chr1"][2000 : 2000 + WINDOW_BP]
    bare = scorer.predict(sequence.lower())
    assert np.array_equal(bare.values, exact.values)
    assert (bare.contig, bare.start, bare.end) == (None, crop_bp, WINDOW_BP - crop_bp)


def test_what_lies_beyond_ends_and_every_ambiguous_letter_is_no_base(genome, small_enformer):
    moved = Scorer("enformer", weights=small_enformer, genome=genome, shifts=(-4, 7))
    start = CONTIG_BP - WINDOW_BP + 50  # 50 bases beyond the end, and with the shift 57
    end = CONTIG_BP - 50
    at_end = moved.predict(f"chr2:{start + 101}-{end}")
    sequence = LETTERS["chr2"][start:].ljust(WINDOW_BP, "R")
    assert len(sequence) == WINDOW_BP
    one = Scorer("enformer", weights=small_enformer, genome=genome)
    assert np.array_equal(
        one.predict(sequence).values, one.predict(sequence.replace("R", "n")).values
    )
    assert at_end.start == start + ENFORMER.geometry.crop_bp
    assert np.allclose(
        one.predict(f"chr2:{start + 101}-{end}").values, one.predict(sequence).values
    )
    assert not np.allclose(at_end.values, one.predict(sequence).values)


def test_regions_and_sequences_of_no_window_are_refused(scorer):
    with pytest.raises(InputError, match=r"6,146 bases; one window is 6,144.*tiles --regions"):
        scorer.predict("chr1:1-6,146")
    with pytest.raises(InputError, match=r"a sequence of 6,143 bases: the model reads 6,144"):
        scorer.predict("A" * 6_143)
    with pytest.raises(InputError, match=r"'X' at position 41 is not a nucleotide"):
        scorer.predict("N" * 40 + "X" * 6_104)
    with pytest.raises(InputError, match=r"has no contig 'chr9', it has chr1, chr2"):
        scorer.predict("chr9:100-200")
    with pytest.raises(InputError, match=r"ends at base 12,001, chr1 of the genome has 12,000"):
        scorer.predict("chr1:12,001")


def test_tables_name_tracks(scorer):
    effect = scorer.variant(snv("chr2", 6_000))
    table = effect.to_polars()
    assert table.columns == ["variant_id", "track", "identifier", "description", "sad"]
    assert table.schema["track"] == pl.Int32
    assert table["track"].to_list() == [0, 1, 2, 3, 4]
    assert table["sad"].to_numpy().tolist() == effect.statistics["sad"].tolist()
    bins = scorer.predict("chr2:6,000").to_polars()
    assert bins.columns == ["chrom", "start", "end", "0", "1", "2", "3", "4"]
    assert bins["chrom"].unique().to_list() == ["chr2"]
    assert (bins["end"] - bins["start"]).unique().to_list() == [128]
    assert scorer.predict("N" * WINDOW_BP).to_polars()["chrom"].null_count() == 20


def test_pandas_has_the_same_table(scorer, monkeypatch):
    """With pandas in its own words: it is no dependency, and this says what it is handed."""
    pandas = types.ModuleType("pandas")
    pandas.DataFrame = dict
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    effect = scorer.variant(snv("chr2", 6_000))
    table = effect.to_pandas()
    assert list(table) == effect.to_polars().columns
    assert table["variant_id"] == [effect.variant_id] * 5
    assert table["identifier"] == [None] * 5
    assert np.array_equal(table["sad"], effect.statistics["sad"])
    bins = scorer.predict("chr2:6,000")
    assert list(bins.to_pandas())[:3] == ["chrom", "start", "end"]
    assert np.array_equal(bins.to_pandas()["4"], bins.values[:, 4])


def test_without_pandas_the_message_says_what_to_do(scorer, monkeypatch):
    effect = scorer.variant(snv("chr2", 6_000))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install pandas"):
        effect.to_pandas()


def test_the_demonstration_says_so_and_names_its_tracks(tmp_path):
    letters = list(random_letters(9_000))
    letters[4_000:4_008] = "AGATAAGG"
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "".join(letters)})
    scorer = Scorer("motif", genome=genome, tracks=[1, 6])
    effect = scorer.variant("chr1:4004:T:C")
    assert effect.statistics["sad"][0] == pytest.approx(-10, abs=0.1)
    text = repr(effect)
    assert text.startswith("VariantEffect chr1:4004:T:C\n")
    assert "motif-GATA1" in text.splitlines()[3]
    assert "DEMONSTRATION" in text
    assert "DEMONSTRATION" in repr(scorer)
    prediction = scorer.predict("chr1:4004")
    assert "DEMONSTRATION" in repr(prediction)
    assert prediction.to_polars().columns[3:] == ["motif-GATA1", "expression-blood"]


def test_many_tracks_are_shown_by_the_strongest(scorer):
    effect = scorer.variant(snv("chr1", 6_000))
    values = effect.statistics["sad"]
    shown = [float(line.split()[0]) for line in repr(effect).splitlines()[3:8]]
    assert shown == pytest.approx(sorted(values, key=abs, reverse=True), rel=1e-4)
    many = replace(effect, tracks=effect.tracks, statistics={"d1": values})
    assert "d1  track" in repr(many)


def test_bad_settings_are_refused(genome, small_enformer, monkeypatch):
    with pytest.raises(InputError, match=r"engine='dleta' is not known; did you mean delta"):
        one_of("engine", "dleta", ENGINES)
    with pytest.raises(InputError, match=r"needs --weights FILE"):
        Scorer("enformer", genome=genome)
    with pytest.raises(InputError, match=r"no such FASTA file"):
        Scorer("motif", genome="nowhere.fa")
    with pytest.raises(InputError, match=r"unknown statistic 'sadd'"):
        Scorer("motif", genome=genome, statistics="sad,sadd")
    with pytest.raises(InputError, match=r"threads=0"):
        Scorer("motif", genome=genome, threads=0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=r"finds no CUDA device"):
        Scorer("motif", genome=genome, device="cuda")


def test_all_variants_that_cannot_be_scored_are_named_before_any_is(scorer):
    good, bad = snv("chr1", 6_000), ("chr1", 6_000, OTHER[LETTERS["chr1"][5_999]], "N")
    with pytest.raises(InputError) as refused:
        scorer.variants([good, bad, ("chr7", 5, "A", "C")])
    lines = str(refused.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [":".join(map(str, bad)), "chr7:5:A:C"]
    with pytest.raises(InputError, match=r"give \['chr1:6000:A:C'\]"):
        scorer.variants("chr1:6000:A:C")
    assert scorer.variants([]) == []


def test_scores_that_are_not_finite_are_no_answer(scorer):
    values = np.array([1.0, np.nan, 2.0, np.inf, 0.0])
    with pytest.raises(InputError, match=r"chr1:1:A:C: sad of 2 tracks is not finite, the first 1"):
        _sound("chr1:1:A:C", {"sad": values}, scorer.tracks)


def test_notes_on_tracks_are_warnings(tmp_path, genome, small_enformer):
    targets = tmp_path / "targets.txt"
    lines = ["index\tidentifier\tdescription"]
    lines += [f"{index}\tENC{index}\tCAGE:liver" for index in range(5)]
    targets.write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match=r"description of 5 tracks"):
        scorer = Scorer(
            "enformer", weights=small_enformer, genome=genome, targets=targets, tracks="CAGE:liver"
        )
    assert len(scorer.tracks) == 5


def test_the_record_of_conventions_is_that_of_a_run(scorer):
    record = json.loads(json.dumps(scorer.conventions.record()))
    assert record["strands"] == "both"
    assert record["statistics"] == ["sad"]
