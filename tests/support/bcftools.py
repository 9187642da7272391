"""The yardstick: bcftools, as pysam carries it."""

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

_RUN = """
import sys, pysam, pysam.bcftools
pysam.set_verbosity(0)
sys.stdout.write(pysam.bcftools.norm("-m-any", *sys.argv[3:], "-f", sys.argv[2], sys.argv[1], catch_stdout=True))
"""

_TO_BCF = """
import sys, pysam, pysam.bcftools
pysam.bcftools.view("-Ob", "-o", sys.argv[2], sys.argv[1], catch_stdout=False)
"""


def norm(vcf, fasta, *options):
    """(contig, 0-based start, ID, REF, ALT) of every allele as `bcftools norm -m-any` writes it.

    In another process: pysam changes the process's standard output while it runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        beside = (
            Path(folder) / fasta.name
        )  # the index that it makes is not to lie beside the file itself
        for suffix in ("", ".fai", ".gzi"):
            if Path(f"{fasta}{suffix}").exists():
                Path(f"{beside}{suffix}").symlink_to(f"{fasta}{suffix}")
        command = [sys.executable, "-c", _RUN, str(vcf), str(beside), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line.split("\t")[:5] for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(chrom, int(pos) - 1, name, ref, alt) for chrom, pos, name, ref, alt in lines]


def to_bcf(vcf, bcf):
    """Write a VCF as BCF, by bcftools in another process."""
    subprocess.run(
        [sys.executable, "-c", _TO_BCF, str(vcf), str(bcf)], check=True, capture_output=True
    )


def read_text(path):
    """The text of a file, compressed by gzip or not."""
    content = path.read_bytes()
    return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode()
