"""The columns of a table of variants, found by their names (`headers`)."""

from collections.abc import Mapping, Sequence

from enformer_core.errors import InputError, first_few
from enformer_core.variants.formats import headers
from enformer_core.variants.formats.headers import (
    NAMES,
    Kind,
    Tiers,
    cleaned,
)
from enformer_core.variants.formats.reader import Columns

_SHOWN_NAMES = 8
_SHOWN_LETTERS = 40  # a file that is no table may have anything for its first line


def find_columns(names: Sequence[str], where: str) -> Columns | None:
    """The columns whose names are known.

    Args:
        names: names of the columns, in any case; a leading `#` does not count.
        where: the file, for the message.

    Returns:
        None when they are no header of variants: when neither a contig and a position nor an identifier is named, or
        no allele beside the place.

    Raises:
        InputError: when two columns could be meant.
    """
    search = _Search([cleaned(name) for name in names], where)
    index: dict[str, int] = {}
    search.put(index, "chrom", "chrom")
    search.put(index, "pos", "pos")
    # start and end count only where no position is named: tables of genes beside variants have them too
    one_based = True if "pos" in index else _find_start(search, index)
    for role in ("id", "risk", "frequency", "filter"):
        search.put(index, role, role)
    declares_ref = _find_alleles(search, index)
    columns = Columns(index, declares_ref, one_based, tuple(names))
    is_header = "id" in index or (columns.has_place and columns.has_alleles)
    return columns if is_header else None


class _Search:
    """Looks kinds of columns up among a header's names: a dialect's own names first, then everybody's."""

    def __init__(self, names: Sequence[str], where: str) -> None:
        self._names = names
        self._where = where
        self._own = self._names_of_dialect()

    def _names_of_dialect(self) -> Mapping[Kind, str]:
        for dialect in headers.DIALECTS:
            # by names alone: what else shows a dialect is known only when its columns are found
            if dialect.columns and dialect.names <= set(self._names):
                return dialect.columns
        return {}

    def find(self, kind: Kind) -> int | None:
        """Index of the column of this kind, if there is one.

        Raises:
            InputError: when there are two.
        """
        if kind in self._own:
            return self._choose(((self._own[kind],),), kind)
        return self._choose(NAMES[kind], kind)

    def put(self, index: dict[str, int], role: str, kind: Kind) -> None:
        """Note the column of this kind under its role, if there is one."""
        at = self.find(kind)
        if at is not None:
            index[role] = at

    def _choose(self, tiers: Tiers, kind: Kind) -> int | None:
        for tier in tiers:
            matches = [index for index, name in enumerate(self._names) if name in tier]
            if len(matches) > 1 and kind != "id":  # an identifier given twice is the same
                both = " and ".join(repr(self._names[index]) for index in matches)
                meaning = "pos" if kind in {"chrom_start", "start"} else kind
                raise InputError(
                    f"{self._where}: columns {both} could both be {meaning}. Rename or drop one."
                )
            if matches:
                return matches[0]
        return None


def _find_start(search: _Search, index: dict[str, int]) -> bool | None:
    """Find the start where no position is named, and where it matters the end; how positions count."""
    chrom_start = search.find("chrom_start")
    end = search.find("end")
    if chrom_start is not None:
        index["pos"] = chrom_start
        return False
    start = search.find("start")
    if start is None or end is None:
        return True
    index["pos"] = start
    index["end"] = end
    return None


def _find_alleles(search: _Search, index: dict[str, int]) -> bool:
    """Find both alleles; whether which of them is REF is declared."""
    ref = search.find("ref")
    alt = search.find("alt")
    effect = search.find("effect_allele")
    other = search.find("other_allele")
    if ref is not None and alt is not None:
        index["ref"] = ref
        index["alt"] = alt
        if effect is not None:
            index["effect"] = effect
        return True
    # one of a declared pair beside an effect or other allele: REF and A1, say, or ALT and A2
    if other is None and effect != ref:
        other = ref
    if effect is None:
        effect = alt
    if other is not None:
        index["ref"] = other
    if effect is not None:
        index["alt"] = effect
    return False


def listed(names: Sequence[str]) -> str:
    """The first of a header's names in quotes, for a message."""
    quoted = [repr(name[:_SHOWN_LETTERS]) for name in names]
    return first_few(quoted, count=_SHOWN_NAMES)
