"""The errors that re-implementations of Enformer scoring have made, one test each: our answer is not the wrong one.

Each test works the right answer out by other means, makes the wrong answer on purpose, and shows that the two differ
and that ours is the right one.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import lgamma, log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from enformer_core.analyses.allele_scoring import Scorer
from enformer_core.dataset.codec import as_json_object
from enformer_core.dataset.run import check_same, identity_digest
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.basenji2 import Basenji2, ConvBlock
from enformer_core.models.enformer import Enformer
from enformer_core.models.geometry import BASENJI2, ENFORMER, Geometry
from enformer_core.models.layers import NormGeluConv, gelu, one_hot
from enformer_core.models.positional import relative_features
from enformer_core.models.registry import model_spec
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.targets import read_targets
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.huggingface import ENFORMER_NAMES, load_named
from enformer_core.models.weights.tensor_files import read_tensors
from enformer_core.scoring.conventions import Conventions, IndelRule
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import Statistic, compute
from enformer_core.scoring.windows import Allele, window_start
from enformer_core.storage.local import LocalStore
from enformer_core.variants.harmonise import harmonise_alleles
from tests.support.closeness import relative_l2
from tests.support.plans import make_draft
from tests.support.seeded import our_names, seeded_state, tiny_config
from tests.support.small_models import small_basenji2, small_enformer, write_genome
from tests.support.small_weights import write_published
from tests.support.toy_runs import scoring_worker, toy_identity, toy_ledger
from tests.support.variants import read_alleles
from tests.support.vcf import HEADER

CPU = torch.device("cpu")

SMALL = Geometry(window_bp=64, bin_bp=4, bins=8)  # bins cover the window's bases 16 to 48


@dataclass(frozen=True)
class LetterCounts:
    """A network whose answer can be counted: how often A, C, G and T stand in each bin. Notes what it is asked."""

    geometry: Geometry
    asked: list[tuple[tuple[int, ...], torch.dtype]]

    def __call__(self, one_hot: Tensor, head: str, tracks: Tensor | None = None) -> Tensor:
        self.asked.append((tuple(one_hot.shape), one_hot.dtype))
        crop = self.geometry.crop_bp
        inside = one_hot[:, crop : crop + self.geometry.output_bp]
        counts = inside.unflatten(1, (self.geometry.bins, self.geometry.bin_bp)).sum(dim=2)
        return counts if tracks is None else counts[..., tracks]


def letters_of(length_bp: int, seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length_bp))


def genome_of(letters: str, path: Path) -> Genome:
    path.write_text(f">c\n{letters}\n")
    return Genome(path)


def conventions_of(geometry: Geometry, *statistics: Statistic, **how: Any) -> Conventions:
    settings: dict[str, Any] = {
        "geometry": geometry,
        "statistics": statistics or ("sad",),
        "centre_index": geometry.window_bp // 2 - 1,
    }
    return Conventions(**(settings | how))


def direct(
    model: SequenceModel,
    genome: Genome,
    conventions: Conventions,
    *,
    dtype: torch.dtype = torch.float64,
    tracks: tuple[int, ...] | None = None,
    head: str = "human",
) -> DirectScorer:
    return DirectScorer(SequencePredictor(model, head, tracks, conventions, CPU, dtype), genome)


def profiles(
    model: SequenceModel, genome: Genome, conventions: Conventions, allele: Allele
) -> tuple[np.ndarray, np.ndarray]:
    start = window_start(allele.start, conventions)
    r, d = direct(model, genome, conventions).profiles(allele, start)
    return r.numpy(), d.numpy()


def score_vcf(
    records: str,
    genome: Genome,
    scorer: Scorer,
    conventions: Conventions,
    *,
    tracks: Sequence[int],
    root: Path,
    shard_size: int = 2,
) -> pa.Table:
    """Score a VCF from its text to its Parquet files, which are read back without our reader; in the input's order."""
    root.mkdir(exist_ok=True)
    vcf = root / "in.vcf"
    vcf.write_text(HEADER + records)
    placed = harmonise_alleles(read_alleles([vcf]), genome, max_allele_bp=1000)
    draft = make_draft(
        placed,
        genome.contigs,
        shard_size,
        window_starts=lambda starts: window_start(starts, conventions),
    )
    store = LocalStore(root / "run")
    plan = draft.put(store)
    score = scoring_worker(scorer, toy_ledger(store), conventions, tracks)
    for shard in plan.shards:
        score(ShardTask(shard))
    files = [
        pq.read_table(path, partitioning=None)
        for path in sorted((root / "run" / "scores").rglob("*.parquet"))
    ]
    return pa.concat_tables(files).sort_by(
        [("input_line", "ascending"), ("alt_index", "ascending")]
    )


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small_genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    """30,000 bp on contig c, N and lower case among them."""
    return Genome(write_genome(tmp_path_factory.mktemp("genome") / "g.fa"))


# 1


def test_trap_01_gamma_basis_maximum_over_positions() -> None:
    tokens, count = 1536, 32
    distance = np.abs(np.arange(-(tokens - 1), tokens)).astype(float)
    mean = np.linspace(tokens / count, tokens, count)
    deviation = tokens / (2 * count)
    shape, rate = (mean / deviation) ** 2, mean / deviation**2
    with np.errstate(divide="ignore"):
        log_density = (shape - 1) * np.log(distance[:, None]) - rate * distance[:, None]
    log_density -= np.array([lgamma(k) - k * log(b) for k, b in zip(shape, rate, strict=True)])
    density = np.exp(log_density) + 1e-8
    right = density / density.max(axis=0, keepdims=True)  # axis 0: positions
    wrong = density / density.max(
        axis=1, keepdims=True
    )  # axis 1: basis functions, as the most used port divides
    features = relative_features(tokens, 6 * count, torch.float64, CPU).numpy()
    ours, signed = features[:, 2 * count : 3 * count], features[:, 5 * count :]
    np.testing.assert_allclose(ours, right, rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(signed, np.sign(np.arange(-(tokens - 1), tokens))[:, None] * ours)
    assert np.abs(ours - wrong).max() > 0.9
    assert relative_l2(wrong, right) > 0.1


# 2


class OperationCount(TorchFunctionMode):
    """Counts activations: sigmoids, multiplications by 1.702, and every other form of GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.strip("_")
        if name in {"sigmoid", "gelu", "erf", "tanh", "silu"}:
            self.counted[name] += 1
        if name in {"mul", "rmul"} and any(isinstance(arg, float) and arg == 1.702 for arg in args):
            self.counted["1.702"] += 1
        return func(*args, **(kwargs or {}))


def test_trap_02_gelu_is_the_sigmoid_form_everywhere() -> None:
    x = np.linspace(-4, 4, 81)
    right = x / (1 + np.exp(-1.702 * x))
    tensor = torch.from_numpy(x)
    erf, tanh = (nn.functional.gelu(tensor, approximate=form).numpy() for form in ("none", "tanh"))
    assert min(np.abs(right - erf).max(), np.abs(right - tanh).max()) > 0.01
    np.testing.assert_allclose(gelu(tensor).numpy(), right, atol=1e-14)
    counted = {}
    for name, model in (("enformer", small_enformer()), ("basenji2", small_basenji2())):
        with torch.inference_mode(), OperationCount() as operations:
            model(torch.zeros(1, model.geometry.window_bp, 4, dtype=torch.float64), "human")
        counted[name] = dict(operations.counted)
    # Enformer: stem 1, six tower levels 2 each, final 2; besides, each of 7 poolings is a sigmoid.
    # Basenji2 (small): stem, 5 tower levels, 4 dilated blocks of 2, final, and one before the head.
    gelus = {"enformer": 1 + 6 * 2 + 2, "basenji2": 1 + 5 + 4 * 2 + 1 + 1}
    assert counted["enformer"] == {"1.702": gelus["enformer"], "sigmoid": gelus["enformer"] + 7}
    assert counted["basenji2"] == {"1.702": gelus["basenji2"], "sigmoid": gelus["basenji2"]}


# 3


@pytest.mark.parametrize("make", [small_enformer, small_basenji2])
def test_trap_03_n_is_zeros_inside_and_beyond_the_contig(make: Any, small_genome: Genome) -> None:
    model = make()
    length, start = model.geometry.window_bp, -1000
    codes = small_genome.fetch("c", start, start + length)
    letters = "".join(small_genome.path.read_text().split("\n")[1:]).upper()
    seen = "N" * 1000 + letters[: length - 1000]
    assert "N" in letters[: length - 1000]
    right = np.array([[float(letter == column) for column in "ACGT"] for letter in seen])
    quarter = np.array(
        [[0.25] * 4 if letter == "N" else row for letter, row in zip(seen, right, strict=True)]
    )
    ends_quarter = np.concatenate(
        [np.full((1000, 4), 0.25), right[1000:]]
    )  # as the most used port pads
    np.testing.assert_array_equal(
        one_hot(torch.from_numpy(codes)[None], torch.float64)[0].numpy(), right
    )
    ours = (
        SequencePredictor(model, "human", None, conventions_of(model.geometry), CPU, torch.float64)
        .strand(codes)
        .numpy()
    )
    with torch.inference_mode():
        expected, *wrong = (
            model(torch.from_numpy(x)[None], "human")[0] for x in (right, quarter, ends_quarter)
        )
    np.testing.assert_array_equal(ours, expected.numpy())
    for other in wrong:
        assert np.abs(ours - other.numpy()).max() > 1e-3


# 4


def test_trap_04_batch_norm_epsilon_of_each_model() -> None:
    with torch.device("meta"):
        models = {"enformer": Enformer(), "basenji2": Basenji2()}
    found = {
        name: Counter(
            (type(layer).__name__, layer.eps) for layer in model.modules() if hasattr(layer, "eps")
        )
        for name, model in models.items()
    }
    assert found["enformer"] == {("BatchNorm1d", 1e-5): 14, ("LayerNorm", 1e-5): 22}
    assert found["basenji2"] == {("BatchNorm1d", 1e-3): 1 + 6 + 2 * 11 + 1}
    # what it does to a value, where the variance is small
    x, mean, variance = 0.03, 0.01, 1e-4
    normal = {epsilon: (x - mean) / np.sqrt(variance + epsilon) for epsilon in (1e-5, 1e-3)}
    assert normal[1e-5] > 2 * normal[1e-3]
    norms = {1e-5: NormGeluConv(1, 1, width=1).norm, 1e-3: ConvBlock(1, 1, width=1).norm}
    statistics = {"running_mean": torch.tensor([mean]), "running_var": torch.tensor([variance])}
    for epsilon, norm in norms.items():
        norm.load_state_dict({**norm.state_dict(), **statistics})
        norm.double().eval()
        value = norm(torch.full((1, 1, 1), x, dtype=torch.float64)).item()
        assert value == pytest.approx(normal[epsilon], rel=1e-6)


# 5


def test_trap_05_trunk_aliases_are_dropped(tmp_path: Path) -> None:
    path = write_published(tmp_path / "pytorch_model.bin")
    raw = torch.load(path, weights_only=True)
    aliases = [key for key in raw if key.startswith("_trunk.")]
    wanted = seeded_state(config=tiny_config())
    assert len(raw) == len(wanted) + len(aliases)
    assert len(aliases) == sum(not key.startswith("_heads.") for key in wanted)
    with torch.device("meta"):
        model, other = Enformer(tiny_config()), Enformer(tiny_config())
    with pytest.raises(RuntimeError, match="Unexpected key"):
        other.load_state_dict(raw, assign=True)
    state = load_named(read_tensors(path), ENFORMER_NAMES).state
    load_parameters(model, state, source=str(path))
    assert not any(key.startswith("_trunk.") for key in state)
    for name, tensor in our_names(wanted).items():
        assert torch.equal(model.state_dict()[name], tensor), name
    # an alias that has come to differ is not dropped in silence: whichever of the two is right cannot be known
    torch.save({**raw, aliases[0]: raw[aliases[0]] + 1}, path)
    with pytest.raises(
        InputError, match=rf"pytorch_model\.bin: {aliases[0]} differs from stem\.0\."
    ):
        load_named(read_tensors(path), ENFORMER_NAMES)


# 6


def test_trap_06_variant_index_decides_between_bins_447_and_448(tmp_path: Path) -> None:
    letters = letters_of(230_000)
    genome = genome_of(letters, tmp_path / "g.fa")
    start, model = 110_000, LetterCounts(ENFORMER, [])
    allele = Allele("c", start, letters[start], "G" if letters[start] != "G" else "C")
    changed, middle_scores = {}, {}
    for index in (98_303, 98_304):
        conventions = conventions_of(ENFORMER, centre_index=index)
        assert window_start(start, conventions) == start - index
        _, d = profiles(model, genome, conventions, allele)
        changed[index] = np.flatnonzero(np.abs(d).sum(axis=1)).tolist()
        middle = replace(conventions, central_bins=1)  # bin 448 alone
        middle_scores[index] = np.abs(profiles(model, genome, middle, allele)[1]).sum()
    # bin b covers the window's bases [40,960 + 128 b, 40,960 + 128 (b + 1)): 98,304 = 40,960 + 128 · 448
    assert changed == {98_303: [447], 98_304: [448]}
    assert middle_scores == {98_303: 0, 98_304: 2}
    assert BASENJI2.output_bin(131_072 // 2 - 1) == 447


# 7


def test_trap_07_sad_is_a_sum_not_the_colabs_mean(tmp_path: Path) -> None:
    letters = letters_of(230_000)
    genome = genome_of(letters, tmp_path / "g.fa")
    start = letters.index("A", 110_000)
    conventions = conventions_of(ENFORMER, strands="forward")
    scorer = direct(LetterCounts(ENFORMER, []), genome, conventions)
    [scores] = scorer.score([Allele("c", start, "A", "C")], start - 98_303)
    assert scores["sad"].tolist() == [-1, 1, 0, 0]  # one A less, one C more
    mean = np.array([-1, 1, 0, 0]) / 896
    np.testing.assert_allclose(scores["sad"], 896 * mean, rtol=1e-12)
    random = np.random.default_rng(0)
    r, a = random.gamma(0.5, 2.0, (2, 896, 3))
    found = compute(torch.from_numpy(r), torch.from_numpy(a - r), ["sad", "log_sad"])
    sums = {"sad": (a - r).sum(axis=0), "log_sad": (np.log2(1 + a) - np.log2(1 + r)).sum(axis=0)}
    for name, values in found.items():
        np.testing.assert_allclose(values.numpy(), sums[name], rtol=1e-9)
        assert relative_l2(values.numpy() / 896, sums[name]) > 0.99


# 8


def statistics_by_numpy(r: np.ndarray, a: np.ndarray) -> Mapping[Statistic, np.ndarray]:
    d, logs = a - r, np.log2(1 + a) - np.log2(1 + r)
    c = np.quantile(r, 0.25, axis=0)
    p, q = (r + c) / (r + c).sum(axis=0), (a + c) / (a + c).sum(axis=0)
    return {
        "sad": d.sum(axis=0),
        "log_sad": logs.sum(axis=0),
        "d1": np.abs(d).sum(axis=0),
        "d2": np.sqrt((d**2).sum(axis=0)),
        "log_d2": np.sqrt((logs**2).sum(axis=0)),
        "sax": np.take_along_axis(d, np.abs(d).argmax(axis=0)[None], axis=0)[0],
        "js": 0.5 * ((p * np.log(p / q)).sum(axis=0) + (q * np.log(q / p)).sum(axis=0)),
    }


def test_trap_08_reverse_predictions_are_turned_back_along_bins(small_genome: Genome) -> None:
    model = small_enformer()
    length = model.geometry.window_bp
    names: tuple[Statistic, ...] = ("sad", "log_sad", "d1", "d2", "log_d2", "sax", "js")
    conventions = conventions_of(model.geometry, *names)
    start = 12_000
    codes = small_genome.fetch("c", start - length // 2 + 1, start + length // 2 + 1)
    ref = "ACGTN"[codes[length // 2 - 1]]
    alt = "A" if ref != "A" else "T"
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])
    right, wrong = [], []
    for letter in (ref, alt):
        x = rows[codes]
        x[length // 2 - 1] = rows["ACGTN".index(letter)]
        with torch.inference_mode():
            forward, reverse = (
                model(torch.from_numpy(one.copy())[None], "human")[0].numpy()
                for one in (x, x[::-1, ::-1])
            )
        right.append((forward + reverse[::-1]) / 2)
        wrong.append((forward + reverse) / 2)
    expected, unturned = statistics_by_numpy(*right), statistics_by_numpy(*wrong)
    allele = Allele("c", start, ref, alt)
    [ours] = direct(model, small_genome, conventions).score([allele], start - length // 2 + 1)
    for name in names:
        np.testing.assert_allclose(ours[name], expected[name], rtol=1e-7, atol=1e-12, err_msg=name)
        same = relative_l2(unturned[name], expected[name]) < 1e-9
        assert same == (name == "sad"), name  # the plain sum cannot see it: it alone proves nothing


# 9


@dataclass(frozen=True)
class Given:
    """A scorer that answers with given values."""

    values: np.ndarray

    def score(self, alleles: Sequence[Allele], start: int) -> list[dict[Statistic, np.ndarray]]:
        return [{"sad": self.values} for _ in alleles]


def test_trap_09_scores_are_stored_as_float32_not_float16(tmp_path: Path) -> None:
    r = torch.full((896, 1), 100.0)
    large = compute(r, torch.full_like(r, 200.0), ["sad"])["sad"].item()
    assert large == 896 * 200 > 65_504
    values = np.array([large, -70_000.25, 1000.3, 3e-5, -1e-9])
    letters = letters_of(500)
    genome = genome_of(letters, tmp_path / "g.fa")
    ref, alt = letters[99], "A" if letters[99] != "A" else "C"
    how: Any = {"tracks": range(5), "root": tmp_path / "out"}
    table = score_vcf(
        f"c\t100\t.\t{ref}\t{alt}\n", genome, Given(values), conventions_of(SMALL), **how
    )
    assert table.schema.field("sad").type == pa.list_(pa.float32())
    assert table.schema.field("max_abs_sad").type == pa.float32()
    stored = np.array(table["sad"][0].as_py())
    np.testing.assert_array_equal(stored, np.float32(values).astype(float))
    assert np.all(np.abs(stored - values) <= np.finfo(np.float32).eps * np.abs(values))
    assert table["max_abs_sad"][0].as_py() == large
    [effects] = (tmp_path / "out" / "run" / "effects").rglob("*.parquet")
    assert pq.read_table(effects, partitioning=None)["value"].to_pylist() == [large, -70_000.25]
    half = (
        np.clip(values, -65_504, 65_504).astype(np.float16).astype(float)
    )  # as the published files are stored
    assert np.all(half != stored)
    assert half.tolist()[:2] == [65_504, -65_504]
    assert half[4] == 0


# 10


def counts_by_hand(sequence: str) -> np.ndarray:
    """Letters A, C, G and T in each bin of a window of `SMALL`."""
    assert len(sequence) == SMALL.window_bp
    bins = [
        sequence[at : at + 4] for at in range(SMALL.crop_bp, SMALL.crop_bp + SMALL.output_bp, 4)
    ]
    return np.array([[float(one.count(letter)) for letter in "ACGT"] for one in bins])


def test_trap_10_alts_are_split_and_the_flank_convention_is_recorded(tmp_path: Path) -> None:
    letters = letters_of(300)
    letters = letters[:99] + "AG" + letters[101:150] + "CCTGAA" + letters[156:]
    genome = genome_of(letters, tmp_path / "g.fa")
    conventions = conventions_of(SMALL, strands="forward")
    scorer = direct(LetterCounts(SMALL, []), genome, conventions)
    how: Any = {"tracks": range(4), "root": tmp_path / "out"}
    table = score_vcf(
        "c\t100\t.\tA\tC,G,ACCCC\nc\t151\t.\tCCTGA\tC\n", genome, scorer, conventions, **how
    )
    named = ["alt_index", "pos", "ref", "alt", "status"]
    assert [tuple(row[name] for name in named) for row in table.to_pylist()] == [
        (1, 100, "A", "C", "ok"),
        (2, 100, "A", "G", "ok"),
        (3, 100, "A", "ACCCC", "ok"),
        (1, 151, "CCTGA", "C", "ok"),  # as written: neither shifted nor trimmed
    ]
    first, second, third, fourth = (np.array(sad) for sad in table["sad"].to_pylist())
    assert first.tolist() == [-1, 1, 0, 0]
    assert second.tolist() == [-1, 0, 1, 0]  # not the first ALT again, nor the sum of both
    # an insertion and a deletion, each window cut out of the letters by hand: the variant's base lies at index 31
    inserted = letters[:100] + "CCCC" + letters[100:]
    deleted = letters[:151] + letters[155:]
    left_fixed = {
        "insertion": (letters[68:132], inserted[68:132]),
        "deletion": (letters[119:183], deleted[119:183]),
    }
    trimmed = {  # Calico: half of the difference is cut off the left
        "insertion": (letters[68:132], inserted[70:134]),
        "deletion": (letters[121:185], deleted[119:183]),
    }
    alleles = {
        "insertion": Allele("c", 99, "A", "ACCCC"),
        "deletion": Allele("c", 150, "CCTGA", "C"),
    }
    for kind, sad in (("insertion", third), ("deletion", fourth)):
        by_rule: dict[IndelRule, tuple[str, str]] = {
            "left-fixed": left_fixed[kind],
            "centre-trim": trimmed[kind],
        }
        differences = {}
        for rule, (ref, alt) in by_rule.items():
            r, d = profiles(
                LetterCounts(SMALL, []),
                genome,
                replace(conventions, indel_rule=rule),
                alleles[kind],
            )
            np.testing.assert_array_equal(r, counts_by_hand(ref))
            np.testing.assert_array_equal(d, counts_by_hand(alt) - counts_by_hand(ref))
            differences[rule] = d
        assert not np.array_equal(differences["left-fixed"], differences["centre-trim"])
        np.testing.assert_array_equal(sad, differences["left-fixed"].sum(axis=0))
    # the rule is part of what names a run, so scores of two rules are never mixed
    one, other = (
        replace(toy_identity(), conventions=replace(conventions, indel_rule=rule).record())
        for rule in by_rule
    )
    assert identity_digest(one) != identity_digest(other)
    with pytest.raises(
        InputError, match=r'conventions\.indel_rule: there "left-fixed", now "centre-trim"'
    ):
        check_same(as_json_object(one), other)


# 11


def test_trap_11_a_ref_mismatch_is_a_row_with_a_status(tmp_path: Path) -> None:
    letters = "ACGT" * 100
    genome = genome_of(letters, tmp_path / "g.fa")
    model = LetterCounts(SMALL, [])
    conventions = conventions_of(SMALL, strands="forward")
    scorer = direct(model, genome, conventions)
    records = [("101", "A", "C"), ("102", "T", "C"), ("103", "G", "T"), ("105", "A", "AC,G")]
    text = "".join(f"c\t{pos}\tid{pos}\t{ref}\t{alt}\n" for pos, ref, alt in records)
    how: Any = {"tracks": range(4), "root": tmp_path / "out"}
    table = score_vcf(text, genome, scorer, conventions, **how)
    found = [
        (row["id"], row["ref"], row["alt"], row["status"], row["sad"]) for row in table.to_pylist()
    ]
    assert found == [
        ("id101", "A", "C", "ok", [-1, 1, 0, 0]),
        (
            "id102",
            "T",
            "C",
            "ref_mismatch",
            None,
        ),  # the genome has C here: ALT matches it, and is not taken for REF
        ("id103", "G", "T", "ok", [0, 0, -1, 1]),  # the row after keeps its own score
        ("id105", "A", "AC", "ok", [-1, 1, 0, 0]),  # pushes the last base of the last bin out, an A
        ("id105", "A", "G", "ok", [-1, 0, 1, 0]),
    ]
    assert table["max_abs_sad"].to_pylist()[1] is None
    assert (
        len(model.asked) == 2 * 4 - 1
    )  # two windows for each allele scored, one reference shared; none for the other


# 12


@contextmanager
def tf32_on() -> Iterator[None]:
    """Let products be rounded, as a program that runs before ours may have; put back afterwards."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = rounding()
    products.fp32_precision = convolutions.fp32_precision = "tf32"
    try:
        yield
    finally:
        products.fp32_precision, convolutions.fp32_precision = before


def rounding() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


def sad_and_prediction(
    model: SequenceModel, genome: Genome, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """SADs of three SNVs, and the reference's predictions, in the arithmetic of `dtype`."""
    conventions = conventions_of(model.geometry)
    scorer = direct(model, genome, conventions, dtype=dtype)
    sads, predictions = [], []
    for start in range(9_000, 12_000, 1_000):
        ref = "ACGTN"[genome.fetch("c", start, start + 1)[0]]
        allele = Allele("c", start, ref, "A" if ref != "A" else "C")
        r, d = scorer.profiles(allele, window_start(start, conventions))
        sads.append(d.sum(dim=0).numpy())
        predictions.append(r.numpy())
    return np.stack(sads), np.stack(predictions)


def test_trap_12_rounding_is_judged_by_the_error_of_sad(small_genome: Genome) -> None:
    exact = small_enformer()
    truth, predicted = sad_and_prediction(exact, small_genome, torch.float64)
    errors = {}
    for dtype in (torch.float32, torch.bfloat16):
        sad, prediction = sad_and_prediction(copy.deepcopy(exact).to(dtype), small_genome, dtype)
        errors[dtype] = relative_l2(sad, truth), relative_l2(prediction, predicted)
    assert errors[torch.float32][0] < 2e-3
    assert errors[torch.bfloat16][1] < 0.05  # as predictions go, bfloat16 looks sound
    assert errors[torch.bfloat16][0] > 0.05  # but two of its passes subtracted are not


def test_trap_12_both_alleles_pass_in_the_same_shape_and_without_tf32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = letters_of(400)
    genome = genome_of(letters, tmp_path / "g.fa")
    model = LetterCounts(SMALL, [])
    conventions = conventions_of(SMALL, shifts=(0, 1))
    scorer = direct(model, genome, conventions, dtype=torch.float32)
    alleles = [Allele("c", 200, letters[200], alt) for alt in ("AC", "CC", "GGG")]
    scorer.score(alleles, 200 - 31)
    assert set(model.asked) == {((1, SMALL.window_bp, 4), torch.float32)}
    assert (
        len(model.asked) == (1 + len(alleles)) * 4
    )  # the reference once, each ALT; two strands, two shifts
    seen: list[tuple[str, str]] = []

    class Watched(LetterCounts):
        def __call__(self, one_hot: Tensor, head: str, tracks: Tensor | None = None) -> Tensor:
            seen.append(rounding())
            return super().__call__(one_hot, head, tracks)

    watched = SequencePredictor(Watched(SMALL, []), "human", None, conventions, CPU)
    network = delta_network(
        small_enformer(),
        "human",
        None,
        device=CPU,
        arithmetic=Arithmetic(torch.float64, torch.float64),
    )
    advance = network.trunk.propagate

    def watched_advance(*asked: Any) -> Any:
        seen.append(rounding())
        return advance(*asked)

    monkeypatch.setattr(network.trunk, "propagate", watched_advance)
    centred = conventions_of(network.geometry)
    with tf32_on():
        watched.strand(np.zeros(SMALL.window_bp, dtype=np.uint8))
        DeltaScorer(network, genome, centred, batch_alts=1).score(
            alleles[:1], 200 - centred.centre_index
        )
        assert rounding() == ("tf32", "tf32")  # what the process had chosen stands again
    assert set(seen) == {("ieee", "ieee")}
    assert len(seen) == 3


# 13


def test_trap_13_mouse_targets_are_offset_by_5313(tmp_path: Path, small_genome: Genome) -> None:
    model = small_enformer()
    size = model.config.output_tracks["mouse"]
    table = tmp_path / "targets_mouse.txt"
    rows = [f"{5313 + column}\tMOUSE{column}\tDNASE:tissue {column}" for column in range(size)]
    table.write_text("\n".join(["index\tidentifier\tdescription", *rows]) + "\n")
    tracks = read_targets(str(table), head="mouse", count=size, layouts=CROSS2020_HEADS)
    assert tracks.indices() == [0, 1, 2]  # as they stand, 5313 to 5315 lie beyond the head
    start, conventions = 9_000, conventions_of(model.geometry)
    ref = "ACGTN"[small_genome.fetch("c", start, start + 1)[0]]
    allele = Allele("c", start, ref, "A" if ref != "A" else "C")
    begin = window_start(start, conventions)
    [every] = direct(model, small_genome, conventions, head="mouse").score([allele], begin)
    for column in range(size):
        for selector in (f"{5313 + column}", f"{column}", f"MOUSE{column}"):
            chosen = tuple(select_tracks(tracks, selector)[0].indices())
            assert chosen == (column,)
        [one] = direct(model, small_genome, conventions, head="mouse", tracks=chosen).score(
            [allele], begin
        )
        np.testing.assert_allclose(one["sad"], every["sad"][[column]], rtol=1e-9)
    assert len(set(every["sad"].tolist())) == size
    with pytest.raises(
        InputError, match="5314 is column 1"
    ):  # without the table, an index is never guessed
        select_tracks(model_spec("enformer").tracks("mouse"), "5314")
    human = model_spec("enformer").tracks("human")
    assert select_tracks(human, "4828")[0].indices() == [
        4828
    ]  # K562 CAGE: the human head has no offset
