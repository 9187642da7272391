"""Results of a `Scorer` as pictures: an effect along the genome, a prediction, every change of some bases.

Knows results and rows of pictures. Does not know files or notebooks.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from enformer_core.dataset.run_tracks import track_name
from enformer_core.errors import InputError, nearest
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.pictures.bin_rows import allele_rows, prediction_row, signed
from enformer_core.pictures.change_row import change_row
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.stack import Row, Stretch, stacked
from enformer_core.words import agreeing, counted

if TYPE_CHECKING:
    from enformer_core.api.mutations import Mutations
    from enformer_core.api.results import PredictedBins, Prediction, VariantEffect

MOST_TRACKS = 6
"""Of one picture."""


def effect_picture(
    effect: "VariantEffect",
    *,
    tracks: str | None = None,
    flank_bp: int | None = None,
) -> Picture:
    """Both alleles' predictions along the genome, and their difference, two rows for each track.

    Args:
        effect: of a variant.
        tracks: which, as `--tracks` selects them; by default those of the largest effects, three at the most.
        flank_bp: how far to either side of the variant; by default all bins.

    Raises:
        InputError: for more than `MOST_TRACKS`, none of the effect's, and a flank without a bin.
    """
    statistic, sizes = next(iter(effect.statistics.items()))
    places, notes = _chosen(effect.tracks, tracks, sizes, f"largest effects ({statistic})")
    bins, said = _on_contig(effect, _bins_near(effect, flank_bp))
    notes += said
    shown = bins_of(effect)[bins]
    names = track_names([effect.tracks.rows[place] for place in places])
    allele = effect.allele
    tallest = (_tallest(effect.ref[bins][:, places]), _tallest(effect.difference[bins][:, places]))
    rows: list[Row] = []
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        table = shown.with_columns(
            pl.Series("reference", effect.ref[bins, place]),
            pl.Series("alternate", effect.alt[bins, place]),
            pl.Series("difference", effect.difference[bins, place]),
        )
        rows += allele_rows(
            table,
            name=name,
            heading=f"{name}: {statistic} {signed(float(sizes[place]))}",
            at=allele.start + 1,
            is_first=number == 0,
            tallest=tallest,
        )
    title = f"{effect.variant_id}: predicted with either allele, and the difference"
    return stacked(_stretch(effect, shown), rows, title=title, notes=_noticed(effect, notes))


def prediction_picture(
    prediction: "Prediction",
    *,
    tracks: str | None = None,
) -> Picture:
    """A prediction along the genome, a row for each track.

    Args:
        prediction: of a region or a sequence.
        tracks: which, as `--tracks` selects them; by default those of the largest means, three at the most.

    Raises:
        InputError: for more than `MOST_TRACKS`, and none of the prediction's.
    """
    means = prediction.values.mean(axis=0)
    places, notes = _chosen(prediction.tracks, tracks, means, "largest means")
    names = track_names([prediction.tracks.rows[place] for place in places])
    bins, said = _on_contig(prediction, np.arange(prediction.bins))
    notes += said
    table = bins_of(prediction)[bins]
    rows = [
        prediction_row(
            table.with_columns(pl.Series("value", prediction.values[bins, place])),
            name=name,
            bin_bp=prediction.bin_bp,
            tallest=_tallest(prediction.values[bins][:, places]),
        )
        for name, place in zip(names, places, strict=True)
    ]
    stretch = _stretch(prediction, table)
    title = f"Predicted for {stretch.text}"
    return stacked(stretch, rows, title=title, notes=_noticed(prediction, notes))


def mutations_picture(
    mutations: "Mutations",
    *,
    track: str | None = None,
    statistic: str | None = None,
) -> Picture:
    """What every change of the bases does in one track, as a map of colours.

    Args:
        mutations: of a region.
        track: which, as `--tracks` selects it; by default the one that changes most.
        statistic: which; by default the first.

    Raises:
        InputError: for several tracks or none, and a statistic that there is not.
    """
    known = list(mutations.statistics)
    name = statistic or known[0]
    if name not in known:
        raise InputError(f"statistic {name}: was not computed{nearest(name, known)}")
    values = mutations.statistics[known[known.index(name)]]
    place, notes = _one_track(mutations, values, name, track)
    (called,) = track_names([mutations.tracks.rows[place]])
    table = change_table(mutations, values[:, :, place])
    stretch = Stretch(mutations.contig, mutations.start + 1, mutations.end)
    row = change_row(table, name=f"{called}: {name} of each change", title=name)
    title = f"Every change of {stretch.text}"
    notice = [mutations.notice] if mutations.notice else []
    return stacked(stretch, [row], title=title, notes=[*notes, *notice])


def change_table(mutations: "Mutations", values: np.ndarray) -> pl.DataFrame:
    """A row for each base and letter: `pos` from 1, `ref`, `alt`, `value`; of the genome's own letter it is null.

    Args:
        mutations: of a region.
        values: bases × A, C, G, T.
    """
    bases = len(mutations.letters)
    return pl.DataFrame(
        {
            "pos": np.repeat(np.arange(bases) + mutations.start + 1, 4),
            "ref": np.repeat(list(mutations.letters), 4),
            "alt": list("ACGT") * bases,
            "value": values.astype(np.float64).ravel(),
        }
    ).with_columns(pl.when(pl.col("ref") != pl.col("alt")).then("value"))


def _one_track(
    mutations: "Mutations",
    values: np.ndarray,
    statistic: str,
    selector: str | None,
) -> tuple[int, list[str]]:
    if selector is None:
        sizes = np.nan_to_num(np.abs(values)).max(axis=(0, 1))
        said = f"of {counted(len(mutations.tracks), 'tracks')} the one of the largest {statistic} is drawn"
        return int(sizes.argmax()), [said] if len(mutations.tracks) > 1 else []
    found, _ = select_tracks(mutations.tracks, selector)
    if len(found) != 1:
        raise InputError(f"track {selector}: stands for {len(found):,} tracks; give one")
    return mutations.tracks.indices().index(found.indices()[0]), []


def _tallest(values: np.ndarray) -> float:
    """The largest size of values of which some may be none."""
    return float(np.nan_to_num(np.abs(values)).max(initial=0.0))


def bins_of(result: "PredictedBins") -> pl.DataFrame:
    """Where the bins of a result lie: `start` and `end`, 0-based and half-open."""
    starts = result.bin_starts
    return pl.DataFrame({"start": starts, "end": starts + result.bin_bp})


def track_names(tracks: Sequence[Track]) -> list[str]:
    """What people call tracks: descriptions, else identifiers, else numbers; by number too where one is another's."""
    names = [track_name(track) or f"track {track.index}" for track in tracks]
    return [
        f"{name} (track {track.index})" if names.count(name) > 1 else name
        for name, track in zip(names, tracks, strict=True)
    ]


_UNASKED = 3
"""Tracks that are drawn where nobody chose any."""


def _chosen(
    of: Tracks,
    selector: str | None,
    sizes: np.ndarray,
    by: str,
) -> tuple[list[int], list[str]]:
    """Columns of the tracks that are drawn, and what is to be said of the others."""
    if selector is None:
        # of equal sizes the smaller track; what is not changed at all is shown where nothing else is
        ranked = np.abs(np.nan_to_num(sizes))
        order = np.argsort(-ranked, kind="stable")[:_UNASKED]
        few = np.sort(order[ranked[order] > 0]).tolist() or [int(order[0])]
        which = agreeing(len(few), "one", str(len(few)))
        are = agreeing(len(few), "is", "are")
        of_largest = f"of {counted(len(of), 'tracks')} the {which} with the {by} {are} drawn"
        return few, [of_largest] if len(of) > len(few) else []
    found, _ = select_tracks(of, selector)
    if not len(found):
        raise InputError(f"tracks {selector}: names none of {counted(len(of), 'tracks')}")
    if len(found) > MOST_TRACKS:
        raise InputError(
            f"tracks {selector}: are {len(found):,}, and a picture has room for {MOST_TRACKS}; choose fewer"
        )
    place_of = {track.index: place for place, track in enumerate(of.rows)}
    return [place_of[index] for index in found.indices()], []


def _bins_near(effect: "VariantEffect", flank_bp: int | None) -> np.ndarray:
    """Which bins reach into the flanks."""
    starts = effect.bin_starts
    if flank_bp is None:
        return np.arange(len(starts))
    at = effect.allele.start
    is_near = (starts <= at + flank_bp) & (starts + effect.bin_bp > at - flank_bp)
    if flank_bp < 0 or not is_near.any():
        raise InputError(
            f"flank {flank_bp:,} bp: no predicted bin of {effect.variant_id} lies so near; give more"
        )
    return np.flatnonzero(is_near)


def _on_contig(result: "PredictedBins", bins: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The bins that reach into the contig, and what is to be said of the others: there the model is given no bases."""
    if result.contig is None:
        return bins, []
    starts = result.bin_starts[bins]
    last = result.end if result.contig_bp is None else result.contig_bp
    is_on = (starts + result.bin_bp > 0) & (starts < last)
    notes = []
    if not is_on.all():
        spans = f"begins at 1 and ends at {last:,}" if result.contig_bp else "begins at 1"
        notes.append(f"{result.contig} {spans}: what is predicted beyond is not drawn")
    return bins[is_on], notes


def _stretch(result: "PredictedBins", table: pl.DataFrame) -> Stretch:
    first, last = int(table["start"][0]) + 1, int(table["end"][-1])
    if result.contig is None:
        return Stretch("the sequence", first, last)
    return Stretch(result.contig, max(first, 1), min(last, result.contig_bp or last))


def _noticed(result: "PredictedBins", notes: Sequence[str]) -> tuple[str, ...]:
    return (*notes, result.notice) if result.notice else tuple(notes)
