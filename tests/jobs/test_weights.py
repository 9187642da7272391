"""`enformer-ray weights import` as a user calls it: whole files or none, the same each time."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from enformer_core import __version__
from enformer_core.models.registry import ModelSource
from enformer_core.models.weights.check import file_sha256
from enformer_core.models.weights.save import read_metadata
from tests.support import small_weights as small


@pytest.fixture(autouse=True)
def small_models(monkeypatch, one_thread):
    small.install(monkeypatch)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return small.every_source(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "w.safetensors"


@pytest.fixture(autouse=True)
def directory(out):
    out.parent.mkdir()


def files(out):
    return [path.name for path in out.parent.iterdir()]


@pytest.mark.parametrize("kind", small.KINDS)
def test_every_kind_is_imported_bit_for_bit_and_used(run, sources, kind, out):
    model, source = sources[kind]
    code, text, error = run("weights", "import", source, out)
    assert code == 0, error
    assert files(out) == ["w.safetensors"]
    assert small.differing(load_file(out), small.expected_state(model)) == []
    built = ModelSource(model, str(out)).build(torch.device("cpu"))
    assert small.differing(small.state_of(model, built), small.expected_state(model)) == []
    assert f"{source}: {model}, human" in text
    assert f"mapped: {len(small.expected_state(model))} tensors" in text
    assert ModelSource(model, str(out)).weights_sha256() in text


def test_metadata_say_where_it_came_from_without_the_directory(run, sources, out):
    _, source = sources["Keras"]
    assert run("weights", "import", source, out, "--model", "basenji2")[0] == 0
    assert read_metadata(out) == {
        "source": "model_human.h5",
        "source_sha256": ModelSource("basenji2", source).weights_sha256(),
        "format": "Keras HDF5",
        "model": "basenji2",
        "enformer-ray": __version__,
    }


def test_json_and_list_name_every_tensor(run, sources, out):
    _, source = sources["pickle, every tensor twice"]
    code, text, _ = run("weights", "import", source, out, "--json")
    told = json.loads(text)
    assert code == 0
    assert told["model"] == "enformer"
    assert told["heads"] == {"human": 3, "mouse": 2}
    assert told["tensors"] == len(told["names"]) == len(small.enformer_state())
    averages = {name: t for name, t in small.enformer_state().items() if "running" in name}
    assert told["parameters"] == sum(
        t.numel() for n, t in small.enformer_state().items() if n not in averages
    )
    counters = len(averages) // 2
    trunk = sum(not name.startswith("_heads") for name in small.enformer_state())
    assert told["left_out"] == {"counter of batches": counters, "alias": trunk + counters}
    assert told["out_sha256"] == file_sha256(out)
    assert told["source_sha256"] == ModelSource("enformer", source).weights_sha256()

    _, source = sources["directory with a checkpoint"]
    code, text, _ = run("weights", "import", source, out, "--list")
    assert code == 0
    listed = dict(line.split(" -> ") for line in text.splitlines() if " -> " in line)
    assert listed["module/_trunk/_layers/0/_layers/0/w"] == "stem.0.weight"
    assert set(listed.values()) == set(small.enformer_state())


def test_the_same_command_again_finds_the_same_file(run, sources, out, tmp_path):
    _, source = sources["Keras"]
    assert run("weights", "import", source, out)[0] == 0
    before = out.stat()
    code, text, _ = run("weights", "import", source, out)
    assert code == 0
    assert out.stat() == before
    assert file_sha256(out) in text
    again = tmp_path / "again.safetensors"
    assert run("weights", "import", source, again)[0] == 0
    assert again.read_bytes() == out.read_bytes()
    assert (
        run("weights", "import", sources["safetensors of basenji2"][1], out)[0] == 0
    )  # the same content
    assert out.stat() == before


def test_other_content_is_not_overwritten(run, sources, out, tmp_path):
    assert run("weights", "import", sources["Keras"][1], out)[0] == 0
    before = out.read_bytes()
    other = small.write_keras(tmp_path / "other.h5", seed=1)
    code, text, error = run("weights", "import", other, out)
    assert (code, text) == (2, "")
    assert "w.safetensors: is there and holds other parameters" in error
    assert ", imported from model_human.h5; the source's " in error
    assert out.read_bytes() == before
    out.write_text("a letter")
    code, _, error = run("weights", "import", other, out)
    assert code == 2
    assert "w.safetensors" in error
    assert out.read_text() == "a letter"


def test_bad_input_is_named_and_leaves_nothing(run, sources, out, tmp_path):
    def refused(source, *more, place=out):
        code, text, error = run("weights", "import", source, place, *more)
        assert (code, text) == (2, "")
        assert error.startswith("enformer-ray: ")
        assert "Traceback" not in error
        assert files(out) == []
        return error

    enformer, keras = sources["safetensors"][1], sources["Keras"][1]
    assert "nowhere.h5" in refused(tmp_path / "nowhere.h5")
    assert "holds weights of basenji2" in refused(keras, "--model", "enformer")
    assert "holds weights of enformer" in refused(enformer, "--model", "basenji2")
    assert "did you mean basenji2" in refused(keras, "--model", "basenji")
    assert "makes its own weights" in refused(keras, "--model", "motif")
    assert "ends with '.bin'" in refused(keras, place=out.with_suffix(".bin"))
    assert "no directory" in refused(keras, place=out.parent / "deeper" / "w.safetensors")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(Path(keras).read_bytes()[:3000])
    assert "cut.h5" in refused(cut)
    save_file({"a": torch.zeros(1)}, tmp_path / "strange.safetensors")
    assert "neither enformer nor basenji2" in refused(tmp_path / "strange.safetensors")
    assert "strange.safetensors: lacks" in refused(
        tmp_path / "strange.safetensors", "--model", "enformer"
    )
    state = small.enformer_state()
    state["stem.0.bias"][0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    assert "stem.0.bias holds 1 NaN" in refused(tmp_path / "nan.safetensors")


def test_a_full_disk_leaves_nothing(run, sources, out, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("enformer_core.models.weights.save.os.fsync", full)
    code, _, error = run("weights", "import", sources["Keras"][1], out)
    assert code == 2
    assert "No space left on device" in error
    assert files(out) == []


@pytest.mark.parametrize("arguments", [("weights",), ("weights", "import", "a", "b", "--x")])
def test_usage(run, arguments):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2


def test_what_is_missing_is_named(run):
    code, _, error = run("weights", "import")
    assert code == 2
    assert "missing: SOURCE, OUT" in error


def test_one_list_of_tensors_is_enough(run):
    code, _, error = run("weights", "import", "a", "b", "--list", "--json")
    assert code == 2
    assert "--list and --json: choose one" in error
