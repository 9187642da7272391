"""How alleles are scored, every setting resolved once and for all that stands below."""

from dataclasses import dataclass

from enformer_core.scoring.conventions import Conventions, Engine, Policy


@dataclass(frozen=True)
class ScoreSpec:
    """How alleles are scored, every setting resolved.

    Attributes:
        conventions: window, strands, statistics.
        engine: `delta` or `direct`.
        precision: arithmetic of `delta`.
        audit_fraction: part of the alleles that are scored again plainly.
        audit_tolerance: relative error at which the audit warns.
        mantissa_bits: bits of each value's mantissa that are stored.
        top_tracks: strongest tracks kept per allele and statistic in `effects`.
    """

    conventions: Conventions
    engine: Engine
    precision: Policy
    audit_fraction: float
    audit_tolerance: float
    mantissa_bits: int
    top_tracks: int
