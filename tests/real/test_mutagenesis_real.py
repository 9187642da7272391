"""Saturation mutagenesis of 100 bp by Enformer at full size, as the command plans it: differences beside two passes."""

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.analyses.audit import DirectAuditor
from enformer_core.analyses.cost_notes import SHARED_OFFSET_BP
from enformer_core.genome.region_list import RegionList
from enformer_core.genome.regions import place_regions
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import AUDIT_TOLERANCE, POLICIES, Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import choose_arithmetic
from enformer_core.scoring.windows import Allele, window_start
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.mutagenesis import Target, mutated

REGION = "chr20:4699556-4699655"
"""Around the golden snv1, PRNP's rs1799990."""

EVERY = {"cpu": 61, "cuda": 7}
"""Two passes take half a minute, a quarter of a second on a GPU: every so many alleles are held against them."""


def shared():
    return Conventions(
        geometry=ENFORMER,
        statistics=("sad", "log_d2"),
        centre_index=98_303,
        strands="forward",
        max_offset_bp=SHARED_OFFSET_BP,
    )


@pytest.fixture(scope="module")
def alleles(chr20):
    regions = RegionList.of(place_regions(REGION, chr20, option="--mutagenesis"))
    (source,) = mutated([Target(REGION, regions)], chr20, deletions_bp=None)
    raw = pa.concat_tables(source.batches())
    rows = harmonise_alleles(raw, chr20, max_allele_bp=1).to_pylist()
    return [Allele(row["chrom"], row["start"], row["ref"], row["alt"]) for row in rows]


def test_each_base_has_its_three_alleles(alleles, golden):
    assert len(set(alleles)) == 300
    place = golden["variant_pos"][0].item() - 1
    here = {(allele.ref, allele.alt) for allele in alleles if allele.start == place}
    assert (golden["variant_ref"][0].item(), golden["variant_alt"][0].item()) in here
    assert len(here) == 3


@pytest.fixture(scope="module")
def direct(chr20, enformer_there, device):
    """Two plain passes; the reference's is made once, for all share a window."""
    return DirectScorer(SequencePredictor(enformer_there, "human", None, shared(), device), chr20)


@pytest.mark.full
@pytest.mark.parametrize("policy", POLICIES)
def test_100_bp_by_differences_and_by_two_passes(
    alleles, direct, chr20, enformer_there, device, policy
):
    starts = {window_start(allele.start, shared()) for allele in alleles}
    (start,) = starts  # all share one window
    network = delta_network(
        enformer_there, "human", None, device=device, arithmetic=choose_arithmetic(policy, device)
    )
    scorer = DeltaScorer(network, chr20, shared(), batch_alts=24)
    # on a processor in float32 differences take long, and a score does not depend on those beside it
    held = alleles[:: EVERY[device.type]]
    scored = held if policy == "exact" and device.type == "cpu" else alleles
    scores = dict(zip(scored, scorer.score(scored, start), strict=True))
    assert all(np.abs(each["sad"]).max() > 0 for each in scores.values())
    auditor = DirectAuditor(direct, AUDIT_TOLERANCE[policy])
    for allele in held:
        audited = auditor.compare(allele, start, scores[allele])
        print(policy, audited)
        assert not any(error.exceeded for error in audited.statistics.values())
