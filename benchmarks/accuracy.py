"""How wrong scores are, by the size of the effect: two passes in float32, and differences in float32 and in 16 bits.

    python -m benchmarks.accuracy --json benchmarks/results/accuracy.json [--places 12]

The model is a middle-sized Enformer with seeded weights: 256 tokens, 6 layers, 192 channels, 128 tracks. The truth is
two passes in float64 with the same weights. An effect of any size is made by a stem that can hardly tell G from A: its
weights for G are those for A and a small multiple of its own, and A>G is scored. The second table gives keys and values
a part that all tokens have in common, by larger biases of the LayerNorm that attention reads through, with and without
centring them.

`fast` is bfloat16 here on every machine; `multiplied_in_hardware` tells whether this one has instructions for it. Its
errors are those of the format, and the same on either, but for the order of sums. Minutes on one core.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.circumstances import CPU, circumstances
from enformer_core.genome.fasta import Genome
from enformer_core.models.enformer import Enformer
from enformer_core.models.enformer_spec import EnformerConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.transformer import TransformerLayer
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta import attention_reference
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic, choose_arithmetic
from enformer_core.scoring.windows import Allele, window_start
from tests.support.seeded import our_names, seeded_state

MID = EnformerConfig(
    geometry=Geometry(window_bp=128 * 256, bin_bp=128, bins=128),
    stem_channels=96,
    tower_channels=(96, 128, 128, 160, 160, 192),
    layers=6,
    heads=4,
    key_channels=16,
    positional_features=48,
    output_tracks={"human": 128, "mouse": 8},
)
LIKENESS = (1.0, 1e-2, 1e-3, 1e-4, 1e-5)
"""What of its own the weights for G keep."""
BIASES = (0.1, 1.0, 2.0, 4.0)
"""Standard deviations of LayerNorm's biases; the seeded weights have 0.1."""
CONVENTIONS = Conventions(
    geometry=MID.geometry,
    statistics=("sad",),
    centre_index=MID.geometry.window_bp // 2 - 1,
    strands="forward",
)
FAST = Arithmetic(delta=torch.bfloat16)
CONTIG = "made"
CONTIG_BP = 80_000
FIRST, LAST = 38_000, 42_000
"""Between them lie the SNVs."""
G, A = 2, 0
"""Columns of one-hot letters."""

Sads = np.ndarray
"""[variants, tracks]."""


def mid_model(likeness: float = 1.0, bias: float | None = None) -> Enformer:
    """The model, in float32.

    Args:
        likeness: what of its own the stem's weights for G keep, beside those for A.
        bias: standard deviation of the biases of the LayerNorm in front of attention; None for the seeded ones.
    """
    state = our_names(seeded_state(0, MID))
    if likeness != 1.0:
        stem = state["stem.conv.weight"]
        stem[:, G] = stem[:, A] + likeness * stem[:, G]
    model = Enformer(MID)
    model.load_state_dict(state)
    if bias is not None:
        generator = torch.Generator().manual_seed(1)
        # nn.Sequential does not say what it holds
        for layer in cast("Iterable[TransformerLayer]", model.transformer):
            norm = layer.attention_norm
            norm.bias.data = bias * torch.randn(norm.bias.shape, generator=generator)
    return model.eval().requires_grad_(False)


@dataclass(frozen=True)
class Variants:
    """What is scored.

    Attributes:
        genome: a made contig.
        alleles: SNVs in its middle.
    """

    genome: Genome
    alleles: Sequence[Allele]

    def by_two_passes(self, model: Enformer, dtype: torch.dtype) -> tuple[Sads, Sads]:
        """SADs, and sums of the reference's prediction."""
        predictor = SequencePredictor(model.to(dtype), "human", None, CONVENTIONS, CPU, dtype)
        scorer = DirectScorer(predictor, self.genome)
        sads = []
        predicted = []
        for allele in self.alleles:
            reference, difference = scorer.profiles(allele, _start(allele))
            sads.append(difference.double().sum(dim=0).numpy())
            predicted.append(reference.double().sum(dim=0).numpy())
        return np.array(sads), np.array(predicted)

    def by_differences(self, model: Enformer, arithmetic: Arithmetic) -> Sads:
        """SADs."""
        network = delta_network(model, "human", None, device=CPU, arithmetic=arithmetic)
        scorer = DeltaScorer(network, self.genome, CONVENTIONS, batch_alts=1)
        return np.array([scorer.score([one], _start(one))[0]["sad"] for one in self.alleles])


def _start(allele: Allele) -> int:
    return window_start(allele.start, CONVENTIONS)


def made_genome(folder: Path) -> Genome:
    """A contig of random letters."""
    letters = np.random.default_rng(3).choice(list("ACGT"), CONTIG_BP)
    path = folder / "made.fa"
    path.write_text(f">{CONTIG}\n" + "".join(letters) + "\n")
    return Genome(str(path))


def of_a_to_g(genome: Genome, places: int) -> Variants:
    """A>G, evenly spread over the stretch."""
    codes = np.array(genome.fetch(CONTIG, FIRST, LAST))
    found = FIRST + np.flatnonzero(codes == A)
    chosen = found[:: len(found) // places][:places]
    return Variants(genome, [Allele(CONTIG, int(place), "A", "G") for place in chosen])


def of_every_base(genome: Genome, places: int) -> Variants:
    """SNVs of any base, evenly spread over the stretch."""
    other = dict(zip("ACGT", "CGTA", strict=True))
    alleles = []
    for place in range(FIRST, LAST, (LAST - FIRST) // places):
        ref = "ACGT"[genome.fetch(CONTIG, place, place + 1)[0]]
        alleles.append(Allele(CONTIG, place, ref, other[ref]))
    return Variants(genome, alleles)


@contextmanager
def uncentred() -> Iterator[None]:
    """Keys and values as they are, with what all tokens have in common."""

    def as_they_are(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        return x, torch.zeros_like(x.narrow(dim, 0, 1))

    with mock.patch.object(attention_reference, "centred", as_they_are):
        yield


def relative_errors(found: Sads, truth: Sads) -> np.ndarray:
    """Of each variant, ‖found − truth‖ / ‖truth‖ over tracks."""
    return np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1)


def described(found: Sads, truth: Sads) -> dict[str, float]:
    """Errors over variants, and over all of their tracks."""
    of_variants = relative_errors(found, truth)
    of_tracks = np.abs(found - truth) / np.abs(truth)
    wrong = np.sign(found) != np.sign(truth)
    weakest = np.abs(truth) <= np.quantile(np.abs(truth), 0.1, axis=1, keepdims=True)
    return {
        "relative_l2_median": float(np.median(of_variants)),
        "relative_l2_worst": float(of_variants.max()),
        "of_a_track_median": float(np.median(of_tracks)),
        "of_a_track_90": float(np.quantile(of_tracks, 0.9)),
        "of_a_track_99": float(np.quantile(of_tracks, 0.99)),
        "signs_wrong": float(wrong.mean()),
        "signs_wrong_weakest_decile": float(wrong[weakest].mean()),
    }


def by_effect_size(variants: Variants) -> list[dict[str, Any]]:
    """The first table: a row for each likeness."""
    rows = []
    for likeness in LIKENESS:
        truth, predicted = variants.by_two_passes(mid_model(likeness), torch.float64)
        model = mid_model(likeness)
        found = {
            "direct": variants.by_two_passes(model, torch.float32)[0],
            "exact": variants.by_differences(model, Arithmetic()),
            "fast": variants.by_differences(model, FAST),
        }
        size = float(np.median(np.abs(truth) / predicted))
        rows.append(
            {"effect": size} | {name: described(sads, truth) for name, sads in found.items()}
        )
        print(row_of(rows[-1]), flush=True)
    return rows


def row_of(row: dict[str, Any]) -> str:
    """A line for people."""
    cells = [f"{row['effect']:.1e}"]
    for name in ("direct", "exact", "fast"):
        of = row[name]
        tracks = "/".join(f"{of[f'of_a_track_{at}']:.1e}" for at in ("median", "90", "99"))
        signs = f"{of['signs_wrong']:.2%}/{of['signs_wrong_weakest_decile']:.1%}"
        cells.append(f"{name} {of['relative_l2_median']:.1e} tracks {tracks} signs {signs}")
    return "  ".join(cells)


def by_common_part(variants: Variants) -> list[dict[str, Any]]:
    """The second table: a row for each size of LayerNorm's biases."""
    rows = []
    for bias in BIASES:
        truth, _ = variants.by_two_passes(mid_model(bias=bias), torch.float64)
        row: dict[str, Any] = {"bias": bias}
        for name, context in (("as_is", uncentred()), ("centred", nullcontext())):
            with context:
                sads = variants.by_differences(mid_model(bias=bias), FAST)
            row[name] = described(sads, truth)
        rows.append(row)
        errors = [f"{row[name]['relative_l2_median']:.1e}" for name in ("as_is", "centred")]
        print(f"biases {bias}: fast {errors[0]}, centred {errors[1]}", flush=True)
    return rows


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--places", type=int, default=12, help="SNVs of each row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        genome = made_genome(Path(folder))
        figures = {
            "by_effect_size": by_effect_size(of_a_to_g(genome, options.places)),
            "by_common_part": by_common_part(of_every_base(genome, options.places)),
            "multiplied_in_hardware": choose_arithmetic("fast", CPU) == FAST,
            **circumstances("numpy"),
        }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
