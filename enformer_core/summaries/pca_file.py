"""A fitted PCA as one file of plain arrays, and whether it fits a run. No pickle: reading one runs nothing.

The file is `.safetensors`: the arrays of `RobustPca` by name, and as JSON what they were fitted on. Of equal fits the
bytes are equal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from enformer_core.dataset.codec import (
    JsonObject,
    as_json_object,
    canonical_json,
    convert,
)
from enformer_core.dataset.differences import difference_lines
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run import ModelIdentity
from enformer_core.dataset.run_tracks import ChosenTracks, check_scores, chosen_tracks
from enformer_core.errors import DatasetError, InputError, first_few
from enformer_core.models.tracks.table import Track
from enformer_core.storage.open import local_path
from enformer_core.summaries.robust_pca import RobustPca
from enformer_core.words import counted

FORMAT = 1

# safetensors writes several keys in an order that changes from one process to the next, so all go into one
_KEY = "enformer-ray"

_KIND = "pca"


@dataclass(frozen=True)
class FittedOn:
    """What a PCA was fitted on.

    Attributes:
        model: whose scores.
        score_version: version of the arithmetic of scores.
        conventions: how alleles were scored, as the run's identity has them, but for the list of its statistics.
        statistic: which of these.
        tracks: which columns of the head, and what they are called.
        alleles: rows of the fit, each allele once.
        sample: how many alleles were asked for, drawn by chance; None for all of the run.
        seed: which sample.
        run: digest of the run's identity.
        made_by: which release fitted it.
        notice: what a demonstration says.
    """

    model: ModelIdentity
    score_version: int
    conventions: JsonObject
    statistic: str
    tracks: tuple[Track, ...]
    alleles: int
    sample: int | None
    seed: int
    run: str
    made_by: str
    notice: str | None


@dataclass(frozen=True)
class Pca:
    """A fitted PCA, and what it was fitted on."""

    fitted_on: FittedOn
    transform: RobustPca

    @property
    def components(self) -> int:
        """How many components it has fitted."""
        return len(self.transform.components)

    def encoded(self) -> bytes:
        """The bytes of the file, equal for equal fits."""
        from safetensors.numpy import save  # noqa: PLC0415 - loaded where a file is written

        about = {"kind": _KIND, "format": FORMAT, **as_json_object(self.fitted_on)}
        described = {_KEY: canonical_json(about).decode()}
        return save(_arrays(self.transform), described)

    @property
    def digest(self) -> str:
        """Of everything that decides what it makes of scores, whichever release wrote the file."""
        parts = [
            f"{name}:{array.shape}:".encode() + array.tobytes()
            for name, array in sorted(_arrays(self.transform).items())
        ]
        return sha256(b"".join(parts))


def _arrays(transform: RobustPca) -> dict[str, np.ndarray]:
    values = {field.name: getattr(transform, field.name) for field in fields(transform)}
    return {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def read_pca(name: str) -> Pca:
    """Read what `pca fit` wrote.

    Args:
        name: of the file: a path, or `s3://bucket/key`.

    Raises:
        InputError: for a file that is not there or was not written by it.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loaded where a file is read

    try:
        with safe_open(local_path(name), "np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{name}: cannot be read as a PCA: {error}. Give a file that `enformer-ray pca fit` wrote."
        ) from error
    about = _about(name, metadata)
    try:
        fitted_on = convert(about, FittedOn, name)
    except DatasetError as error:
        raise InputError(f"{error}. Fit it again.") from error
    return Pca(fitted_on, _transform(name, arrays, len(fitted_on.tracks)))


def _about(name: str, metadata: Mapping[str, str]) -> JsonObject:
    written = metadata.get(_KEY, "")
    about: Any = json.loads(written) if written.startswith("{") else {}
    if about.get("kind") != _KIND:
        raise InputError(
            f"{name}: is no PCA, though a .safetensors file. Give one that `enformer-ray pca fit` wrote."
        )
    if about.get("format") != FORMAT:
        raise InputError(
            f"{name}: a PCA of format {about.get('format')}, this program reads {FORMAT}. Use its release."
        )
    return dict(about)


def _transform(name: str, arrays: Mapping[str, np.ndarray], tracks: int) -> RobustPca:
    """The arrays, each of the shape that the others and the tracks ask for."""
    components = len(arrays.get("explained_variance", ()))
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("centre", "scale", "mean"), (tracks,)),
        "components": (components, tracks),
        **dict.fromkeys(("explained_variance", "second_centre", "second_scale"), (components,)),
        "total_variance": (),
    }
    found = {key: array.shape for key, array in arrays.items()}
    if found != shapes:
        raise InputError(
            f"{name}: damaged: has the arrays {found}, expected {shapes}. Fit it again."
        )
    values: dict[str, Any] = dict(arrays)
    return RobustPca(**{**values, "total_variance": float(values["total_variance"])})


def scored_as(ledger: Ledger, statistic: str) -> JsonObject:
    """What of a run's identity decides which numbers its scores are, whichever alleles it has.

    Not the genome, whose letters are what scores are of, nor the engine and its precision, which differ by rounding.

    Raises:
        InputError: for a run of another kind, or without the statistic.
    """
    statistics = check_scores(ledger)
    if statistic not in statistics:
        raise InputError(
            f"{ledger.store.location}: has no {statistic}, but {', '.join(statistics)}; choose by --statistic, or "
            f"score with --statistics {statistic}"
        )
    identity = ledger.run.typed_identity
    return as_json_object(
        {
            "model": identity.model,
            "score_version": identity.score_version,
            "conventions": conventions_of(ledger),
        }
    )


def conventions_of(ledger: Ledger) -> JsonObject:
    """How the alleles of a run were scored, but for the list of its statistics."""
    conventions = dict(ledger.run.identity.get("conventions", {}))
    conventions.pop("statistics", None)
    return conventions


def tracks_for(ledger: Ledger, pca: Pca, name: str) -> ChosenTracks:
    """Where the tracks of a PCA stand in a run's lists.

    Args:
        ledger: of the run.
        pca: fitted on any run.
        name: of its file, for messages.

    Raises:
        InputError: where it was fitted on scores of another model, other tracks, conventions, or statistic: naming what
            differs, with both sides.
    """
    about = pca.fitted_on
    fitted = as_json_object(
        {
            "model": about.model,
            "score_version": about.score_version,
            "conventions": about.conventions,
        }
    )
    lines = difference_lines(fitted, scored_as(ledger, about.statistic), {}, {})
    if lines:
        shown = "\n".join(lines)
        raise InputError(
            f"{name}: was fitted on other scores than {ledger.store.location} has; these fields differ "
            f"(there: the PCA, now: the run):\n{shown}\nFit one on a run of these settings, or score with those of "
            "the PCA."
        )
    every = chosen_tracks(ledger, None)
    there = set(every.tracks.indices())
    wanted = [track.index for track in about.tracks]
    missing = [str(index) for index in wanted if index not in there]
    if missing:
        raise InputError(
            f"{name}: was fitted on {counted(len(wanted), 'tracks')} of {about.model.name} {about.model.head}; "
            f"{ledger.store.location} has {counted(len(every), 'tracks')}, without {first_few(missing)}. "
            "Score with these too, or fit one on the tracks of the run."
        )
    return every.of_indices(wanted)
