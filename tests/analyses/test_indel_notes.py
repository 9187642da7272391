"""Where signs of insertions and deletions depend on the rule, `score` says so at its end, and nowhere else."""

from types import SimpleNamespace

import pytest

from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_effects import VariantEffects
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Conventions


@pytest.mark.parametrize(
    ("bin_bp", "rule", "is_told"),
    [(32, "left-fixed", True), (32, "stitched", False), (128, "left-fixed", False)],
)
def test_it_is_told_of_bins_smaller_than_tokens(bin_bp, rule, is_told):
    geometry = Geometry(
        window_bp=2_048, bin_bp=bin_bp, bins=1_024 // bin_bp, bins_per_token=128 // bin_bp
    )
    conventions = Conventions(
        geometry=geometry, statistics=("sad",), centre_index=1_023, indel_rule=rule
    )
    spec = ScoreSpec(
        conventions=conventions,
        engine="direct",
        precision="exact",
        audit_fraction=0.0,
        audit_tolerance=0.02,
        mantissa_bits=23,
        top_tracks=1,
    )
    analysis = VariantEffects(
        inputs=SimpleNamespace(weights=None), spec=spec, variants=None, progress=None, warn=print
    )
    notes = analysis.report(SimpleNamespace(arithmetic={}))
    assert any("--indel-rule stitched" in note for note in notes) == is_told
