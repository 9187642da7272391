"""One contig, several names: `chr1`, `1`, `01`, `NC_000001.11`, `CM000663.2`; `chrX`, `23`; `chrM`, `M`, `MT`.

Knows names only. Whether the sequence is the same is shown by REF.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from enformer_core.errors import first_few
from enformer_core.words import agreeing

Lengths = Mapping[str, int]
"""Length in bp of each contig."""

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

_NUMBERS: Mapping[str, str] = {"X": "23", "Y": "24", "MT": "26"}

_LAST_NUMBER = 26

_HUMAN_AUTOSOMES = 22

_MOUSE_AUTOSOMES = 19

_SHOWN_NAMES = 3

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
    table = resources.files(__package__) / "assemblies.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return tuple(_known_contig(row) for row in rows)


def _known_contig(row: Mapping[str, str]) -> KnownContig:
    accessions = (row["refseq"], row["genbank"])
    return KnownContig(
        assembly=row["assembly"],
        chromosome=row["chromosome"],
        length_bp=int(row["length_bp"]) if row["length_bp"] else None,
        accessions=tuple(name for name in accessions if name),
    )


@lru_cache(maxsize=1)
def _by_accession() -> Mapping[str, KnownContig]:
    by_accession: dict[str, KnownContig] = {}
    for contig in known_contigs():
        by_accession |= dict.fromkeys(contig.accessions, contig)
    return MappingProxyType(by_accession)


def assembly_of_accession(name: str) -> str | None:
    """The assembly, GRCh37 for example, of which alone this is an accession; None for other names."""
    known = _by_accession().get(name)
    # a row without a length, the mitochondrion's, tells no assembly apart
    return None if known is None or known.length_bp is None else known.assembly.split(" ")[0]


def reconcile_contigs(names: Iterable[str], genome_contigs: Lengths) -> dict[str, str]:
    """Return the genome's own name for each name that means one of its contigs.

    The same name comes first; then names that differ by `chr` (in any case), by a leading 0, by `.0`, by `M` for `MT`,
    or that are RefSeq or GenBank accessions of human chromosomes (GRCh37, GRCh38, T2T-CHM13v2.0). An accession stands
    for a chromosome's name and for the other accession of the same sequence, but NC_000001.10 and NC_000001.11 are
    different sequences. Then PLINK's numbers 23 to 26 and its names of pseudo-autosomal regions, unless the genome's
    numbered contigs go beyond 22, or end at the mouse's 19. A name that could mean two contigs of the genome means
    none.

    Args:
        names: as in the input.
        genome_contigs: the genome's own.
    """
    by_bare_name = defaultdict(list)
    for contig in genome_contigs:
        by_bare_name[_bare_name(contig)].append(contig)
    plink_codes = _PLINK_CODES if _may_be_human(by_bare_name) else {}
    own_names: dict[str, str] = {}
    for name in names:
        if name in genome_contigs:
            own_names[name] = name
            continue
        bare = _bare_name(name)
        if bare not in by_bare_name:
            bare = plink_codes.get(bare, bare)  # a contig that is called 23 is not X
        candidates = by_bare_name.get(bare, [])
        if name in _by_accession():
            candidates = [contig for contig in candidates if _may_be_same(name, contig)]
        # Two contigs that differ by `chr` alone: which of them is meant cannot be known.
        if len(candidates) == 1:
            own_names[name] = candidates[0]
    return own_names


def chromosome_number(contig: str) -> int | None:
    """PLINK's number of a human chromosome: 1 to 22 as they are, X is 23, Y 24 and MT 26; None of any other contig."""
    bare = _bare_name(contig)
    number = _NUMBERS.get(bare, bare)
    is_number = number.isdecimal() and len(number) <= _LONGEST_NUMBER
    return int(number) if is_number and 1 <= int(number) <= _LAST_NUMBER else None


def called_otherwise(names: Iterable[str], genome_contigs: Lengths) -> str | None:
    """Which contigs of an input the genome calls otherwise, in words; None where names are the same.

    Args:
        names: as in the input.
        genome_contigs: the genome's own.
    """
    own = reconcile_contigs(dict.fromkeys(names), genome_contigs)
    others = {name: own_name for name, own_name in own.items() if name != own_name}
    if not others:
        return None
    are = agreeing(len(others), "is", "are")
    return (
        f"{first_few(list(others), _SHOWN_NAMES)} {are} called {first_few(list(others.values()), _SHOWN_NAMES)} in the "
        "genome, here and in the output"
    )


def one_name_each(names: Iterable[str]) -> dict[str, str]:
    """Of names in one table, the first one of each contig: chr20 for both chr20 and 20.

    Without a genome nothing else says how contigs are called. Names are alike as for `reconcile_contigs`, but for
    PLINK's numbers; one that could mean two of those before it stays as it is.

    Args:
        names: in their order, each once or several times.
    """
    by_bare_name: dict[str, list[str]] = defaultdict(list)
    first_names: dict[str, str] = {}
    for name in dict.fromkeys(names):
        before = by_bare_name[_bare_name(name)]
        same = [contig for contig in before if _may_be_one(name, contig)]
        if len(same) == 1:
            first_names[name] = same[0]
        else:
            first_names[name] = name
            before.append(name)
    return first_names


def _may_be_one(name: str, other: str) -> bool:
    return name not in _by_accession() or _may_be_same(name, other)


def _bare_name(name: str) -> str:
    """The name without `chr` and leading zeros; an accession's chromosome."""
    known = _by_accession().get(name)
    if known is not None:
        return known.chromosome
    bare = name
    if name[:3].lower() == "chr" and name != name[:3]:
        bare = name[3:]
    # Case counts in other names: contigs may differ by it alone.
    upper = bare.upper()
    if upper in {"M", "MT"}:
        return "MT"
    if upper in {"X", "Y"}:
        return upper
    number, point, zeros = bare.partition(".")
    if point and number.isdecimal() and zeros and not zeros.strip("0"):
        bare = number  # 20.0, as table programs write numbers of a column with gaps
    if bare.isdecimal():
        return bare.lstrip("0") or bare  # 0 itself stays
    return bare


def _may_be_same(accession: str, contig: str) -> bool:
    """Whether a contig that is called by the accession's chromosome is no other sequence by its own accession."""
    # A contig without a known accession, chr1, is whatever assembly its file says: REF will tell.
    known = _by_accession().get(contig)
    return known is None or known == _by_accession()[accession]


def _may_be_human(bare_names: Iterable[str]) -> bool:
    """Whether PLINK's codes for man can be meant: its codes for X and Y follow the last autosome of the species."""
    numbers = [name for name in bare_names if name.isdecimal()]
    # Longer ones number scaffolds.
    last = max((int(name) for name in numbers if len(name) <= _LONGEST_NUMBER), default=0)
    return last <= _HUMAN_AUTOSOMES and last != _MOUSE_AUTOSOMES
