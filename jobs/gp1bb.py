"""The promoter of GP1BB in real DNA, and every SNV around its GATA1 site: what `enformer-ray demo` scores.

The sequence is chr22:19,611,001-19,811,040 of GRCh37 (GenBank CM000684.1), which its makers, the Genome Reference
Consortium, give to everybody. The FASTA file that is written has the whole chromosome's length, with N for what is not
shipped, so that every place said is GRCh37's own.

Knows where the gene begins and which variant is known. Where the site is, it finds; what the variants do, it does not
know.
"""

import gzip
import importlib.resources
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from enformer_core.models.motif_core_spec import CORE_MOTIFS
from enformer_core.models.motif_spec import IUPAC

CONTIG = "chr22"
CONTIG_BP = 51_304_566
SLICE_START = 19_611_000
"""0-based, of the first base that is shipped."""

TRANSCRIPTION_START = 19_711_065
"""0-based, of the first base that is transcribed (GENCODE, ENSG00000203618), on the forward strand."""

KNOWN_ID = "GP1BB_-133C>G"
"""The disease variant's ID in the VCF: 133 bases before the start of transcription (Ludlow et al. 1996)."""
_KNOWN_START = TRANSCRIPTION_START - 133
_KNOWN_ALT = "G"

FLANK_BP = 30
"""How far on either side of the site every base is changed."""

_PROMOTER_BP = 300
_LINE_BP = 60


@dataclass(frozen=True)
class Site:
    """A binding site on either strand.

    Attributes:
        start: 0-based, on the chromosome.
        end: past its last base.
        consensus: what the factor reads, in IUPAC letters.
        reverse: whether it reads the other strand.
    """

    start: int
    end: int
    consensus: str
    reverse: bool


@dataclass(frozen=True)
class Snv:
    """One base for another; `start` is 0-based on the chromosome, `name` is empty for a variant that nobody named."""

    start: int
    ref: str
    alt: str
    name: str


@dataclass(frozen=True)
class DemoInput:
    """The files to be scored, and what they hold.

    Attributes:
        genome: FASTA file of chromosome 22, packed by gzip.
        variants: VCF.
        first: 0-based, of the first base that is changed.
        letters: of the genome, those that are changed.
        site: the factor's, among them.
        snvs: the records of the VCF, in its order.
    """

    genome: Path
    variants: Path
    first: int
    letters: str
    site: Site
    snvs: tuple[Snv, ...]


def write_input(directory: Path) -> DemoInput:
    """Write the genome and its variants into a directory, made if need be; files that are right are left alone."""
    letters = shipped_letters()
    site = find_site(letters, "GATA1")
    first = site.start - FLANK_BP
    around = letters[first - SLICE_START : site.end + FLANK_BP - SLICE_START]
    snvs = tuple(_every_snv(first, around))
    genome = directory / f"{CONTIG}.fa.gz"
    variants = directory / "gp1bb.vcf"
    directory.mkdir(parents=True, exist_ok=True)
    _write(genome, packed_genome())
    _write(variants, _vcf(snvs))
    return DemoInput(genome, variants, first, around, site, snvs)


def shipped_letters() -> str:
    """The bases of the slice, in capitals."""
    packed = importlib.resources.files("jobs") / "data" / "gp1bb.fa.gz"
    _, *lines = gzip.decompress(packed.read_bytes()).decode("ascii").split("\n")
    return "".join(lines)


def packed_genome() -> bytes:
    """The FASTA file of chromosome 22, as gzip packs it."""
    return gzip.compress(_fasta(shipped_letters()), compresslevel=1, mtime=0)


def find_site(letters: str, factor: str) -> Site:
    """The factor's site in the promoter; of several the one nearest to the start of transcription.

    Args:
        letters: of the slice.
        factor: a name of `CORE_MOTIFS`.

    Raises:
        LookupError: when the promoter has none.
    """
    motif = next(motif for motif in CORE_MOTIFS if motif.name == factor)
    width = len(motif.consensus)
    nearest = TRANSCRIPTION_START - width
    for start in range(nearest, nearest - _PROMOTER_BP, -1):
        text = letters[start - SLICE_START : start - SLICE_START + width]
        for consensus in (motif.consensus, motif.reverse_complement):
            pattern = "".join(f"[{IUPAC[letter]}]" for letter in consensus)
            if re.fullmatch(pattern, text):
                return Site(start, start + width, motif.consensus, consensus != motif.consensus)
    raise LookupError(f"the promoter has no site of {factor}")


def _every_snv(first: int, letters: str) -> Iterator[Snv]:
    for start, ref in enumerate(letters, first):
        for alt in sorted(set("ACGT") - {ref}):
            is_known = (start, alt) == (_KNOWN_START, _KNOWN_ALT)
            yield Snv(start, ref, alt, KNOWN_ID if is_known else "")


def _fasta(letters: str) -> bytes:
    """The chromosome, N but for the slice, in lines of 60."""
    end = SLICE_START + len(letters)
    sequence = b"N" * SLICE_START + letters.encode("ascii") + b"N" * (CONTIG_BP - end)
    lines = [sequence[at : at + _LINE_BP] for at in range(0, CONTIG_BP, _LINE_BP)]
    header = f">{CONTIG} GRCh37, N but for {SLICE_START + 1}-{end}"
    return b"\n".join([header.encode("ascii"), *lines, b""])


def _vcf(snvs: tuple[Snv, ...]) -> bytes:
    header = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID={CONTIG},length={CONTIG_BP},assembly=GRCh37>",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    records = [
        f"{CONTIG}\t{snv.start + 1}\t{snv.name or '.'}\t{snv.ref}\t{snv.alt}\t.\tPASS\t."
        for snv in snvs
    ]
    return "\n".join([*header, *records, ""]).encode("ascii")


def _write(path: Path, content: bytes) -> None:
    """Put a file in its place whole. One that is right keeps its time of change, by which its base codes are known."""
    if _holds(path, content):
        return  # asked before the lock, for which the directory must be writable
    # Of two demonstrations that begin at once, one writes.
    with FileLock(path.with_name(f".{path.name}.lock")):
        if _holds(path, content):
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(path)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
