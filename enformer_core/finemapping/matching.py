"""Which row of a panel is which variant of a study, and whether both count the same allele.

By identifiers, else by places; alleles must fit, in either order and on either strand. Does not know numbers.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from enformer_core.finemapping.variant_names import VariantNames
from enformer_core.genome.contig_names import one_name_each
from enformer_core.words import agreeing, counted

_COMPLEMENT = str.maketrans("ACGT", "TGCA")

_Place = tuple[str, int]


@dataclass(frozen=True)
class Match:
    """A study's variants in a panel.

    Attributes:
        row: of the panel; −1 where it has no such variant.
        sign: −1 where the panel counts the other allele, so that z changes its sign; else 1.
        reasons: why variants are not there; None for those that are.
        notes: what was taken for granted.
    """

    row: Int64[np.ndarray, " variants"]
    sign: Int64[np.ndarray, " variants"]
    reasons: Sequence[str | None]
    notes: tuple[str, ...]


def match_variants(
    study: VariantNames,
    panel: VariantNames,
    panel_name: str,
    *,
    needs_signs: bool = True,
) -> Match:
    """Find each variant of a study in a panel.

    Args:
        study: variants whose effect alleles z is of.
        panel: variants whose effect alleles correlations count.
        panel_name: for reasons and notes.
        needs_signs: whether it matters which allele is counted; of squares it does not.
    """
    index = _Index.of(study, panel)
    row = np.full(len(study), -1)
    sign = np.ones(len(study), dtype=np.int64)
    reasons: list[str | None] = [None] * len(study)
    how = _How()
    for number in range(len(study)):
        candidates = index.candidates(number)
        signs = {each: _sign(study, number, panel, each) for each in candidates}
        fitting = [each for each in candidates if signs[each] is not None]
        if not fitting:
            reasons[number] = _why_not(study, number, panel, candidates, panel_name)
            continue
        row[number] = fitting[0]
        sign[number] = signs[fitting[0]] or 1
        how.count(study, number, panel, fitting)
    return Match(row, sign, reasons, tuple(how.notes(panel_name, index, needs_signs=needs_signs)))


@dataclass(frozen=True)
class _Index:
    """Rows of a panel by identifier and by place.

    Attributes:
        by_id: rows of each identifier.
        by_place: rows of each contig and position.
        ids: of the study.
        places: of the study; None where they are not known.
        moved: how many variants of one identifier have another place in the panel.
    """

    by_id: Mapping[str, Sequence[int]]
    by_place: Mapping[_Place, Sequence[int]]
    ids: Sequence[str | None]
    places: Sequence[_Place | None]
    moved: int

    @staticmethod
    def of(
        study: VariantNames,
        panel: VariantNames,
    ) -> "_Index":
        named = [each for each in (*study.chrom, *panel.chrom) if each is not None]
        own = one_name_each(named)
        places = _places(study, own)
        panel_places = _places(panel, own)
        by_id: dict[str, list[int]] = defaultdict(list)
        by_place: dict[_Place, list[int]] = defaultdict(list)
        for row, (identifier, place) in enumerate(zip(panel.id, panel_places, strict=True)):
            if identifier is not None:
                by_id[identifier].append(row)
            if place is not None:
                by_place[place].append(row)
        same, moved = _agreement(study, places, panel_places, by_id)
        # of two assemblies places mean different bases: then identifiers alone count
        return _Index(by_id, {} if moved > same else by_place, study.id, places, moved)

    @property
    def has_moved(self) -> bool:
        """Whether places are not compared, since most differ."""
        return bool(self.moved) and not self.by_place

    def candidates(
        self,
        number: int,
    ) -> Sequence[int]:
        """Rows that may be a variant of the study: those of its identifier, and those of its place."""
        identifier = self.ids[number]
        place = self.places[number]
        of_id = self.by_id.get(identifier, ()) if identifier is not None else ()
        of_place = self.by_place.get(place, ()) if place is not None else ()
        return [*dict.fromkeys((*of_id, *of_place))]


def _places(
    names: VariantNames,
    own: Mapping[str, str],
) -> list[_Place | None]:
    both = zip(names.chrom, names.pos.tolist(), strict=True)
    return [None if chrom is None or not pos else (own[chrom], pos) for chrom, pos in both]


def _agreement(
    study: VariantNames,
    places: Sequence[_Place | None],
    panel_places: Sequence[_Place | None],
    by_id: Mapping[str, Sequence[int]],
) -> tuple[int, int]:
    """How many variants of one identifier have the same place in both, and how many another."""
    same = moved = 0
    for identifier, place in zip(study.id, places, strict=True):
        rows = by_id.get(identifier, ()) if identifier is not None else ()
        others = [panel_places[row] for row in rows if panel_places[row] is not None]
        if place is not None and others:
            same += place in others
            moved += place not in others
    return same, moved


def _sign(
    study: VariantNames,
    number: int,
    panel: VariantNames,
    row: int,
) -> int | None:
    """1 or −1, whether both have the same effect allele; None where alleles do not fit. Unknown alleles fit all.

    A/G is G/A with the other sign, and T/C on the other strand. A/T on the other strand is T/A: there strands cannot be
    told apart, and both are taken for the same.
    """
    ours = (study.effect[number], study.other[number])
    theirs = (panel.effect[row], panel.other[row])
    if ours == (None, None) or theirs == (None, None):
        return 1
    contrary = -1 if panel.says_counted else 1
    for pair in (theirs, tuple(map(_complement, theirs))):
        if _fits(ours, pair):
            return 1
        if _fits(ours, pair[::-1]):
            return contrary
    return None


def _fits(
    ours: Sequence[str | None],
    theirs: Sequence[str | None],
) -> bool:
    """Whether alleles are the same, of which one of a pair may be unknown."""
    return all(
        one == other or None in (one, other) for one, other in zip(ours, theirs, strict=True)
    )


def _complement(allele: str | None) -> str | None:
    return None if allele is None else allele.translate(_COMPLEMENT)[::-1]


def _why_not(
    study: VariantNames,
    number: int,
    panel: VariantNames,
    candidates: Sequence[int],
    panel_name: str,
) -> str:
    if not candidates:
        return f"is not in {panel_name}"
    ours = f"{study.other[number]}/{study.effect[number]}"
    row = candidates[0]
    theirs = f"{panel.other[row]}/{panel.effect[row]}"
    return f"has the alleles {ours}, and in {panel_name} {theirs}"


@dataclass
class _How:
    """What variants were matched by.

    Attributes:
        unchecked: whose alleles one side does not say.
        palindromic: whose alleles are each other's complements.
        several: for which several rows fit.
    """

    unchecked: int = 0
    palindromic: int = 0
    several: int = 0

    def count(
        self,
        study: VariantNames,
        number: int,
        panel: VariantNames,
        fitting: Sequence[int],
    ) -> None:
        """Take a variant that was found into account."""
        row = fitting[0]
        is_known = study.effect[number] is not None and panel.effect[row] is not None
        is_known &= panel.says_counted
        self.unchecked += not is_known
        self.palindromic += is_known and study.effect[number] == _complement(study.other[number])
        self.several += len(fitting) > 1

    def notes(
        self,
        panel_name: str,
        index: _Index,
        *,
        needs_signs: bool,
    ) -> Iterator[str]:
        """What of that a user should know."""
        if index.has_moved:
            yield (
                f"{panel_name}: most variants have other positions there, as of another assembly; they are matched by "
                "identifiers alone"
            )
        if self.unchecked and needs_signs:
            number = counted(self.unchecked, "variants")
            yield (
                f"{panel_name}: {number} {agreeing(self.unchecked, 'is', 'are')} matched by name alone, since one side "
                "does not say which alleles it counts: z and LD must count the same ones"
            )
        if self.palindromic and needs_signs:
            number = counted(self.palindromic, "variants")
            yield (
                f"{panel_name}: {number} {agreeing(self.palindromic, 'has', 'have')} alleles A/T or C/G, whose strand "
                "cannot be told; both files are taken to be of one strand"
            )
        if self.several:
            number = counted(self.several, "variants")
            yield f"{panel_name}: {number} fit several rows there; the first counts"
