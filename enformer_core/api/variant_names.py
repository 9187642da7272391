"""A variant as people name it, `chr20:4699605:A:G`, found in the genome and brought to its normal form.

Positions count from 1 in names, as in VCF, and from 0 in alleles. What an allele is, and which one the genome has, is
decided where it is decided for `enformer-ray score`: by `variants.harmonise`.
"""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import pyarrow as pa

from enformer_core.errors import InputError, first_few
from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.windows import Allele
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.reasons import IT_HAS_ALT
from enformer_core.variants.table import RAW_SCHEMA, Status

VariantName = str | tuple[str, int, str, str]
"""`chr20:4699605:A:G`, with `-`, `_`, `/` or `>` between its parts too; or contig, position from 1, REF and ALT."""

# The contig may hold any of the separators itself (`HLA*01:01`, `chr1_KI270706v1_random`): what is behind it may not.
_NAME = re.compile(
    r"(?P<chrom>.*[^:_\-\s])[:_-](?:g\.)?(?P<pos>[0-9][0-9,]*)\s*[:_-]?\s*(?P<ref>[A-Za-z*.]+)[:_/>-](?P<alt>[A-Za-z*.,<>]+)"
)
_SPDI = re.compile(r"N[A-Z]_[0-9]+\.[0-9]+:.*")
_RSID = re.compile(r"rs[0-9]+", re.IGNORECASE)
_SHOWN_REFUSALS = 5
_BEYOND_ALL = 1 << 40
"""A position behind the end of every contig: a number of more digits than a column holds lies there too."""


@dataclass(frozen=True)
class NamedVariant:
    """A variant as it was named.

    Attributes:
        given: the name, for messages.
        chrom: its contig, in anybody's words.
        pos: of REF's first base, counted from 1.
        ref: REF's letters.
        alt: ALT's.
    """

    given: str
    chrom: str
    pos: int
    ref: str
    alt: str


@dataclass(frozen=True)
class PlacedVariant:
    """A variant that the genome bears out.

    Attributes:
        given: as it was named.
        allele: on the genome's own contig, trimmed and left-aligned.
    """

    given: str
    allele: Allele


def parse_variant(name: object) -> NamedVariant:
    """Read the name of a variant; looks at no genome.

    Args:
        name: a `VariantName`, or anything else that a user gives for one.

    Raises:
        InputError: for what is no variant's name, with one that is.
    """
    if isinstance(name, tuple | list):
        return from_parts(name)
    if not isinstance(name, str):
        raise InputError(
            f"{name!r} is no variant. Give text, 'chr20:4699605:A:G', or four parts, ('chr20', 4699605, 'A', 'G')"
        )
    text = name.strip()
    if _RSID.fullmatch(text):
        raise InputError(
            f"{text}: an rsID does not say where it lies. Give chrom:pos:ref:alt; "
            "`enformer-ray score --sites` looks rsIDs up in a file of sites."
        )
    match = _NAME.fullmatch(text)
    if match is None:
        raise InputError(
            f"{name!r} is no variant. Give chrom:pos:ref:alt, counted from 1, as chr20:4699605:A:G"
        )
    chrom, ref, alt = match["chrom"], match["ref"], match["alt"]
    pos = int(match["pos"].replace(",", ""))
    # one base aside the REF often fits too, by chance: a guess would be seen by nobody
    if _SPDI.fullmatch(text):
        raise InputError(
            f"{text}: may count from 0, as SPDI does, or from 1. Say it by "
            f"{(chrom, pos, ref, alt)}, where positions count from 1."
        )
    return NamedVariant(text, chrom, pos, ref, _one_alt(text, alt))


def from_parts(parts: Sequence[object]) -> NamedVariant:
    """Read a variant that is given in parts: contig, position from 1, REF, ALT.

    Raises:
        InputError: where they are not four, or the position is no whole number.
    """
    given = ":".join(map(str, parts))
    try:
        chrom, pos, ref, alt = parts
        # NumPy's whole numbers are taken, floats are not: 4699605.7 is no position
        at = operator.index(pos)  # type: ignore[arg-type] # a TypeError is what is asked for
        contig, *alleles = (_letters(part) for part in (chrom, ref, alt))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{parts!r} is no variant. Give four parts, the second a whole number that counts from 1, "
            "as ('chr20', 4699605, 'A', 'G')"
        ) from error
    return NamedVariant(given, contig, at, alleles[0], _one_alt(given, alleles[1]))


def _letters(part: object) -> str:
    """A contig or an allele; contigs may be numbers.

    Raises:
        TypeError: for what is neither.
    """
    if isinstance(part, bytes) or not isinstance(part, str | int):
        raise TypeError
    return str(part)


def _one_alt(given: str, alt: str) -> str:
    if "," in alt:
        first = alt.partition(",")[0]
        raise InputError(f"{given}: names several ALTs. Give each by itself, the first as {first}")
    return alt


def place_variants(
    names: Sequence[object],
    genome: Genome,
    *,
    max_allele_bp: int,
) -> list[PlacedVariant]:
    """Find variants in the genome, each in the normal form in which it is scored.

    Args:
        names: of the variants, each as `parse_variant` takes it.
        genome: which must have each REF.
        max_allele_bp: longest REF or ALT, without what both share.

    Raises:
        InputError: naming those that cannot be scored, and what the genome has there.
    """
    named = [parse_variant(name) for name in names]
    placed = harmonise_alleles(_as_read(named), genome, max_allele_bp=max_allele_bp)
    rows: list[_Harmonised] = placed.to_pylist()
    refusals = []
    found = []
    for variant, row in zip(named, rows, strict=True):
        if row["status"] == Status.OK:
            allele = Allele(row["chrom"], row["start"], row["ref"], row["alt"])
            found.append(PlacedVariant(variant.given, allele))
        else:
            refusals.append(f"{variant.given}: {_why_not(row, genome)}")
    if refusals:
        shown = refusals[:_SHOWN_REFUSALS]
        more = len(refusals) - len(shown)
        if more:
            shown.append(f"and {more} more")
        raise InputError("\n".join(shown))
    return found


def _as_read(named: Sequence[NamedVariant]) -> pa.Table:
    """The variants as a file's reader would give them; REF is the genome's, as in VCF."""
    rows = [
        {
            "input_line": number,
            "alt_index": 1,
            "input_chrom": variant.chrom,
            "input_ref": variant.ref,
            "input_alt": variant.alt,
            "start": min(max(variant.pos, 0), _BEYOND_ALL) - 1,
            "declares_ref": True,
        }
        for number, variant in enumerate(named, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=RAW_SCHEMA)


class _Harmonised(TypedDict):
    """The columns of a harmonised variant that are read here; a place is read only of one that has it."""

    status: str
    reason: str | None
    chrom: str
    start: int
    ref: str
    alt: str


def _why_not(row: _Harmonised, genome: Genome) -> str:
    """Why a variant has no scores, in the words of a run's column `reason`, and what would help."""
    reason = str(row["reason"])
    match Status(row["status"]):
        case Status.UNKNOWN_CONTIG:
            return f"{reason}: {genome.called} has {first_few([*genome.contigs])}"
        case Status.TOO_LONG:
            return f"{reason}; max_allele_bp sets how long it may be"
        case Status.SYMBOLIC:
            return f"{reason}; give its letters"
        case Status.BAD_ALLELE:
            return f"{reason}. Give REF and ALT in A, C, G, T; an insertion or deletion begins with the base before it"
        case Status.REF_MISMATCH:
            return f"{reason}{_advice(row, genome)}"
    return reason


def _advice(row: _Harmonised, genome: Genome) -> str:
    """What a mismatch looks like, where its reason does not say so."""
    if str(row["reason"]).endswith(IT_HAS_ALT):
        return ""
    ref = row["ref"]
    # by chance one SNV in four has its REF at the next base: worth saying of one, not of a file's
    next_base = row["start"] + 1
    behind = decode(genome.fetch(row["chrom"], next_base, next_base + len(ref)))
    if behind == ref:
        return ", which is the next base. Positions count from 1; was this one from 0?"
    return f". Was it called on another assembly than {genome.called}?"
