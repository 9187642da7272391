"""One contig, several names: `chr1`, `1`, `01`, `NC_000001.11`, `CM000663.2`; `chrX`, `23`; `chrM`, `M`, `MT`.

Knows names only. Whether the sequence is the same is shown by REF.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

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

_LONGEST_NUMBER = 8  # digits of a contig's name that may be a chromosome's number


@dataclass(frozen=True)
class KnownContig:
    """A chromosome of a known assembly.

    Attributes:
        assembly: for example `GRCh38 (hg38)`.
        chromosome: without `chr`.
        length_bp: None where it tells no assembly apart.
        accessions: RefSeq's and GenBank's names of the same sequence, where known.
    """

    assembly: str
    chromosome: str
    length_bp: int | None
    accessions: tuple[str, ...]


@lru_cache(maxsize=1)
def known_contigs() -> tuple[KnownContig, ...]:
    """Read the chromosomes of known human and mouse assemblies from the table beside this module, once."""
    table = resources.files(__package__).joinpath("assemblies.tsv").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if not line.startswith("#")]
    return tuple(
        KnownContig(
            assembly=row["assembly"],
            chromosome=row["chromosome"],
            length_bp=int(row["length_bp"]) if row["length_bp"] else None,
            accessions=tuple(name for name in (row["refseq"], row["genbank"]) if name),
        )
        for row in csv.DictReader(lines, delimiter="\t")
    )


@lru_cache(maxsize=1)
def _by_accession() -> Mapping[str, KnownContig]:
    contigs = {name: contig for contig in known_contigs() for name in contig.accessions}
    return MappingProxyType(contigs)


def reconcile_contigs(names: Iterable[str], genome_contigs: Mapping[str, int]) -> dict[str, str]:
    """Return the genome's own name for each name that means one of its contigs.

    The same name comes first; then names that differ by `chr` (in any case), by a leading 0, by `M` for `MT`, or that
    are RefSeq or GenBank accessions of human chromosomes (GRCh37, GRCh38, T2T-CHM13v2.0). An accession stands for a
    chromosome's name and for the other accession of the same sequence, but NC_000001.10 and NC_000001.11 are different
    sequences. Then PLINK's numbers 23 to 26 and its names of pseudo-autosomal regions, unless the genome's numbered
    contigs go beyond 22, or end at the mouse's 19. A name that could mean two contigs of the genome means none.

    Args:
        names: as in the input.
        genome_contigs: the genome's contigs with their lengths in bp.
    """
    by_bare_name: dict[str, list[str]] = {}
    for contig in genome_contigs:
        by_bare_name.setdefault(_bare_name(contig), []).append(contig)
    plink_codes = _PLINK_CODES if _may_be_human(by_bare_name) else {}
    own_names: dict[str, str] = {}
    for name in names:
        if name in genome_contigs:
            own_names[name] = name
            continue
        bare = _bare_name(name)
        plink_name = plink_codes.get(bare, "")
        candidates = by_bare_name.get(bare) or by_bare_name.get(plink_name, [])
        if name in _by_accession():
            candidates = [contig for contig in candidates if _may_be_same(name, contig)]
        if len(candidates) == 1:
            own_names[name] = candidates[0]
    return own_names


def _bare_name(name: str) -> str:
    """The name without `chr` and leading zeros; an accession's chromosome."""
    known = _by_accession().get(name)
    if known is not None:
        return known.chromosome
    has_prefix = name[:3].lower() == "chr" and len(name) > 3
    bare = name[3:] if has_prefix else name
    upper = bare.upper()
    if upper in {"M", "MT"}:
        return "MT"
    if upper in {"X", "Y"}:
        return upper
    if bare.isdecimal():
        return bare.lstrip("0") or bare
    return bare


def _may_be_same(accession: str, contig: str) -> bool:
    """Whether a contig that is called by the accession's chromosome is no other sequence by its own accession."""
    known = _by_accession().get(contig)
    return known is None or known == _by_accession()[accession]


def _may_be_human(bare_names: Iterable[str]) -> bool:
    """Whether PLINK's codes for man can be meant: its codes for X and Y follow the last autosome of the species."""
    numbers = [
        int(name) for name in bare_names if name.isdecimal() and len(name) <= _LONGEST_NUMBER
    ]
    last = max(numbers, default=0)
    return last <= _HUMAN_AUTOSOMES and last != _MOUSE_AUTOSOMES
