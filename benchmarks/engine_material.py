"""What `benchmarks.engine` measures with: the model with seeded weights, the peer, real sequence, sets of variants."""

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file
from torch import Tensor

from enformer_core.freed_memory import keep_freed_memory
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.geometry import ENFORMER
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.conventions import Conventions, Policy, Strands
from enformer_core.scoring.delta.delta_model import DeltaNetwork, delta_network
from enformer_core.scoring.delta.memory import Allowance
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import Allele
from enformer_core.variants.source import open_source

CENTRE_INDEX = ENFORMER.window_bp // 2 - 1
STRETCH_START_BP = 5_440_000
MUTATED_BP = 100

SHARED = Path(__file__).parents[2] / "shared"


def data_dir() -> Path:
    """Real sequence and variants."""
    return Path(os.environ.get("ENFORMER_RAY_DATA", SHARED / "data"))


def golden_dir() -> Path:
    """Outputs of the original programs."""
    return Path(os.environ.get("ENFORMER_RAY_GOLDEN", SHARED / "golden"))


class Bench:
    """The model, the sequence and the variants, each loaded when first used.

    Attributes:
        allowance: what a scorer of shared windows may hold.
        policy: of all cases of ours but `direct`; "exact" is what "fast" comes to on a CPU without bfloat16.
        stretch_bp: where variants share windows.
        every_bp: how far apart they lie there, on average; None for all that are known.
        weights: the file of the seeded ones.
        strands: which are read.
        device: where all of it computes.
    """

    allowance: Allowance | None = None

    policy: Policy = "fast"
    stretch_bp: int = 40_000
    every_bp: int | None = None

    def __init__(self, weights: Path, strands: Strands, device: torch.device) -> None:
        self.weights = weights
        self.device = device
        self.strands: Strands = strands
        self._data = data_dir()
        self._golden_dir = golden_dir()

    @cached_property
    def genome(self) -> Genome:
        """GRCh38 chr20, its first 10 Mb."""
        return Genome(str(self._data / "reference" / "grch38.chr20_and_21_10M.fa.gz"))

    @cached_property
    def golden(self) -> dict[str, tuple[Allele, np.ndarray]]:
        """The golden SNVs and their true SADs; averaged over both strands there are fewer."""
        golden = np.load(self._golden_dir / "enformer_seed0.npz")
        ids, sads = "variant_ids", "SAD_f64_human"
        if self.strands == "both":
            ids, sads = "rcavg_ids", "rcavg_SAD_f64_human"
        truth = dict(zip(golden[ids].tolist(), golden[sads], strict=True))
        variants = zip(
            *(golden[f"variant_{name}"].tolist() for name in ("ids", "pos", "ref", "alt")),
            strict=True,
        )
        return {
            name: (Allele("chr20", pos - 1, ref, alt), truth[name])
            for name, pos, ref, alt in variants
            if len(ref) == len(alt) == 1 and name in truth
        }

    @cached_property
    def stretch(self) -> list[Allele]:
        """SNVs of the real sites in one stretch: every one, or of their order as many as are asked for."""
        known = [each for each in self.mixed if len(each.ref) == len(each.alt) == 1]
        if self.every_bp is None:
            return known
        count = min(len(known), self.stretch_bp // self.every_bp)
        return [known[number * len(known) // count] for number in range(count)]

    @cached_property
    def mixed(self) -> list[Allele]:
        """Every allele of the real sites in that stretch."""
        source = open_source(self._data / "variants" / "grch38_chr20_1-10M_rsids.vcf.gz")
        table = pa.concat_tables(source.batches())
        rows = table.select(["start", "input_ref", "input_alt"]).to_pylist()
        return [
            Allele("chr20", row["start"], row["input_ref"], row["input_alt"])
            for row in rows
            if 0 <= row["start"] - STRETCH_START_BP < self.stretch_bp
        ]

    @cached_property
    def mutations(self) -> list[Allele]:
        """Every SNV of 100 bp."""
        first = STRETCH_START_BP + self.stretch_bp // 2
        reference = [
            "ACGTN"[code] for code in self.genome.fetch("chr20", first, first + MUTATED_BP)
        ]
        return [
            Allele("chr20", first + at, ref, alt)
            for at, ref in enumerate(reference)
            for alt in "ACGT"
            if alt != ref
        ]

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """The seeded weights, mapped from their file as a user's are."""
        return load_file(self.weights)

    @cached_property
    def model(self) -> SequenceModel:
        """Ours."""
        return ModelSource("enformer", str(self.weights)).build(self.device)

    @cached_property
    def peer(self) -> Any:
        """enformer-pytorch as its users make it, with the same weights."""
        from enformer_pytorch import modeling_enformer  # not a dependency: see the Makefile

        model = modeling_enformer.Enformer.from_hparams(use_tf_gamma=True)
        missing, unexpected = model.load_state_dict(self.state, strict=False)
        if unexpected or any(not key.startswith("_trunk.") for key in missing):
            sys.exit(f"enformer-pytorch: missing {missing}, unexpected {unexpected}")
        return model.eval().to(self.device)

    @cached_property
    def compiled_peer(self) -> Any:
        """The same, compiled when it first runs."""
        return torch.compile(self.peer)

    def network(self, policy: Policy) -> DeltaNetwork:
        """Our model taken apart; the process, and the peer within it, keeps its memory from then on, as workers do."""
        if self.device.type == "cpu":
            keep_freed_memory()
        return delta_network(
            self.model,
            "human",
            None,
            device=self.device,
            arithmetic=choose_arithmetic(policy, self.device),
        )

    @cached_property
    def fast(self) -> DeltaNetwork:
        """The network of the policy that is measured."""
        return self.network(self.policy)


def conventions(strands: Strands, max_offset_bp: int = 0) -> Conventions:
    """SAD."""
    return Conventions(
        geometry=ENFORMER,
        statistics=("sad",),
        centre_index=CENTRE_INDEX,
        strands=strands,
        max_offset_bp=max_offset_bp,
    )


def shared(strands: Strands) -> Conventions:
    """SAD in windows that variants share as far as bins reach."""
    return conventions(strands, max_offset_bp=ENFORMER.output_bp // 2)
