"""A made-up locus whose answer is known, for the model `motif`: 300 kb, 12 causal variants and 36 neutral ones.

Each causal variant makes or breaks one binding site of the model on an otherwise random contig, each neutral one
changes none.
"""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from enformer_core.models.motif_spec import IUPAC, MOTIFS, Motif

CONTIG = "chrDemo"
_CONTIG_BP = 300_000
_LINE_BP = 60

# Sites stand in the middle, where every window of a site lies within the contig.
_FIRST_SITE = 120_000
_SITE_STEP_BP = 4_000
_NEUTRALS = 36

_UNLIKE = {"A": "C", "C": "A", "G": "T", "T": "G"}
"""A base that differs from each; what it is does not matter."""


@dataclass(frozen=True)
class DemoFiles:
    """Where the locus was written: a FASTA file and a VCF."""

    genome: Path
    variants: Path


@dataclass(frozen=True)
class DemoVariant:
    """A record of the VCF; `start` is 0-based, an indel is anchored at the base before it."""

    name: str
    start: int
    ref: str
    alt: str


def write_demo(directory: Path) -> DemoFiles:
    """Write the genome and its variants into a directory, made if need be; files that are there are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(directory / "demo.fa", directory / "demo.vcf")
    sequence, variants = demo_locus()
    lines = [sequence[at : at + _LINE_BP] for at in range(0, len(sequence), _LINE_BP)]
    files.genome.write_text("\n".join([f">{CONTIG}", *lines, ""]), encoding="ascii")
    header = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID={CONTIG},length={len(sequence)}>",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    records = [
        f"{CONTIG}\t{variant.start + 1}\t{variant.name}\t{variant.ref}\t{variant.alt}\t.\tPASS\t."
        for variant in variants
    ]
    files.variants.write_text("\n".join([*header, *records, ""]), encoding="ascii")
    return files


def demo_locus() -> tuple[str, list[DemoVariant]]:
    """Make the sequence and its variants, sorted by position; the same ones each time.

    The first half of the causal variants breaks a site of each motif, the second half makes one: by a single base, or,
    at every third motif, by a deletion or an insertion at its middle.
    """
    chance = random.Random(20)
    # As rich in A and T as the human genome.
    letters = chance.choices("ACGT", weights=(3, 2, 2, 3), k=_CONTIG_BP)
    variants = []
    for number, motif in enumerate(MOTIFS):
        start = _FIRST_SITE + number * _SITE_STEP_BP
        by_indel = number % 3 == 0
        variants.append(_plant_site_to_break(letters, start, motif, by_indel=by_indel))
    for number, motif in enumerate(MOTIFS, start=len(MOTIFS)):
        start = _FIRST_SITE + number * _SITE_STEP_BP
        by_indel = number % 3 == 0
        variants.append(_plant_site_to_make(letters, start, motif, by_indel=by_indel))
    sequence = "".join(letters)
    variants += _neutral_variants(sequence, chance)
    return sequence, sorted(variants, key=lambda variant: variant.start)


def _plant_site_to_break(
    letters: list[str], start: int, motif: Motif, *, by_indel: bool
) -> DemoVariant:
    """Put a site in the sequence; the variant deletes its middle base and the next, or replaces it."""
    middle = _plant_site(letters, start, motif)
    right = letters[middle]
    name = f"causal_{motif.name}_loss"
    if not by_indel:
        return DemoVariant(name, middle, right, _UNLIKE[right])
    # VCF anchors a deletion at the base before it.
    before = letters[middle - 1]
    return DemoVariant(name, middle - 1, before + right + letters[middle + 1], before)


def _plant_site_to_make(
    letters: list[str], start: int, motif: Motif, *, by_indel: bool
) -> DemoVariant:
    """Put a site in the sequence without its middle base, or with another one; the variant puts it right."""
    middle = _plant_site(letters, start, motif)
    right = letters[middle]
    name = f"causal_{motif.name}_gain"
    if not by_indel:
        letters[middle] = _UNLIKE[right]
        return DemoVariant(name, middle, letters[middle], right)
    del letters[middle]
    letters.append("A")  # the contig keeps its length
    before = letters[middle - 1]
    return DemoVariant(name, middle - 1, before, before + right)


def _plant_site(letters: list[str], start: int, motif: Motif) -> int:
    """Write a site of the motif over the sequence.

    Returns:
        Position of the first base past its middle that no other base can stand for.
    """
    site = [IUPAC[letter][0] for letter in motif.consensus]
    letters[start : start + len(site)] = site
    offset = len(site) // 2
    while len(IUPAC[motif.consensus[offset]]) != 1:
        offset += 1
    return start + offset


def _neutral_variants(sequence: str, chance: random.Random) -> list[DemoVariant]:
    variants: list[DemoVariant] = []
    while len(variants) < _NEUTRALS:
        start = chance.randrange(_FIRST_SITE, _CONTIG_BP - _FIRST_SITE)
        ref = sequence[start]
        alt = chance.choice(sorted(set("ACGT") - {ref}))
        # No site is longer than 20 bp, so that further away nothing can change.
        left = sequence[start - 20 : start]
        right = sequence[start + 1 : start + 21]
        if count_sites(left + ref + right) == count_sites(left + alt + right):
            variants.append(DemoVariant(f"neutral_{len(variants) + 1:02d}", start, ref, alt))
    return variants


def count_sites(sequence: str) -> dict[str, int]:
    """Count the sites of each motif, overlapping ones too, on either strand; a palindrome's site counts once."""
    counts = {}
    for motif in MOTIFS:
        counts[motif.name] = 0
        for strand in {motif.consensus, motif.reverse_complement}:
            # A look-ahead consumes nothing, so that the next site may begin within this one.
            pattern = "(?=" + "".join(f"[{IUPAC[letter]}]" for letter in strand) + ")"
            counts[motif.name] += len(re.findall(pattern, sequence))
    return counts
