"""One contig, several names: `chr1`, `1`, `01`, `NC_000001.11`, `CM000663.2`; `chrX`, `23`; `chrM`, `M`, `MT`.

Knows names only. Whether the sequence is the same is shown by REF.
"""

from collections.abc import Iterable, Mapping

_CHROMOSOMES = [*map(str, range(1, 23)), "X", "Y"]

# Versions of NC_000001 to NC_000024, from NCBI's assembly reports GCF_000001405.25 (GRCh37.p13) and .40 (GRCh38.p14).
_GRCH37_VERSIONS = (
    10,
    11,
    11,
    11,
    9,
    11,
    13,
    10,
    11,
    10,
    9,
    11,
    10,
    8,
    9,
    9,
    10,
    9,
    9,
    10,
    8,
    10,
    10,
    9,
)

_GRCH38_VERSIONS = (
    11,
    12,
    12,
    12,
    10,
    12,
    14,
    11,
    12,
    11,
    10,
    12,
    11,
    9,
    10,
    10,
    11,
    10,
    10,
    11,
    9,
    11,
    11,
    10,
)


def _accessions() -> dict[str, tuple[str, str]]:
    """Assembly and chromosome of RefSeq and GenBank accessions; the report of T2T-CHM13v2.0 is GCF_009914755.1."""
    found = {
        "NC_012920.1": ("rCRS", "MT"),
        "J01415.2": ("rCRS", "MT"),
        "CP068254.1": ("T2T", "MT"),
        "CP086569.2": ("T2T", "Y"),
    }
    for number, chromosome in enumerate(_CHROMOSOMES, start=1):
        found[f"NC_{number:06}.{_GRCH37_VERSIONS[number - 1]}"] = ("GRCh37", chromosome)
        found[f"NC_{number:06}.{_GRCH38_VERSIONS[number - 1]}"] = ("GRCh38", chromosome)
        found[f"CM{662 + number:06}.1"] = ("GRCh37", chromosome)
        found[f"CM{662 + number:06}.2"] = ("GRCh38", chromosome)
        found[f"NC_{60924 + number:06}.1"] = ("T2T", chromosome)
        if chromosome != "Y":
            found[f"CP{68278 - number:06}.2"] = ("T2T", chromosome)
    return found


_ACCESSIONS: Mapping[str, tuple[str, str]] = _accessions()

_PLINK_CODES: Mapping[str, str] = {
    "23": "X",
    "24": "Y",
    "25": "X",
    "26": "MT",
    "XY": "X",
    "PAR1": "X",
    "PAR2": "X",
}
"""PLINK's for man; 25, XY and PAR are the pseudo-autosomal regions, whose positions are those on X."""

_HUMAN_AUTOSOMES = 22

_MOUSE_AUTOSOMES = 19


def reconcile_contigs(names: Iterable[str], genome_contigs: Mapping[str, int]) -> dict[str, str]:
    """The genome's own name for each name that means one of its contigs.

    The same name comes first; then names that differ by `chr` (in any case), by a leading 0, by `M` for `MT`, or that
    are RefSeq or GenBank accessions of human chromosomes (GRCh37, GRCh38, T2T-CHM13v2.0). An accession stands for a
    chromosome's name and for the other accession of the same sequence, but NC_000001.10 and NC_000001.11 are different
    sequences. Then PLINK's numbers 23 to 26 and its names of pseudo-autosomal regions, unless the genome's numbered
    contigs go beyond 22, or end at the mouse's 19. A name that could mean two contigs of the genome means none.

    Args:
        names: as in the input.
        genome_contigs: the genome's contigs with their lengths in bp.
    """
    by_plain_name: dict[str, list[str]] = {}
    for contig in genome_contigs:
        by_plain_name.setdefault(_plain(contig), []).append(contig)
    codes = _PLINK_CODES if _may_be_human(by_plain_name) else {}
    found: dict[str, str] = {}
    for name in names:
        if name in genome_contigs:
            found[name] = name
            continue
        plain = _plain(name)
        candidates = by_plain_name.get(plain, by_plain_name.get(codes.get(plain, ""), []))
        if name in _ACCESSIONS:
            candidates = [
                contig
                for contig in candidates
                if _ACCESSIONS.get(contig) in {None, _ACCESSIONS[name]}
            ]
        if len(candidates) == 1:
            found[name] = candidates[0]
    return found


def _plain(name: str) -> str:
    if name in _ACCESSIONS:
        return _ACCESSIONS[name][1]
    bare = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    upper = bare.upper()
    if upper in {"M", "MT"}:
        return "MT"
    if upper in {"X", "Y"}:
        return upper
    return bare.lstrip("0") or bare if bare.isdecimal() else bare


def _may_be_human(by_plain_name: Iterable[str]) -> bool:
    """Whether PLINK's codes for man can be meant: its codes for X and Y follow the last autosome of the species."""
    last = max(
        (int(name) for name in by_plain_name if name.isdecimal() and len(name) < 9), default=0
    )
    return last <= _HUMAN_AUTOSOMES and last != _MOUSE_AUTOSOMES
