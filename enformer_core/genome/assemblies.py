"""Which human or mouse assembly contigs belong to, told by their lengths.

Knows lengths only.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from enformer_core.genome.contig_names import Lengths, known_contigs, reconcile_contigs


@lru_cache(maxsize=1)
def _lengths_by_assembly() -> Mapping[str, Lengths]:
    by_assembly: dict[str, dict[str, int]] = {}
    for contig in known_contigs():
        if contig.length_bp is None:
            continue
        lengths = by_assembly.setdefault(contig.assembly, {})
        lengths[contig.chromosome] = contig.length_bp
    return MappingProxyType(by_assembly)


def known_build(contigs: Lengths) -> str | None:
    """Return the assembly of which some of these contigs have the length; None if there is none, or more than one."""
    # One length is enough: no two assemblies in the table share one, and files often hold a chromosome or two.
    builds = [
        build
        for build, lengths in _lengths_by_assembly().items()
        if _share_a_length(contigs, lengths)
    ]
    return builds[0] if len(builds) == 1 else None


def _share_a_length(contigs: Lengths, of_build: Lengths) -> bool:
    names = reconcile_contigs(contigs, of_build)
    return any(contigs[theirs] == of_build[ours] for theirs, ours in names.items())


def different_lengths(declared: Lengths, genome: Lengths) -> dict[str, tuple[int, int]]:
    """Return the contigs that both have, with lengths that differ: as declared, and the genome's, in bp."""
    differences = {}
    for theirs, ours in reconcile_contigs(declared, genome).items():
        declared_bp = declared[theirs]
        own_bp = genome[ours]
        if declared_bp != own_bp:
            differences[theirs] = (declared_bp, own_bp)
    return differences
