"""Times this machine on pieces of the engine, in full size and with weights by chance: some 20 s, and no files.

Of Enformer's tower a stretch is read, an SNV's few tokens are carried through it, and a window's reference and one
difference go through the first, an inner and the last of the transformer's layers and the head; where the tower says
that those would take too long, through layers of a window a quarter as long. What the whole takes follows from the
operations of each. On CPUs it is one thread's own seconds that count, so that others who compute
meanwhile spoil caches but are not counted; what several threads lose to each other is not counted either.

Does not know plans. Loads torch.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from enformer_core.analyses.cost import MOVED_FLANK
from enformer_core.analyses.speed import Speed
from enformer_core.models.enformer import Enformer
from enformer_core.models.enformer_spec import SPEC, EnformerConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.spec import PassOperations
from enformer_core.scoring import statistics
from enformer_core.scoring.conventions import Policy
from enformer_core.scoring.delta.alternate_tokens import Alternate, fill_differences
from enformer_core.scoring.delta.delta_model import DeltaNetwork, delta_network
from enformer_core.scoring.precision import choose_arithmetic, inference_in_true_float32
from enformer_core.scoring.statistics import Statistic

BUDGET_S = 20.0
"""Time that all pieces may take; each is measured once, also where it is over."""

_LAYERS = 3  # the first reads a few changed tokens, the last writes the predicted bins; one stands for all between
_TOWER_TOKENS = 32  # of a piece, besides those at its ends that lack their surroundings
_MOST_ROUNDS = 5
_STRETCHES = (
    12  # two references and a difference, three layers each, in the tower's piece's operations
)
_ALTS_ON_GPU = 16

# two plain passes take so many times as long as two references of the engine (benchmarks/results: 1.9 on a CPU, 1.7 on
# an H200), which computes in pieces that caches hold
_PLAIN = 1.8


@dataclass(frozen=True)
class Timed:
    """What this machine takes.

    Attributes:
        speed: seconds of one reading of Enformer's parts.
        operations: of the pass that they are of.
        arithmetic: number formats.
        rates: 10¹² operations a second of each piece, of a GPU or of a CPU core.
        spent_s: what it took to find out.
    """

    speed: Speed
    operations: PassOperations
    arithmetic: str
    rates: dict[str, float]
    spent_s: float


@dataclass
class _Clock:
    """Seconds of a piece of work, repeated while there is time."""

    device: torch.device
    budget_s: float
    begun: float
    last_round_s: float = 0.0  # that passed, not that cores were busy

    def seconds(self, piece: Callable[[], object], *, share: float) -> float:
        """The median of some rounds: seconds of a GPU, or core-seconds.

        Args:
            piece: what is timed.
            share: of the budget that has passed when no further round begins.
        """
        if self.device.type == "cuda":
            piece()  # kernels are compiled
        rounds: list[float] = []
        while not rounds or (len(rounds) < _MOST_ROUNDS and self._passed(share)):
            begun = self._now()
            began = time.perf_counter()
            piece()
            rounds.append(self._now() - begun)
            self.last_round_s = time.perf_counter() - began
        return median(rounds)

    def has_time(self, seconds: float) -> bool:
        """Whether so much of the budget is left."""
        return time.perf_counter() - self.begun + seconds <= self.budget_s

    def _now(self) -> float:
        if self.device.type == "cpu":
            return time.thread_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _passed(self, share: float) -> bool:
        return time.perf_counter() - self.begun < share * self.budget_s


def time_this_machine(
    device: torch.device,
    policy: Policy,
    names: tuple[Statistic, ...],
    *,
    config: EnformerConfig | None = None,
    budget_s: float = BUDGET_S,
) -> Timed:
    """Measure the engine's pieces here.

    Args:
        device: where.
        policy: of arithmetic.
        names: of the statistics that each allele gets.
        config: sizes; the published ones by default.
        budget_s: time that may pass.
    """
    begun = time.perf_counter()
    whole = config or EnformerConfig()
    few = replace(whole, layers=_LAYERS, output_tracks={"human": whole.output_tracks["human"]})
    clock = _Clock(device, budget_s, begun)
    alts = _ALTS_ON_GPU if device.type == "cuda" else 1
    with _one_thread(), inference_in_true_float32():
        pieces = _Pieces.of(few, device, policy, names)
        tower_s = clock.seconds(pieces.read_tower, share=0.3)
        tower_tokens = pieces.tower_tokens
        expected_s = _STRETCHES * clock.last_round_s
        patch_s = clock.seconds(pieces.carry_snv_through_tower, share=0.4)
        if not clock.has_time(expected_s):
            few = replace(few, geometry=_quarter(whole.geometry))
            pieces = _Pieces.of(few, device, policy, names)
        trunk_s = clock.seconds(lambda: pieces.propagate(0), share=0.7)
        both_s = clock.seconds(lambda: pieces.propagate(alts), share=1.0)
    alt_s = max(both_s - trunk_s, 0.0) / alts
    of_pieces = _operations(few)
    of_whole = _operations(whole)
    window_tower_s = tower_s * whole.geometry.tokens / tower_tokens
    # from three layers and the head to eleven and the head
    deeper = of_whole.after_tower / of_pieces.after_tower
    rates = {
        "tower": of_whole.tower / window_tower_s / 1e12,
        "reference": of_pieces.after_tower / trunk_s / 1e12,
    }
    if alt_s > 0:
        rates["differences"] = of_pieces.after_tower / alt_s / 1e12
    return Timed(
        speed=_speed(device.type, window_tower_s, trunk_s * deeper, alt_s * deeper + patch_s),
        operations=of_whole,
        arithmetic=str(pieces.network.arithmetic),
        rates=rates,
        spent_s=time.perf_counter() - begun,
    )


def _speed(device: str, tower_s: float, trunk_s: float, snv_s: float) -> Speed:
    return Speed(
        device=device,
        tower_s=tower_s,
        trunk_s=trunk_s,
        snv_s=snv_s,
        shared_indel_s=snv_s,
        centred_indel_s=snv_s + MOVED_FLANK * tower_s,
        direct_s=2 * _PLAIN * (tower_s + trunk_s),
    )


def _quarter(geometry: Geometry) -> Geometry:
    """A window a quarter as long, of which about as large a part is predicted."""
    tokens = geometry.tokens // 4
    bins = tokens - 2 * (geometry.crop_tokens // 4)
    return Geometry(tokens * geometry.bin_bp, geometry.bin_bp, bins)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Of several, one that waits for the others does so in a loop, which looks like work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class _Pieces:
    """A network of few layers, a window of letters by chance, and an SNV amid it."""

    network: DeltaNetwork
    names: tuple[Statistic, ...]
    codes: np.ndarray
    alternate: np.ndarray
    tokens: torch.Tensor
    differences: torch.Tensor

    @classmethod
    def of(
        cls,
        config: EnformerConfig,
        device: torch.device,
        policy: Policy,
        names: tuple[Statistic, ...],
    ) -> "_Pieces":
        """Make them; the same numbers each time."""
        geometry = config.geometry
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Enformer(config).eval().requires_grad_(requires_grad=False).to(device)
            tokens = torch.randn(geometry.tokens, config.channels).to(device)
        arithmetic = choose_arithmetic(policy, device)
        network = delta_network(model, "human", None, device=device, arithmetic=arithmetic)
        codes = np.random.default_rng(0).integers(0, 4, geometry.window_bp, dtype=np.uint8)
        alternate = codes.copy()
        middle = geometry.window_bp // 2
        alternate[middle] = (codes[middle] + 1) % 4
        differences = torch.zeros(1, geometry.tokens, config.channels, device=device)
        changed = slice(geometry.tokens // 2 - 3, geometry.tokens // 2 + 3)  # by an SNV: six
        differences[:, changed] = 1e-3 * tokens[changed]
        return cls(network, names, codes, alternate, tokens, differences)

    @property
    def tower_tokens(self) -> int:
        """Tokens that `read_tower` computes, those at its ends among them."""
        tower = self.network.tower
        return min(_TOWER_TOKENS + 2 * tower.halo_tokens, len(self.tokens))

    def read_tower(self) -> object:
        """A stretch of the reference's tokens."""
        tower = self.network.tower
        return tower.run(self.codes[: self.tower_tokens * tower.token_bp])

    def carry_snv_through_tower(self) -> object:
        """The SNV's own tokens, with the reference around it."""
        d = torch.empty_like(self.differences)
        alternate = Alternate(0, self.alternate)
        fill_differences(self.network.tower, self.tokens, self.codes, [alternate], d)
        return d

    def propagate(self, alts: int) -> object:
        """A reference through the layers and the head, and so many differences, with their statistics."""
        d = self.differences.repeat(alts, 1, 1)
        bins = range(self.network.geometry.bins)
        prediction, differences = self.network.trunk.propagate(self.tokens, d, bins)
        reference = statistics.Reference(prediction)
        return [statistics.compute(reference, each, self.names) for each in differences]


def _operations(config: EnformerConfig) -> PassOperations:
    tracks = range(config.output_tracks["human"])
    return replace(SPEC, config=config, operations=None).count_operations("human", tracks)
