"""Prior weights of a locus's variants from a finished run of scores.

The weights are those of `prior`, and which allele of the run is which variant says `orientation`. Does not know SuSiE.
"""

import numpy as np
import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.finemapping.locus import (
    LocusData,
    Missing,
    PriorWeights,
)
from enformer_core.finemapping.orientation import orient
from enformer_core.finemapping.prior import alleles_with_prior
from enformer_core.finemapping.shares import mean_weight
from enformer_core.finemapping.statistic_names import StatisticColumns
from enformer_core.finemapping.sumstats import (
    RowStatus,
    Sumstats,
)
from enformer_core.genome.fasta import Genome
from enformer_core.words import (
    agreeing,
    counted,
)


def weights_of_run(
    data: LocusData,
    ledger: Ledger,
    expression: str | None = None,
    *,
    genome: Genome | None = None,
) -> PriorWeights:
    """The weights that a run gives the variants of a locus.

    A variant without a score gets the mean of those with one, much as in Wang et al. 2021 (Nat Commun 12:3394): nothing
    is known for it, and nothing against it.

    Args:
        data: the locus.
        ledger: of a run by `score`.
        expression: of SQL over its tables, whose value is the weight; None for ranks of the largest effects.
        genome: of the run, for the normal form of indels; without it they are trimmed as they are written.

    Raises:
        InputError: for a run of another kind, and where it has scored no variant of the locus.
        DatasetError: for a table that is missing or damaged.
    """
    where = ledger.store.location
    if not (data.names.pos > 0).any():
        raise InputError(
            f"--prior {where}: {data.study.name} says of no variant where it lies, and neither does the LD; a run's "
            "alleles are found by place. Add columns CHR and POS"
        )
    alleles, prior = alleles_with_prior(ledger, expression, "--prior-sql")
    oriented = orient(_as_sumstats(data), alleles, genome=genome, remedy="")
    weights = np.full(data.z.size, np.nan)
    weights[oriented.row] = prior.weight[oriented.allele]
    is_unknown = np.isnan(weights)
    weights[is_unknown] = mean_weight(weights[~is_unknown])
    fates = oriented.fate.to_pylist()
    missing = tuple(
        _missing(data, row, where, fates[row]) for row in np.flatnonzero(is_unknown).tolist()
    )
    notes = [*prior.notes(), *oriented.notes]
    if ledger.manifest() is None:
        notes.append(f"{where}: is not finished; weights are of what it has scored so far")
    if missing:
        number = counted(len(missing), "variants")
        verb = agreeing(len(missing), "has", "have")
        notes.append(f"{number} {verb} no score in {where}, and the mean weight of the others")
    return PriorWeights(weights, missing, tuple(notes), prior.made_of)


def _missing(
    data: LocusData,
    row: int,
    where: str,
    fate: str,
) -> Missing:
    line = int(data.study.line[data.row[row]])
    why = f"has no score in {where}"
    if fate == "ambiguous":
        why = f"could be two alleles of {where}, as nothing shows its strand or order, and has no score"
    return Missing(data.labels[row], line, "prior", why)


def _as_sumstats(data: LocusData) -> Sumstats:
    """The variants as rows of summary statistics, of which only names count here."""
    names = data.names
    unknown = np.full(data.z.size, np.nan)
    known = zip(names.chrom, names.effect, names.other, strict=True)
    # a variant without a place or alleles is none that a run could have
    status = [RowStatus.MALFORMED if None in each else RowStatus.OK for each in known]
    return Sumstats(
        name=data.study.name,
        line=data.study.line[data.row],
        chrom=pa.array(names.chrom, pa.string()),
        pos=names.pos,
        id=pa.array(names.id, pa.string()),
        effect_allele=pa.array(names.effect, pa.string()),
        other_allele=pa.array(names.other, pa.string()),
        beta=unknown,
        se=unknown,
        z=data.z,
        n=unknown,
        maf=unknown,
        log_p=unknown,
        is_no_p=np.zeros(data.z.size, dtype=bool),
        status=pa.array([each.value for each in status], pa.string()),
        effect_is_ref=None
        if data.study.effect_is_ref is None
        else data.study.effect_is_ref[data.row],
        why_effect="",
        columns=StatisticColumns({}),
    )
