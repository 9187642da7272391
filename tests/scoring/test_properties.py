"""What must hold of every scoring, whatever the model and the variant: symmetries, and independence of the company."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enformer_core.analyses.allele_scoring import Scorer
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.genome.alphabet import decode, encode, reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.motif import motif_model
from enformer_core.scoring.conventions import INDEL_RULES, Conventions, IndelRule
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import STATISTICS
from enformer_core.scoring.windows import Allele, Window, window_start
from enformer_core.storage.local import LocalStore
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.table import RAW_SCHEMA
from tests.support.plans import make_draft
from tests.support.small_models import small_basenji2, small_enformer
from tests.support.toy_runs import scoring_worker, toy_ledger

CPU = torch.device("cpu")

FLOAT64 = Arithmetic(reference=torch.float64, delta=torch.float64)

FEW = settings(max_examples=8)

WINDOW_BP = 128 * 48  # of small_enformer


class Letters(Genome):
    """A genome of one contig, c, that is given as letters."""

    def __init__(self, letters: str) -> None:
        self.path = Path("letters.fa")
        self._codes = encode(letters)

    @property
    def contigs(self) -> dict[str, int]:
        return {"c": self._codes.size}

    def codes(self, contig: str) -> np.ndarray:
        assert contig == "c"
        return self._codes


@cache
def letters_of(length_bp: int, seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length_bp))


def opposite(letters: str) -> str:
    """The other strand, read in its own direction; by other means than the program's."""
    return letters.translate(str.maketrans("ACGTN", "TGCAN"))[::-1]


@cache
def enformer() -> Any:
    return small_enformer()


def conventions_of(model: SequenceModel, **how: Any) -> Conventions:
    usual: dict[str, Any] = {
        "geometry": model.geometry,
        "statistics": tuple(STATISTICS),
        "centre_index": model.geometry.window_bp // 2 - 1,
    }
    return Conventions(**(usual | how))


def direct(
    model: SequenceModel,
    genome: Genome,
    conventions: Conventions,
    dtype: torch.dtype = torch.float64,
) -> DirectScorer:
    return DirectScorer(SequencePredictor(model, "human", None, conventions, CPU, dtype), genome)


def profiles(
    model: SequenceModel, genome: Genome, conventions: Conventions, allele: Allele
) -> tuple[np.ndarray, np.ndarray]:
    start = window_start(allele.start, conventions)
    r, d = direct(model, genome, conventions).profiles(allele, start)
    return r.numpy(), d.numpy()


def scores(
    model: SequenceModel, genome: Genome, conventions: Conventions, allele: Allele
) -> dict[str, np.ndarray]:
    start = window_start(allele.start, conventions)
    [found] = direct(model, genome, conventions).score([allele], start)
    return {str(name): values for name, values in found.items()}


pytestmark = pytest.mark.usefixtures("one_thread")


# Strands


def test_a_model_that_sees_both_strands_alike_scores_them_alike() -> None:
    """`motif` is equivariant: one strand, the other with its bins turned back, and their average are the same."""
    model = motif_model().requires_grad_(requires_grad=False)
    letters = letters_of(230_000)
    at = 110_000  # the SNV makes a site of GATA1, well off the middle of its bin
    letters = letters[:at] + "AGATACGA" + letters[at + 8 :]
    allele = Allele("c", at + 5, "C", "A")
    start = at + 5 - 98_303
    found = {}
    for strands in ("forward", "both"):
        scorer = direct(
            model, Letters(letters), conventions_of(model, strands=strands), torch.float32
        )
        found[strands] = [one.numpy() for one in scorer.profiles(allele, start)]
    for forward, both in zip(found["forward"], found["both"], strict=True):
        np.testing.assert_allclose(both, forward, atol=2e-5)
        assert (
            np.abs((forward + forward[::-1]) / 2 - both).max() > 1
        )  # as it would be with the bins left as they are
    assert found["both"][1][:, 1].sum() == pytest.approx(10, abs=1e-2)


@given(seed=st.integers(0, 99))
@FEW
def test_a_sequence_that_is_its_own_reverse_complement_reads_the_same_from_both_ends(
    seed: int,
) -> None:
    half = letters_of(WINDOW_BP // 2, seed)
    genome = Letters(half + opposite(half))
    codes = genome.codes("c")
    assert decode(reverse_complement(codes)) == decode(codes)
    predictor = SequencePredictor(
        enformer(), "human", None, conventions_of(enformer()), CPU, torch.float64
    )
    forward = predictor.strand(codes).numpy()
    averaged = predictor.averaged(Window(0), lambda _: codes).numpy()
    np.testing.assert_array_equal(averaged, averaged[::-1])
    np.testing.assert_array_equal(averaged, (forward + forward[::-1]) / 2)
    assert np.abs(averaged - forward).max() > 1e-3  # the network itself is not symmetric


alleles_anywhere = st.tuples(
    st.integers(0, 7_980), st.integers(1, 12), st.text("ACGT", min_size=1, max_size=12)
)


@given(place=alleles_anywhere)
@FEW
def test_both_strands_are_the_mean_of_a_variant_and_its_mirror_image(
    place: tuple[int, int, str],
) -> None:
    """The mirror image: the reverse complement of the variant on the reverse complement of the genome."""
    start, ref_bp, alt = place
    letters = letters_of(8_000)
    ref = letters[start : start + ref_bp]
    model, mirrored = enformer(), Letters(opposite(letters))
    mirror = Allele("c", len(letters) - start - len(ref), opposite(ref), opposite(alt))
    both = conventions_of(model)
    forward = conventions_of(model, strands="forward")
    allele, begin = Allele("c", start, ref, alt), start - both.centre_index
    r, d = profiles(model, Letters(letters), both, allele)
    r_forward, d_forward = profiles(model, Letters(letters), forward, allele)
    scorer = direct(model, mirrored, forward)
    mirror_begin = len(letters) - begin - WINDOW_BP
    r_mirror = scorer.profiles(mirror, mirror_begin)[0].numpy()
    # what lies left in the mirror is what the alternate's length moves
    moved = scorer.profiles(mirror, mirror_begin + allele.gain_bp)
    a_mirror = moved[0].numpy() + moved[1].numpy()
    np.testing.assert_allclose(r, (r_forward + r_mirror[::-1]) / 2, rtol=1e-9, atol=1e-12)
    d_mirror = (a_mirror - r_mirror)[::-1]
    np.testing.assert_allclose(d, (d_forward + d_mirror) / 2, rtol=1e-7, atol=1e-10)


@given(
    shifts=st.lists(st.integers(-300, 300), min_size=2, max_size=4, unique=True),
    start=st.integers(0, 7_999),
)
@FEW
def test_shifts_are_averaged_as_predictions(shifts: list[int], start: int) -> None:
    letters = letters_of(8_000)
    model, genome = enformer(), Letters(letters)
    allele = Allele("c", start, letters[start], "GATTACA" if letters[start] != "G" else "T")
    together = profiles(model, genome, conventions_of(model, shifts=tuple(shifts)), allele)
    start_bp = window_start(start, conventions_of(model))
    singly = [
        direct(model, genome, conventions_of(model, shifts=(shift,))).profiles(allele, start_bp)
        for shift in shifts
    ]
    for one, many in zip(together, zip(*singly, strict=True), strict=True):
        np.testing.assert_allclose(
            one, np.mean([each.numpy() for each in many], axis=0), rtol=1e-9, atol=1e-11
        )
    # a shift of the window is the window of that other place
    moved = window_start(start + shifts[0], conventions_of(model))
    elsewhere = direct(model, genome, conventions_of(model)).profiles(allele, moved)
    for theirs, other in zip(singly[0], elsewhere, strict=True):
        np.testing.assert_array_equal(theirs.numpy(), other.numpy())


# Alleles


@given(
    start=st.integers(0, 7_999),
    inserted=st.text("ACGT", min_size=1, max_size=200),
    rule=st.sampled_from(INDEL_RULES),
)
@FEW
def test_an_insertion_and_its_deletion_are_opposite(
    start: int, inserted: str, rule: IndelRule
) -> None:
    """The deletion is scored on the genome that has the insertion: both compare the same two sequences."""
    letters = letters_of(8_000)
    model = enformer()
    conventions = conventions_of(model, indel_rule=rule)
    base = letters[start]
    with_it = letters[: start + 1] + inserted + letters[start + 1 :]
    insertion = scores(
        model, Letters(letters), conventions, Allele("c", start, base, base + inserted)
    )
    deletion = scores(
        model, Letters(with_it), conventions, Allele("c", start, base + inserted, base)
    )
    assert np.abs(insertion["sad"]).max() > 0
    np.testing.assert_array_equal(deletion["sad"], -insertion["sad"])
    for name in ("log_sad", "sax", "log_ratio"):
        np.testing.assert_allclose(
            deletion[name], -insertion[name], rtol=1e-8, atol=1e-12, err_msg=name
        )
    for name in ("d1", "log_d1", "d2", "log_d2"):
        np.testing.assert_allclose(
            deletion[name], insertion[name], rtol=1e-8, atol=1e-12, err_msg=name
        )


@given(start=st.integers(0, 7_990), ref_bp=st.integers(1, 10), rule=st.sampled_from(INDEL_RULES))
@FEW
def test_an_alternate_equal_to_the_reference_scores_exactly_nothing(
    start: int, ref_bp: int, rule: IndelRule
) -> None:
    letters = letters_of(8_000)
    ref = letters[start : start + ref_bp]
    for dtype in (torch.float64, torch.float32):
        model = enformer() if dtype == torch.float64 else copy.deepcopy(enformer()).float()
        conventions = conventions_of(model, indel_rule=rule, shifts=(0, 1))
        scorer = direct(model, Letters(letters), conventions, dtype)
        [found] = scorer.score([Allele("c", start, ref, ref)], window_start(start, conventions))
        for name, values in found.items():
            assert values.tolist() == [0.0] * 5, name


@pytest.mark.parametrize("rule", INDEL_RULES)
def test_an_indel_that_leaves_the_sequence_as_it_is_scores_exactly_nothing(rule: IndelRule) -> None:
    """One A more or less in a window of nothing but A."""
    model, genome = enformer(), Letters("A" * 20_000)
    for ref, alt in (("A", "AAA"), ("AAAA", "A")):
        for name, values in scores(
            model, genome, conventions_of(model, indel_rule=rule), Allele("c", 10_000, ref, alt)
        ).items():
            assert values.tolist() == [0.0] * 5, name


# The contig's ends


@pytest.mark.parametrize("length_bp", [700, 8_000])  # shorter than a window, and longer
@pytest.mark.parametrize("where", ["start", "end"])
@given(data=st.data())
@settings(max_examples=3)
def test_beyond_the_ends_is_n_as_if_it_were_written_there(
    length_bp: int, where: str, data: st.DataObject
) -> None:
    letters = letters_of(length_bp, 5)
    model, pad_bp = enformer(), WINDOW_BP + 1_000
    padded = "N" * pad_bp + letters + "N" * pad_bp
    offset = data.draw(st.integers(0, 40))
    start = offset if where == "start" else length_bp - 1 - offset
    ref = letters[start : start + data.draw(st.integers(1, 6))]
    alt = data.draw(st.text("ACGT", min_size=1, max_size=6))
    rule = data.draw(st.sampled_from(INDEL_RULES))
    assume(ref != alt)
    conventions = conventions_of(model, indel_rule=rule, shifts=(0, -7, 7))
    ours = scores(model, Letters(letters), conventions, Allele("c", start, ref, alt))
    written = scores(model, Letters(padded), conventions, Allele("c", start + pad_bp, ref, alt))
    assert np.abs(ours["d1"]).max() > 0
    for name, values in ours.items():
        np.testing.assert_array_equal(values, written[name], err_msg=name)
    ring = letters * (2 * (pad_bp // length_bp + 1) + 1)  # as if the contig's other end came next
    turn = len(ring) // length_bp // 2 * length_bp
    wrong = scores(model, Letters(ring), conventions, Allele("c", start + turn, ref, alt))
    assert np.abs(wrong["d1"] - ours["d1"]).max() > 1e-3 * np.abs(ours["d1"]).max()


# Shards and order


def some_alleles(letters: str, count: int) -> list[tuple[int, str, str]]:
    """SNVs, insertions and deletions from end to end, several at one place, some with a REF that is not there."""
    random = np.random.default_rng(3)
    found = []
    for start in random.integers(0, len(letters) - 20, count).tolist():
        ref = letters[start : start + int(random.choice([1, 1, 1, 5]))]
        alts = [alt for alt in ("A", "T", ref[0] + "GG", "CAT") if alt != ref]
        wrong = opposite(ref)[::-1]  # complement: no letter agrees
        found += [(start, ref, alt) for alt in alts[: int(random.integers(1, 3))]]
        found += [(start, wrong, "ACG")] if not len(found) % 5 else []
    return [*found, found[0], found[3]]  # two are asked for twice


def placed_table(alleles: Sequence[tuple[int, str, str]], genome: Genome) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "input_file": ["a.vcf"] * len(alleles),
        "input_line": list(range(1, len(alleles) + 1)),
        "alt_index": [1] * len(alleles),
        "input_chrom": ["c"] * len(alleles),
        "start": [start for start, _, _ in alleles],
        "input_ref": [ref for _, ref, _ in alleles],
        "input_alt": [alt for _, _, alt in alleles],
    }
    arrays = [
        pa.array(columns.get(field.name, [None] * len(alleles)), field.type) for field in RAW_SCHEMA
    ]
    return harmonise_alleles(pa.table(arrays, schema=RAW_SCHEMA), genome, max_allele_bp=1000)


Answers = dict[tuple[int, str, str], set[tuple[Any, ...]]]


def answers(
    alleles: Sequence[tuple[int, str, str]],
    genome: Genome,
    scorer: Scorer,
    conventions: Conventions,
    **where: Any,
) -> Answers:
    """Score in shards of `shard_size` below `root`: every allele's status and scores, as read from the files."""
    root, shard_size = where["root"], where["shard_size"]
    draft = make_draft(
        placed_table(alleles, genome),
        genome.contigs,
        shard_size,
        window_starts=lambda starts: window_start(starts, conventions),
    )
    store = LocalStore(root)
    plan = draft.put(store)
    score = scoring_worker(scorer, toy_ledger(store), conventions, range(5))
    for shard in plan.shards:
        score(ShardTask(shard))
    rows = [
        row
        for path in sorted((root / "scores").rglob("*.parquet"))
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
    assert len(rows) == len(alleles)
    found: Answers = {}
    for row in rows:
        lists = tuple(
            None if row[name] is None else tuple(row[name]) for name in conventions.statistics
        )
        found.setdefault((row["pos"] - 1, row["ref"], row["alt"]), set()).add(
            (row["status"], *lists)
        )
    return found


@pytest.fixture(scope="module", params=["direct", "delta"])
def shared_windows(request: pytest.FixtureRequest) -> tuple[Genome, Conventions, Any]:
    """A genome, conventions under which alleles share windows, and what makes a scorer."""
    genome = Letters(letters_of(8_000))
    conventions = conventions_of(enformer(), max_offset_bp=256, statistics=("sad", "sax"))
    if request.param == "direct":
        return genome, conventions, lambda: direct(enformer(), genome, conventions)
    network = delta_network(enformer(), "human", None, device=CPU, arithmetic=FLOAT64)
    return genome, conventions, lambda: DeltaScorer(network, genome, conventions, batch_alts=5)


def test_scores_do_not_depend_on_shards_or_on_the_order_of_the_input(
    shared_windows: tuple[Genome, Conventions, Any], tmp_path: Path
) -> None:
    genome, conventions, scorer = shared_windows
    alleles = some_alleles(decode(genome.codes("c")), 12)
    whole = answers(alleles, genome, scorer(), conventions, root=tmp_path / "64", shard_size=64)
    statuses = {status for of_allele in whole.values() for status, *_ in of_allele}
    assert statuses == {"ok", "ref_mismatch"}
    assert all(len(of_allele) == 1 for of_allele in whole.values())  # repeats have one answer
    assert len({of_allele.copy().pop()[1] for of_allele in whole.values()}) > 12
    shards = {64: len(list((tmp_path / "64" / "commits").iterdir()))}
    for shard_size in (1, 7):
        root = tmp_path / str(shard_size)
        assert (
            answers(alleles, genome, scorer(), conventions, root=root, shard_size=shard_size)
            == whole
        )
        shards[shard_size] = len(list((root / "commits").iterdir()))
    assert shards == {64: 1, 7: shards[7], 1: len(whole)}
    assert 1 < shards[7] < len(whole)
    random = np.random.default_rng(11)
    shuffled = [alleles[at] for at in random.permutation(len(alleles))]
    assert (
        answers(shuffled, genome, scorer(), conventions, root=tmp_path / "shuffled", shard_size=7)
        == whole
    )


def test_each_allele_alone_scores_as_in_company(
    shared_windows: tuple[Genome, Conventions, Any], tmp_path: Path
) -> None:
    genome, conventions, scorer = shared_windows
    alleles = some_alleles(decode(genome.codes("c")), 5)
    together = answers(alleles, genome, scorer(), conventions, root=tmp_path / "all", shard_size=64)
    for number, allele in enumerate(alleles):
        if together[allele].copy().pop()[0] == "ok":
            alone = answers(
                [allele], genome, scorer(), conventions, root=tmp_path / str(number), shard_size=1
            )
            assert alone == {allele: together[allele]}


# The same of the other network


@pytest.mark.parametrize("rule", INDEL_RULES)
def test_basenji2_has_the_same_symmetries(rule: IndelRule) -> None:
    model = small_basenji2()
    letters = letters_of(8_000)
    conventions = conventions_of(model, indel_rule=rule)
    start, inserted = 4_000, "GATTACAGATT"
    with_it = letters[: start + 1] + inserted + letters[start + 1 :]
    base = letters[start]
    insertion = scores(
        model, Letters(letters), conventions, Allele("c", start, base, base + inserted)
    )
    deletion = scores(
        model, Letters(with_it), conventions, Allele("c", start, base + inserted, base)
    )
    np.testing.assert_array_equal(deletion["sad"], -insertion["sad"])
    nothing = scores(model, Letters(letters), conventions, Allele("c", start, base, base))
    assert all((values == 0).all() for values in nothing.values())
    snv = Allele("c", start, base, "A" if base != "A" else "C")
    r, d = profiles(model, Letters(letters), conventions, snv)
    one, mirror = (
        replace(conventions, strands="forward"),
        replace(conventions, strands="forward", centre_index=model.geometry.window_bp // 2),
    )
    r_forward, d_forward = profiles(model, Letters(letters), one, snv)
    turned = Allele("c", len(letters) - 1 - start, opposite(snv.ref), opposite(snv.alt))
    r_mirror, d_mirror = profiles(model, Letters(opposite(letters)), mirror, turned)
    np.testing.assert_allclose(r, (r_forward + r_mirror[::-1]) / 2, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(d, (d_forward + d_mirror[::-1]) / 2, rtol=1e-7, atol=1e-10)
