"""What a study says of a locus, as tables for pictures: association with LD, and what fine-mapping made of it.

Knows files of studies, LD and `finemap`. Does not know runs, nor how anything is drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from enformer_core.finemapping.fine_mapped import checked_probabilities
from enformer_core.finemapping.finemapped_file import read_finemapped
from enformer_core.finemapping.ld import LdBlock, Panel, open_panel, said_of_squares
from enformer_core.finemapping.locus import places_in_matrix
from enformer_core.finemapping.matching import match_variants
from enformer_core.finemapping.repeated_variants import earlier_rows
from enformer_core.finemapping.strength import strength_of
from enformer_core.finemapping.sumstats import Sumstats, read_sumstats
from enformer_core.finemapping.variant_names import VariantNames, one_file
from enformer_core.genome.contig_names import one_name_each
from enformer_core.pictures.stack import Stretch
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.input_files import InputFile
from enformer_core.words import agreeing, counted

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
    """Read the rows of a study that lie in a stretch; a row that says again what an earlier one says is left out.

    Raises:
        InputError: for files that cannot be read, or do not belong together.
    """
    file = one_file(name)
    whole = read_sumstats(InputFile(file.path, name), columns=columns, needs_z=False)
    here = np.flatnonzero(is_within(whole.chrom.to_pylist(), whole.pos, stretch))
    study = whole.taken(here)
    strength, notes = strength_of(study)
    every = _names(study)
    is_drawn = np.isfinite(strength)
    notes += _without_repeats(study, every, strength, is_drawn)
    known = np.flatnonzero(is_drawn)
    strength = strength[known]
    names = every.taken(known)
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
        rows, said = _rows_in_panel(panel, study, here, len(whole))
        r2, lead, more = _r2_with_lead(panel, names, rows[known], strength)
        notes += [*said, *more]
        if lead is not None:
            table = table.with_columns(pl.Series("r2", r2, nan_to_null=True))
    return Association(table, lead, _fine_mapped(study, every), notes)


def _without_repeats(
    study: Sumstats,
    names: VariantNames,
    strength: np.ndarray,
    is_drawn: np.ndarray,
) -> list[str]:
    """Take rows that repeat an earlier one out of those that are drawn, and say so."""
    same: list[tuple[int, int]] = []
    other: list[tuple[int, int]] = []
    for row, first in earlier_rows(names, np.flatnonzero(is_drawn).tolist()):
        is_same = np.isclose(strength[row], strength[first], rtol=1e-6, atol=1e-9)
        (same if is_same else other).append((row, first))
    is_drawn[[row for row, _ in same]] = False
    notes = []
    for pairs, said in (
        (same, "left out: each says again what an earlier one says"),
        (other, "drawn beside an earlier one of the same variant, with another P"),
    ):
        for row, first in pairs[:1]:
            of_rows = counted(len(pairs), "rows")
            are = agreeing(len(pairs), "is", "are")
            such = f"line {study.line[row]}, the variant of line {study.line[first]}"
            notes.append(f"{study.name}: {of_rows} of the locus {are} {said}, such as {such}")
    return notes


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


def _names(study: Sumstats) -> VariantNames:
    return VariantNames(
        study.id.to_pylist(),
        study.chrom.to_pylist(),
        study.pos,
        study.effect_allele.to_pylist(),
        study.other_allele.to_pylist(),
    )


def _fine_mapped(study: Sumstats, names: VariantNames) -> pl.DataFrame | None:
    """What the file itself says of PIPs and credible sets.

    Raises:
        InputError: for a PIP that is no probability.
    """
    if study.pip is None:
        return None
    called = study.columns.names["pip"]

    def where(row: int) -> str:
        return f"{study.name}, line {study.line[row]} ({names.shown(row)})"

    sets = study.credible_set
    table = pl.DataFrame(
        {
            "name": [names.shown(row) for row in range(len(names))],
            "pos": names.pos,
            "pip": checked_probabilities(study.pip, where, called),
            "credible_set": [None] * len(study) if sets is None else sets.to_pylist(),
        },
        schema_overrides={"credible_set": pl.String},
    )
    return table.filter(pl.col("pip").is_not_nan()).unique(maintain_order=True)


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
    blocks = []
    is_still = np.zeros(len(names), dtype=bool)
    for first in range(0, in_panel.size, _AT_ONCE):
        some = in_panel[first : first + _AT_ONCE]
        block = panel.block(np.array([rows[lead], *rows[some]]))
        with_lead = np.where(block.varies, block.correlations[0] ** 2, np.nan)
        r2[some] = with_lead[1:] if block.varies[0] else np.nan
        is_still[some] = ~block.varies[1:]
        blocks.append(block)
    r2[lead] = 1.0
    notes += _said_of_blocks(panel, blocks, in_panel.size)
    absent = len(names) - in_panel.size
    for number, why in (
        (absent, "does not have {} of the locus"),
        (int(is_still.sum()), "has no correlations of {} of the locus, which do not vary there"),
    ):
        if number:
            notes.append(f"{ld}: {why.format(counted(number, 'variants'))}: drawn as rings in grey")
    return np.clip(r2, None, 1.0), names.shown(lead), notes


def _said_of_blocks(
    panel: Panel,
    blocks: Sequence[LdBlock],
    variants: int,
) -> list[str]:
    """What is to be said of the numbers, once of all blocks."""
    if all(block.seems_squared for block in blocks):
        asked = said_of_squares(panel.name, variants)
        return [f"{asked} Colours are of the square of what it holds"]
    said = [note for block in blocks if not block.seems_squared for note in block.notes]
    return list(dict.fromkeys(said))


def _rows_in_panel(
    panel: Panel,
    study: Sumstats,
    place: np.ndarray,
    rows_of_file: int,
) -> tuple[np.ndarray, list[str]]:
    """The panel's row of each row in the locus, -1 where it has none, and what is taken for granted."""
    if panel.names is not None:
        match = match_variants(_names(study), panel.names, panel.name, needs_signs=False)
        return match.row, list(match.notes)
    places, said = places_in_matrix(panel, study.name, place, rows_of_file)
    return places, [said]


def read_probabilities(name: str, stretch: Stretch) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """What `finemap` wrote of the variants in a stretch: by the row's name `name`, `pos`, `pip`, `credible_set`.

    Returns:
        A table for each fit that has probabilities there, and what is left out.

    Raises:
        InputError: for a file that `finemap` did not write, or has changed since.
    """
    table = read_finemapped("--pips", name)
    is_here = is_within(table["chrom"].to_list(), table["pos"].to_numpy(), stretch)
    found = table.filter(pl.Series(is_here, dtype=pl.Boolean))
    answers = {}
    notes = []
    for which, called in _BY_PIP.items():
        pips = found.select(
            pl.col("id").alias("name"),
            "pos",
            pl.col(f"pip_{which}").alias("pip"),
            pl.col(f"set_{which}").alias("credible_set"),
        ).drop_nulls("pip")
        if pips.height:
            answers[called] = pips
        without = found.height - pips.height
        # a fit without a prior has no column of it at all
        if without and (pips.height or which == "uniform"):
            have = agreeing(without, "has", "have")
            of_locus = counted(without, "variants")
            notes.append(f"{name}: {of_locus} of the locus {have} no pip_{which}, and no point")
    if len(answers) == 2:
        answers = {_BY_PIP["prior"]: answers[_BY_PIP["prior"]], "PIP, no prior": answers["PIP"]}
    return answers, notes
