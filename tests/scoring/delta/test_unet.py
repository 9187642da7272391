"""A trunk with doublings, carried by differences, against two plain passes of the network; in 64 bits, and in 16."""

import numpy as np
import pytest
import torch

from enformer_core.models.borzoi_spec import RotarySize, UNetSize
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import one_hot
from enformer_core.scoring.delta import doubling, unet_head
from enformer_core.scoring.delta.doubling import Piece, touched_run
from enformer_core.scoring.delta.row_rules import Read, RowConvolution, RowNorm
from enformer_core.scoring.delta.unet import DeltaUNet, layout_of
from enformer_core.scoring.precision import Arithmetic
from tests.support.small_models import BORZOI, small_borzoi

pytestmark = pytest.mark.usefixtures("one_thread")

FLOAT64 = Arithmetic(torch.float64, torch.float64)


def geometry(bin_bp, per_token, crop_bins):
    window_bp = 48 * bin_bp * per_token
    return Geometry(window_bp, bin_bp, 48 * per_token - 2 * crop_bins, per_token)


SIZES = {
    "as published": {},
    "without a dense layer or a final block": {
        "unet": (UNetSize(dense_incoming=False), UNetSize(dense_incoming=False)),
        "final_channels": None,
    },
    "rotary attention, a key for three heads": {
        "heads": 6,
        "rotary": RotarySize(key_heads=2, rotated_channels=2, base=9.0),
    },
    "a wide last convolution": {"final_width": 3},
    "wider doublings": {"unet": (UNetSize(width=5), UNetSize(width=7))},
    "one doubling, two convolutions, a stem that pools 8": {
        "geometry": geometry(32, 2, 9),
        "stem_pool": 8,
        "tower_channels": (9, 10, 24),
        "tower_convolutions": 2,
        "unet": (UNetSize(),),
        "heads": 4,
    },
    "three doublings, nothing cropped": {
        "geometry": geometry(16, 8, 0),
        "unet": (UNetSize(), UNetSize(dense_incoming=False), UNetSize()),
        "final_width": 5,
        "trained_tokens": 96,
    },
}


def letters_of(config, *, changed=()):
    codes = np.random.default_rng(1).integers(0, 4, config.geometry.window_bp, dtype=np.uint8)
    for place in changed:
        codes[place] = (codes[place] + 1) % 4
    return one_hot(torch.from_numpy(codes)[None], torch.float64)


def rows_of(model, letters, layout):
    """What a tower gives a trunk."""
    tokens, skips = model._read(letters)
    return layout.joined(tokens[0], [skip[0].T for skip in skips])


def of_trunk(model, changes, bins, arithmetic=FLOAT64, *, tracks=None):
    """The reference's prediction in some bins and the differences of alts, with what two passes say of them."""
    with torch.inference_mode():
        reference = letters_of(model.config)
        alts = [letters_of(model.config, changed=places) for places in changes]
        index = None if tracks is None else torch.tensor(tracks)
        plain = [model(letters, "human", index)[0] for letters in (reference, *alts)]
        trunk = DeltaUNet(model.to(arithmetic.reference).blocks().trunk, "human", index, arithmetic)
        layout = layout_of(model.blocks().trunk)
        model.double()
        x = rows_of(model, reference, layout)
        d = torch.stack([rows_of(model, letters, layout) - x for letters in alts])
        model.to(arithmetic.reference)
        wide = arithmetic.reference
        prediction, differences = trunk.propagate(x.to(wide), d.to(wide), bins)
        found = list(differences)
    some = slice(bins.start, bins.stop)
    return (
        prediction,
        found,
        plain[0][some],
        [of_alt[some] - plain[0][some] for of_alt in plain[1:]],
    )


def check(prediction, found, plain, expected, bound=1e-9):
    assert (prediction - plain).norm() <= bound * plain.norm()
    for difference, change in zip(found, expected, strict=True):
        assert change.norm() > 0
        assert (difference - change).norm() <= bound * change.norm()


CHANGES = ((3000,), (3000, 3001, 3005), (0,), tuple(range(0, 1500, 3)))
"""In the middle, at the window's first base, and everywhere in a quarter of it."""


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_differences_are_those_of_two_passes(sizes):
    model = small_borzoi(**sizes)
    check(*of_trunk(model, CHANGES, range(model.geometry.bins)))


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("bins", [range(1), range(1, 8), range(37, 44), range(-1, 0)])
def test_some_bins_are_those_of_all(sizes, bins):
    model = small_borzoi(**sizes)
    count = model.geometry.bins
    bins = range(bins.start % count, bins.stop or count)
    check(*of_trunk(model, CHANGES[:2], bins))


SLIPS = {
    "the skip is forgotten": (doubling, "touched_run", lambda d: range(0)),
    "the skip's last row is forgotten": (
        doubling,
        "touched_run",
        lambda d: range(touched_run(d).start, touched_run(d).stop - 1),
    ),
    "pairs begin at the first incoming row": (
        Piece,
        "doubled",
        lambda self, rows: rows.repeat_interleave(2, dim=0)[: len(self.read.inputs)],
    ),
    "norms shift differences": (RowNorm, "difference", RowNorm.__call__),
    "the activation is linear": (doubling, "tanh_gelu_difference", lambda x, d: d),
    "the last activation is linear": (unet_head, "tanh_gelu_difference", lambda x, d: d),
    "the last convolution keeps its bias": (RowConvolution, "difference", RowConvolution.__call__),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_slips_are_caught(slip, monkeypatch):
    monkeypatch.setattr(*slip)
    model = small_borzoi()
    with pytest.raises(AssertionError):
        check(*of_trunk(model, CHANGES[:2], range(38, 45)))


def test_tracks_are_computed_some_at_a_time(monkeypatch):
    model = small_borzoi(output_tracks={"human": 40})
    whole = of_trunk(model, CHANGES, range(82))
    monkeypatch.setattr(unet_head, "NUMBERS_TOGETHER", 1)  # 16 tracks
    parts = of_trunk(model, CHANGES, range(82))
    check(*parts)
    for one, other in zip(whole[1], parts[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15)
    some = of_trunk(model, CHANGES, range(82), tracks=(39, 0, 7))
    check(*some)
    torch.testing.assert_close(some[1][0], whole[1][0][:, [39, 0, 7]], rtol=1e-12, atol=1e-15)


def test_a_part_that_vanishes_keeps_its_digits_beside_others(monkeypatch):
    model = small_borzoi(output_tracks={"human": 40})
    with torch.no_grad():
        model.heads["human"].weight[20:].mul_(600)  # of the second part and the third
    monkeypatch.setattr(unet_head, "NUMBERS_TOGETHER", 1)
    single = Arithmetic()
    _, (found,), plain, (expected,) = of_trunk(model, [CHANGES[3]], range(82), single)
    assert found.dtype == torch.float64
    assert (found - expected).norm() <= 1e-4 * expected.norm()
    vanished = expected < (2.0**-12 - 1) * plain
    assert vanished.any()


@pytest.mark.parametrize(
    ("delta", "bound"), [(torch.float32, 1e-4), (torch.bfloat16, 0.03), (torch.float16, 4e-3)]
)
def test_fewer_bits_cost_few_digits(delta, bound):
    for sizes in ("as published", "a wide last convolution"):
        model = small_borzoi(**SIZES[sizes])
        _, found, _, expected = of_trunk(model, CHANGES[:2], range(82), Arithmetic(delta=delta))
        for difference, change in zip(found, expected, strict=True):
            assert (difference - change).norm() < bound * change.norm()


def test_an_alt_does_not_depend_on_those_beside_it():
    model = small_borzoi()
    together = of_trunk(model, CHANGES, range(5, 70))[1]
    for alone, changed in zip(together, CHANGES, strict=True):
        (one,) = of_trunk(model, [changed], range(5, 70))[1]
        assert torch.equal(one, alone)


def test_what_is_read_for_some_outputs():
    # 2 outputs of 20, the last among them, reach 1: three inputs, and one row of zeros behind them
    read = Read.of(range(18, 20), reach=1, length=20)
    assert read.inputs == range(17, 20)
    assert read.padded(torch.ones(3, 1)).flatten().tolist() == [1, 1, 1, 0]
    # the sum 3 … 7 of positions taken twice: 1 1 2 2 3 3 without the first 1
    piece = Piece.of(range(4, 6), reach=1, length=20)
    assert (piece.incoming, piece.read.inputs) == (range(1, 4), range(3, 7))
    assert piece.doubled(torch.tensor([[1.0], [2.0], [3.0]])).flatten().tolist() == [1, 2, 2, 3]


def test_the_rows_that_a_change_touched():
    d = torch.zeros(6, 2)
    assert touched_run(d) == range(0)
    d[2, 1] = 1e-30
    d[4, 0] = -1.0
    assert touched_run(d) == range(2, 5)


def test_a_row_holds_what_each_doubling_adds():
    layout = layout_of(small_borzoi().blocks().trunk)
    parts = [(part.per_token, part.channels) for part in layout.skips]
    assert (layout.channels, parts) == (BORZOI.channels, [(2, 24), (4, 16)])
