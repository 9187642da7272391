"""One contig, several names: `chr1`, `1`, `NC_000001.11`; `chrM`, `M`, `MT`.

Knows names only. Whether the sequence is the same is shown by REF.
"""

from collections.abc import Iterable, Mapping

_CHROMOSOMES = [*map(str, range(1, 23)), "X", "Y"]

# Versions of NC_000001 to NC_000024, from NCBI's assembly reports GCF_000001405.25 (GRCh37.p13) and .40 (GRCh38.p14).
_GRCH37_VERSIONS = (10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9)
_GRCH38_VERSIONS = (11, 12, 12, 12, 10, 12, 14, 11, 12, 11, 10, 12, 11, 9, 10, 10, 11, 10, 10, 11, 9, 11, 11, 10)

_CHROMOSOME_OF_ACCESSION: Mapping[str, str] = {
    "NC_012920.1": "MT",
    **{
        f"NC_{number:06}.{version}": chromosome
        for versions in (_GRCH37_VERSIONS, _GRCH38_VERSIONS)
        for number, (chromosome, version) in enumerate(zip(_CHROMOSOMES, versions, strict=True), start=1)
    },
}


def reconcile_contigs(names: Iterable[str], genome_contigs: Mapping[str, int]) -> dict[str, str]:
    """The genome's own name for each name that means one of its contigs.

    The same name comes first; then names that differ by `chr` (in any case), by `M` for `MT`, or that are RefSeq
    accessions of human chromosomes (GRCh37, GRCh38). Accessions stand for chromosome names only: NC_000001.10 and
    NC_000001.11 are different sequences. A name that could mean two contigs of the genome means none.

    Args:
        names: as in the input.
        genome_contigs: the genome's contigs with their lengths in bp.
    """
    by_plain_name: dict[str, list[str]] = {}
    for contig in genome_contigs:
        by_plain_name.setdefault(_plain(contig), []).append(contig)
    found: dict[str, str] = {}
    for name in names:
        candidates = by_plain_name.get(_plain(name), [])
        if name in _CHROMOSOME_OF_ACCESSION:
            candidates = [contig for contig in candidates if contig not in _CHROMOSOME_OF_ACCESSION]
        if name in genome_contigs:
            found[name] = name
        elif len(candidates) == 1:
            found[name] = candidates[0]
    return found


def _plain(name: str) -> str:
    if name in _CHROMOSOME_OF_ACCESSION:
        return _CHROMOSOME_OF_ACCESSION[name]
    bare = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    upper = bare.upper()
    if upper in {"M", "MT"}:
        return "MT"
    return upper if upper in {"X", "Y"} else bare
