"""What PolyFun reads: sumstats with prior weights (SNPVAR), and annotations of alleles with both alleles named.

Read off its finemapper.py and compute_ldscores.py (omerwe/polyfun): `SNP CHR BP A1 A2 SNPVAR Z N`, where A1
is the effect allele, CHR a whole number, SNPVAR a float that is nowhere NaN and not 0 everywhere, and no variant stands
twice. Annotations are a Parquet file for each chromosome, `SNP CHR BP A1 A2`, then a column for each.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.association import (
    StudyOptions,
    first_of_pairs,
    names_of_run,
    numbered,
    read_association,
)
from enformer_core.export.grouped_scores import BASE, TrackGroups, as_columns, largest_size
from enformer_core.export.plain_table import (
    is_parquet,
    with_columns,
    write_by_chromosome,
    write_plain,
)
from enformer_core.export.vcf_file import unheard
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import Floats
from enformer_core.variants.arrow import Numbers


def export_polyfun(ledger: Ledger, path: Path, **options: Unpack[StudyOptions]) -> int:
    """Write sumstats with weights, the matched rows in the order of their file.

    Args:
        ledger: of a run by `score`.
        path: of the file: Parquet for `.parquet`, else text, packed for `.gz`.
        options: the sumstats and how they are read.

    Returns:
        How many variants there are.

    Raises:
        InputError: for sumstats without sample sizes, or as `read_association`.
        DatasetError: for a table of the run that is missing or damaged.
    """
    association = read_association(ledger, "polyfun", options)
    rows = association.rows
    rows.check_n()
    names, kept = _named_once(association.names, association.warn)
    table = with_columns(
        names,
        {
            "SNPVAR": pa.array(association.weight[kept]),
            "Z": pa.array(rows.z[kept]),
            "N": _whole_where_all_are(rows.n[kept]),
        },
    )
    return write_plain(path, table)


def export_polyfun_annotations(
    ledger: Ledger,
    path: Path,
    *,
    group: Sequence[str] = (),
    warn: Callable[[str], object] = unheard,
) -> int:
    """Write annotations of all alleles of a run: of each group of tracks the largest size, and `base`, which is 1.

    A1 is ALT and A2 is REF. `@` in the name stands for the chromosome's number, and a file is written for each;
    without it all are in one.

    Args:
        ledger: of a run by `score`.
        path: of the file, Parquet.
        group: of tracks, `NAME=TRACKS` each; by default one for each assay.
        warn: told what is not in it.

    Returns:
        How many alleles there are.

    Raises:
        InputError: for a name that is no Parquet file's, a run of another kind, or groups that name no tracks.
        DatasetError: for a table of the run that is missing or damaged.
    """
    if not is_parquet(path):
        raise InputError(f"{path}: PolyFun reads Parquet; give a name that ends in .annot.parquet")
    alleles = RunAlleles.read(ledger)
    scores = TrackGroups.of(ledger, group).scores(ledger, largest_size)
    names, kept = _named_once(names_of_run(alleles), warn)
    annotations = as_columns(scores, kept)
    # S-LDSC's annotation of every variant, beside which others say what they add
    annotations[BASE] = pa.array(np.ones(kept.size, dtype=np.float32))
    table = with_columns(names, annotations)
    by_place = table.sort_by([("CHR", "ascending"), ("BP", "ascending")])
    return write_by_chromosome(path, by_place, by_place.column_names)


def _named_once(
    names: pa.Table,
    warn: Callable[[str], object],
) -> tuple[pa.Table, Numbers]:
    """The names that PolyFun can tell apart, with the chromosomes' numbers; and which rows these are.

    Raises:
        InputError: where none is on a numbered chromosome.
    """
    numbered_names, has_number = numbered(names, warn)
    if not numbered_names.num_rows:
        raise InputError(
            "no allele is on a numbered chromosome (1 to 22, X, Y, MT), as PolyFun wants them"
        )
    is_first = first_of_pairs(numbered_names, warn)
    rows = np.flatnonzero(has_number)
    return numbered_names.filter(pa.array(is_first)), rows[is_first]


def _whole_where_all_are(numbers: Floats) -> pa.Array:
    """Sample sizes as whole numbers; those of effective sizes may have fractions."""
    is_whole = bool((numbers == np.floor(numbers)).all())
    return pa.array(numbers.astype(np.int64) if is_whole else numbers)
