"""Times this machine on pieces of the engine, in full size and with weights by chance: some 20 s, and no files.

Of Enformer's tower a stretch is read, an SNV's few tokens are carried through it, and a window's reference and one
difference go through the first, an inner and the last of the transformer's layers and the head; where the tower says
that two rounds of those would take too long, through layers of a window a quarter as long. What the whole takes follows
from the operations of each. Pieces are timed in turns (`timed_rounds`) until rounds agree or the time is up; what they
differ by says how sure the estimate is. On CPUs it is one thread's own seconds that count, so that others who compute
meanwhile spoil caches but are not counted; what several threads lose to each other is not counted either.

Does not know plans. Loads torch.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from enformer_core.analyses.cost import MOVED_FLANK
from enformer_core.analyses.speed import Speed
from enformer_core.analyses.timed_rounds import Lap, Stopwatch, agree, in_turns, spread
from enformer_core.freed_memory import keep_freed_memory
from enformer_core.models.blocks import TransformerTrunk
from enformer_core.models.enformer import Enformer
from enformer_core.models.enformer_spec import SPEC, EnformerConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.spec import PassOperations
from enformer_core.scoring import statistics
from enformer_core.scoring.conventions import Policy
from enformer_core.scoring.delta.alternate_tokens import Alternate, fill_differences
from enformer_core.scoring.delta.delta_model import Trunk, trunk_of
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.delta.tower_levels import levels_of
from enformer_core.scoring.precision import choose_arithmetic, inference_in_true_float32
from enformer_core.scoring.statistics import Statistic

BUDGET_S = 20.0
"""Time that all of it should take. What cannot be left out is done also where it is over: one round of a quarter."""

_LAYERS = 3  # the first reads a few changed tokens, the last writes the predicted bins; one stands for all between
_TOWER_TOKENS = 32  # of a piece, besides those at its ends that lack their surroundings
_STRETCHES = 12  # a round with layers of a whole window, in the tower's piece's operations
_FEWEST_ROUNDS = 2  # of a whole window; of one alone nobody knows how sure it is
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
        rounds: how often each piece was timed.
        spread: half of what rounds differ by, as a part of their median: of a window's own seconds or of an SNV's
            beside it, whichever differ more; None of a single round.
        length: part of a window that went through the transformer's layers.
    """

    speed: Speed
    operations: PassOperations
    arithmetic: str
    rates: dict[str, float]
    rounds: int
    spread: float | None
    length: float


def stopwatch(device: torch.device, *, ends: float) -> Stopwatch:
    """The clocks of a device: of a CPU the thread's own seconds, of a GPU what passes until it is done.

    Args:
        device: which.
        ends: of `time.perf_counter`, when the time is up.
    """

    def of_gpu() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    worked = time.thread_time if device.type == "cpu" else of_gpu
    return Stopwatch(time.perf_counter, worked, ends)


def time_this_machine(
    device: torch.device,
    policy: Policy,
    names: tuple[Statistic, ...],
    watch: Stopwatch,
    *,
    config: EnformerConfig | None = None,
) -> Timed:
    """Measure the engine's pieces here.

    Args:
        device: where.
        policy: of arithmetic.
        names: of the statistics that each allele gets.
        watch: its clocks, and when the time is up.
        config: sizes; the published ones by default.
    """
    whole = config or EnformerConfig()
    few = replace(whole, layers=_LAYERS, output_tracks={"human": whole.output_tracks["human"]})
    arithmetic = choose_arithmetic(policy, device)
    if device.type == "cpu":
        keep_freed_memory()  # as workers do
    with _one_thread(), inference_in_true_float32():
        model = _model(few, device)
        tower = _TowerPiece.of(model, few.channels, device, arithmetic.reference)
        if device.type == "cuda":
            tower.read()  # kernels are compiled
        read = watch.lap(tower.read)
        geometry = whole.geometry
        if not watch.has_time(_FEWEST_ROUNDS * _STRETCHES * read.passed_s):
            geometry = _quarter(geometry)
        block = model.blocks().trunk
        assert isinstance(block, TransformerTrunk), "Enformer's"
        trunk = trunk_of(replace(block, geometry=geometry), "human", None, arithmetic)
        layers = _LayersPiece.of(trunk, geometry, few.channels, device, names)
        of_pieces = operations_after_tower(replace(few, geometry=geometry))
        of_whole = _operations(whole)
        # from a piece to a window, and from three layers and the head to eleven and the head
        longer = whole.geometry.tokens / tower.tokens_read
        deeper = of_whole.after_tower / of_pieces
        rounds = _Rounds.of(tower, layers, watch, read, longer=longer, deeper=deeper)
    return Timed(
        speed=rounds.speed(device.type),
        operations=of_whole,
        arithmetic=str(arithmetic),
        rates=rounds.rates(of_whole),
        rounds=len(rounds.tower_s),
        spread=rounds.spread(),
        length=geometry.tokens / whole.geometry.tokens,
    )


@dataclass(frozen=True)
class _Rounds:
    """What every round says of the whole network.

    Attributes:
        tower_s: seconds of a window's tower.
        trunk_s: of its layers and head.
        difference_s: of a difference in these.
        snv_s: of an SNV: the same, and its own tokens.
    """

    tower_s: list[float]
    trunk_s: list[float]
    difference_s: list[float]
    snv_s: list[float]

    @classmethod
    def of(
        cls,
        tower: "_TowerPiece",
        layers: "_LayersPiece",
        watch: Stopwatch,
        read: Lap,
        *,
        longer: float,
        deeper: float,
    ) -> "_Rounds":
        """Time all pieces in turns, until rounds agree or the time is up.

        Args:
            tower: a stretch of it.
            layers: some of them.
            watch: clocks.
            read: what the stretch took the first time.
            longer: times that a window is as long as the stretch.
            deeper: times that the whole has as many operations as the layers.
        """
        alts = 1
        if layers.tokens.device.type == "cuda":
            alts = _ALTS_ON_GPU
            tower.carry_snv()  # kernels are compiled
            layers.propagate(alts)
        rounds = cls([], [], [], [])
        pieces = (
            tower.read,
            tower.carry_snv,
            lambda: layers.propagate(0),
            lambda: layers.propagate(alts),
        )
        for read_s, patch_s, reference_s, both_s in in_turns(pieces, watch, [read]):
            difference_s = max(both_s - reference_s, 0.0) / alts * deeper
            rounds.tower_s.append(read_s * longer)
            rounds.trunk_s.append(reference_s * deeper)
            rounds.difference_s.append(difference_s)
            rounds.snv_s.append(difference_s + patch_s)
            if rounds.agree():
                break
        return rounds

    @property
    def _figures(self) -> Sequence[Sequence[float]]:
        # hours of any plan are a sum of both, no less sure than the less sure one
        window_s = [sum(parts) for parts in zip(self.tower_s, self.trunk_s, strict=True)]
        return window_s, self.snv_s

    def agree(self) -> bool:
        """Whether further rounds would say the same."""
        return agree(self._figures)

    def spread(self) -> float | None:
        """Of the figure that differs more."""
        spreads = [spread(seconds) for seconds in self._figures]
        known = [each for each in spreads if each is not None]
        return max(known, default=None)

    def rates(self, operations: PassOperations) -> dict[str, float]:
        """10¹² operations a second, where it took any."""
        seconds = {
            "tower": (operations.tower, median(self.tower_s)),
            "reference": (operations.after_tower, median(self.trunk_s)),
            "differences": (operations.after_tower, median(self.difference_s)),
        }
        return {name: flop / took_s / 1e12 for name, (flop, took_s) in seconds.items() if took_s}

    def speed(self, device: str) -> Speed:
        """By the median of each."""
        return _speed(device, median(self.tower_s), median(self.trunk_s), median(self.snv_s))


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


def _model(config: EnformerConfig, device: torch.device) -> Enformer:
    """A network of few layers; the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Enformer(config).eval().requires_grad_(requires_grad=False).to(device)


def _tokens(geometry: Geometry, channels: int, device: torch.device) -> torch.Tensor:
    """A window's tokens by chance; the same each time."""
    drawn = torch.randn(geometry.tokens, channels, generator=torch.Generator().manual_seed(1))
    return drawn.to(device)


@dataclass(frozen=True)
class _TowerPiece:
    """The tower, a window of letters by chance, and an SNV amid it."""

    tower: Tower
    codes: np.ndarray
    alternate: np.ndarray
    tokens: torch.Tensor

    @classmethod
    def of(
        cls,
        model: Enformer,
        channels: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "_TowerPiece":
        """Make it; the same numbers each time."""
        geometry = model.geometry
        codes = np.random.default_rng(0).integers(0, 4, geometry.window_bp, dtype=np.uint8)
        alternate = codes.copy()
        middle = geometry.window_bp // 2
        alternate[middle] = (codes[middle] + 1) % 4
        tower = Tower(levels_of(model), geometry.token_bp, device, dtype)
        tokens = _tokens(geometry, channels, device)
        return cls(tower, codes, alternate, tokens)

    @property
    def tokens_read(self) -> int:
        """Tokens that `read` computes, those at its ends among them."""
        return min(_TOWER_TOKENS + 2 * self.tower.halo_tokens, len(self.tokens))

    def read(self) -> object:
        """A stretch of the reference's tokens."""
        return self.tower.run(self.codes[: self.tokens_read * self.tower.token_bp])

    def carry_snv(self) -> object:
        """The SNV's own tokens, with the reference around it."""
        d = torch.empty_like(self.tokens)[None]
        fill_differences(self.tower, self.tokens, self.codes, [Alternate(0, self.alternate)], d)
        return d


@dataclass(frozen=True)
class _LayersPiece:
    """Layers and head, the tokens of a window by chance, and what an SNV amid it changes of them."""

    trunk: Trunk
    bins: range
    names: tuple[Statistic, ...]
    tokens: torch.Tensor
    differences: torch.Tensor

    @classmethod
    def of(
        cls,
        trunk: Trunk,
        geometry: Geometry,
        channels: int,
        device: torch.device,
        names: tuple[Statistic, ...],
    ) -> "_LayersPiece":
        """Make it; the same numbers each time."""
        tokens = _tokens(geometry, channels, device)
        differences = torch.zeros_like(tokens)[None]
        changed = slice(geometry.tokens // 2 - 3, geometry.tokens // 2 + 3)  # by an SNV: six
        differences[:, changed] = 1e-3 * tokens[changed]
        return cls(trunk, range(geometry.bins), names, tokens, differences)

    def propagate(self, alts: int) -> object:
        """A reference through the layers and the head, and so many differences, with their statistics."""
        d = self.differences.repeat(alts, 1, 1)
        prediction, differences = self.trunk.propagate(self.tokens, d, self.bins)
        reference = statistics.Reference(prediction)
        return [statistics.compute(reference, each, self.names) for each in differences]


def operations_after_tower(config: EnformerConfig) -> int:
    """Operations from tokens to the human tracks; what counts them on the graph takes seconds to load."""
    tokens, wide = config.geometry.tokens, config.channels
    keys = config.heads * config.key_channels
    distances = 2 * tokens - 1
    projections = tokens * wide * (2 * keys + 2 * wide)
    by_distance = distances * keys * (config.positional_features + tokens)
    by_key = tokens * tokens * (keys + wide)
    perceptron = tokens * 2 * wide * 2 * wide
    layer = projections + by_distance + by_key + perceptron
    head = config.geometry.bins * 2 * wide * (wide + config.output_tracks["human"])
    return 2 * (config.layers * layer + head)


def _operations(config: EnformerConfig) -> PassOperations:
    tracks = range(config.output_tracks["human"])
    if config == SPEC.config:
        return SPEC.pass_operations("human", tracks)
    return replace(SPEC, config=config, operations=None).count_operations("human", tracks)
