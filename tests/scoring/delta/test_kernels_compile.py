"""Kernels of rules and of products, in the forms that float16 needs, compiled for devices that need not be there."""

import importlib
import importlib.util

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[dev]'",
)

WARPS = 8
RULES = "enformer_core.scoring.delta.fused_rules_kernel"
SPLIT = "enformer_core.scoring.delta.split_convolution_kernel"

SINGLE = ("x", "weight", "scale", "bias", "of_x", "of_kernel")
"""Arguments that are in float32 wherever they occur, as is what takes factors away or puts them on."""
FACTORS = ("factors", "inverses", "taken", "given")

CASES = {
    "largest of a LayerNorm": (
        f"{RULES}:layer_norm_difference_kernel",
        {"d": "*fp32", "out": "*fp32", "eps": "fp32"},
        {"WIDTH": 2048, "SCALED": False, "LARGEST": True},
    ),
    "LayerNorm": (
        f"{RULES}:layer_norm_difference_kernel",
        {"d": "*fp32", "out": "*fp16", "eps": "fp32"},
        {"WIDTH": 2048, "SCALED": True, "LARGEST": False},
    ),
    "ReLU": (f"{RULES}:relu_difference_kernel", {"d": "*fp16"}, {"BLOCK": 4096, "SCALED": True}),
    "GELU": (
        f"{RULES}:gelu_difference_kernel",
        {"d": "*fp16", "out": "*fp16"},
        {"SCALED": True, "FACTORED": True, "BLOCK": 1024},
    ),
    "softplus": (
        f"{RULES}:softplus_difference_kernel",
        {"d": "*fp16", "out": "*fp32"},
        {"FACTORED": True, "BLOCK": 1024},
    ),
    "parts": (f"{SPLIT}:split_kernel", {"parts": "*fp16"}, {"BLOCK": 2048}),
    "products": (
        f"{SPLIT}:split_convolution_kernel",
        {"x": "*fp16", "kernel": "*fp16", "out": "*fp32"},
        {"WIDTH": 1, "HAS_BIAS": True, "BY_ROW": True}
        | {"BLOCK_POSITIONS": 128, "BLOCK_OUTPUTS": 128, "BLOCK_INPUTS": 32},
    ),
}


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("case", CASES)
def test_kernel_compiles(monkeypatch, tmp_path, case, capability):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton  # noqa: PLC0415
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    place, given, constants = CASES[case]
    module, _, name = place.partition(":")
    kernel = getattr(importlib.import_module(module), name)
    types = dict.fromkeys((*SINGLE, *FACTORS), "*fp32") | given
    names = kernel.arg_names
    signature = {each: types.get(each, "i32") for each in names}
    signature |= dict.fromkeys(constants, "constexpr")
    values = {(names.index(each),): value for each, value in constants.items()}
    # as tensors lie in memory; without it, loads are narrow and compile slowly
    aligned = {
        (at,): [["tt.divisibility", 16]]
        for at, each in enumerate(names)
        if types.get(each, "").startswith("*") or each in {"inputs", "outputs"}
    }
    compiled = triton.compile(
        ASTSource(kernel, signature, values, aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": WARPS},
    )
    assert f".target sm_{capability}" in compiled.asm["ptx"]
