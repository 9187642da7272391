"""`enformer-ray weights import`: anyone's weights, proved to fit their model, as one `.safetensors` file."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.registry import ModelSource, model_spec, recognise, trained_models
from enformer_core.models.weights.check import file_sha256, state_sha256
from enformer_core.models.weights.save import read_metadata, save_weights
from enformer_core.models.weights.source import WeightsContent, open_weights
from enformer_core.models.weights.tensor_files import HUB_SCHEME
from enformer_core.storage.open import local_path
from enformer_core.user_path import file_in_the_way, named_as_given
from enformer_core.version import __version__
from enformer_core.words import counted
from jobs import exit_codes
from jobs.model_settings import ImportSettings

_ENDING = ".safetensors"


@dataclass(frozen=True)
class Imported:
    """What was read, and what became of it: the JSON that the command prints.

    Attributes:
        source: what the user named.
        format: what it turned out to be.
        model: which model it fits.
        heads: number of tracks of each head.
        source_sha256: digest of the files read.
        tensors: how many were written.
        parameters: trained numbers in them, so without running means and variances.
        left_out: how many of the source's tensors were not needed, by reason.
        out: the file written, or there before with the same content.
        out_sha256: digest of that file.
        names: our name of each tensor by theirs.
    """

    source: str
    format: str
    model: str
    heads: Mapping[str, int]
    source_sha256: str
    tensors: int
    parameters: int
    left_out: Mapping[str, int]
    out: str
    out_sha256: str
    names: Mapping[str, str]


def import_weights(settings: ImportSettings) -> int:
    """Read, check, write and report; the same command again meets the same content and leaves it.

    Returns:
        The exit code.

    Raises:
        InputError: when the source cannot be read or does not fit, or `out` holds something else.
    """
    out = Path(settings.out)
    source = local_path(settings.source, also=("hf",))
    _check_place(out)  # before gigabytes are read
    with named_as_given(source, settings.source):
        imported = _imported(settings, source, out)
    if settings.json:
        print(json.dumps(asdict(imported), indent=2))
    else:
        print(_text(imported, list_tensors=settings.list_tensors))
    return exit_codes.DONE


def _imported(settings: ImportSettings, source: str, out: Path) -> Imported:
    """Read weights, prove that they fit, and write them where they are not yet."""
    content = open_weights(source)
    model = settings.model or _recognised(content)
    params = None if settings.params is None else local_path(settings.params)
    chosen = ModelSource(model, source, params=params)
    loaded = chosen.load(content)
    network = chosen.fill(loaded)  # which refuses what does not fit, before anything is written
    source_sha256 = file_sha256(content.files)
    state = chosen.spec.published_state(loaded.state)
    if out.exists():
        _check_same(out, model, state)
    else:
        save_weights(out, state, _metadata(content, model, source_sha256))
    published = chosen.spec.weights.names.published
    return Imported(
        source=settings.source,
        format=content.format,
        model=model,
        heads=dict(network.config.output_tracks),
        source_sha256=source_sha256,
        tensors=len(state),
        # Of the network, not of the file: running means and variances are tensors that nobody trained.
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        left_out=dict(Counter(loaded.left_out.values())),
        out=settings.out,
        out_sha256=file_sha256(out),
        names={theirs: published(ours) for theirs, ours in loaded.names.items()},
    )


def _recognised(content: WeightsContent) -> str:
    model = recognise(content)
    if model is None:
        known = " nor ".join(trained_models())
        raise InputError(
            f"{content.source}: its names are those of neither {known}. Which model is it for?"
        )
    return model


def _check_place(path: Path) -> None:
    # Readers know the format by this ending.
    if path.suffix != _ENDING:
        raise InputError(
            f"{path}: ends with {path.suffix!r}, what is written is {_ENDING}. Name it so."
        )
    file = file_in_the_way(path.parent)
    if file is not None:
        raise InputError(f"{path}: {file} is a file. Choose another place.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no directory {path.parent}. Make it first.")


def _metadata(content: WeightsContent, model: str, source_sha256: str) -> dict[str, str]:
    # Without the directory: the same weights must give the same bytes wherever they lay.
    on_hub = content.source.startswith(HUB_SCHEME)
    return {
        "model": model,
        "source_sha256": source_sha256,
        "source": content.source if on_hub else Path(content.source).absolute().name,
        "format": content.format,
        "enformer-ray": __version__,
    }


def _check_same(path: Path, model: str, state: Mapping[str, Tensor]) -> None:
    # By tensors, not bytes: the file says where it came from, and the same weights may come from elsewhere.
    spec = model_spec(model)
    # Of the content, not of the file: somebody may have written it in another order or with other metadata.
    present = state_sha256(spec.published_state(spec.load(open_weights(str(path))).state))
    new = state_sha256(state)
    if present != new:
        origin = read_metadata(path).get("source")
        from_where = f", imported from {origin}" if origin else ""
        raise InputError(
            f"{path}: is there and holds other parameters (content {present[:12]}…{from_where}; the source's "
            f"{new[:12]}…). Choose another name, or remove it."
        )


def _text(imported: Imported, *, list_tensors: bool) -> str:
    lines = []
    if list_tensors:
        lines = [f"{theirs} -> {ours}" for theirs, ours in imported.names.items()]
    heads = ", ".join(
        f"{head} ({counted(tracks, 'tracks')})" for head, tracks in imported.heads.items()
    )
    left_out = ", ".join(f"{count} {reason}" for reason, count in imported.left_out.items())
    lines += [
        f"{imported.source}: {imported.model}, {heads}",
        f"format: {imported.format}, sha256 {imported.source_sha256}",
        f"mapped: {counted(imported.tensors, 'tensors')}, {counted(imported.parameters, 'trained parameters')} "
        "(running means and variances not counted); "
        f"left out: {left_out or 'nothing'}",
        f"output: {imported.out}, sha256 {imported.out_sha256}",
    ]
    return "\n".join(lines)
