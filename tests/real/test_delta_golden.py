"""The engine of differences at full size, against the original's equations in float64 under seeded weights."""

import numpy as np
import pytest

from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import Allele
from tests.support.closeness import relative_l2

CENTRE_INDEX = 98_303
BOUNDS = {"fast": 0.02, "exact": 1e-4}  # relative L2 of SAD over tracks


def scorer(
    enformer, device, genome, policy, *, head="human", strands="forward", statistics=("sad",)
):
    conventions = Conventions(
        geometry=ENFORMER, statistics=statistics, centre_index=CENTRE_INDEX, strands=strands
    )
    network = delta_network(
        enformer, head, None, device=device, arithmetic=choose_arithmetic(policy, device)
    )
    return DeltaScorer(network, genome, conventions, batch_alts=4)


def allele(golden, row):
    ref, alt = (golden[f"variant_{name}"][row].item() for name in ("ref", "alt"))
    return Allele("chr20", golden["variant_pos"][row].item() - 1, ref, alt)


def error(found, truth):
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


def check(golden, scores, truth, policy, what):
    found = error(scores, truth)
    print(f"{policy} {what}: relative L2 error of SAD {found:.1e}")
    assert found < BOUNDS[policy]


@pytest.mark.parametrize("policy", ["fast", pytest.param("exact", marks=pytest.mark.full)])
def test_one_snv(golden, chr20, enformer_there, device, policy):
    """Of `snv1`, whose reference has golden predictions, too: no second pass of full size need make those."""
    row = golden["variant_ids"].tolist().index("snv1")
    one = allele(golden, row)
    engine = scorer(enformer_there, device, chr20, policy)
    (effect,) = engine.effects([one], one.start - CENTRE_INDEX)
    check(golden, effect.scores["sad"], golden["SAD_f64_human"][row], policy, "snv1")
    predicted = effect.reference[:, golden["tracks_human"]]
    assert relative_l2(predicted, golden["pred_f64_human"]) < 5e-5


@pytest.mark.full
@pytest.mark.parametrize("policy", BOUNDS)
@pytest.mark.parametrize("head", ["human", "mouse"])
def test_every_variant(golden, chr20, enformer_there, device, policy, head):
    engine = scorer(enformer_there, device, chr20, policy, head=head)
    found = {}
    for row, name in enumerate(golden["variant_ids"].tolist()):
        one = allele(golden, row)
        (scores,) = engine.score([one], one.start - CENTRE_INDEX)
        truth = golden[f"SAD_f64_{head}"][row]
        check(golden, scores["sad"], truth, policy, f"{head} {name}")
        found[name] = error(scores["sad"], truth)
    if policy == "fast":
        assert np.median([value for name, value in found.items() if "snv" in name]) < 0.01


@pytest.mark.full
@pytest.mark.parametrize("policy", BOUNDS)
def test_both_strands(golden, chr20, enformer_there, device, policy):
    engine = scorer(enformer_there, device, chr20, policy, strands="both")
    ids = golden["variant_ids"].tolist()
    for at, name in enumerate(golden["rcavg_ids"].tolist()):
        one = allele(golden, ids.index(name))
        (scores,) = engine.score([one], one.start - CENTRE_INDEX)
        check(
            golden,
            scores["sad"],
            golden["rcavg_SAD_f64_human"][at],
            policy,
            f"both strands, {name}",
        )
