"""A genome-wide study that nobody made, of one locus in real DNA: what `enformer-ray demo --gwas` writes.

2,000 people are drawn, who have 80 variants around the promoter of GP1BB, in linkage, and a trait of which one variant
explains a part: GP1BB −133C>G, which takes a site of GATA1 away. In real people that change is rare and was found in a
patient (`jobs.gp1bb`); here it is common, for the sake of a study whose truth is known. The files are those that a
study has: summary statistics, genotypes for the LD, genes; and one that says the truth.

Knows places, alleles and formats. Does not know what a model says of them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enformer_core.errors import InputError
from enformer_core.storage.open import parse_address
from enformer_core.user_path import why_unwritable
from jobs.gp1bb import (
    CONTIG,
    KNOWN_ID,
    SLICE_START,
    TRANSCRIPTION_START,
    packed_genome,
    shipped_letters,
)

PEOPLE = 2_000
VARIANTS = 80
CAUSAL = 44
"""Which of the variants it is, from 0."""

EXPLAINED = 0.015
"""Of the trait's variance, by the causal variant."""

_STEP_BP = 500
_JITTER_BP = 200
_CAUSAL_START = TRANSCRIPTION_START - 133
_TRANSITIONS = {"A": "G", "G": "A", "C": "T", "T": "C"}
_CAUSAL_ALT = "G"

_LINKAGE = (0.985, 0.9995)
"""Between the normal numbers of neighbours, of which genotypes are made; drawn evenly from here."""
_THRESHOLDS = (-0.7, 0.0)
"""Below which a number is a copy of ALT: frequencies of 0.24 to 0.5."""

# GENCODE, whose places on GRCh38 are 12,477 more here. 0-based starts of transcription, with the strand.
_GENES = (
    ("SEPT5", 19_701_986, "+"),
    ("GP1BB", TRANSCRIPTION_START, "+"),
    ("TBX1", 19_744_225, "+"),
    ("GNB1L", 19_842_461, "-"),
)

# PLINK 1: the format's number, and that a row is a variant. Of two bits each 0 is two copies of A1, 2 one, 3 none.
_BED_MAGIC = b"\x6c\x1b\x01"
_BED_CODES = np.array([3, 2, 0], np.uint8)


@dataclass(frozen=True)
class MadeUpStudy:
    """Variants, who has them, and what a study of the people would report.

    Attributes:
        starts: 0-based places of the variants.
        refs: the genome's letters there.
        alts: the other ones.
        copies: of ALT that each person has, people by variants.
        betas: of each variant alone, for a copy of ALT.
        errors: their standard errors.
    """

    starts: list[int]
    refs: list[str]
    alts: list[str]
    copies: np.ndarray
    betas: np.ndarray
    errors: np.ndarray


def write_study(out: str, seed: int) -> list[Path]:
    """Write a study and its truth into a directory, made if need be; files that are right are left alone.

    Returns:
        The files: genome, summary statistics, genotypes (`.bed`, `.bim`, `.fam`), genes, truth.

    Raises:
        InputError: where something else lies in a file's place, or nothing can be written.
    """
    if parse_address(out) is not None:
        raise InputError(f"--gwas {out}: the files are written to a directory; give a path")
    directory = Path(out)
    contents = study_files(made_up_study(seed))
    other = [name for name, content in contents.items() if _differs(directory / name, content)]
    if other:
        raise InputError(
            f"{directory / other[0]}: is there already, and is not what would be written. Give another directory."
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (directory / name).write_bytes(content)
    except OSError as error:
        why = why_unwritable(directory, error)
        raise InputError(f"--gwas {out}: cannot be written: {why}") from error
    return [directory / name for name in contents]


def made_up_study(seed: int) -> MadeUpStudy:
    """Draw people, their genotypes and their trait; the variants are the same for every seed."""
    starts, refs, alts = _variants()
    rng = np.random.default_rng(seed)
    copies = _copies(rng)
    scaled = (copies - copies.mean(axis=0)) / copies.std(axis=0)
    noise = rng.normal(size=PEOPLE)
    # who has more of it has less of the trait
    trait = math.sqrt(1 - EXPLAINED) * noise - math.sqrt(EXPLAINED) * scaled[:, CAUSAL]
    trait = (trait - trait.mean()) / trait.std()
    slopes = scaled.T @ trait / PEOPLE
    errors = np.sqrt((1 - slopes**2) / (PEOPLE - 2))
    scales = copies.std(axis=0)
    return MadeUpStudy(starts, refs, alts, copies, slopes / scales, errors / scales)


def study_files(study: MadeUpStudy) -> dict[str, bytes]:
    """The content of each file, by its name."""
    texts = {
        "gwas.tsv": _sumstats(study),
        "panel.bim": _bim(study),
        "panel.fam": "".join(f"P{n} P{n} 0 0 0 -9\n" for n in range(1, PEOPLE + 1)),
        "genes.bed": "".join(
            f"{CONTIG}\t{start}\t{start + 1}\t{name}\t0\t{strand}\n"
            for name, start, strand in _GENES
        ),
        "truth.txt": _truth(),
    }
    contents = {name: text.encode("ascii") for name, text in texts.items()}
    return {f"{CONTIG}.fa.gz": packed_genome(), **contents, "panel.bed": _bed(study)}


def _variants() -> tuple[list[int], list[str], list[str]]:
    letters = shipped_letters()
    rng = np.random.default_rng(0)
    offsets = _STEP_BP * (np.arange(VARIANTS) - CAUSAL)
    offsets += rng.integers(-_JITTER_BP, _JITTER_BP, VARIANTS)
    offsets[CAUSAL] = 0
    starts = [_CAUSAL_START + int(offset) for offset in offsets]
    refs = [letters[start - SLICE_START] for start in starts]
    alts = [_TRANSITIONS[ref] for ref in refs]
    alts[CAUSAL] = _CAUSAL_ALT
    return starts, refs, alts


def _copies(rng: np.random.Generator) -> np.ndarray:
    """Copies of ALT, people by variants: two haplotypes of each person, along which neighbours are alike."""
    linkage = rng.uniform(*_LINKAGE, VARIANTS)
    thresholds = rng.uniform(*_THRESHOLDS, VARIANTS)
    copies = np.zeros((PEOPLE, VARIANTS), np.int64)
    for _ in range(2):
        numbers = rng.normal(size=(PEOPLE, VARIANTS))
        for at in range(1, VARIANTS):
            own = math.sqrt(1 - linkage[at] ** 2) * numbers[:, at]
            numbers[:, at] = linkage[at] * numbers[:, at - 1] + own
        copies += numbers < thresholds
    return copies


def _name(at: int) -> str:
    """No rsID: nobody else has these variants."""
    return f"snv{at + 1:02}"


def _is_minor(study: MadeUpStudy, at: int) -> bool:
    """Whether ALT is the rarer allele, which PLINK calls A1."""
    return bool(study.copies[:, at].mean() <= 1)


def _alleles(study: MadeUpStudy, at: int) -> tuple[str, str]:
    """A1, the rarer one, and A2."""
    alleles = (study.alts[at], study.refs[at])
    return alleles if _is_minor(study, at) else (alleles[1], alleles[0])


def _sumstats(study: MadeUpStudy) -> str:
    lines = ["CHR\tBP\tSNP\tA1\tA2\tFRQ\tBETA\tSE\tP\tN"]
    number = CONTIG.removeprefix("chr")
    for at, start in enumerate(study.starts):
        first, second = _alleles(study, at)
        is_minor = _is_minor(study, at)
        frequency = study.copies[:, at].mean() / 2
        beta = study.betas[at] if is_minor else -study.betas[at]
        p = math.erfc(abs(beta / study.errors[at]) / math.sqrt(2))
        shown = min(frequency, 1 - frequency)
        lines.append(
            f"{number}\t{start + 1}\t{_name(at)}\t{first}\t{second}\t{shown:.4f}\t{beta:.6f}\t"
            f"{study.errors[at]:.6f}\t{p:.3g}\t{PEOPLE}"
        )
    return "\n".join([*lines, ""])


def _bim(study: MadeUpStudy) -> str:
    number = CONTIG.removeprefix("chr")
    rows = []
    for at, start in enumerate(study.starts):
        first, second = _alleles(study, at)
        rows.append(f"{number}\t{_name(at)}\t0\t{start + 1}\t{first}\t{second}\n")
    return "".join(rows)


def _bed(study: MadeUpStudy) -> bytes:
    """Four people a byte, the first in its lowest bits."""
    of_alt = [_is_minor(study, at) for at in range(VARIANTS)]
    copies = np.where(of_alt, study.copies, 2 - study.copies)
    codes = _BED_CODES[copies].T.reshape(VARIANTS, PEOPLE // 4, 4)
    packed = codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6
    return _BED_MAGIC + packed.tobytes()


def _truth() -> str:
    return (
        f"The causal variant is {_name(CAUSAL)}, {CONTIG}:{_CAUSAL_START + 1}:C:{_CAUSAL_ALT} ({KNOWN_ID}), in the "
        f"promoter of GP1BB.\nIt takes a site of GATA1 away, and explains {EXPLAINED:.1%} of the trait. Nothing else "
        "here does anything.\n"
    )


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() != content
