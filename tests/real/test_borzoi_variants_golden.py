"""Variants scored with a small trained model of Borzoi's family, against the statistics of the original code.

The original puts zeros where a deletion or a moved window draws sequence in. Here that is real sequence, so each window
is made a contig of its own, beyond whose ends there is none.
"""

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
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
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
def trained(place: Path) -> Remembering:
    tiny = place / "tiny"
    source = ModelSource("borzoi", str(tiny / "model.h5"), params=str(tiny / "params.json"))
    return Remembering(source.build(CPU).double())


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
