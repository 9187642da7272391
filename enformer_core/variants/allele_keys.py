"""What people ask of alleles by: an rsID, a place, a place with its alleles. Looks at no genome.

Positions count from 1, as in VCF. Of alleles that share bases, as those of VCF files may, the shared ones are trimmed
as runs have them; they are not shifted to the left, for which the genome would be needed.
"""

import re
from dataclasses import dataclass

_RSID = re.compile(r"rs[0-9]+", re.IGNORECASE)

_PLACE = re.compile(r"(?P<chrom>[^/\s]+):(?P<pos>[0-9][0-9,]*)")

_ALLELE = re.compile(
    r"(?P<chrom>[^/\s]+)(?P<by>[:_-])(?P<pos>[0-9][0-9,]*)(?P=by)(?P<ref>[ACGTNacgtn]+)(?:(?P=by)|>)(?P<alt>[ACGTNacgtn]+)"
)


_MOST_DIGITS = 17
_NOWHERE = 10**_MOST_DIGITS


@dataclass(frozen=True)
class AlleleKey:
    """What is looked for: rows of an identifier, or of a place.

    Attributes:
        given: the key as it was given.
        id: an identifier in small letters; None where a place is meant.
        chrom: the contig, in anybody's words; None of an identifier.
        pos: counted from 1; None of an identifier.
        ref: letters of REF; None where every allele of the place is meant.
        alt: letters of ALT; None likewise.
    """

    given: str
    id: str | None = None
    chrom: str | None = None
    pos: int | None = None
    ref: str | None = None
    alt: str | None = None

    def means(self, ref: str | None, alt: str | None) -> bool:
        """Whether an allele at the place is meant."""
        if self.ref is None:
            return True
        return (ref, alt) == (self.ref, self.alt)


def identifier_key(text: str) -> AlleleKey:
    """The key of any identifier, also of one that is called like a place: COSV58, chr1:5, a/b."""
    return AlleleKey(text, id=text.lower())


def parse_key(text: str) -> AlleleKey | None:
    """Read `rs123`, `chr20:4699605`, `chr20:4699605:A:G` or `20-4699605-A-G`; None for what is no key.

    A word with a slash is none, so that `./rs123` is a directory's name.
    """
    if _RSID.fullmatch(text):
        return AlleleKey(text, id=text.lower())
    allele = _ALLELE.fullmatch(text)
    if allele is not None:
        pos, ref, alt = trimmed(
            _number(allele["pos"]), allele["ref"].upper(), allele["alt"].upper()
        )
        return AlleleKey(
            text,
            chrom=allele["chrom"],
            pos=pos,
            ref=ref,
            alt=alt,
        )
    place = _PLACE.fullmatch(text)
    if place is not None:
        return AlleleKey(
            text,
            chrom=place["chrom"],
            pos=_number(place["pos"]),
        )
    return None


def _number(text: str) -> int:
    digits = text.replace(",", "").lstrip("0") or "0"
    # no contig has so many bases, and more digits than these do not fit into 64 bits: what lies beyond is nowhere
    return int(digits) if len(digits) <= _MOST_DIGITS else _NOWHERE


def trimmed(
    pos: int,
    ref: str,
    alt: str,
) -> tuple[int, str, str]:
    """Without the bases that both share, but for one on the left of an insertion or deletion.

    100 CAT/CT is 100 CA/C; 100 CAT/CAG is 102 T/G.
    """
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref = ref[:-1]
        alt = alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        pos += 1
        ref = ref[1:]
        alt = alt[1:]
    return pos, ref, alt
