"""Effects on genes, by both engines and by hand: from predictions of the sequences themselves, bin by bin."""

import numpy as np
import pytest
import torch

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import INDEL_RULES, Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.windows import Allele, window_start
from tests.support.genes import gene, genes
from tests.support.genomes import OTHER
from tests.support.small_models import small_basenji2, small_borzoi, small_enformer, write_genome

CPU = torch.device("cpu")

FLOAT64 = Arithmetic(reference=torch.float64, delta=torch.float64)

MODELS = {"enformer": small_enformer, "basenji2": small_basenji2}

START = 12_345

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(write_genome(tmp_path_factory.mktemp("genome") / "g.fa"))


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


def letter(genome, start):
    return "ACGTN"[genome.fetch("c", start, start + 1)[0]]


def allele(genome, start, ref_bp, alt):
    ref = "".join(letter(genome, at) for at in range(start, start + ref_bp))
    return Allele("c", start, ref, alt)


def conventions_of(model, **how):
    usual = {
        "geometry": model.geometry,
        "statistics": ("sad", "log_ratio"),
        "centre_index": model.geometry.window_bp // 2 - 1,
    }
    return Conventions(**(usual | how))


def around(start, model):
    """Genes on either side, of several TSSs, at both ends of the output, over the variant, and out of reach."""
    half = model.geometry.output_bp // 2
    return genes(
        gene("left", start - 300, start - 290, start - 120),
        gene(
            "right",
            start + 200,
            strand="-",
            exons=((start - 40, start + 3), (start + 100, start + 201)),
        ),
        gene("over", start + 2),
        gene("first bin", start - half + 20),
        gene("last bin", start + half - 300),
        gene("far", start + half + 500),
    )


def scored(model, genome, conventions, alleles, sums, engine, pairs=None):
    (start,) = {int(window_start(each.start, conventions)) for each in alleles}
    if engine == "direct":
        predictor = SequencePredictor(
            model, "human", None, conventions, CPU, torch.float64, strand_pairs=pairs
        )
        return DirectScorer(predictor, genome, sums).score_with_genes(alleles, start)
    network = delta_network(
        model, "human", None, device=CPU, arithmetic=FLOAT64, strand_pairs=pairs
    )
    scorer = DeltaScorer(network, genome, conventions, batch_alts=2, genes=sums)
    return scorer.score_with_genes(alleles, start)


KINDS = {
    "snv": (1, "T"),
    "insertion": (1, "GATTACAT" * 20),
    "deletion": (150, "C"),
    "delins": (5, "GG"),
}


@pytest.mark.parametrize("rule", INDEL_RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree(model, genome, rule, kind):
    conventions = conventions_of(model, indel_rule=rule, shifts=(0, 3))
    alleles = [allele(genome, START, *KINDS[kind])]
    sums = GeneSums(GeneReach(around(START, model), conventions))
    (plain,), (differences,) = (
        scored(model, genome, conventions, alleles, sums, engine) for engine in ("direct", "delta")
    )
    assert len(plain.genes) >= 4
    assert_same(plain, differences)


def test_engines_agree_where_strands_change_places_and_tokens_are_several_bins(genome):
    model = small_borzoi()
    conventions = conventions_of(model, strands="both")
    alleles = [allele(genome, START, *KINDS["snv"]), allele(genome, START, *KINDS["deletion"])]
    sums = GeneSums(GeneReach(around(START, model), conventions))
    for one in alleles:
        plain, differences = (
            scored(model, genome, conventions, [one], sums, engine, (1, 0, 2, 4, 3))
            for engine in ("direct", "delta")
        )
        assert_same(*plain, *differences)


@pytest.mark.parametrize("kind", ["insertion", "deletion"])
def test_compensated_effects_are_the_mean_of_both_pairings(genome, kind):
    """The first is what left-fixed has; of the second bins are found anew, where the right flanks lie alike."""
    model = small_enformer()
    one = allele(genome, START, *KINDS[kind])
    found = genes(gene("left", START - 250), gene("right", START + 700))
    by_rule = {}
    for rule in ("left-fixed", "compensated"):
        conventions = conventions_of(model, indel_rule=rule, strands="forward")
        sums = GeneSums(GeneReach(found, conventions))
        (by_rule[rule],) = scored(model, genome, conventions, [one], sums, "direct")
    predictor = SequencePredictor(model, "human", None, conventions, CPU, torch.float64)
    window = START - conventions.centre_index
    (_, (r, d)) = DirectScorer(predictor, genome).paired_profiles(one, window)
    # of a deletion the genome's window begins as many bases further right, of an insertion the edited one
    lost = max(len(one.ref) - len(one.alt), 0)
    left_of_alternate = max(len(one.alt) - len(one.ref), 0)
    for at, offset in enumerate((-250, 700)):
        own = (conventions.centre_index + offset - lost - 14 * 128) // 128
        is_right = offset > 0
        moved = (
            conventions.centre_index + offset - (lost if is_right else left_of_alternate) - 14 * 128
        ) // 128
        before, after = slice(own - 1, own + 2), slice(moved - 1, moved + 2)
        second = ((r + d)[after].sum(dim=0) - r[before].sum(dim=0)).numpy()
        first = by_rule["left-fixed"].genes[at].values["difference"]
        mean = by_rule["compensated"].genes[at].values["difference"]
        np.testing.assert_allclose(mean, (first + second) / 2, rtol=1e-7, atol=1e-12)


def assert_same(plain, differences):
    for one, other in zip(plain.genes, differences.genes, strict=True):
        for name in one.values:
            norm = np.linalg.norm(one.values[name])
            assert norm > 0
            assert np.linalg.norm(other.values[name] - one.values[name]) <= 1e-9 * norm, name
    for name in plain.scores:
        np.testing.assert_allclose(differences.scores[name], plain.scores[name], rtol=1e-7)


def test_shared_windows_and_masked_statistics(model, genome):
    """Statistics read some bins only; genes lie in any. Alleles of a window do not disturb each other."""
    conventions = conventions_of(
        model, max_offset_bp=model.geometry.bin_bp, central_bins=3, strands="forward"
    )
    step = int(window_start(START, conventions))
    starts = [
        at for at in range(START - 60, START + 60, 11) if int(window_start(at, conventions)) == step
    ]
    changed = [OTHER.get(letter(genome, start), "A") for start in starts]
    alleles = [
        allele(genome, start, 1, alt + "T" * (start % 3))
        for start, alt in zip(starts, changed, strict=True)
    ]
    sums = GeneSums(GeneReach(around(START, model), conventions))
    plain = scored(model, genome, conventions, alleles, sums, "direct")
    differences = scored(model, genome, conventions, alleles, sums, "delta")
    for one, other in zip(plain, differences, strict=True):
        assert_same(one, other)
    alone = scored(model, genome, conventions, alleles[1:2], sums, "delta")
    np.testing.assert_array_equal(
        alone[0].genes[0].values["log2_ratio"], differences[1].genes[0].values["log2_ratio"]
    )


@pytest.mark.parametrize("engine", ["direct", "delta"])
@pytest.mark.parametrize("kind", ["snv", "insertion", "deletion"])
def test_by_hand(genome, kind, engine):
    """The bins of each TSS are found by arithmetic, and alt summed over its own: no code of the engines is used."""
    model = small_enformer()
    conventions = conventions_of(model, strands="forward")
    one = allele(genome, START, *KINDS[kind])
    window = START - conventions.centre_index
    sequence = genome.fetch("c", window, window + model.geometry.window_bp)
    at = conventions.centre_index
    tail = genome.fetch("c", START + len(one.ref), START + len(one.ref) + model.geometry.window_bp)
    edited = np.concatenate([sequence[:at], ["ACGT".index(base) for base in one.alt], tail])
    predictor = SequencePredictor(model, "human", None, conventions, CPU, torch.float64)
    r = predictor.strand(sequence).numpy()
    a = predictor.strand(edited[: sequence.size].astype(np.uint8)).numpy()

    def bins(index):
        own = (index - 14 * 128) // 128  # 14 tokens of 48 are cropped on either side
        return [own - 1, own, own + 1]

    tss = {"left": -250, "right": 700}
    reach = GeneReach(
        genes(*(gene(name, START + offset, strand="-") for name, offset in tss.items())),
        conventions,
    )
    (result,) = scored(model, genome, conventions, [one], GeneSums(reach), engine)
    for effect, offset in zip(result.genes, tss.values(), strict=True):
        shift = len(one.alt) - len(one.ref) if offset > 0 else 0
        ref = r[bins(at + offset)].sum(axis=0)
        alt = a[bins(at + offset + shift)].sum(axis=0)
        np.testing.assert_allclose(effect.values["difference"], alt - ref, rtol=1e-6, atol=1e-12)
        expected = np.log2(1 + alt) - np.log2(1 + ref)
        np.testing.assert_allclose(effect.values["log2_ratio"], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("engine", ["direct", "delta"])
def test_some_tracks_are_summed_over_exons(genome, engine):
    model = small_enformer()
    conventions = conventions_of(model)
    one = allele(genome, START, 1, "C" * 30)
    exons = ((START - 400, START - 200), (START + 100, START + 101), (START + 5_000, START + 6_000))
    found = genes(gene("g", START - 400, exons=exons, end=START + 6_000))
    over_tss = GeneSums(GeneReach(found, conventions))
    mixed = GeneSums(GeneReach(found, conventions, with_exons=True), exon_tracks=(1, 4))
    (plain,) = scored(model, genome, conventions, [one], over_tss, engine)
    (result,) = scored(model, genome, conventions, [one], mixed, engine)
    predictor = SequencePredictor(model, "human", None, conventions, CPU, torch.float64)
    window = START - conventions.centre_index
    r, d = DirectScorer(predictor, genome).profiles(one, window)
    r, d = r.numpy(), d.numpy()
    reference = [int(index) for index in _bins(window, exons[:2], 0)]
    alternate = [int(index) for index in _bins(window, exons[:2], 29)]
    change = (r + d)[alternate].sum(axis=0) - r[reference].sum(axis=0)
    of_exons = [1, 4]
    others = [0, 2, 3]
    values = result.genes[0].values["difference"]
    np.testing.assert_allclose(values[of_exons], change[of_exons], rtol=1e-6)
    np.testing.assert_array_equal(values[others], plain.genes[0].values["difference"][others])


def _bins(window, exons, shift):
    """Output bins of exons; those behind START are moved by `shift`."""
    found = set()
    for start, end in exons:
        moved = shift if start > START else 0
        bases = np.arange(start + moved, end + moved) - window - 14 * 128
        found |= set((bases // 128).tolist())
    return sorted(found)


def test_no_gene_in_reach(genome):
    model = small_enformer()
    conventions = conventions_of(model)
    sums = GeneSums(GeneReach(genes(gene("far", START + 9_000)), conventions))
    (result,) = scored(model, genome, conventions, [allele(genome, START, 1, "T")], sums, "delta")
    assert result.genes == ()
    assert set(result.scores) == {"sad", "log_ratio"}


@pytest.mark.parametrize("start", [3, 29_990])
def test_at_the_ends_of_a_contig(genome, start):
    model = small_enformer()
    conventions = conventions_of(model)
    near = start + 20 if start < 100 else start - 20
    sums = GeneSums(GeneReach(genes(gene("g", near), gene("end", min(start, 29_999))), conventions))
    alleles = [allele(genome, start, 1, "G"), allele(genome, start, 2, "T")]
    plain = scored(model, genome, conventions, alleles, sums, "direct")
    differences = scored(model, genome, conventions, alleles, sums, "delta")
    for one, other in zip(plain, differences, strict=True):
        assert len(one.genes) == 2
        assert_same(one, other)
