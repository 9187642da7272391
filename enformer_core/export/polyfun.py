"""What PolyFun reads: sumstats with prior weights (SNPVAR), and annotations of alleles with both alleles named.

Read off its finemapper.py and ldsc_polyfun/parse.py (omerwe/polyfun, 2024-12): `SNP CHR BP A1 A2 SNPVAR Z N`, where A1
is the effect allele, CHR a whole number, SNPVAR a float that is nowhere NaN and not 0 everywhere, and no variant stands
twice. Annotations are a Parquet file for each chromosome, `SNP CHR BP A1 A2`, then a column for each.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.association import (
    StudyOptions,
    first_of_pairs,
    numbered,
    read_association,
)
from enformer_core.export.grouped_scores import TrackGroups, as_columns, largest_size
from enformer_core.export.plain_table import is_parquet, write_plain
from enformer_core.export.vcf_file import unheard
from enformer_core.export.whole_file import is_stream
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import Floats

_ORDER = ("SNP", "CHR", "BP", "A1", "A2", "SNPVAR", "Z", "N")

OF_CHROMOSOME = "@"
"""What stands in a file's name for the chromosome's number, as PLINK has it."""


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
    names, has_number = numbered(association.names, association.warn)
    _check_any(names.num_rows)
    is_first = first_of_pairs(names, association.warn)
    kept = np.flatnonzero(has_number)[is_first]
    table = names.filter(pa.array(is_first))
    columns = {
        **{name: table[name] for name in table.column_names},
        "SNPVAR": pa.array(association.weight[kept]),
        "Z": pa.array(rows.z[kept]),
        "N": _whole_where_all_are(rows.n[kept]),
    }
    return write_plain(path, pa.table({name: columns[name] for name in _ORDER}))


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
    names, has_number = numbered(names_of_run(alleles), warn)
    _check_any(names.num_rows)
    is_first = first_of_pairs(names, warn)
    kept = np.flatnonzero(has_number)[is_first]
    named = names.filter(pa.array(is_first))
    table = pa.table(
        {
            **{name: named[name] for name in named.column_names},
            **as_columns(scores, kept),
            "base": pa.array(np.ones(kept.size, dtype=np.float32)),
        }
    )
    by_place = table.sort_by([("CHR", "ascending"), ("BP", "ascending")])
    if OF_CHROMOSOME not in path.name or is_stream(path):
        return write_plain(path, by_place)
    for number in pc.unique(by_place["CHR"]).to_pylist():
        of_one = by_place.filter(pc.equal(by_place["CHR"], number))
        write_plain(path.with_name(path.name.replace(OF_CHROMOSOME, str(number))), of_one)
    return int(by_place.num_rows)


def _whole_where_all_are(numbers: Floats) -> pa.Array:
    """Sample sizes as whole numbers; those of effective sizes may have fractions."""
    is_whole = bool((numbers == np.floor(numbers)).all())
    return pa.array(numbers.astype(np.int64) if is_whole else numbers)


def names_of_run(alleles: RunAlleles) -> pa.Table:
    """SNP, CHROM, BP, A1 and A2 of a run's alleles: A1 is ALT."""
    return pa.table(
        {
            "SNP": pc.coalesce(alleles.column("id"), alleles.column("variant_id")),
            "CHROM": alleles.column("chrom"),
            "BP": pc.cast(alleles.column("pos"), pa.int64()),
            "A1": alleles.column("alt"),
            "A2": alleles.column("ref"),
        }
    )


def _check_any(rows: int) -> None:
    if not rows:
        raise InputError(
            "no allele is on a numbered chromosome (1 to 22, X, Y, MT), as PolyFun wants them"
        )
