"""Scores in the layout of `sad.h5`, which basenji's scripts write and the released scores of Enformer have.

Source: calico/basenji, bin/basenji_sad.py (`initialize_output_h5`, `write_pct`) and basenji/sad5.py, whose reader
`SAD5` opens it. Values are float16, as theirs. Written by h5py, which is an extra.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float16, Float64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks, check_scores, chosen_tracks, scored_once
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.export.vcf_file import unheard
from enformer_core.export.whole_file import is_stream, whole_file
from enformer_core.models.tracks.table import Track
from enformer_core.version import __version__
from enformer_core.words import agreeing, counted

_CALLED: Mapping[str, str] = {
    "sad": "SAD",
    "log_sad": "SAR",
    "d1": "D1",
    "log_d1": "logD1",
    "d2": "D2",
    "log_d2": "logD2",
    "sax": "SAX",
    "js": "JS",
    "log_ratio": "SADR",
}
"""What statistics are called there; SAR is the name of the released scores, which later scripts call logSAD."""

_ROWS = 1024
_COLUMNS = 128
"""Of a chunk: 256 KiB, so that neither a variant nor a track is read at the cost of all."""

_CACHE_BYTES = 64 << 20

_BLOCK_BYTES = 128 << 20
"""Of all variants so many tracks are sorted at once as these bytes hold."""

_TEXT_ROWS = 1 << 14

_LARGEST = float(np.finfo(np.float16).max)

_LEAST_SCALE = 1e-6
"""Of a track without any effect; a distribution of no width has no quantiles."""

_QUARTILES = (0.25, 0.5, 0.75)

_PLACE = ["id", "variant_id", "pos", "ref", "alt"]


def percentiles() -> Float64[np.ndarray, " percentiles"]:
    """Those of basenji: by thousandths at both ends, by hundredths between."""
    fine = 0.001
    coarse = 0.01
    below = np.arange(fine, 0.1, fine)
    between = np.arange(0.1, 0.9, coarse)
    above = np.arange(0.9, 1, fine)
    return np.concatenate([below, between, above])


def export_hdf5(
    ledger: Ledger,
    path: Path,
    *,
    tracks: str | None = None,
    warn: Callable[[str], object] = unheard,
) -> int:
    """Write a row for each allele that is scored, once, in the order of the run.

    Datasets are `snp` (the input's identifier, else `chrom:pos:ref:alt`), `chr`, `pos` from 1, `ref_allele`,
    `alt_allele`, `target_ids`, `target_labels`, for each statistic float16 of (alleles, tracks), `percentiles`, and
    quantiles of each statistic such as `SAD_pct` of (tracks, percentiles). For SAD `target_cauchy_…`, a location (the
    median) and a scale (half the range between the quartiles) of each track, and their medians over CAGE and over all
    other tracks: where they are missing, `SAD5` fits its own and writes them into the file.

    Args:
        ledger: of a run that scored variants.
        path: of the file.
        tracks: a selector of the tracks that are written; all by default.
        warn: told how many values float16 cannot hold.

    Returns:
        How many alleles there are.

    Raises:
        InputError: for a run of another kind, where h5py is not installed, or the file cannot be written.
        DatasetError: for an object that is missing or damaged.
    """
    statistics = check_scores(ledger)
    chosen = chosen_tracks(ledger, tracks)
    h5py = _import_h5py()
    if is_stream(path):
        raise InputError(f"{path}: HDF5 is written to and fro; name a file")
    try:
        # HDF5 opens files by name: this one has its own when it is whole
        with (
            whole_file(path) as out,
            h5py.File(out.name, "w", rdcc_nbytes=_CACHE_BYTES) as file,
        ):
            alleles = _write(file, ledger, chosen, statistics, warn)
    except RuntimeError as error:  # the library's own
        raise InputError(f"{path}: cannot be written: {error}") from error
    return alleles


def _write(
    file: Any,
    ledger: Ledger,
    chosen: ChosenTracks,
    statistics: Sequence[str],
    warn: Callable[[str], object],
) -> int:
    matrices = {name: _Matrix.of(file, name, len(chosen)) for name in statistics}
    places = [pa.table({name: pa.array([], kind) for name, kind in _place_types().items()})]
    for chrom, scores in stored_tables(ledger, "scores"):
        rows = scored_once(scores)
        if not rows.num_rows:
            continue
        chroms = pa.array([chrom] * rows.num_rows, pa.string())
        places.append(rows.select(_PLACE).append_column("chrom", chroms))
        for name, matrix in matrices.items():
            matrix.add(chosen.values(rows[name]))
    table = pa.concat_tables(places)
    _write_alleles(file, table)
    _write_targets(file, chosen.tracks.rows)
    file.create_dataset("percentiles", data=percentiles())
    for name, matrix in matrices.items():
        matrix.write_quantiles(file, chosen.tracks.rows, is_sad=name == "sad")
        for line in matrix.said():
            warn(f"{_CALLED.get(name, name)}: {line}")
    _write_attributes(file, ledger)
    return table.num_rows


def _place_types() -> dict[str, pa.DataType]:
    return {name: pa.int64() if name == "pos" else pa.string() for name in (*_PLACE, "chrom")}


@dataclass
class _Matrix:
    """A statistic of all alleles and tracks, which grows by rows.

    Attributes:
        dataset: where it is.
        clipped: values beyond the largest of float16.
        vanished: values that are 0 there, and were not.
    """

    dataset: Any
    clipped: int = 0
    vanished: int = 0

    @classmethod
    def of(cls, file: Any, statistic: str, tracks: int) -> "_Matrix":
        """One without rows, in a dataset under the name that basenji has for the statistic."""
        dataset = file.create_dataset(
            _CALLED.get(statistic, statistic),
            shape=(0, tracks),
            maxshape=(None, tracks),
            chunks=(_ROWS, min(_COLUMNS, tracks)),
            dtype="float16",
        )
        return cls(dataset)

    def add(self, values: np.ndarray) -> None:
        """Add rows, as far as float16 holds them."""
        stored, clipped, vanished = as_float16(values)
        self.clipped += clipped
        self.vanished += vanished
        rows = self.dataset.shape[0]
        self.dataset.resize(rows + len(stored), axis=0)
        self.dataset[rows:] = stored

    def write_quantiles(self, file: Any, tracks: Sequence[Track], *, is_sad: bool) -> None:
        """Write the quantiles of each track, and for SAD the location and the scale that `SAD5` asks for."""
        rows, columns = self.dataset.shape
        wanted = percentiles()
        every = np.concatenate([wanted, _QUARTILES])
        quantiles = np.zeros((columns, every.size))
        # whole chunks of tracks: 128 MB hold 67 tracks of 500,000 alleles in float32, which comes to one chunk
        tracks_at_once = _BLOCK_BYTES // max(4 * rows, 1)
        step = max(tracks_at_once // _COLUMNS, 1) * _COLUMNS
        # of no alleles there are no quantiles: 0 stays
        for first in range(0, columns if rows else 0, step):
            values = self.dataset[:, first : first + step].astype(np.float32)
            quantiles[first : first + step] = np.quantile(values, every, axis=0).T
        name = self.dataset.name.removeprefix("/")
        file.create_dataset(f"{name}_pct", data=quantiles[:, : wanted.size].astype(np.float16))
        if is_sad:
            lower, median, upper = quantiles[:, wanted.size :].T
            scale = np.maximum((upper - lower) / 2, _LEAST_SCALE)
            _write_cauchy(file, tracks, median, scale)

    def said(self) -> list[str]:
        """How many values float16 could not hold, in words; nothing where it held all."""
        lines = []
        if self.clipped:
            are = agreeing(self.clipped, "is", "are")
            lines.append(
                f"{counted(self.clipped, 'values')} beyond {_LARGEST:,.0f} {are} that, the largest of float16"
            )
        if self.vanished:
            are = agreeing(self.vanished, "is", "are")
            lines.append(f"{counted(self.vanished, 'values')} too small for float16 {are} 0 there")
        return lines


def as_float16(values: np.ndarray) -> tuple[Float16[np.ndarray, "rows tracks"], int, int]:
    """Values as float16 holds them; how many are beyond its largest, and how many are 0 there that were not."""
    within = np.clip(values, -_LARGEST, _LARGEST)
    stored = within.astype(np.float16)
    is_clipped = within != values
    has_vanished = (stored == 0) & (values != 0)
    return stored, int(is_clipped.sum()), int(has_vanished.sum())


def _write_alleles(file: Any, places: pa.Table) -> None:
    named = pc.coalesce(places["id"], places["variant_id"])
    _write_texts(file, "snp", named)
    _write_texts(file, "chr", places["chrom"])
    file.create_dataset("pos", data=np.asarray(places["pos"], dtype=np.uint32))
    _write_texts(file, "ref_allele", places["ref"])
    _write_texts(file, "alt_allele", places["alt"])


def _write_texts(file: Any, name: str, texts: pa.ChunkedArray) -> None:
    # each as wide as the widest: packed, since one long allele makes all others mostly nothing
    width = max(pc.max(pc.binary_length(texts)).as_py() or 0, 1)
    packed = {"chunks": (_ROWS,), "maxshape": (None,), "compression": "gzip"}
    dataset = file.create_dataset(name, shape=(len(texts),), dtype=f"S{width}", **packed)
    for first in range(0, len(texts), _TEXT_ROWS):
        some = texts.slice(first, _TEXT_ROWS).cast(pa.binary()).to_pylist()
        dataset[first : first + len(some)] = np.array(some, dtype=f"S{width}")


def _write_targets(file: Any, tracks: Sequence[Track]) -> None:
    identifiers = [track.identifier or str(track.index) for track in tracks]
    labels = [track.description or "" for track in tracks]
    for name, texts in (("target_ids", identifiers), ("target_labels", labels)):
        encoded = [text.encode() for text in texts]
        width = max(1, *map(len, encoded))
        file.create_dataset(name, data=np.array(encoded, dtype=f"S{width}"))


def _write_cauchy(
    file: Any,
    tracks: Sequence[Track],
    location: Float64[np.ndarray, " tracks"],
    scale: Float64[np.ndarray, " tracks"],
) -> None:
    """As `SAD5.norm_cauchy`: tracks are brought to the median of their kind, CAGE or any other."""
    is_cage = np.array([(track.description or "").startswith("CAGE") for track in tracks])
    for name, values in (("loc", location), ("scale", scale)):
        of_kind = np.zeros_like(values)
        for kind in (is_cage, ~is_cage):
            if kind.any():
                of_kind[kind] = np.median(values[kind])
        file.create_dataset(f"target_cauchy_fit_{name}", data=values)
        file.create_dataset(f"target_cauchy_norm_{name}", data=of_kind)


def _write_attributes(file: Any, ledger: Ledger) -> None:
    run = ledger.run
    model = run.typed_identity.model
    file.attrs["made_by"] = f"enformer-ray {__version__}"
    file.attrs["run"] = run.digest
    file.attrs["model"] = model.name
    file.attrs["head"] = model.head
    file.attrs["weights_sha256"] = model.weights_sha256
    if run.notice is not None:
        file.attrs["notice"] = run.notice


def _import_h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise InputError(
            "HDF5 is written by h5py, which is not installed. Run: pip install h5py"
        ) from error
