"""`enformer-ray evaluate tracks`: predicted tracks held against measured ones."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from enformer_core.errors import InputError
from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.track_genes import GeneTracks
from enformer_core.evaluate.tracks import TracksResult, judge_tracks
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, replaces, whole_file
from enformer_core.user_path import real_path
from enformer_core.words import counted
from jobs import exit_codes
from jobs.evaluate_tracks_answer import TracksAnswer, as_object, as_table, lines_of
from jobs.evaluate_tracks_inputs import Compared, compared
from jobs.evaluate_tracks_settings import EvaluateTracksSettings
from jobs.finished_run import check_beside
from jobs.gene_plan import genes_asked, read_asked
from jobs.log import note
from jobs.output_guard import check_folder
from jobs.result_files import printed_to
from jobs.terminal import print_prose

_FEW_REGIONS = 20
"""Below which an interval says little of what others would come to."""


def evaluate_tracks(settings: EvaluateTracksSettings) -> int:
    """Print how well predicted tracks agree with measured ones.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot be judged.
    """
    path = None
    if settings.output is not None:
        path = STDOUT if settings.output == str(STDOUT) else Path(settings.output)
        check_folder(path)
    if settings.parquet is not None:
        check_folder(Path(settings.parquet))
    answer = judge(settings)
    if settings.parquet is not None:
        _write_parquet(answer, Path(settings.parquet))
    if path is None:
        _print(answer, as_json=settings.json)
        return exit_codes.DONE
    if replaces(path):
        note(f"{path}: takes the place of the file that was there")
    with suppress(ReaderLeftError), whole_file(path) as stream, printed_to(stream):
        _print(answer, as_json=settings.json)
    return exit_codes.DONE


def judge(settings: EvaluateTracksSettings) -> TracksAnswer:
    """Predict, or read predictions, and judge.

    Raises:
        InputError: as `evaluate_tracks`.
    """
    bootstrap = Bootstrap.asked(settings.bootstrap, settings.seed)
    with compared(settings) as found:
        _check_outputs(settings, found.read)
        genes = _genes(settings, found)
        assays = [track.assay for track in found.tracks.rows]
        result = judge_tracks(found.regions, assays, bootstrap, genes)
    _check_any(found, result)
    _note(result, bootstrap)
    return TracksAnswer(
        measured=found.measured,
        predicted_by=found.predicted_by,
        tracks=found.tracks,
        result=result,
        drawn={"draws": bootstrap.draws, "seed": bootstrap.seed, "by": "region"},
    )


def _check_outputs(settings: EvaluateTracksSettings, read: Sequence[str]) -> None:
    """Refuse to write over what was measured, or what a run is or was made of.

    Raises:
        InputError: for such a file.
    """
    outputs = (settings.output, settings.parquet)
    if None not in outputs and len({real_path(Path(str(name))) for name in outputs}) == 1:
        raise InputError(f"{settings.output}: --output and --parquet are one file. Give two names.")
    for name in outputs:
        if name is None or name == str(STDOUT):
            continue
        file = Path(name)
        if settings.run is not None:
            check_beside(file, settings.run)
        for each in read:
            if real_path(file).is_relative_to(real_path(Path(each))):
                raise InputError(
                    f"{file}: is {each}, or lies in it, which is read. Give another name."
                )


def _genes(settings: EvaluateTracksSettings, found: Compared) -> GeneTracks | None:
    if settings.genes is None:
        if settings.exon_tracks is not None or settings.tss_bins is not None:
            raise InputError("--exon-tracks and --tss-bins are of genes: give --genes too")
        return None
    if found.genome is None:
        raise InputError("--genes: are held against the genome; give --genome too")
    asked = genes_asked(settings, settings.genes, found.tracks)
    place_of = {index: place for place, index in enumerate(found.tracks.indices())}
    exon_tracks = tuple(place_of[index] for index in asked.exon_tracks)
    return GeneTracks(read_asked(asked, found.genome), asked.tss_bins, exon_tracks)


def _check_any(found: Compared, result: TracksResult) -> None:
    """Refuse where nothing was judged, which figures of `none` alone would not explain."""
    if not result.bins:
        raise InputError(f"{found.predicted_by}: predicts no bin there; nothing can be judged")
    if result.missing == result.bins * len(found.tracks):
        raise InputError(
            f"{found.measured}: none of {counted(result.bins, 'bins')} was measured. Are the regions those that "
            "the files have values of?"
        )


def _note(result: TracksResult, bootstrap: Bootstrap) -> None:
    if bootstrap.draws and result.regions < _FEW_REGIONS:
        note(
            f"intervals are drawn of {counted(result.regions, 'regions')}: of so few they mean little"
        )
    raw, log = result.results[:2]
    without = int(np.sum(raw.judged - log.judged))
    if without:
        note(
            f"{counted(without, 'measured values')} of -1 or less have no log2(1 + x), and are left out there"
        )


def _write_parquet(answer: TracksAnswer, path: Path) -> None:
    if replaces(path):
        note(f"{path}: takes the place of the file that was there")
    with whole_file(path) as stream:
        pq.write_table(as_table(answer), stream, compression="zstd")


def _print(answer: TracksAnswer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(as_object(answer)))
    else:
        print_prose(lines_of(answer))
