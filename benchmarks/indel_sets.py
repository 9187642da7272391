"""Sets of variants with insertions and deletions, made of SNVs at real places: for timings, not for biology."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.windows import Allele

SHARE = 0.13
"""Of variants that are indels, as among those of 1000 Genomes and gnomAD, roughly."""

LENGTHS_BP = (
    *((1, 0.45), (2, 0.16), (3, 0.08), (4, 0.11)),
    *((length, 0.11 / 6) for length in range(5, 11)),
    *((length, 0.09 / 40) for length in range(11, 51)),
)
"""Lengths from 1 to 50 bp and how many indels of a hundred have each, falling as they do in people."""


def indels_at(genome: Genome, snvs: Sequence[Allele], seed: int = 0) -> list[Allele]:
    """An insertion or a deletion in the place of each SNV, as often the one as the other."""
    random = np.random.default_rng(seed)
    lengths, shares = zip(*LENGTHS_BP, strict=True)
    made = []
    for snv in snvs:
        length = int(random.choice(lengths, p=shares))
        if random.random() < 0.5:
            inserted = "".join(random.choice(list("ACGT"), length))
            made.append(replace(snv, alt=snv.ref + inserted))
            continue
        codes = genome.fetch(snv.contig, snv.start, snv.start + length + 1)
        lost = "".join("ACGTN"[code] for code in codes)
        made.append(replace(snv, ref=lost, alt=snv.ref))
    return made


def with_indels(genome: Genome, snvs: Sequence[Allele]) -> list[Allele]:
    """The same places in the same order, with an indel in the place of every eighth SNV or so."""
    # with 0.13: of the 8th, 16th, 24th … and now and then of the 7th one on
    places = [
        number for number in range(len(snvs)) if int((number + 1) * SHARE) > int(number * SHARE)
    ]
    made = list(snvs)
    replaced = [snvs[number] for number in places]
    for number, indel in zip(places, indels_at(genome, replaced), strict=True):
        made[number] = indel
    return made
