"""The engines and their policies of precision by name, for those who choose and do not compute."""

from typing import Literal, get_args

Engine = Literal["delta", "direct"]
Policy = Literal["fast", "exact"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
POLICIES: tuple[Policy, ...] = get_args(Policy)

AUDIT_TOLERANCE: dict[Policy, float] = {"fast": 0.02, "exact": 0.002}
"""Error against two plain float32 passes, relative to a statistic's norm, beyond which an audit warns."""
AUDITED_AT_LEAST = 3
"""Alleles of a run that are audited whatever the fraction."""
