"""Which human or mouse assembly contigs belong to, told by their lengths.

Knows lengths only.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from enformer_core.genome.contig_names import known_contigs, reconcile_contigs


@lru_cache(maxsize=1)
def _lengths_by_assembly() -> Mapping[str, Mapping[str, int]]:
    lengths: dict[str, dict[str, int]] = {}
    for contig in known_contigs():
        if contig.length_bp is not None:
            lengths.setdefault(contig.assembly, {})[contig.chromosome] = contig.length_bp
    return MappingProxyType(lengths)


def known_build(contigs: Mapping[str, int]) -> str | None:
    """Return the assembly of which some of these contigs have the length; None if there is none, or more than one.

    Args:
        contigs: lengths in bp.
    """
    builds = []
    for build, lengths in _lengths_by_assembly().items():
        names = reconcile_contigs(contigs, lengths)
        if any(contigs[theirs] == lengths[ours] for theirs, ours in names.items()):
            builds.append(build)
    return builds[0] if len(builds) == 1 else None


def different_lengths(
    declared: Mapping[str, int], genome: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Return the contigs that both have, with lengths that differ: as declared, and the genome's, in bp."""
    names = reconcile_contigs(declared, genome)
    return {
        theirs: (declared[theirs], genome[ours])
        for theirs, ours in names.items()
        if declared[theirs] != genome[ours]
    }
