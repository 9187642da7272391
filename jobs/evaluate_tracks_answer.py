"""What `enformer-ray evaluate tracks` answers: text for people, JSON, and a table with a row for each track."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from enformer_core.evaluate.tracks import ScaleResult, TracksResult
from enformer_core.models.tracks.table import Tracks
from enformer_core.words import counted
from jobs.evaluate_answer import in_words

_DIGITS = 4

_SCALES = {"raw": "as they are", "log": "log2(1 + x)"}

_OVER = {
    "bins": "each track over all bins",
    "genes": "each track over genes, of sums over their bins",
}


@dataclass(frozen=True)
class TracksAnswer:
    """What came of it.

    Attributes:
        measured: what was measured, in words.
        predicted_by: the model, or the run.
        tracks: those that were judged.
        result: their figures.
        drawn: draws, seed and what is drawn.
    """

    measured: str
    predicted_by: str
    tracks: Tracks
    result: TracksResult
    drawn: Mapping[str, object]


def as_object(answer: TracksAnswer) -> dict[str, object]:
    """The answer as JSON has it: null where a number is not defined."""
    result = answer.result
    means = [
        {
            "over": scale.over,
            "scale": scale.scale,
            "assay": mean.assay,
            "tracks": mean.tracks,
            **mean.pearson.named("pearson"),
            **mean.r2.named("r2"),
        }
        for scale in result.results
        for mean in scale.means
    ]
    across = [
        {"assay": each.assay, "genes": each.genes, **each.pearson.named("pearson")}
        for each in result.across
    ]
    return {
        "measured": answer.measured,
        "predicted_by": answer.predicted_by,
        "tracks": len(answer.tracks),
        "regions": result.regions,
        "bins": result.bins,
        "missing": result.missing,
        "genes": result.genes,
        "genes_left_out": result.genes_left_out,
        "means": means,
        "across_tracks": across,
        "bootstrap": dict(answer.drawn),
    }


def as_table(answer: TracksAnswer) -> pa.Table:
    """A row for each track: what it is, how many bins were judged, its figures; null where one is not defined.

    Columns of genes begin with `gene_`, of log2(1 + x) with `log_`: `gene_log_pearson_low`.
    """
    table = answer.tracks.to_arrow().drop_columns(["list_position"])
    for scale in answer.result.results:
        begins = _prefix(scale)
        called = "genes" if scale.over == "genes" else "bins"
        if scale.scale == "raw":
            table = table.append_column(called, pa.array(scale.judged))
        for name, figures in scale.figures.items():
            ends = {"": figures.value, "_low": figures.low, "_high": figures.high}
            for end, values in ends.items():
                column = pa.array(values, mask=np.isnan(values))
                table = table.append_column(f"{begins}{name}{end}", column)
    return table


def _prefix(scale: ScaleResult) -> str:
    of_genes = "gene_" if scale.over == "genes" else ""
    return f"{of_genes}{'log_' if scale.scale == 'log' else ''}"


def lines_of(answer: TracksAnswer) -> Iterator[str]:
    """The answer for people: what was judged, and a table for bins and for genes, of each scale."""
    result = answer.result
    yield f"{answer.measured}, against {answer.predicted_by}"
    yield (
        f"{counted(result.regions, 'regions')}, {counted(result.bins, 'bins')}, "
        f"{counted(len(answer.tracks), 'tracks')}"
    )
    if result.missing:
        yield f"{counted(result.missing, 'values')} were not measured, and are left out"
    if result.genes is not None:
        left_out = f"; {result.genes_left_out:,} left out, which no region holds whole"
        yield f"{counted(result.genes, 'genes')}{left_out if result.genes_left_out else ''}"
    for scale in result.results:
        yield ""
        yield f"{_OVER[scale.over]}, {_SCALES[scale.scale]}; mean of tracks"
        yield from _lines_of_means(scale)
    if result.across:
        yield ""
        yield "each gene across the tracks of an assay, log2(1 + x); mean of genes"
        width = _width([each.assay for each in result.across])
        yield f"{'':<{width}}{'genes':>7}  Pearson"
        for each in result.across:
            yield f"{each.assay:<{width}}{each.genes:>7,}  {in_words(each.pearson, _DIGITS)}"


def _lines_of_means(scale: ScaleResult) -> Iterator[str]:
    width = _width([mean.assay for mean in scale.means])
    yield f"{'':<{width}}{'tracks':>7}  {'Pearson':<28}R2"
    for mean in scale.means:
        pearson = in_words(mean.pearson, _DIGITS)
        r2 = in_words(mean.r2, _DIGITS)
        yield f"{mean.assay:<{width}}{mean.tracks:>7,}  {pearson:<28}{r2}"


def _width(names: list[str]) -> int:
    return max(map(len, names))
