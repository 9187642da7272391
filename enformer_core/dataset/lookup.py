"""Alleles of a run by identifier or place: what its committed shards say of them.

Which shards and rows may hold them says the index of the plan; whether these are done, their receipts alone. Every row
that is found is held against what was asked for, so that an index which misleads is noticed.
"""

from collections import defaultdict
from collections.abc import (
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.committed_shard import CommittedShard
from enformer_core.dataset.found_percentiles import AlleleRanks, FoundPercentiles
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.lookup_index import (
    LookupIndex,
    ShardRow,
    names_in,
    open_index,
)
from enformer_core.errors import DatasetError, InputError
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.variants.allele_keys import AlleleKey
from enformer_core.variants.table import Status

_SCORES = "scores"
_EFFECTS = "effects"

_OF_EFFECTS = ("variant_id", "track", "statistic", "value", "rank")

Row = dict[str, object]


@dataclass(frozen=True)
class FoundAllele:
    """A row of `scores`, without its lists, and the strongest effects of its allele.

    Attributes:
        row: values by column.
        keys: which keys found it, as they were given.
        strongest: `track`, `statistic`, `value`, `rank`, and the track's names; the strongest first. Where the run has
            the table `percentiles`, also `quantile` and `phred`.
    """

    row: Row
    keys: tuple[str, ...]
    strongest: tuple[Row, ...]


@dataclass
class Answer:
    """What a run says of some keys.

    Attributes:
        alleles: in the order of the run.
        uncommitted: keys that are planned where nothing is committed yet, and have no row so far.
        beside: of keys that name alleles, what there is at their place in their stead.
        note: what should be known of the index; None where nothing.
    """

    alleles: list[FoundAllele] = field(default_factory=list)
    uncommitted: set[str] = field(default_factory=set)
    beside: dict[str, list[str]] = field(default_factory=dict)
    note: str | None = None

    def found(self) -> set[str]:
        """Keys that have a row, as they were given."""
        return {key for allele in self.alleles for key in allele.keys}


def look_up(
    ledger: Ledger,
    keys: Sequence[AlleleKey],
) -> Answer:
    """The rows of these keys.

    Args:
        ledger: of a run of `score`, finished or not.
        keys: what is looked for.

    Raises:
        InputError: for a run of another kind.
        DatasetError: for objects that are missing or damaged, and an index that does not fit the run.
    """
    if _SCORES not in ledger.run_type.tables:
        raise InputError(
            f"{ledger.store.location}: a run of {ledger.run_type.unit} has no alleles to look up"
        )
    index = open_index(ledger.store, ledger.run)
    wanted = _wanted(index, keys)
    answer = Answer(note=index.note)
    tracks = _tracks(ledger)
    places = {track: place for place, track in enumerate(tracks)}
    percentiles = FoundPercentiles.beside(ledger, places)
    for shard in sorted(wanted):
        committed = CommittedShard.of(ledger, shard)
        if committed is None:
            answer.uncommitted |= wanted[shard].keys()
        else:
            found = _in_shard(committed, wanted[shard], answer.beside)
            answer.alleles += _described(committed, found, tracks, percentiles)
    answer.uncommitted -= answer.found()
    return answer


@dataclass
class _Wanted:
    """What of one shard is looked at.

    Attributes:
        rows: rows of identifiers, with their keys.
        places: keys of places that it may hold.
    """

    rows: dict[int, list[AlleleKey]] = field(default_factory=lambda: defaultdict(list))
    places: list[AlleleKey] = field(default_factory=list)

    def keys(self) -> set[str]:
        named = {key.given for keys in self.rows.values() for key in keys}
        return named | {key.given for key in self.places}


def _wanted(
    index: LookupIndex,
    keys: Sequence[AlleleKey],
) -> dict[int, _Wanted]:
    wanted: dict[int, _Wanted] = defaultdict(_Wanted)
    ids = {key.id for key in keys if key.id is not None}
    by_id = index.rows_of(ids)
    lengths = dict.fromkeys(index.spans.contigs, 0)
    contigs = reconcile_contigs([key.chrom for key in keys if key.chrom is not None], lengths)
    for key in keys:
        if key.id is not None:
            at: list[ShardRow] = by_id.get(key.id, [])
            for each in at:
                wanted[each.shard].rows[each.row].append(key)
        elif key.chrom in contigs and key.pos is not None:
            start = key.pos - 1
            for shard in index.spans.holding(contigs[key.chrom], [start]):
                wanted[shard].places.append(key)
    return wanted


def _in_shard(
    committed: CommittedShard,
    wanted: _Wanted,
    beside: dict[str, list[str]],
) -> dict[int, "_Found"]:
    """Rows of a shard that keys have found, by their place."""
    found: dict[int, _Found] = {}
    with committed.open_table(_SCORES) as scores:
        columns = scores.scalar_columns
        if wanted.rows:
            named = scores.at(list(wanted.rows), columns)
            for row in named.to_pylist():
                place = row.pop("row")
                keys = wanted.rows[place]
                _check_names(committed, place, row, keys)
                given = [key.given for key in keys]
                found[place] = _Found(row, given)
        for key in wanted.places:
            assert key.pos is not None
            there = scores.where("pos", key.pos, key.pos, columns)
            for row in there.to_pylist():
                place = row.pop("row")
                if not key.means(row["ref"], row["alt"]):
                    others = beside.setdefault(key.given, [])
                    others.append(f"{row['variant_id']}")
                    continue
                known = found.setdefault(place, _Found(row, []))
                known.keys.append(key.given)
    return found


def _described(
    committed: CommittedShard,
    found: Mapping[int, "_Found"],
    tracks: Mapping[int, Row],
    percentiles: FoundPercentiles | None,
) -> Iterator[FoundAllele]:
    """The alleles of a shard's rows, in their order, with their strongest effects."""
    names = {place: each.row["variant_id"] for place, each in found.items()}
    effects = _effects(committed, [*names.values()], tracks)
    ranks: Mapping[int, AlleleRanks] = {}
    if found and percentiles is not None:
        ranks = percentiles.of_rows(committed.receipt.shard, names)
    chrom = {"chrom": committed.receipt.chrom}
    for place in sorted(found):
        each = found[place]
        strongest: Sequence[Row] = ()
        # a repeat, or what has failed, may be called as what has effects
        if each.row["status"] == Status.OK:
            strongest = effects.get(each.row["variant_id"], ())
        if place in ranks:
            strongest = [_ranked(effect, ranks[place]) for effect in strongest]
        keys_once = tuple(dict.fromkeys(each.keys))
        yield FoundAllele(chrom | each.row, keys_once, tuple(strongest))


def _ranked(effect: Row, ranks: AlleleRanks) -> Row:
    statistic, track = effect["statistic"], effect["track"]
    assert isinstance(statistic, str)
    assert isinstance(track, int)
    return effect | ranks.of(statistic, track)


@dataclass
class _Found:
    """A row, and the keys that found it so far."""

    row: Row
    keys: list[str]


def _check_names(
    committed: CommittedShard,
    place: int,
    row: Row,
    keys: Sequence[AlleleKey],
) -> None:
    """An index is held against the table itself: neither may answer for the other."""
    names = names_in(f"{row['id'] or ''}")
    for key in keys:
        if key.id is None or key.id not in names:
            raise DatasetError(
                f"{committed.location}: the index in lookup/ says that {key.given} is row {place} of shard "
                f"{committed.receipt.shard}, where {row['id']} is. Remove the folder lookup/: it is made again."
            )


def _effects(
    committed: CommittedShard, variant_ids: Sequence[object], tracks: Mapping[int, Row]
) -> dict[object, list[Row]]:
    """Rows of `effects` by allele, with the names of their tracks, the strongest of each statistic first."""
    of_alleles: dict[object, list[Row]] = defaultdict(list)
    named = {f"{name}" for name in variant_ids if name is not None}
    if not named:
        return of_alleles
    wanted = pa.array(sorted(named), pa.string())
    with committed.open_table(_EFFECTS) as table:
        rows = table.all(_OF_EFFECTS)
    rows = rows.filter(pc.is_in(rows["variant_id"], wanted))
    # the order of statistics is that of the table, that of tracks is another
    in_order = rows.sort_by(
        [
            ("statistic", "ascending"),
            ("rank", "ascending"),
        ]
    )
    for row in in_order.to_pylist():
        variant_id = row.pop("variant_id")
        of_alleles[variant_id].append(row | tracks.get(row["track"], {}))
    return of_alleles


def _tracks(ledger: Ledger) -> dict[int, Row]:
    """Identifier and description of each track that has some, in the order of lists."""
    content = ledger.store.get(TRACKS_KEY)
    if content is None:
        return {}
    table, _ = from_parquet(content, TRACKS_KEY)
    names = [name for name in ("identifier", "description") if name in table.column_names]
    rows = table.select(["index", *names]).to_pylist()
    return {row.pop("index"): row for row in rows}
