"""Small genomes of random letters, the same ones for the same seed."""

import random
from collections.abc import Mapping
from pathlib import Path

OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
"""For each base one that differs from it."""


def random_letters(length_bp: int, seed: int = 0) -> str:
    """Bases A, C, G and T; the same ones for the same seed."""
    return "".join(random.Random(seed).choices("ACGT", k=length_bp))


def write_fasta(path: Path, contigs: Mapping[str, str]) -> Path:
    """Write a FASTA file, each contig on one line."""
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in contigs.items()))
    return path
