"""Variants scored with a small trained model of Borzoi's family, against the statistics of the original code.

The original puts zeros where a deletion or a moved window draws sequence in. Here that is real sequence, so each window
is made a contig of its own, beyond whose ends there is none.
"""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from enformer_core.genome.fasta import Genome
from enformer_core.models.base import HeadedNetwork
from enformer_core.models.borzoi_spec import SPEC
from enformer_core.models.registry import ModelSource
from enformer_core.models.tracks.squashing import unsquashed
from enformer_core.models.tracks.table import Tracks
from enformer_core.models.tracks.targets import read_targets
from enformer_core.scoring.conventions import Conventions, IndelRule
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import Allele, Window, alternate_sequence
from tests.support.closeness import relative_l2

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
WINDOW_BP = 131_072
CENTRE = WINDOW_BP // 2 - 1
OURS = {
    "sad": "SUM",
    "log_sad": "logSUM",
    "log_ratio": "logSED",
    "sax": "SAX",
    "d1": "D1",
    "log_d1": "logD1",
    "d2": "D2",
    "log_d2": "logD2",
    "js": "JS",
}
"""Each of our statistics, as the original calls it."""


@pytest.fixture(scope="module")
def place(golden_dir: Path) -> Path:
    return golden_dir / "borzoi"


@pytest.fixture(scope="module")
def golden(place: Path) -> dict[str, np.ndarray]:
    with np.load(place / "tiny_golden.npz") as arrays:
        return {name: array for name, array in arrays.items() if name.startswith("var_")}


@pytest.fixture(scope="module")
def places(golden: dict[str, np.ndarray]) -> dict[str, int]:
    return {str(name): place for place, name in enumerate(golden["var_id"])}


@pytest.fixture(scope="module")
def windows(
    data_dir: Path, golden: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Genome:
    """A contig for each variant: the bases of its window."""
    files = {"chr1": "hg38_chr1_1m.fa.gz", "chr20": "grch38.chr20_and_21_10M.fa.gz"}
    genomes = {name: Genome(data_dir / "reference" / file) for name, file in files.items()}
    path = tmp_path_factory.mktemp("windows") / "windows.fa"
    with path.open("w") as fasta:
        for name, chrom, start in zip(
            golden["var_id"], golden["var_chrom"], golden["var_start0"], strict=True
        ):
            codes = genomes[chrom].fetch(str(chrom), int(start), int(start) + WINDOW_BP)
            letters = np.frombuffer(b"ACGTN", np.uint8)[codes].tobytes().decode()
            fasta.write(f">{name}\n{letters}\n")
    return Genome(path)


@pytest.fixture(scope="module")
def tracks(place: Path) -> Tracks:
    targets = str(place / "tiny" / "targets.txt")
    return read_targets(targets, head="human", count=74, layouts=SPEC.heads)


class Remembering:
    """A network that predicts each sequence once, whatever is made of it."""

    def __init__(self, network: HeadedNetwork) -> None:
        self._network = network
        self._known: dict[bytes, Tensor] = {}
        self.geometry = network.geometry

    def __call__(self, one_hot: Tensor, head: str, tracks: Tensor | None = None) -> Tensor:
        key = one_hot.to(torch.uint8).numpy().tobytes()
        if key not in self._known:
            self._known[key] = self._network(one_hot, head)
        whole = self._known[key]
        return whole if tracks is None else whole[..., tracks]


@pytest.fixture(scope="module")
def network(place: Path) -> HeadedNetwork:
    tiny = place / "tiny"
    source = ModelSource("borzoi", str(tiny / "model.h5"), params=str(tiny / "params.json"))
    return source.build(CPU).double()


@pytest.fixture(scope="module")
def trained(network: HeadedNetwork) -> Remembering:
    return Remembering(network)


def allele_of(golden: dict[str, np.ndarray], at: int) -> Allele:
    ref, alt = str(golden["var_ref"][at]), str(golden["var_alt"][at])
    return Allele(str(golden["var_id"][at]), CENTRE, ref, alt)


def test_windows_and_alleles_are_those_of_the_original(
    golden: dict[str, np.ndarray], windows: Genome
):
    letters = np.vstack([np.eye(4), np.zeros(4)]).astype(np.uint8)
    for at, name in enumerate(golden["var_id"]):
        reference = windows.fetch(str(name), 0, WINDOW_BP)
        alternate = alternate_sequence(windows, allele_of(golden, at), Window(0), WINDOW_BP)
        for codes, known in ((reference, "ref"), (alternate, "alt")):
            digest = hashlib.md5(letters[codes].tobytes()).hexdigest()
            assert digest == golden[f"var_md5_{known}"][at], (name, known)


def test_the_table_pairs_the_strands_of_cage_and_rna(tracks: Tracks):
    pairs = tracks.strand_pairs()
    assert pairs is not None
    assert [pairs[pair] for pair in pairs] == list(range(74))
    for track, pair in zip(tracks.rows, pairs, strict=True):
        other = tracks.rows[pair]
        if pair != track.index:
            assert track.identifier[:-1] == other.identifier[:-1]
            assert {track.identifier[-1], other.identifier[-1]} == {"+", "-"}
    # what the table says of its 74 tracks: 47 are left where one of each pair is taken
    assert sum(track.index <= pair for track, pair in zip(tracks.rows, pairs, strict=True)) == 47
    assert {track.squashing.clip_soft for track in tracks.rows} <= {None, *range(1, 1000)}
    assert any(track.squashing.rooted for track in tracks.rows)


def scorer_of(
    trained: Remembering,
    windows: Genome,
    tracks: Tracks,
    *,
    both: bool,
    unsquash: bool,
    stitched: bool = False,
) -> DirectScorer:
    squashings = [track.squashing for track in tracks.rows]
    conventions = Conventions(
        geometry=trained.geometry,
        statistics=tuple(OURS),
        centre_index=CENTRE,
        strands="both" if both else "forward",
        indel_rule="stitched" if stitched else "left-fixed",
    )
    predictor = SequencePredictor(
        trained,
        "human",
        None,
        conventions,
        CPU,
        torch.float64,
        strand_pairs=tracks.strand_pairs(),
        unsquash=(lambda made: unsquashed(made, squashings)) if unsquash else None,
    )
    return DirectScorer(predictor, windows)


def check(scorer: DirectScorer, golden: dict[str, np.ndarray], mode: str, at: Sequence[int]):
    for one in at:
        allele = allele_of(golden, one)
        (scores,) = scorer.score([allele], 0)
        for ours, theirs in OURS.items():
            expected = golden[f"var_{mode}_{theirs}_f64"][one]
            assert relative_l2(scores[ours], expected) < 1e-6, (mode, allele.contig, ours)


MODES = {
    "raw": {"both": False, "unsquash": False},
    "rcraw": {"both": True, "unsquash": False},
    "base": {"both": False, "unsquash": True},
    "rc": {"both": True, "unsquash": True},
}


@pytest.mark.parametrize("mode", MODES)
def test_a_substitution_is_scored_as_by_the_original(
    trained: Remembering, windows: Genome, tracks: Tracks, golden, places, mode: str
):
    scorer = scorer_of(trained, windows, tracks, **MODES[mode])
    check(scorer, golden, mode, [places["rs1799990"]])


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
def test_every_substitution_is(
    trained: Remembering, windows: Genome, tracks: Tracks, golden, mode: str
):
    scorer = scorer_of(trained, windows, tracks, **MODES[mode])
    lengths = zip(golden["var_ref"], golden["var_alt"], strict=True)
    at = [one for one, (ref, alt) in enumerate(lengths) if len(ref) == len(alt)]
    assert len(at) == 10
    check(scorer, golden, mode, at)


def test_a_stitched_deletion_is_scored_as_by_the_original(
    trained: Remembering, windows: Genome, tracks: Tracks, golden, places
):
    scorer = scorer_of(trained, windows, tracks, both=False, unsquash=True, stitched=True)
    check(scorer, golden, "stitch", [places["rs376247185"]])


@pytest.mark.full
def test_every_stitched_deletion_is(
    trained: Remembering, windows: Genome, tracks: Tracks, golden, places
):
    scorer = scorer_of(trained, windows, tracks, both=False, unsquash=True, stitched=True)
    check(scorer, golden, "stitch", [places["rs144070827"], places["rs11475335"]])


def test_without_the_exchange_of_strands_scores_are_others(
    trained: Remembering, windows: Genome, tracks: Tracks, golden, places
):
    paired = scorer_of(trained, windows, tracks, both=True, unsquash=False)
    conventions = paired._predictor.conventions  # the same but for the pairs
    alone = SequencePredictor(trained, "human", None, conventions, CPU, torch.float64)
    at = places["rs1799990"]
    (scores,) = DirectScorer(alone, windows).score([allele_of(golden, at)], 0)
    assert relative_l2(scores["sad"], golden["var_rcraw_SUM_f64"][at]) > 0.05


# By differences

FLOAT64 = Arithmetic(torch.float64, torch.float64)

FORMATS = {
    "exact": (Arithmetic(), 2e-3),
    "fast, on a CPU": (Arithmetic(delta=torch.bfloat16), 0.02),
    "fast, as on a GPU": (Arithmetic(delta=torch.float16), 4e-3),
}
"""Number formats of the policies, and the error of a statistic that they may have."""


class ByDifferences:
    """Scores alleles as the original pairs their windows."""

    def __init__(
        self,
        network: HeadedNetwork,
        windows: Genome,
        tracks: Tracks,
        golden: dict[str, np.ndarray],
        *,
        both: bool,
        arithmetic: Arithmetic = FLOAT64,
    ) -> None:
        self._golden = golden
        self._windows = windows
        self._strands = "both" if both else "forward"
        model = copy.deepcopy(network).to(arithmetic.reference)
        self._network = delta_network(
            model,
            "human",
            None,
            device=CPU,
            arithmetic=arithmetic,
            strand_pairs=tracks.strand_pairs() if both else None,
        )

    def __call__(self, at: int, monkeypatch: pytest.MonkeyPatch) -> AlleleScores:
        """The scores of a variant; of an indel the means over windows that agree left of it and right of it."""
        allele = allele_of(self._golden, at)
        left = self._scored(at, "left-fixed")
        if not allele.gain_bp:
            return left
        with monkeypatch.context() as patch:
            # stitched before the first bin: all bins come from the window whose right flanks lie alike
            patch.setattr(Conventions, "stitch_bin", lambda self, offset_bp=0: 0)
            right = self._scored(at, "stitched")
        return {name: (left[name] + right[name]) / 2 for name in left}

    def _scored(self, at: int, rule: IndelRule) -> AlleleScores:
        conventions = Conventions(
            geometry=self._network.geometry,
            statistics=tuple(OURS),
            centre_index=CENTRE,
            strands=self._strands,
            indel_rule=rule,
        )
        scorer = DeltaScorer(self._network, self._windows, conventions, batch_alts=1)
        (scores,) = scorer.score([allele_of(self._golden, at)], 0)
        return scores


def errors(scores: AlleleScores, golden: dict[str, np.ndarray], mode: str, at: int):
    return {
        ours: relative_l2(scores[ours], golden[f"var_{mode}_{theirs}_f64"][at])
        for ours, theirs in OURS.items()
    }


@pytest.mark.parametrize("mode", ["raw", "rcraw"])
@pytest.mark.parametrize("name", ["rs1799990", "rs144070827"])
def test_a_variant_is_scored_as_by_the_original(
    network, windows, tracks, golden, places, monkeypatch, mode, name
):
    scores = ByDifferences(network, windows, tracks, golden, both=mode == "rcraw")
    at = places[name]
    for statistic, error in errors(scores(at, monkeypatch), golden, mode, at).items():
        assert error < 1e-6, statistic


@pytest.mark.full
@pytest.mark.parametrize("mode", ["raw", "rcraw"])
def test_every_variant_is(network, windows, tracks, golden, monkeypatch, mode):
    scores = ByDifferences(network, windows, tracks, golden, both=mode == "rcraw")
    for at in range(len(golden["var_id"])):
        for statistic, error in errors(scores(at, monkeypatch), golden, mode, at).items():
            assert error < 1e-6, (golden["var_id"][at], statistic)


@pytest.mark.full
@pytest.mark.parametrize("policy", FORMATS)
def test_policies(network, windows, tracks, golden, monkeypatch, policy):
    arithmetic, bound = FORMATS[policy]
    scores = ByDifferences(network, windows, tracks, golden, both=False, arithmetic=arithmetic)
    for at, name in enumerate(golden["var_id"]):
        found = errors(scores(at, monkeypatch), golden, "raw", at)
        print(policy, name, *(f"{one} {error:.1e}" for one, error in found.items()))
        assert max(found.values()) < bound, name
