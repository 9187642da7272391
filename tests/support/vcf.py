"""VCF files of a few records, written the same way in every test."""

from collections.abc import Iterable
from pathlib import Path

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def write_vcf(path: Path, records: Iterable[tuple[str, int, str, str]]) -> Path:
    """Write a VCF of (chrom, 1-based pos, ref, alt); everything else is missing."""
    lines = [f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n" for chrom, pos, ref, alt in records]
    path.write_text(HEADER + "".join(lines))
    return path
