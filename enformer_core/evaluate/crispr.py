"""Element-gene pairs that CRISPR experiments tested, in ENCODE's format of them (EngreitzLab/CRISPR_comparison).

Knows the format's columns and which others are scores. Does not know how scores are judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Bool

from enformer_core.errors import InputError, first_few, nearest
from enformer_core.links.candidates import named_once
from enformer_core.links.contact import powerlaw_contact
from enformer_core.links.refusals import several_columns
from enformer_core.links.tables import Numbers, Table, WholeNumbers
from enformer_core.words import agreeing, counted

ACTIVITY_COLUMNS = ("DHS.RPM", "H3K27ac.RPM.expandedRegion")
"""Of which activity is the geometric mean: accessibility of the element, H3K27ac of it and what lies beside it."""

_REGULATED = "Regulated"
_VALID = "ValidConnection"
_DISTANCE = "distanceToTSS"

INVERSE_DISTANCE = "inverse_distance"
ACTIVITY_CONTACT = "activity_contact"

_OWN = frozenset(
    """
    chrom chromStart chromEnd name EffectSize EffectSize95ConfidenceIntervalLow EffectSize95ConfidenceIntervalHigh
    strandPerturbationTarget PerturbationTargetID guideSpacerSeq guideSeq chrTSS startTSS endTSS strandGene
    measuredGeneSymbol measuredGeneEnsemblId measuredEnsemblID measuredGeneUbiquitousExpressed ubiqExprGene pair_uid
    Significant Regulated pValue pValueAdjusted ValidConnection Notes CellType Reference Dataset distanceToTSS
    PowerAtEffectSize10 PowerAtEffectSize15 PowerAtEffectSize20 PowerAtEffectSize25 PowerAtEffectSize50
    elementChromatinCategory H3K27ac_peak_overlap H3K27ac.RPM H3K27ac.percentile H3K27ac.RPM.expandedRegion
    H3K27ac.expandedRegion.percentile DHS.RPM DHS.percentile CTCF_peak_overlap CTCF.RPM H3K27me3_peak_overlap
    H3K27me3.RPM H3K4me1_peak_overlap H3K4me1.RPM direct_vs_indirect_negative direct_rate_negative
    indirect_rate_negative imputed_indirect_rate
    """.split()  # noqa: SIM905 - as the format's own page lists them
)
"""Columns of the format itself; numbers in any other column are taken for a score."""


@dataclass(frozen=True)
class TestedPairs:
    """The valid pairs of a table.

    Attributes:
        places: `gene`, `chrom`, `start` and `end` of each.
        is_regulated: whether the experiment found that the element acts on the gene.
        distance_bp: between them.
        scores: of every pair by name; NaN where there is none.
        notes: what was left out, for people.
    """

    __test__ = False  # the name is no test's

    places: pl.DataFrame
    is_regulated: Bool[np.ndarray, " rows"]
    distance_bp: Numbers
    scores: Mapping[str, Numbers]
    notes: tuple[str, ...] = ()

    def with_scores(self, scores: Mapping[str, Numbers]) -> "TestedPairs":
        """The same pairs with further scores.

        Raises:
            InputError: for a name that is taken.
        """
        for name in scores:
            if name in self.scores:
                raise InputError(
                    f"{name}: the table of pairs has a score of this name, and so have the predictions. "
                    "Choose one by --scores."
                )
        return replace(self, scores={**self.scores, **scores})

    def kept(self, is_kept: Bool[np.ndarray, " rows"]) -> "TestedPairs":
        """Some of the pairs, with all that is known of them."""
        return replace(
            self,
            places=self.places.filter(is_kept),
            is_regulated=self.is_regulated[is_kept],
            distance_bp=self.distance_bp[is_kept],
            scores={name: values[is_kept] for name, values in self.scores.items()},
        )


def read_tested_pairs(table: Table, *, scores: Sequence[str] = ()) -> TestedPairs:
    """The pairs of a table, without those that ValidConnection says are none, and those of which nothing was found out.

    Args:
        table: in ENCODE's format; it needs Regulated, and distanceToTSS or the places of elements and TSSs.
        scores: columns to be judged (default: every column of numbers that is not the format's own). Beside them stand
            two that need no prediction: 1/distance, and activity times the power law's contact.

    Raises:
        InputError: for columns that are missing, and cells that cannot be read.
    """
    _refuse_links(table)
    table, notes = _judged(table)
    if table.find([_DISTANCE]) is None:
        notes.append(
            f"{table.name}: has no column {_DISTANCE}; it is worked out from the middle of the element to the TSS's"
        )
    distance, upstream = _distance(table)
    notes += upstream
    by_name: dict[str, Numbers] = {INVERSE_DISTANCE: 1 / (1 + distance)}
    missing = [column for column in ACTIVITY_COLUMNS if table.find([column]) is None]
    if missing:
        notes.append(f"{table.name}: no {ACTIVITY_CONTACT}, without the column {missing[0]}")
    else:
        by_name[ACTIVITY_CONTACT] = _activity_contact(table, distance)
    if not scores:
        notes += _not_judged(table)
    for column in _score_columns(table, scores):
        by_name[column] = table.numbers(column)
    is_regulated = table.truths(table.column([_REGULATED]))
    places = _places(table)
    repeats = places.height - places.unique().height
    if repeats:
        notes.append(
            f"{table.name}: {_pairs(repeats, ' of an element and a gene')} listed before, "
            f"and {agreeing(repeats, 'counts', 'count')} each time"
        )
    return TestedPairs(places, is_regulated, distance, by_name, tuple(notes))


def _refuse_links(table: Table) -> None:
    """Refuse what `enformer-ray links` has written, which is the other table that an evaluation takes."""
    if table.find([_REGULATED]) is None and table.find(["powerlaw_contact"]) is not None:
        raise InputError(
            f"{table.name}: is a table of links, not of tested pairs. Give it by --predictions, and those pairs first."
        )


def _judged(table: Table) -> tuple[Table, list[str]]:
    """The pairs of which an experiment says whether they are regulated, and notes of how many it says nothing."""
    is_known = table.texts(table.column([_REGULATED])).is_not_null()
    is_valid = is_known
    column = table.find([_VALID])
    notes = []
    if column is None:
        notes.append(f"{table.name}: has no column {_VALID}; every pair is taken for a valid one")
    else:
        # not a truth alone: what is wrong with a pair stands there
        is_valid = (table.texts(column).str.to_lowercase() == "true").fill_null(False)
    invalid = int((~is_valid).sum())
    if invalid:
        notes.append(f"{table.name}: {_pairs(invalid)} left out, whose {_VALID} is not TRUE")
    unknown = int((is_valid & ~is_known).sum())
    if unknown:
        notes.append(f"{table.name}: {_pairs(unknown)} left out, without a value of {_REGULATED}")
    judged = table.kept(is_valid & is_known)
    if not judged.rows.height:
        raise InputError(f"{table.name}: has no valid pair with a value of {_REGULATED}")
    return judged, notes


def _pairs(number: int, of_what: str = "") -> str:
    return f"{counted(number, 'pairs')}{of_what} {agreeing(number, 'is', 'are')}"


def _distance(table: Table) -> tuple[Numbers, list[str]]:
    """The size of distanceToTSS, else from the middle of the element to that of the TSS; and what is said of it."""
    given = table.find([_DISTANCE])
    notes = []
    if given is None:
        start, end, tss, behind = (
            table.numbers(table.column([name]))
            for name in ("chromStart", "chromEnd", "startTSS", "endTSS")
        )
        distance = np.abs((start + end) / 2 - (tss + behind) / 2)
    else:
        signed = table.numbers(given)
        distance = np.abs(signed)
        negative = np.flatnonzero(signed < 0)
        if negative.size:
            notes.append(_with_signs(table, given, negative))
    unknown = np.flatnonzero(~np.isfinite(distance))
    if unknown.size:
        where = table.where(int(unknown[0]))
        raise InputError(
            f"{where}: has no distance to the TSS. Leave the pair out, or the column {_DISTANCE}."
        )
    return distance, notes


def _with_signs(table: Table, column: str, negative: WholeNumbers) -> str:
    """What is said of distances below 0: many tables give those upstream so, and the format's own has none."""
    first = int(negative[0])
    cell = table.rows[column][first]
    are = agreeing(negative.size, "is", "are")
    return (
        f"{table.where(first)}: {column} is {cell}; {counted(negative.size, 'distances')} {are} below 0, taken for "
        "those of elements upstream: the size counts"
    )


def _activity_contact(table: Table, distance: Numbers) -> Numbers:
    accessible, marked = (table.numbers(table.column([name])) for name in ACTIVITY_COLUMNS)
    # a product of experiments that is negative has no root: no score
    with np.errstate(invalid="ignore"):
        activity = np.sqrt(accessible * marked)
    return activity * powerlaw_contact(distance)


def _score_columns(table: Table, asked: Sequence[str]) -> list[str]:
    columns = table.rows.columns
    # of two nobody can know which is meant, and of none where each is judged
    for name in asked or _others(table):
        if name in table.twice:
            raise InputError(several_columns(table.name, name))
    if not asked:
        return [name for name in _others(table) if _strange_cell(table, name) is None]
    for name in asked:
        if name not in columns and name not in (INVERSE_DISTANCE, ACTIVITY_CONTACT):
            raise InputError(
                f"--scores {name}: {table.name} has no such column{nearest(name, columns)}"
            )
    return [name for name in asked if name in columns]


def _others(table: Table) -> list[str]:
    """Columns that are not the format's own, and in which something stands."""
    others = [name for name in table.rows.columns if name not in _OWN]
    return [name for name in others if not table.is_of_cells(name) or _cells(table, name).len()]


def _cells(table: Table, column: str) -> pl.Series:
    return table.texts(column).drop_nulls()


def _strange_cell(table: Table, column: str) -> str | None:
    """Why a column is none of numbers: the first cell that is none, or its type; None where all are."""
    if not table.is_of_cells(column):
        return str(table.rows.schema[column])
    cells = _cells(table, column)
    is_strange = cells.cast(pl.Float64, strict=False).is_null()
    first = cells.filter(is_strange).head(1).to_list()
    return repr(first[0]) if first else None


def _not_judged(table: Table) -> list[str]:
    """Notes of columns of text, among which one may be of numbers with a slip in it, and of empty ones."""
    strange = {name: _strange_cell(table, name) for name in _others(table)}
    shown = [f"{name} ({cell})" for name, cell in strange.items() if cell is not None]
    notes = []
    if shown:
        are = agreeing(len(shown), "is no column", "are no columns")
        notes.append(f"{table.name}: {first_few(shown)} {are} of numbers, and not judged")
    empty = [name for name in table.rows.columns if name not in {*_OWN, *strange}]
    if empty:
        have = agreeing(len(empty), "has no value, and is", "have no value, and are")
        notes.append(f"{table.name}: {first_few(empty)} {have} not judged")
    return notes


def _places(table: Table) -> pl.DataFrame:
    gene = table.texts(table.column(["measuredGeneSymbol"]))
    # before repeats are counted, and predictions called as pairs are
    chrom = named_once(table.texts(table.column(["chrom"])))
    start = table.whole_numbers(table.column(["chromStart"]))
    end = table.whole_numbers(table.column(["chromEnd"]))
    return pl.DataFrame({"gene": gene, "chrom": chrom, "start": start, "end": end})
