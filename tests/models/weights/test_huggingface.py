"""Hugging Face files: every way of storing gives the same tensors, and every way of being wrong is named."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.weights.check import file_sha256
from enformer_core.models.weights.tensor_files import tensor_files
from tests.support.published_enformer import (
    alias,
    parameters,
    read,
    same,
)
from tests.support.seeded import seeded_state, seeded_tensor, shapes, tiny_config


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """What files hold: tensors by their published names."""
    return seeded_state(config=tiny_config())


# The seeded rule


def test_seeded_weights_are_those_of_the_goldens(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "enformer_seed0.npz")
    sizes = shapes()
    assert len(sizes) == 287
    checks = zip(
        golden["weight_check_keys"],
        golden["weight_check_first4"],
        golden["weight_check_sum"],
        strict=True,
    )
    for key, first, total in checks:
        values = seeded_tensor(str(key), sizes[str(key)]).numpy()
        np.testing.assert_array_equal(values.ravel()[:4], first.astype(np.float32), err_msg=key)
        assert values.sum(dtype=np.float64) == pytest.approx(total, abs=1e-6), key


def test_seeds_and_keys_give_different_weights() -> None:
    one = seeded_tensor("stem.0.bias", (8,), 0)
    assert not torch.equal(one, seeded_tensor("stem.0.bias", (8,), 1))
    assert not torch.equal(one, seeded_tensor("conv_tower.0.0.2.bias", (8,), 0))


# Reading


@pytest.mark.parametrize("half", ["names", "aliases", "both"])
@pytest.mark.parametrize("suffix", [".bin", ".pt", ".safetensors"])
def test_every_way_of_storing_gives_the_same_tensors(
    state: dict[str, Tensor], tmp_path: Path, half: str, suffix: str
) -> None:
    stored = dict(state) if half != "aliases" else {}
    if half != "names":
        stored |= {alias(name): tensor for name, tensor in state.items()}
    path = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in stored.items()}, path)
    else:
        torch.save(stored, path)
    assert same(read(path), parameters(state))
    assert tensor_files(path) == (path,)


def test_archives_of_old_pytorch_are_read(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.bin", _use_new_zipfile_serialization=False)
    assert same(read(tmp_path / "w.bin"), parameters(state))


def sharded(state: dict[str, Tensor], directory: Path, suffix: str) -> Path:
    stem = {"safetensors": "model", "bin": "pytorch_model"}[suffix]
    save = save_file if suffix == "safetensors" else torch.save
    names, weight_map = sorted(state), {}
    for number, members in enumerate((names[::2], names[1::2]), start=1):
        file = f"{stem}-{number:05d}-of-00002.{suffix}"
        save({name: state[name] for name in members}, directory / file)
        weight_map |= dict.fromkeys(members, file)
    index = directory / f"{stem}.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_sharded_weights_are_joined(state: dict[str, Tensor], tmp_path: Path, suffix: str) -> None:
    index = sharded(state, tmp_path, suffix)
    assert same(read(index), parameters(state))
    assert same(read(tmp_path), parameters(state))
    one, two = tensor_files(tmp_path)
    digests = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in (one, two))
    joined = hashlib.sha256("".join(digests).encode()).hexdigest()
    assert file_sha256([one, two]) == file_sha256([two, one]) == joined


def test_missing_shard_is_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    index = sharded(state, tmp_path, "safetensors")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"model-00002-of-00002\.safetensors: there is no such file"
    ):
        read(index)


def test_index_of_another_revision_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    index = sharded(state, tmp_path, "safetensors")
    content = json.loads(index.read_text())
    content["weight_map"]["extra.weight"] = "model-00001-of-00002.safetensors"
    index.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"extra\.weight is on one side only"):
        read(index)


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"weight_map": {}}', '{"weight_map": {"a": "../secret.bin"}}', "\udcff"]
)
def test_damaged_index_is_refused(tmp_path: Path, content: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match=r"index\.json: "):
        read(index)


def test_alias_that_differs_is_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({**state, "_trunk.1.0.bias": state["stem.0.bias"] + 1}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"_trunk\.1\.0\.bias differs from stem\.0\.bias"):
        read(tmp_path / "w.safetensors")


# Refusals


class Callable:
    """What runs a command where a pickle is read without care."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize(
    ("protocol", "says"), [(None, "system"), (2, "system"), (4, "Unsupported operand")]
)
def test_pickled_code_is_refused_and_not_run(
    tmp_path: Path, protocol: int | None, says: str
) -> None:
    path, witness = tmp_path / "w.bin", tmp_path / "witness"
    content = {"stem.0.bias": Callable(witness)}
    if protocol is None:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(InputError, match=rf"w\.bin: .* could run code .*({says})"):
        read(path)
    assert not witness.exists()


def test_truncated_files_are_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.bin")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for length in (len(whole) - 1, len(whole) // 2, 100, 9):
            path.write_bytes(whole[:length])
            with pytest.raises(InputError, match=f"{path.name}: .*truncated or damaged"):
                read(path)


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"chr1\t100\tA\tG\n", "truncated or damaged"),
    ],
)
def test_what_is_no_weights_file_is_named(
    tmp_path: Path, suffix: str, content: bytes, said: str
) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"w{suffix}: .*{said}"):
        read(path)


def test_swapped_formats_are_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.bin")
    torch.save(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.bin: .* looks like safetensors"):
        read(tmp_path / "w.bin")
    with pytest.raises(InputError, match=r"w\.safetensors: .* looks like a PyTorch archive"):
        read(tmp_path / "w.safetensors")


def test_missing_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.bin: there is no such file"):
        read(tmp_path / "none.bin")
    with pytest.raises(InputError, match=r"holds none of model\.safetensors"):
        read(tmp_path)
    (tmp_path / "w.npz").touch()
    with pytest.raises(InputError, match=r"w\.npz: ends with '\.npz'"):
        read(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "content", [[torch.zeros(1)], {"state_dict": {"a": torch.zeros(1)}}, torch.zeros(1)]
)
def test_nested_content_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(InputError, match=r"other things than tensors"):
        read(tmp_path / "w.bin")


# The Hub, from its cache


@pytest.fixture
def hub_cache(state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants  # noqa: PLC0415 - an extra

    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "huggingface" / "models--owner--name"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    sharded(state, snapshot, "safetensors")
    return snapshot


@pytest.mark.parametrize("revision", ["", "@main", "@" + "0" * 40])
def test_hub_works_offline_from_its_cache(
    hub_cache: Path, state: dict[str, Tensor], revision: str
) -> None:
    source = f"hf://owner/name{revision}"
    assert same(read(source), parameters(state))
    assert [path.parent.name for path in tensor_files(source)] == ["0" * 40] * 2


@pytest.mark.parametrize(
    "source", ["hf://owner/other", "hf://owner/name@v9", "hf://not a name", "hf://"]
)
def test_hub_refusals_name_the_source(hub_cache: Path, source: str) -> None:
    with pytest.raises(InputError, match=source):
        read(source)


def test_absent_hub_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="extra `hub`"):
        read("hf://owner/name")
