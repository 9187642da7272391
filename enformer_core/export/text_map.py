"""Saturation mutagenesis as a picture of text: a column for each base, a row for each letter that it becomes.

Of all tracks the one with the run's strongest effect is drawn, which the first line names.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import polars as pl

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import DatasetError, InputError
from enformer_core.export.mutation_map import MutationMap, Scale, Style
from enformer_core.export.text_file import text_file
from enformer_core.export.whole_file import STDOUT
from enformer_core.user_path import one_line

_SCORES = "scores"
_CHANGES = 3  # of a base, into every other one
_FILE_COLUMNS = 100
_IN_FILES = Style("░▒▓█", "+", "·", coloured=False)


@dataclass
class _Bases:
    """The bases of a contig of which every change is scored.

    Attributes:
        contig: its name.
        letters: of the genome, by 1-based place.
        effects: by 1-based place and new letter.
    """

    contig: str
    letters: dict[int, str] = field(default_factory=dict)
    effects: dict[tuple[int, str], float] = field(default_factory=dict)

    def stretches(self) -> Iterator[range]:
        """Places that follow each other, in order."""
        # of places 5 6 9 less their numbers 0 1 2 those that follow each other have one value: 5 5 7
        numbered = enumerate(sorted(self.letters))
        for _, together in groupby(numbered, key=lambda pair: pair[1] - pair[0]):
            places = [place for _, place in together]
            yield range(places[0], places[-1] + 1)

    def map_of(self, stretch: range, scale: Scale) -> MutationMap:
        """The map of one of them."""
        letters = "".join(self.letters[place] for place in stretch)
        return MutationMap(stretch.start, letters, self.effects, scale=scale)


def export_map(ledger: Ledger, path: Path) -> int:
    """Draw every stretch of bases of which all three changes are scored, one after another, on one scale.

    Returns:
        How many bases are drawn.

    Raises:
        InputError: for a run of another kind, or without such a base; where the file cannot be written.
        DatasetError: when a table is missing or damaged.
    """
    if _SCORES not in ledger.run_type.tables:
        raise InputError(
            f"{ledger.store.location}: a run of {ledger.run_type.unit}; a map is of `enformer-ray score --mutagenesis`"
        )
    statistic = ledger.run_type.value_columns(ledger.run_type.value_tables[0], ledger.run)[0]
    track = _strongest_track(ledger, statistic)
    contigs = _bases(ledger, statistic, track)
    scale = Scale.of(effect for bases in contigs for effect in bases.effects.values())
    style, columns = _IN_FILES, _FILE_COLUMNS
    if path == STDOUT:
        style, columns = Style.of(sys.stdout), shutil.get_terminal_size().columns
    with text_file(path, is_painted=True) as out:
        for line in _lines(
            contigs, _heading(ledger, statistic, track, scale, style), style, scale, columns
        ):
            out.write(f"{line}\n".encode())
    return sum(len(bases.letters) for bases in contigs)


def _strongest_track(ledger: Ledger, statistic: str) -> int:
    """The track in which some allele has the run's largest value; of equals the first that is met."""
    columns = [f"max_abs_{statistic}", f"max_abs_{statistic}_track"]
    strongest: list[tuple[float, int]] = []
    for _, table in stored_tables(ledger, _SCORES):
        sizes = pl.DataFrame(pl.from_arrow(table.select(columns))).drop_nulls()
        largest = sizes.sort(columns[0], descending=True, maintain_order=True).head(1)
        strongest += largest.rows()
    if not strongest:
        raise InputError(_no_map(ledger))
    # the first of equals
    _, track = max(strongest, key=lambda of_shard: of_shard[0])
    return track


def _bases(ledger: Ledger, statistic: str, track: int) -> Sequence[_Bases]:
    """Of each contig the bases that are drawn, with what each change does in a track."""
    indices = _tracks(ledger)["index"].to_list()
    value = pl.col(statistic).list.get(indices.index(track)).alias("value")
    found: dict[str, pl.DataFrame] = {}
    for contig, table in stored_tables(ledger, _SCORES):
        if contig is None:
            continue
        rows = pl.DataFrame(pl.from_arrow(table.select(["pos", "ref", "alt", "status", statistic])))
        is_change = pl.col("ref").str.len_bytes().eq(1) & pl.col("alt").str.len_bytes().eq(1)
        changes = rows.filter(is_change & pl.col("status").eq("ok")).select(
            "pos", "ref", "alt", value
        )
        found[contig] = pl.concat([found[contig], changes]) if contig in found else changes
    contigs = []
    for contig, changes in found.items():
        # an allele that the input has twice is one change
        once = changes.unique(["pos", "alt"], keep="first")
        whole = once.filter(pl.len().over("pos") == _CHANGES)
        bases = _Bases(contig)
        for pos, ref, alt, effect in whole.iter_rows():
            bases.letters[pos] = ref
            bases.effects[pos, alt] = effect
        if bases.letters:
            contigs.append(bases)
    if not contigs:
        raise InputError(_no_map(ledger))
    return contigs


def _no_map(ledger: Ledger) -> str:
    return (
        f"{ledger.store.location}: has no base of which all three changes are scored, so that there is no map to draw; "
        "such runs are made by `enformer-ray score --mutagenesis`"
    )


def _tracks(ledger: Ledger) -> pl.DataFrame:
    content = ledger.store.get(TRACKS_KEY)
    if content is None:
        raise DatasetError(
            f"{TRACKS_KEY}: missing; `enformer-ray verify {ledger.store.location}` says more"
        )
    return pl.DataFrame(pl.from_arrow(from_parquet(content, TRACKS_KEY)[0]))


def _heading(
    ledger: Ledger, statistic: str, track: int, scale: Scale, style: Style
) -> Sequence[str]:
    """What is drawn, and by which signs."""
    tracks = _tracks(ledger)
    (named,) = tracks.filter(pl.col("index") == track).to_dicts()
    called = one_line(named.get("description") or named.get("identifier") or "")
    which = f"track {track} {called}".rstrip()
    of_all = "" if tracks.height == 1 else f", which changes most of {tracks.height:,}"
    return [
        f"{statistic} of {which}{of_all}; the strongest change is {scale.strongest:.3g} in size",
        f"{style.loss} less, the largest loss last   {style.gain} more   {style.none} nothing changes   (blank) the "
        "genome's own letter",
    ]


def _lines(
    contigs: Sequence[_Bases],
    heading: Sequence[str],
    style: Style,
    scale: Scale,
    columns: int,
) -> Iterator[str]:
    yield from heading
    for bases in contigs:
        for stretch in bases.stretches():
            yield ""
            yield f"{one_line(bases.contig)}:{stretch.start}-{stretch.stop - 1}"
            for piece in bases.map_of(stretch, scale).pieces(columns):
                yield from piece.draw(style, columns)
