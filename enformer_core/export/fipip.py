"""Variants of credible sets with scores beside them, for models that weigh both, as fiPIP does.

`variant,cs_id,pip,chr`, then a column for each group of tracks: the largest size of a score over its tracks, never
signed (Sweeney and Kang 2026). Commas separate. The study is one that has been fine-mapped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.association import Association, StudyOptions, read_association
from enformer_core.export.grouped_scores import TrackGroups, as_columns, largest_size
from enformer_core.export.plain_table import write_plain
from enformer_core.variants.arrow import Mask
from enformer_core.words import agreeing, counted


def export_fipip(
    ledger: Ledger,
    path: Path,
    *,
    group: Sequence[str] = (),
    **options: Unpack[StudyOptions],
) -> int:
    """Write the matched variants that are in a credible set, in the order of their file.

    Args:
        ledger: of a run by `score`.
        path: of the file.
        group: of tracks, `NAME=TRACKS` each; by default one for each assay.
        options: the table of variants with their PIP and credible sets, and how it is read.

    Returns:
        How many variants there are.

    Raises:
        InputError: for a table without PIP or credible sets, with a PIP that is none, or as `read_association`.
        DatasetError: for a table of the run that is missing or damaged.
    """
    association = read_association(
        ledger,
        "fipip",
        options,
        needs_z=False,
    )
    in_set = _in_credible_set(association)
    kept = np.flatnonzero(in_set)
    rows = association.rows.taken(kept)
    allele = association.oriented.allele[kept]
    taken = pa.array(allele)
    alleles = association.alleles
    scores = TrackGroups.of(ledger, group).scores(ledger, largest_size)
    table = pa.table(
        {
            "variant": alleles.column("variant_id").take(taken),
            "cs_id": rows.credible_set,
            "pip": pa.array(rows.pip),
            "chr": alleles.column("chrom").take(taken),
            **as_columns(scores, allele),
        }
    )
    return write_plain(path, table, ",")


def _in_credible_set(association: Association) -> Mask:
    """Which matched rows are in a credible set.

    Raises:
        InputError: where the file does not say, or a PIP there is no probability.
    """
    rows = association.rows
    if rows.pip is None or rows.credible_set is None:
        known = ", ".join(name.strip() for name in rows.columns.header)
        raise InputError(
            f"--fipip: {rows.name} must be fine-mapped: needs the columns PIP and CS (or cs_id), and has {known}"
        )
    in_set = np.asarray(pc.is_valid(rows.credible_set), dtype=bool)
    wrong = in_set & ~((rows.pip >= 0) & (rows.pip <= 1))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InputError(
            f"{rows.name}, line {rows.line[first]}: is in credible set {rows.credible_set[first]}, and has no PIP of 0 "
            f"to 1; so {counted(int(wrong.sum()), 'rows')}"
        )
    outside = int((~in_set).sum())
    if outside:
        are = agreeing(outside, "is", "are")
        association.warn(f"{counted(outside, 'variants')} in no credible set {are} left out")
    if not in_set.any():
        raise InputError(f"{rows.name}: no variant that the run has scored is in a credible set")
    return in_set
