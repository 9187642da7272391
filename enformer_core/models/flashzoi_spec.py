"""Flashzoi (Hingerl et al. 2025): Borzoi's network in its published size, with attention by rotary positions.

Source: johahi/borzoi-pytorch, with whose files it is published.
"""

from dataclasses import replace

from enformer_core.models import borzoi_spec
from enformer_core.models.borzoi_spec import BorzoiConfig, RotarySize
from enformer_core.models.spec import Operations
from enformer_core.models.weights.borzoi_names import FLASHZOI_NAMES
from enformer_core.models.weights.mappings import WeightsMappings

SPEC = replace(
    borzoi_spec.SPEC,
    name="flashzoi",
    config=BorzoiConfig(rotary=RotarySize()),
    weights=WeightsMappings(names=FLASHZOI_NAMES),
    read_params=None,
    operations=Operations(tower=2_559_532_072_960, trunk=2_280_665_382_912, track=62_791_680),
)
