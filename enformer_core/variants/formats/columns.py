"""The columns of a table of variants, found by their names (`headers`): what belongs together is chosen together.

Contig and position are a pair, of the same assembly and the same maker; so are both alleles. Does not read records.
"""

from collections.abc import Iterator, Sequence

from enformer_core.errors import first_few
from enformer_core.variants.formats.allele_columns import Alleles
from enformer_core.variants.formats.column_search import Pair, Search
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.headers import NAMES
from enformer_core.variants.formats.reader import Columns

_SHOWN_NAMES = 8
_SHOWN_LETTERS = 40  # a file that is no table may have anything for its first line


def find_columns(
    names: Sequence[str],
    where: str,
    given: GivenColumns = NOTHING_GIVEN,
) -> Columns | None:
    """The columns whose names are known.

    Args:
        names: names of the columns, in any case; a leading `#` does not count.
        where: the file, for the message.
        given: columns that the user named; the others are found beside them.

    Returns:
        None when they are no header of variants: when neither a contig and a position nor an identifier is named, or
        no allele beside the place.

    Raises:
        InputError: when two columns could be meant, or a column is given that is not there.
    """
    search = Search(names, where, given.indices(names, where))
    index: dict[str, int] = {}
    one_based = _find_place(search, index)
    for role in ("id", "risk", "frequency", "filter", "build"):
        search.put(index, role, role)
    alleles = Alleles.find(search)
    # harmonised alleles are on the plus strand; the author's column speaks of the author's
    if not alleles.are_harmonised(search):
        search.put(index, "strand", "strand")
    columns = Columns(
        {**index, **alleles.index},
        alleles.declares_ref,
        one_based,
        tuple(names),
        alleles.basis,
        alleles.why,
    )
    is_header = "id" in index or (columns.has_place and columns.has_alleles)
    return columns if is_header else None


def _find_place(search: Search, index: dict[str, int]) -> bool | None:
    """Find contig and position, or start and where it matters the end; how positions count."""
    if "start" in search.given:
        search.put(index, "chrom", "chrom")
        return _find_start(search, index)
    locus = search.find("locus")
    if locus is not None and not {"chrom", "pos"} & search.given.keys():
        index["locus"] = locus
        return True
    pair = next(_places(search), None)
    if pair is not None:
        index["chrom"], index["pos"] = pair
        _put_last(search, index)
        return True
    search.put(index, "chrom", "chrom")
    # start and end count only where no position is named: tables of genes beside variants have them too
    if search.find("pos") is None:
        return _find_start(search, index)
    search.put(index, "pos", "pos")
    _put_last(search, index)
    return True


def _put_last(search: Search, index: dict[str, int]) -> None:
    """Find the start and the end beside a position, unless the user or the program's own name says what that is."""
    if "pos" in search.own and "pos" not in search.given:
        return
    if "pos" not in search.given:
        # of several the first: what was joined to the variants stands behind them
        bed_starts = search.named("chrom_start")
        if bed_starts:
            index["bed_start"] = bed_starts[0]
    last = search.find("end") if "end" in search.given or "pos" not in search.given else None
    if last is not None and last != index["pos"]:
        index["last"] = last
        first = search.find("chrom_start")
        first = search.find("start") if first is None else first
        if first is not None:
            index["first"] = first


def _places(search: Search) -> Iterator[Pair]:
    """Pairs of contig and position, the best first; the names of one pair have one maker."""
    if {"chrom", "pos"} & search.given.keys() or search.own.keys() & {"chrom", "pos"}:
        chrom = search.find("chrom")
        pos = search.find("pos")
        if chrom is not None and pos is not None:
            yield chrom, pos
        return
    harmonised = search.harmonised(("chrom", "pos"))
    if harmonised is not None:
        yield harmonised
    # chrom with pos, then chr_id with chr_pos
    for chroms, positions in zip(NAMES["chrom"], NAMES["pos"], strict=False):
        chrom = search.choose((chroms,), "chrom")
        pos = None if chrom is None else search.choose((positions,), "pos")
        if chrom is not None and pos is not None:
            yield chrom, pos
    yield from _remade_places(search)
    chrom = search.find("chrom")
    pos = search.find("pos")
    if chrom is not None and pos is not None:
        yield chrom, pos


def _remade_places(search: Search) -> Iterator[Pair]:
    """Pairs of one assembly, or the position in an assembly beside a contig of none.

    Raises:
        InputError: when there are several.
    """
    chroms = search.remade("chrom")
    positions = search.remade("pos")
    builds = [build for build in positions if build in chroms]
    plain = search.find("chrom")
    if not builds and plain is not None and search.find("pos") is None:
        builds = list(positions)
        chroms = {build: [plain] for build in builds}
    found = [index for build in builds for index in positions[build]]
    if len(found) > 1:
        raise search.doubt(found, "pos")
    for build in builds:
        if len(chroms[build]) > 1:
            raise search.doubt(chroms[build], "chrom")
        yield chroms[build][0], positions[build][0]


def _find_start(search: Search, index: dict[str, int]) -> bool | None:
    """Find the start where no position is named, and where it matters the end; how positions count."""
    chrom_start = search.find("chrom_start")
    end = search.find("end")
    if chrom_start is not None and "start" not in search.given:
        index["pos"] = chrom_start
        if end is not None:
            index["end"] = end
        return False
    start = search.find("start")
    if start is None or end is None:
        return True
    index["pos"] = start
    index["end"] = end
    return None


def listed(names: Sequence[str]) -> str:
    """The first of a header's names in quotes, for a message."""
    quoted = [repr(name[:_SHOWN_LETTERS]) for name in names]
    return first_few(quoted, count=_SHOWN_NAMES)
