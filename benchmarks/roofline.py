"""What GPUs can do at most, by their makers' figures: variants a second, bound by products and by memory. Estimates.

    python -m benchmarks.roofline

Nothing is measured here. A variant on both strands is 2 · 0.78 TFLOP of products on differences (`delta_flops`); one in
a window of its own needs the reference beside them, 2 · 3 TFLOP, in float32 or, where convolutions and products go to
tensor cores in two parts, as three products in 16 bits. Memory: what the kernels read and write of each alt, and passes
over the tower's activations. The bound is the larger of both times, as if one hid behind the other perfectly.
"""

from benchmarks.engine_figures import delta_flops
from enformer_core.analyses.throughput import PeakRates, known_hardware
from enformer_core.models.enformer_spec import SPEC, EnformerConfig

STRANDS = 2
SPLIT_PRODUCTS = 3
"""Products in 16 bits that one in float32 is, in two parts."""
TOWER_PASSES = 16
"""Times that a level's activations are read or written: convolution, its parts, pointwise block, pooling."""


CARDS = tuple(row.peaks for row in known_hardware().values() if row.peaks is not None)


def alt_terabytes(config: EnformerConfig) -> float:
    """What one alt moves through memory on one strand, by fused kernels."""
    tokens, wide, heads = config.geometry.tokens, config.channels, config.heads
    keys = heads * config.key_channels
    d = 4 * tokens * wide
    low = 2 * tokens * wide
    # LayerNorm twice (its largest first); projections read it thrice; residual read and written
    shared_by_blocks = 2 * d + low + (2 * d + low)
    projections = 3 * low + 2 * 2 * tokens * keys + low
    # products by distance, of runs of 128 queries: written and read once; weights · dv reads all weights
    by_distance = 2 * 2 * heads * tokens * (tokens + 128)
    carried = 2 * heads * tokens * tokens + low
    values_and_output = 3 * low + 4 * low
    perceptron = low + 2 * low * 2 + 2 * low * 2 + low
    layer = (
        2 * shared_by_blocks + projections + by_distance + carried + values_and_output + perceptron
    )
    tracks = config.output_tracks["human"]
    head = config.geometry.bins * (4 * wide + 4 * 2 * 2 * wide + 16 * tracks)
    return float(config.layers * layer + head) / 1e12


def reference_tflop(config: EnformerConfig) -> float:
    """One pass of the reference on one strand: multiplications and additions."""
    passed = SPEC.pass_operations("human", range(config.output_tracks["human"]))
    return passed.total / 1e12


def tower_terabytes(config: EnformerConfig) -> float:
    """What the reference's tower moves on one strand."""
    length, numbers = config.geometry.window_bp, 0
    for channels in (config.stem_channels, *config.tower_channels):
        numbers += length * channels
        length //= 2
    return 4 * TOWER_PASSES * numbers / 1e12


def bounds(card: PeakRates, config: EnformerConfig) -> dict[str, tuple[float, float]]:
    """Variants a second, by products and by memory, in a shared window and each in a window of its own."""
    alt_s = delta_flops(config) / 1e12 / card.low
    single = card.low / SPLIT_PRODUCTS if card.splits else card.float32
    reference_s = reference_tflop(config) / single
    alt_moved_s = alt_terabytes(config) / card.bandwidth
    reference_moved_s = tower_terabytes(config) / card.bandwidth
    return {
        "shared": (1 / (STRANDS * alt_s), 1 / (STRANDS * alt_moved_s)),
        "centred": (
            1 / (STRANDS * (alt_s + reference_s)),
            1 / (STRANDS * (alt_moved_s + reference_moved_s)),
        ),
    }


def main() -> None:
    """Print the table as docs/engine.md has it."""
    config = EnformerConfig()
    print(
        f"an alt and strand: {delta_flops(config) / 1e12:.2f} TFLOP, {alt_terabytes(config) * 1e3:.1f} GB"
    )
    print(
        f"a reference and strand: {reference_tflop(config):.2f} TFLOP, {tower_terabytes(config) * 1e3:.1f} GB"
    )
    print("| card | shared: products | shared: memory | centred: products | centred: memory |")
    print("|---|---:|---:|---:|---:|")
    for card in CARDS:
        row = bounds(card, config)
        cells = [
            f"{bound:.0f}" if bound >= 10 else f"{bound:.1f}"
            for pair in row.values()
            for bound in pair
        ]
        print(f"| {card.title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
