"""Scores of a run's alleles summed up over groups of tracks: the largest size in each, or the signed mean.

Groups are named by the user, or are the tracks of one assay each. Shard by shard: of lists over tracks only the numbers
of the groups stay in memory. Does not know who reads them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks, chosen_tracks, scored_once
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.finemapping.prior import main_statistic

OfTracks = Float32[np.ndarray, "rows tracks"]
OfRows = Float32[np.ndarray, " rows"]
Chosen = Int64[np.ndarray, " chosen"]
Reduce = Callable[[OfTracks], OfRows]

BASE = "base"
"""S-LDSC's annotation of every variant."""

_TAKEN = frozenset({"snp", "chr", "bp", "a1", "a2", BASE, "variant", "cs_id", "pip"})
"""In small letters, columns that files have beside those of groups."""

_NO_ASSAY = "other"
_ALL = "all"


def largest_size(values: OfTracks) -> OfRows:
    """The largest size over the tracks: an effect in one of them is not thinned out by the others."""
    return np.abs(values).max(axis=1)


def signed_mean(values: OfTracks) -> OfRows:
    """The mean over the tracks, with its sign, which changes where the alleles change places."""
    return values.mean(axis=1, dtype=np.float64).astype(np.float32)


@dataclass(frozen=True)
class TrackGroups:
    """Groups of a run's tracks, by names that are good names of columns.

    Attributes:
        tracks: of each group.
    """

    tracks: Mapping[str, ChosenTracks]

    @staticmethod
    def of(
        ledger: Ledger,
        texts: Sequence[str] = (),
    ) -> "TrackGroups":
        """The groups as they were given, `NAME=TRACKS` each; by default one for each assay of the run's tracks.

        Raises:
            InputError: for one that is not written so, is given twice, or names no track.
            DatasetError: where the run's table of tracks is missing or damaged.
        """
        if not texts:
            return TrackGroups(_by_assay(ledger))
        groups: dict[str, ChosenTracks] = {}
        for text in texts:
            name, equals, selector = (part.strip() for part in text.partition("="))
            if not (name and equals and selector):
                raise InputError(
                    f"--group {text}: give a name and its tracks, such as K562=4828,5111 or DNase=assay=DNASE"
                )
            column = _column_name(name)
            if column.lower() in _TAKEN:
                raise InputError(
                    f"--group {name}: the file has a column {column} of its own. Give the group another name"
                )
            if column in groups:
                raise InputError(f"--group {name}: given twice. Give each group a name of its own")
            groups[column] = _chosen(ledger, name, selector)
        return TrackGroups(groups)

    def scores(
        self,
        ledger: Ledger,
        reduce: Reduce,
    ) -> dict[str, OfRows]:
        """A number of each allele for each group, in the order in which `RunAlleles` has the alleles.

        Args:
            ledger: of the run.
            reduce: makes a number of all tracks of a group.
        """
        statistic = main_statistic(ledger)
        parts: dict[str, list[OfRows]] = {name: [] for name in self.tracks}
        for _, stored in stored_tables(ledger, "scores"):
            lists = scored_once(stored)[statistic]
            if not len(lists):
                continue
            for name, tracks in self.tracks.items():
                parts[name].append(reduce(tracks.values(lists)))
        return {name: np.concatenate(of_group) for name, of_group in parts.items()}


def _chosen(
    ledger: Ledger,
    name: str,
    selector: str,
) -> ChosenTracks:
    try:
        return chosen_tracks(ledger, selector)
    except InputError as error:
        # the selector speaks as of its own option
        raise InputError(f"{error}".replace("--tracks", f"--group {name}:", 1)) from error


def _by_assay(ledger: Ledger) -> dict[str, ChosenTracks]:
    """A group for each assay, in the order of its first track; all tracks where none has an assay."""
    every = chosen_tracks(ledger, None)
    indices: dict[str, list[int]] = {}
    for track in every.tracks.rows:
        name = _column_name(track.assay or _NO_ASSAY)
        indices.setdefault(name, []).append(track.index)
    if list(indices) == [_NO_ASSAY]:
        return {_ALL: every}
    return {
        name: chosen_tracks(ledger, ",".join(map(str, of_assay)))
        for name, of_assay in indices.items()
    }


def _column_name(name: str) -> str:
    """The name without what would separate or quote: blanks, commas, brackets."""
    return re.sub(r"\W+", "_", name).strip("_") or _NO_ASSAY


def as_columns(
    scores: Mapping[str, OfRows],
    rows: Chosen,
) -> dict[str, pa.Array]:
    """The scores of some alleles as columns."""
    return {name: pa.array(of_group[rows]) for name, of_group in scores.items()}
