"""Differences in float16, multiplied by powers of two."""

from dataclasses import replace

import pytest
import torch

from enformer_core.models.enformer import Enformer
from enformer_core.scoring import precision
from enformer_core.scoring.delta.matmul import LinearDifference
from enformer_core.scoring.delta.scaling import Scale, largest_of_each
from enformer_core.scoring.delta.transformer import DeltaTransformer
from enformer_core.scoring.precision import Arithmetic, beyond_range, choose_arithmetic
from tests.support.small_models import ENFORMER, randomised

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("largest", [1e-28, 3e-7, 0.999, 1.0, 1.001, 500.0, 6e4, 1e20])
def test_the_largest_number_is_brought_to_the_top(largest):
    scale = Scale.of(torch.tensor([largest]))
    assert 8 <= largest * float(scale.factor) < 16
    assert float(scale.factor * scale.inverse) == 1.0
    # a power of two: it rounds nothing
    mantissa, _ = torch.frexp(scale.factor)
    assert float(mantissa) == 0.5


def test_what_is_much_the_same_gets_the_same_factor():
    largest = torch.tensor([1.0, 3.0, 15.9, 16.0, 0.99])
    factors = Scale.of(largest, 14, 4).factor
    assert factors.log2().tolist() == [11, 11, 11, 7, 15]


@pytest.mark.parametrize("largest", [0.0, 1e-38, 1e38])
def test_no_factor_leaves_float32(largest):
    scale = Scale.of(torch.tensor(largest))
    assert torch.isfinite(torch.stack([scale.factor, scale.inverse])).all()
    assert float(scale.factor * scale.inverse) == 1.0


def test_each_alt_has_its_own():
    d = torch.tensor([[[1.0, -4.0], [2.0, 0.5]], [[1e-9, 0.0], [0.0, 0.0]]])
    assert torch.equal(largest_of_each(d).flatten(), torch.tensor([4.0, 1e-9]))


@pytest.mark.parametrize("size", [1e-12, 1e-7, 1.0, 1e6])
def test_a_linear_map_errs_alike_at_any_size(size):
    torch.manual_seed(0)
    weight = torch.randn(40, 96) / 10
    d = size * torch.randn(3, 20, 96) * torch.logspace(-4, 0, 20)[:, None]
    found = LinearDifference(weight, torch.float16)(d)
    expected = d.double() @ weight.double().T
    # of each row, though some are ten thousand times smaller than others
    error = (found.double() - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert float(error.max()) < 8e-4


def sad_errors(delta, of_reference, of_change):
    """Of alts' sums over bins, relative to those in float64, by a transformer of 192 channels."""
    wide = {
        "stem_channels": 48,
        "tower_channels": (48, 48, 48, 64, 64, 192),
        "heads": 4,
        "key_channels": 16,
        "output_tracks": {"human": 40, "mouse": 3},
    }
    model = randomised(Enformer(replace(ENFORMER, **wide)))
    torch.manual_seed(1)
    x = of_reference * torch.randn(48, 192, dtype=torch.float64)
    # of one alt, rounding makes more or less by a third
    d = torch.zeros(16, 48, 192, dtype=torch.float64)
    for alt in range(16):
        d[alt, 15 + alt : 19 + alt] = of_change * torch.randn(4, 192)
    sads = []
    with torch.inference_mode():
        for dtype, formats in (
            (torch.float64, Arithmetic(torch.float64, torch.float64)),
            (torch.float32, Arithmetic(delta=delta)),
        ):
            trunk = DeltaTransformer(model.to(dtype).blocks().trunk, "human", None, formats)
            _, found = trunk.propagate(x.to(dtype), d.clone().to(dtype), range(3, 17))
            sads.append(torch.stack([profile.double().sum(dim=0) for profile in found]))
    truth, sad = sads
    return (sad - truth).norm(dim=1) / truth.norm(dim=1)


@pytest.mark.parametrize(("of_reference", "of_change"), [(1.0, 1.0), (1.0, 1e-7), (500.0, 400.0)])
def test_float16_errs_less_than_a_thousandth(of_reference, of_change):
    narrow = sad_errors(torch.float16, of_reference, of_change)
    assert float(narrow.median()) < 1e-3
    wide = sad_errors(torch.bfloat16, of_reference, of_change)
    assert float(wide.median()) > 4 * float(narrow.median())


@pytest.mark.parametrize(
    ("capability", "has_bfloat16", "fast", "beyond"),
    [
        ((9, 0), True, torch.float16, torch.bfloat16),
        # T4 and V100 know no bfloat16
        ((7, 5), False, torch.float16, torch.float32),
        ((7, 0), False, torch.float16, torch.float32),
        # no tensor cores
        ((6, 1), False, torch.float32, torch.float32),
    ],
)
def test_what_fast_comes_to_on_a_gpu(monkeypatch, capability, has_bfloat16, fast, beyond):
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)
    precision._has_tensor_cores.cache_clear()
    precision._has_fast_bfloat16.cache_clear()
    try:
        assert choose_arithmetic("fast", cuda) == Arithmetic(delta=fast)
        assert choose_arithmetic("exact", cuda) == Arithmetic()
        assert beyond_range(cuda) == Arithmetic(delta=beyond)
    finally:
        precision._has_tensor_cores.cache_clear()
        precision._has_fast_bfloat16.cache_clear()
    assert str(Arithmetic(delta=torch.float16)) == "reference float32, differences float16"
