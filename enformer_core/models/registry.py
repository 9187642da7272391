"""The models by name, and a model with the file of its weights, as a run names it."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enformer_core.errors import InputError, nearest
from enformer_core.models import BUILTIN_MODELS
from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.spec import ModelSpec
from enformer_core.models.tracks.table import Tracks
from enformer_core.models.weights.check import file_sha256, load_parameters, state_sha256
from enformer_core.models.weights.loaded import LoadedWeights
from enformer_core.models.weights.source import WeightsContent, open_weights, weight_files
from enformer_core.user_path import named_as_given
from enformer_core.words import counted

if TYPE_CHECKING:
    import torch

    from enformer_core.models.base import HeadedNetwork, SequenceModel

# Any: each spec knows the config of its own network, and nothing here asks for it.
SPECS: dict[str, ModelSpec[Any]] = {}
"""Every model that is known, by its name."""


def register(spec: ModelSpec[Any]) -> None:
    """Make a model known in this process.

    Raises:
        ValueError: when its name is taken.
    """
    if spec.name in SPECS:
        raise ValueError(f"there is a model {spec.name} already")
    SPECS[spec.name] = spec


# By name, so that a model is added by a line in one place; each module calls its spec SPEC, and loads no torch.
for _name in BUILTIN_MODELS:
    register(import_module(f"enformer_core.models.{_name}_spec").SPEC)


def model_spec(name: str) -> ModelSpec[Any]:
    """What is known of a model.

    Raises:
        InputError: for an unknown name.
    """
    if name not in SPECS:
        raise InputError(f"unknown model {name!r}{nearest(name, SPECS)}")
    return SPECS[name]


def sized_spec(name: str, params: str | None) -> ModelSpec[Any]:
    """What is known of a model in the sizes that a file says; in its own where there is none.

    Raises:
        InputError: for an unknown name, a model of one size, or a file that does not say sizes that are known.
    """
    spec = model_spec(name)
    if params is not None and spec.read_params is None and _sized_models():
        raise InputError(
            f"model {name} has one size; leave out --params {params}, or name the model whose sizes it says: "
            f"{' or '.join(f'--model {other}' for other in _sized_models())}"
        )
    return spec.of_params(params)


def _sized_models() -> list[str]:
    return [name for name, spec in SPECS.items() if spec.read_params is not None]


def likely_model(weights: str | None, params: str | None) -> str | None:
    """The model that files are for: told by the names in weights that are here, else by who reads sizes; None unknown.

    Args:
        weights: as the user named them; one file.
        params: the file of the sizes.
    """
    # a name that no file can have is none that is here
    if weights is not None and os.path.lexists(weights):
        try:
            bearer = recognise(open_weights(weights))
        except InputError:
            # a damaged file is told by whoever reads it
            bearer = None
        if bearer is not None:
            return bearer
    return _sized_models()[0] if params is not None and _sized_models() else None


def trained_models() -> tuple[str, ...]:
    """Names of the models that need a file of weights."""
    return tuple(name for name, spec in SPECS.items() if spec.demonstration is None)


def recognise(content: WeightsContent) -> str | None:
    """The one model whose names some tensors bear; None where they are nobody's, or of several."""
    bearers = [
        name for name in trained_models() if _telling_names(content, name, content.tensors.names)
    ]
    return bearers[0] if len(bearers) == 1 else None


def _telling_names(
    content: WeightsContent,
    model: str,
    names: Iterable[str],
) -> list[str]:
    """Those names that only this model's weights have in the content's format; none where some are never its own."""
    mappings = SPECS[model].weights
    lacks = mappings.lacks(content.format)
    if lacks and any(lacks.match(name) for name in names):
        return []
    # In a format that the model has no weights in, no name tells it.
    mark = mappings.mark(content.format)
    return [name for name in names if mark and mark.match(name)]


@dataclass(frozen=True)
class ModelSource:
    """A model and the file of its weights; small, so that it can be sent to a worker that builds the model.

    Attributes:
        name: of a registered model.
        weights: path (or `hf://` address) of weights in any format that `weights.source` reads; None for `motif`, which
            has its own.
        given: what messages call them, where they are the copy of an object.
        params: path of the file that says the sizes of a model whose family has several; None for the published ones.

    Raises:
        InputError: for an unknown name, or weights missing where they are needed or given where they are not.
    """

    name: str
    weights: str | None = None
    given: str | None = None
    params: str | None = None

    def __post_init__(self) -> None:
        if self.demonstration and self.weights is not None:
            raise InputError(
                f"model {self.name} makes its own weights; leave out --weights {self.given or self.weights}"
            )
        if not self.demonstration and self.weights is None:
            raise InputError(
                f"model {self.name} needs --weights FILE; `enformer-ray docs weights` says where they are. "
                "To try the program without, use --model motif."
            )

    @property
    def spec(self) -> ModelSpec[Any]:
        """Everything that is known of the model."""
        return sized_spec(self.name, self.params)

    @property
    def demonstration(self) -> bool:
        """Whether the model is made by hand to show how things work."""
        return self.spec.demonstration is not None

    @property
    def notice(self) -> str | None:
        """What every output of a demonstration says."""
        demonstration = self.spec.demonstration
        return None if demonstration is None else demonstration.notice

    @property
    def config(self) -> ModelConfig:
        """Sizes and all heads that the model may have, without building it or looking into its weights."""
        return self.spec.config

    @property
    def geometry(self) -> Geometry:
        """The window read and the bins predicted."""
        return self.config.geometry

    @property
    def output_tracks(self) -> Mapping[str, int]:
        """Number of tracks of each head that the model may have; a file may hold one of them only."""
        return self.config.output_tracks

    def build(self, device: "torch.device") -> "SequenceModel":
        """The model with its parameters, for inference on `device`.

        Raises:
            InputError: when the weights cannot be read or belong to another model.
        """
        with self._as_given():
            model = self._built()
        return model.to(device).eval().requires_grad_(requires_grad=False)

    def _built(self) -> "HeadedNetwork":
        demonstration = self.spec.demonstration
        if demonstration is not None:
            return demonstration.make()
        return self.fill(self.load(open_weights(str(self.weights))))

    def _as_given(self) -> AbstractContextManager[None]:
        """While this lasts, refusals call the weights as the user does."""
        return named_as_given(self.weights, self.given)

    def load(self, content: WeightsContent) -> LoadedWeights:
        """The content of weights under the model's names.

        Raises:
            InputError: when it bears the names of another model, is damaged, or of a format that the model has not.
        """
        # Before any mapping: what another model lacks would be a long list of names that nobody asked about.
        bearer = recognise(content)
        if bearer not in (None, self.name):
            raise InputError(
                f"{content.source}: holds weights of {bearer} ({content.format}; it has "
                f"{_shown_name(content, bearer)}), but the model asked for is {self.name}. "
                f"Use --model {bearer}, or weights of {self.name}."
            )
        return self.spec.load(content)

    def fill(self, loaded: LoadedWeights) -> "HeadedNetwork":
        """The model on the CPU, its parameters those of `loaded`, every name, shape, type and value checked.

        Raises:
            InputError: when they do not fit the model.
        """
        # Without memory of its own: the file's tensors become its parameters.
        model = self.spec.empty_network(self._held_heads(loaded))
        load_parameters(
            model,
            loaded.state,
            source=str(self.weights),
            published=self.spec.weights.names.published,
            theirs={ours: theirs for theirs, ours in loaded.names.items()},
        )
        return model

    def weights_sha256(self) -> str:
        """Digest of the weights' files, with that of their sizes where one is given.

        Of made parameters, of their content under the published names.
        """
        demonstration = self.spec.demonstration
        if demonstration is None:
            with self._as_given():
                sizes = () if self.params is None else (Path(self.params),)
                return file_sha256((*weight_files(str(self.weights)), *sizes))
        if demonstration.weights_sha256 is not None:
            return demonstration.weights_sha256
        return state_sha256(self.spec.published_state(demonstration.make().state_dict()))

    def parameters_sha256(self) -> str:
        """Digest of the parameters, whatever file they are in.

        Raises:
            InputError: as `build`.
        """
        with self._as_given():
            return state_sha256(self.spec.published_state(self._built().state_dict()))

    def tracks(self, head: str, targets: str | None = None) -> Tracks:
        """The table of a head's tracks; `targets` is the path or address of the published one.

        Raises:
            InputError: for a head that the model or the file of its weights has not, or a targets table that does not
            fit it.
        """
        # Reading a gigabyte for its names is worth while only where the file may lack the head.
        if self.spec.one_head_per_file and head in self.output_tracks:
            with self._as_given():
                self._check_head(head)
        return self.spec.tracks(head, targets)

    def _held_heads(self, loaded: LoadedWeights) -> dict[str, int]:
        """The heads of the model that its weights are for.

        Raises:
            InputError: when they hold none.
        """
        heads = self.spec.held_heads(loaded.state)
        if not heads:
            raise InputError(
                f"{self.weights}: holds none of the heads {', '.join(self.output_tracks)}."
            )
        return heads

    def _check_head(self, head: str) -> None:
        loaded = self.load(open_weights(str(self.weights)))
        heads = self._held_heads(loaded)
        if head not in heads:
            listed = ", ".join(f"{name} ({count} tracks)" for name, count in heads.items())
            raise InputError(
                f"{self.weights}: holds the head {listed}, --head is {head}. "
                f"Use --head {next(iter(heads))}, or the file of the other head."
            )
        held = len(loaded.state[f"heads.{head}.bias"])
        if held != heads[head]:
            raise InputError(
                f"{self.weights}: holds {counted(held, 'tracks')} of the head {head}, the model has {heads[head]:,}. "
                f"{self.spec.sizes_remedy}Give weights and sizes of one model."
            )


def _shown_name(content: WeightsContent, model: str) -> str:
    """A name that tells the model, as the source has it and, where that differs, as published files have it."""
    spec = SPECS[model]
    theirs = _telling_names(content, model, content.tensors.names)[0]
    try:
        names = spec.load(content).names
    except InputError:
        # of other sizes than the published ones: what stands there tells enough
        return theirs
    theirs = _telling_names(content, model, names)[0]
    published = spec.weights.names.published(names[theirs])
    return theirs if theirs == published else f"{theirs} ({published})"
