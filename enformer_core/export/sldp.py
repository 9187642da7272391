"""Signed annotations for SLDP: what an allele does to each group of tracks, with its sign.

SLDP (yakirr/sldp, with gprim's reconciled_to) reads `CHROMOSOME.sannot.gz`, tab-separated `SNP A1 A2`, then a column
for each annotation; it finds rows by SNP, and turns the sign where its reference panel has A1 and A2 the other way
round. So the annotation is of A1: the score of A1 less that of A2.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.export.association import (
    StudyOptions,
    names_of_run,
    numbered,
    read_association,
)
from enformer_core.export.grouped_scores import TrackGroups, signed_mean
from enformer_core.export.plain_table import (
    names_chromosomes,
    with_columns,
    write_by_chromosome,
)
from enformer_core.export.vcf_file import unheard
from enformer_core.finemapping.repeated_rows import are_firsts
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.words import agreeing, counted


def export_sldp(
    ledger: Ledger,
    path: Path,
    *,
    group: Sequence[str] = (),
    **options: Unpack[StudyOptions],
) -> int:
    """Write the mean signed score of each group of tracks.

    With sumstats, of their rows: SNP is their identifier, A1 their effect allele, and where that is the genome's the
    sign is turned. Without, of all alleles of the run: A1 is ALT. `@` in the name stands for the chromosome's number.

    Args:
        ledger: of a run by `score`.
        path: of the file, packed for `.gz`.
        group: of tracks, `NAME=TRACKS` each; by default one for each assay.
        options: the sumstats, if there are, and how they are read.

    Returns:
        How many variants there are.

    Raises:
        InputError: as `read_association`, and for groups that name no tracks.
        DatasetError: for a table of the run that is missing or damaged.
    """
    warn = options.get("warn", unheard)
    scores = TrackGroups.of(ledger, group).scores(ledger, signed_mean)
    if "sumstats" in options:
        association = read_association(ledger, "sldp", options)
        names = association.names
        allele = association.oriented.allele
        sign = association.oriented.sign.astype(np.float32)
    else:
        names = names_of_run(RunAlleles.read(ledger))
        allele = np.arange(names.num_rows)
        sign = np.ones(names.num_rows, dtype=np.float32)
    # a 0 that was turned is -0.0, and plus 0 it is 0
    signed = {name: pa.array(of_group[allele] * sign + 0) for name, of_group in scores.items()}
    table = _first_of_names(with_columns(names, signed), warn)
    if names_chromosomes(path):
        table, _ = numbered(table, warn)
    return write_by_chromosome(path, table, ["SNP", "A1", "A2", *signed])


def _first_of_names(
    table: pa.Table,
    warn: Callable[[str], object],
) -> pa.Table:
    """The first row of each SNP, by which SLDP joins: a second would double rows of its panel."""
    is_first = are_firsts(table["SNP"])
    repeats = int((~is_first).sum())
    if repeats:
        have = agreeing(repeats, "has", "have")
        warn(f"{counted(repeats, 'variants')} {have} the identifier of another, and are left out")
    return table.filter(pa.array(is_first))
