"""A locus put together: a study's variants that a panel has, with z and correlations of the same alleles.

Everything that is left out says why. Does not know how SuSiE works.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from enformer_core.errors import InputError
from enformer_core.finemapping.ld import Panel
from enformer_core.finemapping.matching import Match, match_variants
from enformer_core.finemapping.study import Study
from enformer_core.finemapping.susie import Correlations, Variants
from enformer_core.finemapping.variant_names import Texts, VariantNames
from enformer_core.words import agreeing, counted

Rows = Int64[np.ndarray, " variants"]

From = Literal["sumstats", "ld", "prior"]
"""What a variant is missing from."""

_SCANTY = 0.5
"""Part of a study's variants in the panel below which that is said in so many words."""


@dataclass(frozen=True)
class Missing:
    """A variant that is left out, or of which something is not known.

    Attributes:
        id: what it is called.
        line: of the file of sumstats, from 1; None for variants that only the panel has.
        source: what it is missing from.
        reason: why, in words.
    """

    id: str
    line: int | None
    source: From
    reason: str


@dataclass(frozen=True)
class LocusData:
    """Variants that a study and a panel share, in the order of the study.

    Attributes:
        study: the results they are taken from.
        row: of the study.
        names: what they are called; places may be the panel's where the study has none.
        labels: distinct names for people and programs.
        sign: −1 where the panel counts the other allele.
        z: of the study's effect allele.
        correlations: between the alleles that the panel counts.
        unit: the last digit that is kept of a correlation.
        missing: what is left out.
        notes: what was taken for granted.
        seems_squared: whether the correlations may be r², as none is below 0.
    """

    study: Study
    row: Rows
    names: VariantNames
    labels: Sequence[str]
    sign: Int64[np.ndarray, " variants"]
    z: Variants
    correlations: Correlations
    unit: float
    missing: Sequence[Missing]
    notes: tuple[str, ...]
    seems_squared: bool = False

    @property
    def panel_z(self) -> Variants:
        """z of the alleles that the panel counts: what belongs to the correlations."""
        return self.z * self.sign


@dataclass(frozen=True)
class PriorWeights:
    """Weights of a locus's variants.

    Attributes:
        weights: of each; of those of which nothing is known the mean of the others. None without a prior.
        missing: those.
        notes: what they are made of, and what was taken for granted.
        made_of: what they are made of, in few words; None without a prior.
    """

    weights: Variants | None
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()
    made_of: str | None = None


NO_WEIGHTS = PriorWeights(None)


def put_together(
    study: Study,
    panel: Panel,
) -> LocusData:
    """The variants of a study in a panel.

    Raises:
        InputError: where both have none in common, or where nothing says which row is which variant.
    """
    match = _match(study, panel)
    unused = [reason is not None for reason in study.reasons]
    is_kept = (match.row >= 0) & ~np.array(unused, dtype=bool)
    rows = np.flatnonzero(is_kept)
    if not rows.size:
        raise InputError(_nothing_shared(study, panel, match))
    _check_once(study, panel, match, rows)
    block = panel.block(match.row[rows])
    varying = np.flatnonzero(block.varies)
    if not varying.size:
        raise InputError(
            f"{panel.name}: none of the {counted(rows.size, 'variants')} that {study.name} shares with it varies there"
        )
    correlations = block.correlations
    if varying.size < rows.size:
        correlations = correlations[np.ix_(varying, varying)]
    kept = rows[varying]
    missing = [
        *_unused(study),
        *_not_in_panel(study, match),
        *_still(study, panel, rows[~block.varies]),
        *_only_in_panel(panel, match, study),
    ]
    names = _with_places(study.names.taken(kept), panel, match.row[kept])
    return LocusData(
        study=study,
        row=kept,
        names=names,
        labels=_labels(names),
        sign=match.sign[kept],
        z=study.z[kept],
        correlations=correlations,
        unit=block.unit,
        missing=missing,
        notes=(*match.notes, *block.notes, *_said_of_missing(missing, study, panel)),
        seems_squared=block.seems_squared,
    )


def _match(
    study: Study,
    panel: Panel,
) -> Match:
    if panel.names is not None:
        return match_variants(study.names, panel.names, panel.name)
    places, said = places_in_matrix(panel, study.name, study.place, study.rows)
    rows = len(study.names)
    return Match(places, np.ones(rows, dtype=np.int64), [None] * rows, (said,))


def places_in_matrix(
    panel: Panel,
    study: str,
    place: Rows,
    rows_of_file: int,
) -> tuple[Rows, str]:
    """Rows of a matrix without names that are the rows of a study in a locus, and what is taken for granted.

    Args:
        panel: the matrix, of all rows of the file, or of those in the locus.
        study: name of the file.
        place: which of all rows of the file each row in the locus is, from 0.
        rows_of_file: how many the file has.

    Raises:
        InputError: for a matrix of another size.
    """
    rows = place.size
    places = {rows: np.arange(rows), rows_of_file: place}.get(panel.size)
    if places is None:
        of_file = counted(rows_of_file, "rows")
        of_locus = "" if rows == rows_of_file else f", {rows:,} of them in the locus"
        raise InputError(
            f"{panel.name}: has {panel.size:,} × {panel.size:,} correlations without names, and {study} {of_file}"
            f"{of_locus}. Give the matrix of these rows, or name the matrix's own by --ld-variants FILE"
        )
    return places, (
        f"{panel.name}: has no names; its rows are taken to be those of {study}, in that order and of the same "
        "effect alleles (--ld-variants FILE names them)"
    )


def _nothing_shared(
    study: Study,
    panel: Panel,
    match: Match,
) -> str:
    usable = [row for row, reason in enumerate(study.reasons) if reason is None]
    first = usable[0]
    theirs = (
        "" if panel.names is None else f"; the first of {panel.name} is {_full(panel.names, 0)}"
    )
    return (
        f"none of the {counted(len(usable), 'variants')} of {study.name} is in {panel.name}, such as "
        f"{_full(study.names, first)}, which {match.reasons[first]}{theirs}. Are both of one locus and assembly?"
    )


def _full(
    names: VariantNames,
    row: int,
) -> str:
    """A name with all that is known of it: `rs1 (20:1000 A/G)`."""
    place = f"{names.chrom[row]}:{names.pos[row]} " if names.pos[row] else ""
    alleles = f"{names.other[row]}/{names.effect[row]}" if names.effect[row] else ""
    known = f"{place}{alleles}".strip()
    return f"{names.shown(row)} ({known})" if known else names.shown(row)


def _check_once(
    study: Study,
    panel: Panel,
    match: Match,
    rows: Rows,
) -> None:
    """Refuse two rows of a study that are one variant of the panel: fitted as two they would share what is one's."""
    found, counts = np.unique(match.row[rows], return_counts=True)
    for at in np.flatnonzero(counts > 1)[:1]:
        same = rows[match.row[rows] == found[at]]
        one, other = study.where(int(same[0])), study.where(int(same[1]))
        name = "" if panel.names is None else f" {panel.names.shown(int(found[at]))}"
        raise InputError(
            f"{one} and {other} are one variant of {panel.name},{name} row {found[at] + 1}. Keep one of them"
        )


def _unused(study: Study) -> Iterator[Missing]:
    for row, reason in enumerate(study.reasons):
        if reason is not None:
            yield Missing(study.names.shown(row), int(study.line[row]), "sumstats", reason)


def _not_in_panel(
    study: Study,
    match: Match,
) -> Iterator[Missing]:
    for row, reason in enumerate(match.reasons):
        if reason is not None and study.reasons[row] is None:
            yield Missing(study.names.shown(row), int(study.line[row]), "ld", reason)


def _still(
    study: Study,
    panel: Panel,
    rows: Rows,
) -> Iterator[Missing]:
    for row in rows.tolist():
        yield Missing(
            study.names.shown(row), int(study.line[row]), "ld", f"does not vary in {panel.name}"
        )


def _only_in_panel(
    panel: Panel,
    match: Match,
    study: Study,
) -> Iterator[Missing]:
    """Variants between those that are shared, which only the panel has: a causal one may be among them."""
    if panel.names is None:
        return
    shared = match.row[match.row >= 0]
    pos = panel.names.pos
    chroms = {panel.names.chrom[row] for row in shared.tolist()}
    first, last = pos[shared].min(), pos[shared].max()
    is_shared = np.zeros(panel.size, dtype=bool)
    is_shared[shared] = True
    ids = {each for each in study.names.id if each is not None}
    is_between = (pos >= first) & (pos <= last)
    for row in np.flatnonzero(~is_shared & is_between).tolist():
        # one whose alleles differ is listed as the study's
        if panel.names.chrom[row] in chroms and panel.names.id[row] not in ids:
            yield Missing(
                panel.names.shown(row),
                None,
                "sumstats",
                f"is in {panel.name} alone, not in {study.name}",
            )


def _said_of_missing(
    missing: Sequence[Missing],
    study: Study,
    panel: Panel,
) -> Iterator[str]:
    not_used = [each for each in missing if each.source == "sumstats" and each.line is not None]
    not_there = [each for each in missing if each.source == "ld"]
    if not_used:
        yield f"{study.name}: {_some(not_used)}"
    if not_there:
        share = len(not_there) / max(len(study.names) - len(not_used), 1)
        warning = ""
        if share > _SCANTY:
            warning = ", most of its variants: a causal one is easily among them"
        yield f"{study.name}: {_some(not_there)}{warning}"
    beside = len(missing) - len(not_used) - len(not_there)
    if beside:
        number = counted(beside, "variants")
        lie = agreeing(beside, "lies", "lie")
        yield (
            f"{number} of {panel.name} {lie} between these and {agreeing(beside, 'is', 'are')} not in {study.name}; a "
            "causal one among them would be taken for its neighbours"
        )


def _some(missing: Sequence[Missing]) -> str:
    first = missing[0]
    number = counted(len(missing), "variants")
    are = agreeing(len(missing), "is", "are")
    return f"{number} {are} left out: line {first.line}, {first.id}, {first.reason}"


def _with_places(
    names: VariantNames,
    panel: Panel,
    rows: Rows,
) -> VariantNames:
    """The names with the panel's places and alleles where the study says nothing."""
    if panel.names is None:
        return names
    theirs = panel.names.taken(rows)
    is_placed = (names.pos > 0).tolist()
    has_alleles = [each is not None for each in names.effect]
    return VariantNames(
        names.id,
        _filled(names.chrom, theirs.chrom, is_placed),
        np.where(names.pos > 0, names.pos, theirs.pos),
        _filled(names.effect, theirs.effect, has_alleles),
        _filled(names.other, theirs.other, has_alleles),
    )


def _filled(
    own: Texts,
    theirs: Texts,
    is_own: Sequence[bool],
) -> Texts:
    both = zip(own, theirs, is_own, strict=True)
    return [one if is_first else other for one, other, is_first in both]


def _labels(names: VariantNames) -> Sequence[str]:
    """Names that are all different: where several alleles have one identifier, with their alleles behind it."""
    shown = [names.shown(row) for row in range(len(names))]
    times = Counter(shown)
    return [
        f"{each}:{names.other[row]}:{names.effect[row]}" if times[each] > 1 else each
        for row, each in enumerate(shown)
    ]
