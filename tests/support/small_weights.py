"""Small models in the place of the published sizes, and their seeded weights in every format."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from enformer_core.models import registry
from enformer_core.models.basenji2 import Basenji2Config
from enformer_core.models.geometry import Geometry
from tests.support import seeded_basenji2
from tests.support.seeded import seeded_state, tiny_config

FIXTURES = Path(__file__).parents[1] / "fixtures"

ENFORMER = tiny_config()

BASENJI2 = Basenji2Config(
    geometry=Geometry(window_bp=512, bin_bp=8, bins=32),
    stem_channels=3,
    tower_channels=(4, 5),
    dilated_channels=2,
    dilations=(1, 2),
    final_channels=6,
    output_tracks={"human": 7, "mouse": 4},
)

COUNTER = "num_batches_tracked"

KINDS = (
    "pickle, every tensor twice",
    "pickle without an ending",
    "safetensors",
    "index of several",
    "directory of several",
    "prefix of a checkpoint",
    "index of a checkpoint",
    "data of a checkpoint",
    "directory with a checkpoint",
    "directory with an index alone",
    "Keras",
    "Keras by another ending",
    "Keras without an ending",
    "safetensors of basenji2",
    "safetensors without an ending",
)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registry make the small models, in this process."""
    for name, config in (("enformer", ENFORMER), ("basenji2", BASENJI2)):
        spec = replace(registry.SPECS[name], config=config)
        monkeypatch.setitem(registry.SPECS, name, spec)


def one_head(head: str = "human") -> Basenji2Config:
    return replace(BASENJI2, output_tracks={head: BASENJI2.output_tracks[head]})


def enformer_state(seed: int = 0) -> dict[str, Tensor]:
    """Parameters by their published names, without counters of BatchNorm."""
    return {
        name: tensor
        for name, tensor in seeded_state(seed, ENFORMER).items()
        if not name.endswith(COUNTER)
    }


def basenji2_state(head: str = "human", seed: int = 0) -> dict[str, Tensor]:
    """Parameters by the names that they have in `.safetensors` files."""
    state = seeded_basenji2.state_dict(
        one_head(head), seeded_basenji2.keras_arrays(one_head(head), seed)
    )
    contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
    return registry.model_spec("basenji2").published_state(contiguous)


def expected_state(model: str) -> dict[str, Tensor]:
    """Parameters that every source of `every_source` holds, by their published names."""
    return enformer_state() if model == "enformer" else basenji2_state()


def state_of(model: str, built: nn.Module) -> dict[str, Tensor]:
    """Parameters of a model that was built, by their published names."""
    return registry.model_spec(model).published_state(built.state_dict())


def write_keras(path: Path, head: str = "human", seed: int = 0) -> Path:
    config = one_head(head)
    seeded_basenji2.write_hdf5(
        path, seeded_basenji2.keras_arrays(config, seed), seeded_basenji2.layer_names(config)
    )
    return path


def write_published(path: Path) -> Path:
    """As EleutherAI/enformer-official-rough: a pickle with counters, and every tensor of the trunk twice."""
    rooms = {
        "stem": "_trunk.1",
        "conv_tower": "_trunk.2",
        "transformer": "_trunk.4",
        "final_pointwise": "_trunk.6",
    }
    state = seeded_state(0, ENFORMER)
    split = {name: name.partition(".")[::2] for name in state}
    aliases = {
        f"{rooms[room]}.{rest}": state[name]
        for name, (room, rest) in split.items()
        if room in rooms
    }
    torch.save(state | aliases, path)
    return path


def write_sharded(directory: Path) -> Path:
    """Two files and their index; the path of the index."""
    directory.mkdir()
    state = enformer_state()
    names = sorted(state)
    for number, part in enumerate((names[::2], names[1::2])):
        save_file({name: state[name] for name in part}, directory / f"{number}.safetensors")
    index = directory / "model.safetensors.index.json"
    weight_map = {name: f"{number % 2}.safetensors" for number, name in enumerate(names)}
    index.write_text(json.dumps({"weight_map": weight_map}))
    return index


def every_source(directory: Path) -> dict[str, tuple[str, str]]:
    """A source of each of `KINDS`: the model, and what stands for its weights on the command line."""
    published = write_published(directory / "pytorch_model.bin")
    keras = write_keras(directory / "model_human.h5")
    enformer, basenji2 = directory / "enformer.safetensors", directory / "basenji2.safetensors"
    save_file(enformer_state(), enformer)
    save_file(basenji2_state(), basenji2)
    copies = {
        "0123abcd": published,
        "weights.keras-h5": keras,
        "model_best": keras,
        "blob": basenji2,
    }
    pickled, other_ending, no_ending, blob = (
        shutil.copy(path, directory / name) for name, path in copies.items()
    )
    index = write_sharded(directory / "sharded")
    alone = shutil.copytree(FIXTURES / "sonnet_small", directory / "alone")
    (alone / "checkpoint").unlink()
    bundle = FIXTURES / "sonnet_sharded"
    prefix = bundle / "seeded-1"
    enformers = [published, pickled, enformer, index, index.parent, prefix, f"{prefix}.index"]
    enformers += [f"{prefix}.data-00001-of-00002", bundle, alone]
    basenji2s = [keras, other_ending, no_ending, basenji2, blob]
    given = [("enformer", str(path)) for path in enformers] + [
        ("basenji2", str(path)) for path in basenji2s
    ]
    return dict(zip(KINDS, given, strict=True))


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Names on one side only, or with other bits; counters aside."""
    names = [name for name in sorted({**one, **other}) if not name.endswith(COUNTER)]
    return [
        name
        for name in names
        if name not in one or name not in other or not same(one[name], other[name])
    ]


def same(one: Tensor, other: Tensor) -> bool:
    return (one.dtype, one.shape) == (
        other.dtype,
        other.shape,
    ) and one.numpy().tobytes() == other.numpy().tobytes()
