"""Prior weights for susieR's `prior_weights`: a line for each row of the sumstats, in their order.

susieR takes a vector of any scale in the order of z, as long as z, and matches no names.
"""

from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.export.association import StudyOptions, read_association
from enformer_core.export.plain_table import write_plain
from enformer_core.finemapping.shares import mean_weight
from enformer_core.words import agreeing, counted


def export_susie(ledger: Ledger, path: Path, **options: Unpack[StudyOptions]) -> int:
    """Write `id`, `prior_weights` and `status` of every row of the sumstats, those that cannot be used among them.

    A row without a weight of its own has the mean of the others: nothing is known for it, and nothing against it, as
    Wang et al. 2021 (Nat Commun 12:3394) have it. `status` is `Oriented.fate`.

    Args:
        ledger: of a run by `score`.
        path: of the file.
        options: the sumstats and how they are read.

    Returns:
        How many rows there are, which is the length of the vector.

    Raises:
        InputError: as `read_association`.
        DatasetError: for a table of the run that is missing or damaged.
    """
    association = read_association(ledger, "susie", options)
    sumstats = association.sumstats
    matched = association.oriented.row
    mean = mean_weight(association.weight)
    weights = np.full(len(sumstats), mean)
    weights[matched] = association.weight
    others = len(sumstats) - matched.size
    if others:
        have = agreeing(others, "has", "have")
        association.warn(
            f"{counted(others, 'rows')} without a score {have} the mean weight of the others, {mean:.6g}"
        )
    place = [
        sumstats.chrom,
        pc.cast(pa.array(sumstats.pos), pa.string()),
        sumstats.other_allele,
        sumstats.effect_allele,
    ]
    named = pc.binary_join_element_wise(*[pc.coalesce(each, "") for each in place], ":")
    table = pa.table(
        {
            "id": pc.coalesce(sumstats.id, named),
            "prior_weights": pa.array(weights),
            "status": association.oriented.fate,
        }
    )
    return write_plain(path, table)
