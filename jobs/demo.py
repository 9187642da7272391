"""`enformer-ray demo`: the whole path on a small made-up locus, ending in the answer to a question."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from enformer_core.models.motif import IUPAC, MOTIFS, Motif
from jobs import exit_codes
from jobs.query import query
from jobs.score import score_variants
from jobs.settings import ScoreSettings


def demo(out: str) -> int:
    """Write the locus, score its variants on Ray in this machine, and show which change most.

    Returns:
        The exit code.
    """
    files = write_demo(Path(out) / "input")
    run = f"{out}/run"
    print(f"variants: {files.variants}\ngenome:   {files.genome}")
    code = score_variants(
        ScoreSettings(
            variants=(str(files.variants),), genome=str(files.genome), model="motif", out=run
        )
    )
    if code != exit_codes.DONE:
        return code
    print(f"\nthe variants that change most:\n{DEMO_SQL}")
    return query(run, DEMO_SQL, as_json=False)


CONTIG = "chrDemo"

_CONTIG_BP = 300_000

_SITES_FROM, _SITES_STEP_BP = 120_000, 4_000

_NEUTRALS = 36

_LINE_BP = 60

DEMO_SQL = """\
SELECT s.id, s.variant_id, t.identifier AS strongest_track, round(s.sad[t.list_position], 2) AS sad
FROM scores s JOIN tracks t ON t.index = s.max_abs_sad_track
ORDER BY s.max_abs_sad DESC, s.pos
LIMIT 18"""
"""The variants that change most, with the track that they change most."""


@dataclass(frozen=True)
class DemoFiles:
    """Where the locus lies."""

    genome: Path
    variants: Path


@dataclass(frozen=True)
class DemoVariant:
    """A record: `start` is 0-based."""

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
    records = [
        f"{CONTIG}\t{v.start + 1}\t{v.name}\t{v.ref}\t{v.alt}\t.\tPASS\t.\n" for v in variants
    ]
    meta = f"##fileformat=VCFv4.2\n##contig=<ID={CONTIG},length={len(sequence)}>\n"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    files.variants.write_text(meta + columns + "".join(records), encoding="ascii")
    return files


def demo_locus() -> tuple[str, list[DemoVariant]]:
    """The sequence and its variants, sorted by position.

    Causal variants make or break one site: by a single base, an insertion, or a deletion. Neutral ones change no site.
    """
    chance = random.Random(20)  # noqa: S311 - no secret
    letters = chance.choices("ACGT", weights=(3, 2, 2, 3), k=_CONTIG_BP)
    variants: list[DemoVariant] = []
    for number, motif in enumerate([*MOTIFS, *MOTIFS]):
        start = _SITES_FROM + number * _SITES_STEP_BP
        variants.append(_plant(letters, start, motif, number))
    sequence = "".join(letters)
    variants += _neutral(sequence, chance)
    return sequence, sorted(variants, key=lambda variant: variant.start)


def _plant(letters: list[str], start: int, motif: Motif, number: int) -> DemoVariant:
    """Put a site, or one base less than a site, in the sequence, and give the variant that breaks or makes it."""
    site = "".join(IUPAC[letter][0] for letter in motif.consensus)
    letters[start : start + len(site)] = site
    middle = next(
        at for at in range(len(site) // 2, len(site)) if len(IUPAC[motif.consensus[at]]) == 1
    )
    at, right = start + middle, site[middle]
    wrong = {"A": "C", "C": "A", "G": "T", "T": "G"}[right]
    made = number >= len(MOTIFS)
    if made and number % 3 == 0:  # the site lacks its middle base
        del letters[at]
        letters.append("A")
        return DemoVariant(
            f"causal_{motif.name}_gain", at - 1, letters[at - 1], letters[at - 1] + right
        )
    if made:
        letters[at] = wrong
        return DemoVariant(f"causal_{motif.name}_gain", at, wrong, right)
    if number % 3 == 0:
        before = letters[at - 1]
        return DemoVariant(
            f"causal_{motif.name}_loss", at - 1, before + right + letters[at + 1], before
        )
    return DemoVariant(f"causal_{motif.name}_loss", at, right, wrong)


def _neutral(sequence: str, chance: random.Random) -> list[DemoVariant]:
    variants: list[DemoVariant] = []
    while len(variants) < _NEUTRALS:
        start = chance.randrange(_SITES_FROM, _CONTIG_BP - _SITES_FROM)
        ref = sequence[start]
        alt = chance.choice(sorted(set("ACGT") - {ref}))
        around = sequence[start - 20 : start], sequence[start + 1 : start + 21]
        if count_sites(around[0] + ref + around[1]) == count_sites(around[0] + alt + around[1]):
            variants.append(DemoVariant(f"neutral_{len(variants) + 1:02d}", start, ref, alt))
    return variants


def count_sites(sequence: str) -> dict[str, int]:
    """Sites of each motif, overlapping ones too, on either strand; a palindrome's site counts once."""
    counts = {}
    for motif in MOTIFS:
        strands = {motif.consensus, motif.reverse_complement}
        patterns = ["".join(f"[{IUPAC[letter]}]" for letter in strand) for strand in strands]
        counts[motif.name] = sum(
            len(re.findall(f"(?={pattern})", sequence)) for pattern in patterns
        )
    return counts
