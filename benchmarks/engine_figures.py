"""What the figures of `benchmarks.engine` come to: names of the cases, targets, ratios, and the table for people."""

import statistics
from typing import Any

import numpy as np

from enformer_core.models.enformer_spec import EnformerConfig

CASES = {
    "a": "enformer-pytorch, float32, reference and alternate",
    "b": "enformer-pytorch, bfloat16 autocast",
    "c": "direct, float32",
    "d": "delta fast, centred",
    "e": "delta fast, shared window",
    "f": "delta fast, saturation mutagenesis",
    "g": "enformer-pytorch, bfloat16, compiled",
    "h": "delta fast, shared window, and its indels",
    "i": "delta fast, shared, 13 % indels",
    "j": "delta fast, shared, indels alone",
}
PEER_CASES = ("a", "b", "g")
SAID_OF_STRANDS = {"both": "both strands", "forward": "one strand"}
TARGETS = {  # what is asked of two CPU cores with AVX512-BF16
    "ratio_shared_vs_peer_fp32": (">=", 40),
    "ratio_centred_vs_peer_fp32": (">=", 4),
    "ratio_mixed_vs_snvs": (">=", 0.9),
    "sad_error_fast_median": ("<=", 0.01),
    "sad_error_fast_worst": ("<=", 0.02),
    "sad_error_exact_worst": ("<=", 1e-4),
    "share_of_matmul_rate": (">=", 0.6),
}


def relative_error(found: np.ndarray, truth: np.ndarray) -> float:
    """‖found − truth‖ / ‖truth‖."""
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def delta_flops(config: EnformerConfig) -> float:
    """Multiplications and additions that one alt needs in the transformer and the human head, nothing counted twice.

    The last layer's queries and all that follows are for the predicted bins only.
    """
    tokens, bins, wide = config.geometry.tokens, config.geometry.bins, config.channels
    keys = config.heads * config.key_channels
    total = 0.0
    for layer in range(config.layers):
        queries = bins if layer == config.layers - 1 else tokens
        total += tokens * wide * (keys + wide) + queries * wide * keys  # keys, values, queries
        total += queries * tokens * 3 * keys  # (q + dq) dk, dq k, and the relative part
        total += queries * tokens * 2 * wide  # dP (v + dv), P dv
        total += queries * wide * wide + queries * 4 * wide * wide  # output; perceptron
    total += bins * wide * 2 * wide + bins * 2 * wide * config.output_tracks["human"]
    return 2 * total


def counted(seconds: list[float], device: str) -> list[float]:
    """The rounds that count: on a GPU not the first, in which kernels are compiled, where there is another."""
    return seconds[1:] if device == "cuda" and len(seconds) > 1 else seconds


def summarise(measured: dict[str, Any], memory: dict[str, int]) -> dict[str, Any]:
    """The figures that are looked at first."""
    seconds = {
        case: statistics.median(counted(values, measured["device"]))
        for case, values in measured["seconds"].items()
    }
    rate = statistics.median(measured["flops_per_s"])
    flops = measured["views"] * delta_flops(EnformerConfig())
    peer_s = seconds.get("a")
    fast, exact = measured["errors_fast"].values(), measured["errors_exact"].values()
    return {
        "ratio_shared_vs_peer_fp32": peer_s and peer_s / seconds["e"],
        "ratio_centred_vs_peer_fp32": peer_s and peer_s / seconds["d"],
        "ratio_mutagenesis_vs_shared": seconds["f"] / seconds["e"] if "f" in seconds else None,
        "ratio_mixed_vs_snvs": seconds["e"] / seconds["i"] if "i" in seconds else None,
        "sad_error_fast_median": statistics.median(fast),
        "sad_error_fast_worst": max(fast),
        "sad_error_exact_worst": max(exact),
        "share_of_matmul_rate": flops / seconds["e"] / rate,
        "peak_memory_bytes": memory.get("e"),
        "model": "enformer",
        "delta_flop_per_variant": flops,
        "arithmetic": measured["arithmetic"],
        "matmul_flops_per_s": rate,
        "fp32_matmul_flops_per_s": measured["fp32_flops_per_s"],
        "cases": {
            case: {
                "what": CASES[case],
                "seconds_per_variant": seconds[case],
                "all_rounds": measured["seconds"][case],
                "cpu_seconds": measured["cpu_seconds"][case],
                "variants": measured["variants"][case],
                "sad_error": max(measured["errors"][case].values(), default=None),
                "peak_memory_bytes": memory.get(case),
            }
            for case in seconds
        },
        "sad_errors_fast": measured["errors_fast"],
        "sad_errors_exact": measured["errors_exact"],
    }


def table(figures: dict[str, Any]) -> str:
    """For people."""
    cases = figures["cases"]
    # Without the peer, what it is compared with is our own plain way.
    first = next(case for case in ("a", "c", *cases) if case in cases)
    slowest_s = cases[first]["seconds_per_variant"]
    lines = [
        "",
        f"{SAID_OF_STRANDS[figures['strands']]}; fast: {figures['arithmetic']}",
        f"{'':44}{'s/variant':>10}{f'x ({first})':>8}{'SAD error':>11}{'peak GB':>9}",
    ]
    for case, row in cases.items():
        error = "" if row["sad_error"] is None else f"{row['sad_error']:.1e}"
        seconds, peak = row["seconds_per_variant"], row["peak_memory_bytes"]
        lines.append(
            f"({case}) {row['what']:40}{seconds:>10.3f}{slowest_s / seconds:>8.1f}"
            f"{error:>11}{'' if peak is None else f'{peak / 1e9:.2f}':>9}"
        )
    lines.append("")
    for name, (sign, target) in TARGETS.items():
        if figures[name] is None:
            continue
        met = figures[name] >= target if sign == ">=" else figures[name] <= target
        lines.append(
            f"{name:32}{figures[name]:>10.4g}  asked {sign} {target:<8}{'' if met else 'MISSED'}"
        )
    return "\n".join(lines)
