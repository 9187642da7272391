"""What a study says of a locus, as tables for pictures: association with LD, and what fine-mapping made of it.

Knows files of studies, LD and `finemap`. Does not know runs, nor how anything is drawn.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from enformer_core.errors import InputError
from enformer_core.finemapping.ld import Panel, open_panel
from enformer_core.finemapping.matching import match_variants
from enformer_core.finemapping.sumstats import Sumstats, read_sumstats
from enformer_core.finemapping.variant_names import VariantNames, one_file
from enformer_core.genome.contig_names import one_name_each
from enformer_core.pictures.stack import Stretch
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.input_files import InputFile
from enformer_core.words import counted

_AT_ONCE = 512
"""Variants whose correlations with the lead are asked for together; a panel gives those of all pairs."""

_BY_PIP = {"prior": "PIP with prior", "uniform": "PIP"}


@dataclass(frozen=True)
class Association:
    """A study in a locus.

    Attributes:
        table: `name`, `pos`, `minus_log10_p`, and `r2` where LD is known; a row for each variant.
        lead: the variant that LD is with; None without LD.
        fine_mapped: `name`, `pos`, `pip`, `credible_set`, where the file itself has them.
        notes: what is left out.
    """

    table: pl.DataFrame
    lead: str | None
    fine_mapped: pl.DataFrame | None
    notes: Sequence[str]


def read_association(
    name: str,
    columns: GivenColumns,
    stretch: Stretch,
    ld: str | None,
    ld_variants: str | None,
) -> Association:
    """Read the rows of a study that lie in a stretch.

    Raises:
        InputError: for files that cannot be read, or do not belong together.
    """
    file = one_file(name)
    study = read_sumstats(InputFile(file.path, name), columns=columns, needs_z=False)
    here = np.flatnonzero(is_within(study.chrom.to_pylist(), study.pos, stretch))
    strength = minus_log10_p(study.p[here], study.z[here])
    is_known = np.isfinite(strength)
    known = here[is_known]
    strength = strength[is_known]
    notes = []
    if known.size < here.size:
        left_out = counted(here.size - known.size, "variants")
        notes.append(f"{name}: {left_out} of the locus left out, without P or z")
    names = _names(study, known)
    table = pl.DataFrame(
        {
            "name": [names.shown(row) for row in range(len(names))],
            "pos": names.pos,
            "minus_log10_p": strength,
        }
    )
    lead = None
    if ld is not None and table.height:
        panel = open_panel(ld, ld_variants)
        rows, said = _rows_in_panel(panel, names, known, len(study))
        r2, lead, more = _r2_with_lead(panel, names, rows, strength)
        notes += [*said, *more]
        if lead is not None:
            table = table.with_columns(pl.Series("r2", r2, nan_to_null=True))
    return Association(table, lead, _fine_mapped_here(study, here), notes)


def minus_log10_p(p: np.ndarray, z: np.ndarray) -> np.ndarray:
    """−log10 of two-sided p; where p is none, or so small that it is 0, of z; NaN where neither is known."""
    is_p = (p > 0) & (p <= 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_p = -np.log10(np.where(is_p, p, np.nan))
    of_z = np.array([_of_z(abs(value)) for value in z.tolist()])
    return np.where(is_p, of_p, of_z)


def _of_z(size: float) -> float:
    tail = math.erfc(size / math.sqrt(2))
    if tail > 0 or math.isnan(size):
        return -math.log10(tail) if tail > 0 else math.nan
    if math.isinf(size):
        return math.nan
    # beyond z = 38 p is 0 in float64: erfc(x) is exp(−x²) / (x √π) · (1 − 1/2x² + 3/4x⁴ …)
    correction = math.log1p(-1 / size**2 + 3 / size**4)
    return (size * size / 2 + math.log(size * math.sqrt(math.pi / 2)) - correction) / math.log(10)


def is_within(
    chroms: Iterable[str | None],
    pos: np.ndarray,
    stretch: Stretch,
) -> np.ndarray:
    """Whether each place lies in a stretch; contigs may be called with chr or without."""
    listed = list(chroms)
    own = one_name_each([stretch.chrom, *(each for each in dict.fromkeys(listed) if each)])
    is_contig = [each is not None and own.get(each) == stretch.chrom for each in listed]
    return np.array(is_contig, dtype=bool) & (pos >= stretch.first) & (pos <= stretch.last)


def _names(study: Sumstats, rows: np.ndarray) -> VariantNames:
    taken = study.taken(rows)
    return VariantNames(
        taken.id.to_pylist(),
        taken.chrom.to_pylist(),
        taken.pos,
        taken.effect_allele.to_pylist(),
        taken.other_allele.to_pylist(),
    )


def _fine_mapped_here(study: Sumstats, here: np.ndarray) -> pl.DataFrame | None:
    if study.pip is None:
        return None
    sets = study.credible_set
    listed = [None] * len(study) if sets is None else sets.to_pylist()
    names = _names(study, here)
    table = pl.DataFrame(
        {
            "name": [names.shown(row) for row in range(len(names))],
            "pos": names.pos,
            "pip": study.pip[here],
            "credible_set": pl.Series([listed[row] for row in here.tolist()], dtype=pl.String),
        }
    )
    return table.filter(pl.col("pip").is_not_nan())


def _r2_with_lead(
    panel: Panel,
    names: VariantNames,
    rows: np.ndarray,
    strength: np.ndarray,
) -> tuple[np.ndarray, str | None, list[str]]:
    """r² of each variant with the strongest that the panel has; NaN where the panel has no such variant."""
    ld = panel.name
    notes = []
    r2 = np.full(len(names), np.nan)
    in_panel = np.flatnonzero(rows >= 0)
    if not in_panel.size:
        notes.append(f"{ld}: has none of the locus's variants: they are drawn without LD")
        return r2, None, notes
    lead = int(in_panel[np.argmax(strength[in_panel])])
    strongest = int(np.argmax(strength))
    if strongest != lead:
        notes.append(
            f"{ld}: does not have {names.shown(strongest)}, the strongest; r² is with {names.shown(lead)}"
        )
    for first in range(0, in_panel.size, _AT_ONCE):
        some = in_panel[first : first + _AT_ONCE]
        block = panel.block(np.array([rows[lead], *rows[some]]))
        with_lead = np.where(block.varies, block.correlations[0] ** 2, np.nan)
        r2[some] = with_lead[1:] if block.varies[0] else np.nan
    r2[lead] = 1.0
    absent = len(names) - in_panel.size
    if absent:
        notes.append(
            f"{ld}: does not have {counted(absent, 'variants')} of the locus: drawn in grey"
        )
    return np.clip(r2, None, 1.0), names.shown(lead), notes


def _rows_in_panel(
    panel: Panel,
    names: VariantNames,
    places: np.ndarray,
    rows_of_file: int,
) -> tuple[np.ndarray, list[str]]:
    if panel.names is not None:
        match = match_variants(names, panel.names, panel.name)
        return match.row, []
    if panel.size == rows_of_file:
        return places, []
    if panel.size == len(names):
        return np.arange(len(names)), []
    raise InputError(
        f"{panel.name}: has {panel.size:,} × {panel.size:,} correlations without names, and the study has "
        f"{counted(rows_of_file, 'rows')}, {len(names):,} of them in the locus. Name the matrix's rows by --ld-variants"
    )


def read_probabilities(name: str, stretch: Stretch) -> dict[str, pl.DataFrame]:
    """What `finemap` wrote of the variants in a stretch: by the row's name `name`, `pos`, `pip`, `credible_set`.

    Raises:
        InputError: for a file that `finemap` did not write.
    """
    table = _finemapped(name)
    needed = ("id", "chrom", "pos", "pip_uniform", "set_uniform", "pip_prior", "set_prior")
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise InputError(
            f"--pips {name}: has no column {missing[0]}. Give the --out or the --json of `enformer-ray finemap`"
        )
    placed = table.filter(pl.col("pos").is_not_null() & pl.col("chrom").is_not_null())
    here = is_within(placed["chrom"].to_list(), placed["pos"].to_numpy(), stretch)
    found = placed.filter(pl.Series(here))
    answers = {}
    for which, called in _BY_PIP.items():
        pips = found.select(
            pl.col("id").alias("name"),
            "pos",
            pl.col(f"pip_{which}").cast(pl.Float64).alias("pip"),
            pl.col(f"set_{which}").cast(pl.String).alias("credible_set"),
        ).filter(pl.col("pip").is_not_null())
        if pips.height:
            answers[called] = pips
    if len(answers) == 2:
        answers = {_BY_PIP["prior"]: answers[_BY_PIP["prior"]], "PIP, no prior": answers["PIP"]}
    return answers


def _finemapped(name: str) -> pl.DataFrame:
    path = one_file(name).path
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith(".json"):
            variants = json.loads(Path(path).read_text())["variants"]
            return pl.DataFrame(variants, infer_schema_length=None)
        return pl.read_csv(
            path, separator="\t", infer_schema_length=None, schema_overrides={"chrom": pl.String}
        )
    except (pl.exceptions.PolarsError, ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"--pips {name}: is not what `enformer-ray finemap` writes by --out or --json: {error}"
        ) from error
