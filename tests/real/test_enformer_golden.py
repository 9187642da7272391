"""The published size agrees with the original program, to the tolerances that came with its outputs."""

import hashlib

import numpy as np
import pytest
import torch

from enformer_core.models.geometry import ENFORMER
from enformer_core.models.layers import one_hot
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.statistics import compute
from enformer_core.scoring.windows import Allele, Window, alternate_sequence, reference_sequence
from tests.support.closeness import relative_l2

STATISTICS = {
    "sad": ("SAD", 2e-3),
    "log_sad": ("logSAD", 2e-3),
    "log_d2": ("logD2", 3e-4),
    "sax": ("SAX", 1e-3),
}


def allele(golden, row):
    ref, alt = (str(golden[f"variant_{name}"][row]) for name in ("ref", "alt"))
    return Allele("chr20", int(golden["variant_pos"][row]) - 1, ref, alt)


def digest(codes):
    return hashlib.md5(
        one_hot(torch.from_numpy(codes.copy())[None], torch.float32)[0].byte().numpy().tobytes()
    ).hexdigest()


def test_windows_are_those_of_the_original(golden, chr20):
    for row, start in enumerate(golden["window_start0"].tolist()):
        reference = reference_sequence(chr20, "chr20", Window(start), 196_608)
        alternate = alternate_sequence(chr20, allele(golden, row), Window(start), 196_608)
        assert int((reference == 4).sum()) == golden["window_n_count"][row]
        assert digest(reference) == str(golden["onehot_md5_ref"][row])
        assert digest(alternate) == str(golden["onehot_md5_alt"][row])


def embedded(enformer, codes):
    with torch.inference_mode():
        return enformer.embed(one_hot(torch.from_numpy(codes.copy())[None], torch.float32))


@pytest.fixture(scope="module")
def snv1(golden):
    """One SNV: its row and the start of its window."""
    row = golden["variant_ids"].tolist().index("snv1")
    return row, int(golden["window_start0"][row])


@pytest.fixture(scope="module")
def reference(snv1, chr20, enformer):
    """The embedding of its reference, in float32; `make test` reads both alleles by differences (test_delta_golden)."""
    codes = reference_sequence(chr20, "chr20", Window(snv1[1]), 196_608)
    return embedded(enformer, codes)


@pytest.fixture(scope="module")
def alternate(golden, snv1, chr20, enformer):
    """The embedding of its alternate."""
    row, start = snv1
    codes = alternate_sequence(chr20, allele(golden, row), Window(start), 196_608)
    return embedded(enformer, codes)


def head(enformer, embedding, name):
    with torch.inference_mode():
        return torch.nn.functional.softplus(enformer.head(name)(embedding))[0]


@pytest.mark.full
def test_embedding(golden, reference):
    found = reference[0][:, golden["channels_embedding"]]
    assert relative_l2(found, golden["embedding_f64"]) < 5e-5


@pytest.mark.full
@pytest.mark.parametrize("name", ["human", "mouse"])
def test_predictions(golden, enformer, reference, name):
    found = head(enformer, reference, name)[:, golden[f"tracks_{name}"]].numpy()
    expected = golden[f"pred_f64_{name}"]
    assert relative_l2(found, expected) < 5e-5
    assert np.abs(found - expected).max() < 1e-3
    assert relative_l2(found - found.mean(axis=0), expected - expected.mean(axis=0)) < 3e-4


@pytest.mark.full
@pytest.mark.parametrize("name", ["human", "mouse"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_statistics_of_an_snv(golden, enformer, snv1, reference, alternate, name, statistic):
    row, _ = snv1
    ref, alt = (head(enformer, embedding, name).double() for embedding in (reference, alternate))
    found = compute(ref, alt - ref, [statistic])[statistic].numpy()
    check(statistic, found, golden, f"f64_{name}", row)


def check(statistic, found, golden, which, row, prefix=""):
    original, tolerance = STATISTICS[statistic]
    expected = golden[f"{prefix}{original}_{which}"][row]
    if statistic == "sax":  # the sign flips where the largest rise and fall are nearly equal
        found, expected = np.abs(found), np.abs(expected)
    error = relative_l2(found, expected)
    print(f"{prefix}{statistic} {which} row {row}: relative L2 {error:.1e}")
    assert error < tolerance


def scorer(model, device, genome, name, strands):
    conventions = Conventions(
        geometry=ENFORMER, statistics=tuple(STATISTICS), centre_index=98_303, strands=strands
    )
    predictor = SequencePredictor(
        model=model, head=name, tracks=None, conventions=conventions, device=device
    )
    return DirectScorer(predictor, genome)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "row"), [*(("human", row) for row in range(7)), ("mouse", 1), ("mouse", 4)]
)
def test_every_variant_by_the_main_path(golden, enformer_there, device, chr20, name, row):
    one = allele(golden, row)
    (scores,) = scorer(enformer_there, device, chr20, name, "forward").score(
        [one], one.start - 98_303
    )
    for statistic, found in scores.items():
        check(statistic, found, golden, f"f64_{name}", row)


@pytest.mark.full
def test_both_strands_averaged(golden, enformer_there, device, chr20):
    ids = golden["variant_ids"].tolist()
    for at, variant in enumerate(golden["rcavg_ids"].tolist()):
        one = allele(golden, ids.index(variant))
        (scores,) = scorer(enformer_there, device, chr20, "human", "both").score(
            [one], one.start - 98_303
        )
        for statistic, found in scores.items():
            check(statistic, found, golden, "f64_human", at, prefix="rcavg_")
