"""Every source of weights reaches the model it is for, bit for bit, and no other."""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2
from enformer_core.models.enformer import Enformer
from enformer_core.models.registry import SPECS, ModelSource, model_spec, recognise
from enformer_core.models.weights.check import file_sha256
from enformer_core.models.weights.loaded import ALIAS, COUNTER, TRAINING
from enformer_core.models.weights.save import read_metadata, save_weights
from enformer_core.models.weights.source import open_weights, weight_files
from tests.support import small_weights as small

CPU = torch.device("cpu")

FIXTURES = small.FIXTURES

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def small_models(monkeypatch, one_thread):
    small.install(monkeypatch)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return small.every_source(tmp_path_factory.mktemp("sources"))


def load(model, source):
    """The content of a source under the model's names."""
    return ModelSource(model, source).load(open_weights(source))


@pytest.mark.parametrize("kind", small.KINDS)
def test_every_kind_gives_the_same_parameters(sources, kind):
    model, source = sources[kind]
    built = ModelSource(model, source).build(CPU)
    assert isinstance(built, {"enformer": Enformer, "basenji2": Basenji2}[model])
    assert not built.training
    assert small.differing(small.state_of(model, built), small.expected_state(model)) == []


@pytest.mark.parametrize("kind", small.KINDS)
def test_another_model_is_refused_by_name(sources, kind):
    model, source = sources[kind]
    other = {"enformer": "basenji2", "basenji2": "enformer"}[model]
    with pytest.raises(InputError) as refusal:
        ModelSource(other, source).build(CPU)
    message = str(refusal.value)
    assert message.startswith(f"{source}: holds weights of {model} (")
    assert f"the model asked for is {other}. Use --model {model}" in message
    assert re.search(
        r"it has .*"
        + {"enformer": r"(conv_tower|transformer)\.0", "basenji2": r"(?<!_)(tower|dilated)\.0"}[
            model
        ],
        message,
    )


def test_the_digest_is_that_of_the_files(sources):
    for _, source in sources.values():
        files = weight_files(source)
        assert open_weights(source).files == files
        assert ModelSource("enformer", source).weights_sha256() == file_sha256(files)
    assert len(weight_files(sources["directory with a checkpoint"][1])) == 3


def test_sources_are_small_to_send_and_look_into_no_file():
    for name in SPECS:
        source = ModelSource(name, None if SPECS[name].demonstration else "/nowhere/weights")
        again = pickle.loads(pickle.dumps(source))
        assert again == source
        assert len(pickle.dumps(source)) < 300
        assert again.geometry.bins == again.config.geometry.bins
        assert set(again.output_tracks) == {"human", "mouse"} or source.demonstration


def test_the_hub_holds_either_model(tmp_path, monkeypatch):
    from huggingface_hub import constants  # noqa: PLC0415 - an extra

    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "huggingface" / "models--owner--name"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    save_file(small.basenji2_state(), snapshot / "model.safetensors")
    built = ModelSource("basenji2", "hf://owner/name@main").build(CPU)
    assert small.differing(small.state_of("basenji2", built), small.basenji2_state()) == []
    with pytest.raises(InputError, match="hf://owner/name: holds weights of basenji2"):
        ModelSource("enformer", "hf://owner/name").build(CPU)


# What became of each tensor


def test_names_of_each_kind_are_told(sources):
    loaded = load(*sources["pickle, every tensor twice"])
    assert loaded.names["stem.0.weight"] == "stem.conv.weight"
    assert loaded.left_out["_trunk.1.0.weight"] == ALIAS
    assert loaded.left_out["_trunk.1.1.fn.0.num_batches_tracked"] == ALIAS
    assert loaded.left_out["stem.1.fn.0.num_batches_tracked"] == COUNTER
    loaded = load(*sources["directory with a checkpoint"])
    assert loaded.names["module/_heads/mouse/_layers/0/w"] == "heads.mouse.weight"
    assert set(loaded.left_out.values()) == {TRAINING}
    loaded = load(*sources["Keras"])
    assert loaded.names["batch_normalization_1/moving_variance"] == "tower.0.norm.running_var"
    assert loaded.left_out == {}


@pytest.mark.parametrize("kind", small.KINDS)
def test_every_tensor_is_named_once(sources, kind):
    loaded = load(*sources[kind])
    assert sorted(loaded.names.values()) == sorted(loaded.state)
    assert not loaded.names.keys() & loaded.left_out.keys()


@pytest.mark.parametrize("kind", small.KINDS)
def test_the_content_tells_the_model(sources, kind):
    model, source = sources[kind]
    assert recognise(open_weights(source)) == model


def test_aliases_alone_are_names(tmp_path):
    state = small.enformer_state()
    state["_trunk.1.0.weight"] = state.pop("stem.0.weight")
    save_file(state, tmp_path / "half.safetensors")
    loaded = load("enformer", str(tmp_path / "half.safetensors"))
    assert loaded.names["_trunk.1.0.weight"] == "stem.conv.weight"
    assert loaded.left_out == {}
    published = model_spec("enformer").published_state(loaded.state)
    assert small.differing(published, small.enformer_state()) == []


def test_a_name_of_ours_beside_its_published_one_must_be_the_same(tmp_path):
    state = small.enformer_state()
    for name in ("stem.0.bias", "stem.conv.bias"):
        assert model_spec("enformer").weights.names.ours(name) == "stem.conv.bias"
    save_file({**state, "stem.conv.bias": state["stem.0.bias"] + 1}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors: stem\..*\.bias differs from stem\."):
        load("enformer", str(tmp_path / "w.safetensors"))


def test_a_state_under_our_own_names_is_read_as_well(tmp_path):
    built = ModelSource("basenji2", str(small.write_keras(tmp_path / "model.h5"))).build(CPU)
    torch.save(built.state_dict(), tmp_path / "ours.pt")
    again = ModelSource("basenji2", str(tmp_path / "ours.pt")).build(CPU)
    assert small.differing(dict(again.state_dict()), dict(built.state_dict())) == []


@pytest.mark.parametrize("model", ["enformer", "basenji2"])
def test_published_names_and_ours_translate_into_each_other(model):
    table = model_spec(model).weights.names
    ours = list(model_spec(model).empty_network().state_dict())
    published = [table.published(name) for name in ours]
    assert [table.ours(name) for name in published] == ours
    assert len(set(published)) == len(ours)
    assert set(small.expected_state(model)) <= set(published)


# Heads


@pytest.mark.parametrize(
    ("held", "asked", "tracks"), [("human", "mouse", 7), ("mouse", "human", 4)]
)
def test_a_keras_file_has_one_head_and_the_other_is_refused(tmp_path, held, asked, tracks):
    path = small.write_keras(tmp_path / "model.h5", held)
    source = ModelSource("basenji2", str(path))
    assert dict(source.build(CPU).config.output_tracks) == {held: tracks}
    assert len(source.tracks(held)) == tracks
    with pytest.raises(
        InputError,
        match=rf"model\.h5: holds the head {held} \({tracks} tracks\), --head is {asked}",
    ):
        source.tracks(asked)
    with pytest.raises(InputError, match="no head 'fly'"):
        source.tracks("fly")


def test_a_basenji2_without_a_head_is_refused(tmp_path):
    headless = {
        name: tensor
        for name, tensor in small.basenji2_state().items()
        if not name.startswith("_heads")
    }
    save_file(headless, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors: holds none of the heads human, mouse"):
        ModelSource("basenji2", str(tmp_path / "w.safetensors")).build(CPU)


def test_other_sizes_are_refused_by_name(tmp_path):
    state = small.basenji2_state()
    state["final.conv.weight"] = torch.zeros(6, 5, 3)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(
        InputError, match=r"final\.conv\.weight has shape \(6, 5, 3\), the model wants \(6, 5, 1\)"
    ):
        ModelSource("basenji2", str(tmp_path / "w.safetensors")).build(CPU)


# Places


def test_a_directory_with_two_checkpoints_asks_which(tmp_path):
    bundle = tmp_path / "two"
    shutil.copytree(FIXTURES / "sonnet_small", bundle)
    for path in list(bundle.glob("seeded-1.*")):
        shutil.copy(path, bundle / path.name.replace("seeded-1", "seeded-2"))
    assert weight_files(str(bundle))[0].name == "seeded-1.index"  # as the file `checkpoint` says
    (bundle / "checkpoint").unlink()
    with pytest.raises(InputError, match="Name the prefix"):
        open_weights(str(bundle))


def test_a_directory_with_two_formats_asks_which(tmp_path):
    bundle = tmp_path / "both"
    shutil.copytree(FIXTURES / "sonnet_small", bundle)
    save_file(small.enformer_state(), bundle / "model.safetensors")
    with pytest.raises(
        InputError, match=r"both: holds Hugging Face files and a TensorFlow checkpoint"
    ):
        open_weights(str(bundle))


def test_what_is_not_there_or_not_readable_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"nothing: there is no such file, nor a checkpoint nothing\.index"
    ):
        open_weights(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"holds no weights .*Readable: "):
        open_weights(str(tmp_path))
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InputError, match="SavedModel"):
        open_weights(str(tmp_path))
    for name, content in {
        "empty.h5": b"",
        "short.h5": b"\x89HDF",
        "page.h5": b"<html>",
        "x.index": b"text",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            open_weights(str(tmp_path / name))


def test_a_missing_piece_of_a_checkpoint_is_named(tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(FIXTURES / "sonnet_sharded", bundle)
    (bundle / "seeded-1.data-00001-of-00002").unlink()
    with pytest.raises(InputError, match=r"seeded-1\.data-00001-of-00002: cannot be read"):
        open_weights(str(bundle))


# Writing


def test_written_weights_are_the_same_bytes_each_time_and_read_by_the_library(tmp_path):
    state, metadata = small.enformer_state(), {"model": "enformer", "source": "ü", "format": "x"}
    for name, order in (("a", 1), ("b", -1)):
        save_weights(
            tmp_path / f"{name}.safetensors",
            dict(list(state.items())[::order]),
            dict(list(metadata.items())[::order]),
        )
    one, other = (tmp_path / f"{name}.safetensors" for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert small.differing(load_file(one), state) == []
    assert read_metadata(one) == metadata
    with safe_open(one, "pt") as file:
        assert list(file.metadata()) == ["enformer-ray"]  # several would be in an order by chance
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


_SAVING = """
import sys
from pathlib import Path
import torch
from enformer_core.models.weights.save import save_weights
state = {name: torch.arange(6.0).view(2, 3) for name in ("b", "a", "c")}
metadata = {"source": "w", "model": "enformer", "format": "x", "enformer-ray": "0"}
save_weights(Path(sys.argv[1]), state, metadata)
"""


def test_two_processes_write_the_same_bytes(tmp_path):
    """Python and Rust each draw a seed for the order of their maps when a process begins."""
    paths = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for number, path in enumerate(paths):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number)}
        subprocess.run([sys.executable, "-c", _SAVING, path], env=environment, check=True)
    assert len({file_sha256(path) for path in paths}) == 1


def test_metadata_of_earlier_releases_are_read(tmp_path):
    metadata = {"source": "ü", "model": "enformer", "enformer-ray": "0.1.0"}
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", metadata)
    assert read_metadata(tmp_path / "w.safetensors") == metadata
    save_file({"a": torch.zeros(1)}, tmp_path / "bare.safetensors")
    assert read_metadata(tmp_path / "bare.safetensors") == {}
    (tmp_path / "letter.safetensors").write_text("a letter")
    with pytest.raises(InputError, match=r"letter\.safetensors: cannot be read as safetensors"):
        read_metadata(tmp_path / "letter.safetensors")


def test_turned_and_shared_tensors_are_written_as_they_read(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    state = {
        "turned": whole.T,
        "part": whole[1],
        "empty": torch.zeros(0, 2),
        "number": torch.tensor(3.0),
    }
    save_weights(tmp_path / "w.safetensors", state, {})
    found = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_a_failed_writing_leaves_nothing_and_spares_what_was_there(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_text("before")
    with pytest.raises(ValueError, match=r"half is torch\.float16"):
        save_weights(path, {"half": torch.zeros(1, dtype=torch.float16)}, {})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("w.safetensors", "before")
    ]
    with pytest.raises(InputError, match="cannot be written"):
        save_weights(tmp_path / "nowhere" / "w.safetensors", {}, {})


def test_of_a_link_the_file_behind_is_written_and_the_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    behind = tmp_path / "disk" / "real.safetensors"
    behind.write_text("before")
    link = tmp_path / "w.safetensors"
    link.symlink_to(behind)
    save_weights(link, {"one": torch.ones(1)}, {})
    assert link.readlink() == behind
    assert torch.equal(load_file(behind)["one"], torch.ones(1))
    # the file that was written first lay beside it, and is gone
    assert {path.name for path in tmp_path.rglob("*")} == {"disk", "w.safetensors", behind.name}


def test_links_in_a_circle_are_named_and_stay(tmp_path):
    link = tmp_path / "w.safetensors"
    link.symlink_to("other")
    (tmp_path / "other").symlink_to("w.safetensors")
    with pytest.raises(InputError, match=r"cannot be written \(Too many levels of symbolic links"):
        save_weights(link, {"one": torch.ones(1)}, {})
    assert all(path.is_symlink() for path in tmp_path.iterdir())


def test_a_copy_is_called_by_its_address(tmp_path):
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(b"none")
    address = "s3://bucket/w.safetensors"
    for source in (copy, tmp_path / "gone.safetensors"):
        with pytest.raises(InputError, match=f"^{address}: ") as raised:
            ModelSource("enformer", str(source), given=address).build(CPU)
        assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>404 Not Found</html>", "it looks like a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it looks like a Git LFS pointer"),
        (b"conv1d kernel 0.1 0.2\n", "not a readable HDF5 file"),
        (b"", "not a readable HDF5 file"),
    ],
)
def test_what_stands_in_the_place_of_a_keras_file_is_named(tmp_path, content, says):
    (tmp_path / "model.h5").write_bytes(content)
    with pytest.raises(InputError, match=rf"model\.h5: .*{says}"):
        open_weights(str(tmp_path / "model.h5"))


def test_tensors_are_read_under_the_ending_of_another_format(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "model.h5")
    assert open_weights(str(tmp_path / "model.h5")).files == (tmp_path / "model.h5",)
