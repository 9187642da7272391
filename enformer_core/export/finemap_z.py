"""A locus as FINEMAP reads it: a `.z` file with prior probabilities, for `finemap --sss --prior-snps`.

Separated by blanks, `rsid chromosome position allele1 allele2 maf beta se prob`, in the order of the sumstats, which
must be that of the LD matrix. Six digits as `%.6g` writes them: PolyFun's `%0.5f` makes 0 of a probability below 5e-6.
"""

from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.export.association import Association, StudyOptions, read_association
from enformer_core.export.plain_table import write_plain
from enformer_core.finemapping.shares import shares
from enformer_core.finemapping.sumstats import Floats
from enformer_core.words import counted

_DIGITS = "%.6g"

_ANY_MAF = 0.5


def export_finemap(ledger: Ledger, path: Path, **options: Unpack[StudyOptions]) -> int:
    """Write the matched rows; their probabilities add up to 1. allele1 is the effect allele, beta is of it.

    Where a row has no beta or no SE, beta is z and SE is 1 in all rows: effects of genotypes and traits brought to
    variance 1, of which FINEMAP's probabilities are the same. Where one has no frequency, maf is 0.5 in all.

    Args:
        ledger: of a run by `score`.
        path: of the file.
        options: the sumstats and how they are read.

    Returns:
        How many variants there are.

    Raises:
        InputError: as `read_association`.
        DatasetError: for a table of the run that is missing or damaged.
    """
    association = read_association(ledger, "finemap", options)
    names = association.names
    contigs = pc.count_distinct(names["CHROM"]).as_py()
    if contigs > 1:
        association.warn(
            f"FINEMAP reads one locus a file, over which prob adds up to 1, and these are of {contigs} contigs; give "
            "the sumstats of one locus"
        )
    beta, se = _effects(association)
    weight = association.weight
    numbers = {
        "maf": _maf(association),
        "beta": beta,
        "se": se,
        "prob": shares(weight),
    }
    texts = {name: pa.array(np.char.mod(_DIGITS, values)) for name, values in numbers.items()}
    table = pa.table(
        {
            "rsid": names["SNP"],
            "chromosome": names["CHROM"],
            "position": names["BP"],
            "allele1": names["A1"],
            "allele2": names["A2"],
            **texts,
        }
    )
    return write_plain(path, table, " ")


def _effects(association: Association) -> tuple[Floats, Floats]:
    """beta and SE of all rows; z and 1 where any has none."""
    rows = association.rows
    has_both = np.isfinite(rows.beta) & (rows.se > 0)
    if has_both.all():
        return rows.beta, rows.se
    missing = int((~has_both).sum())
    association.warn(
        f"{counted(missing, 'rows')} without BETA or SE: beta is z and se is 1 in all rows of the .z file"
    )
    return rows.z, np.ones_like(rows.z)


def _maf(association: Association) -> Floats:
    """Frequencies of all rows; 0.5 where any has none, or 0, which FINEMAP refuses."""
    maf = association.rows.maf
    missing = int((~(maf > 0)).sum())
    if not missing:
        return maf
    association.warn(
        f"{counted(missing, 'rows')} without a frequency above 0: maf is {_ANY_MAF} in all rows of the .z file. "
        "Probabilities do not depend on it, effects on the scale of alleles do"
    )
    return np.full_like(maf, _ANY_MAF)
