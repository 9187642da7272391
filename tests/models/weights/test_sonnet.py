"""Sonnet checkpoints that TensorFlow wrote: the same parameters bit for bit, or a message that names what is wrong."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.enformer import Enformer
from enformer_core.models.weights.check import file_sha256, load_parameters, state_sha256
from enformer_core.models.weights.source import weight_files
from enformer_core.models.weights.tensorflow.sonnet import ENFORMER_TREE
from enformer_core.models.weights.tensorflow.tensor_bundle import (
    bundle_prefix,
    open_bundle,
    uncompress,
)
from enformer_core.models.weights.tensorflow.wire import varint
from tests.support.seeded import our_names, seeded_state, tiny_config

FIXTURES = Path(__file__).parents[2] / "fixtures"

FOOTER_BYTES = 48


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The weights that make_sonnet_bundle.py gave to TensorFlow."""
    return our_names(seeded_state(config=tiny_config()))


def read_sonnet(place: Path) -> dict[str, Tensor]:
    """Parameters of a checkpoint under our names."""
    return ENFORMER_TREE.load(open_bundle(bundle_prefix(place))).state


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy to damage; its prefix."""
    shutil.copytree(FIXTURES / "sonnet_small", tmp_path / "copy")
    return tmp_path / "copy" / "seeded-1"


def index_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def data_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".data-00000-of-00001")


# Reading


@pytest.mark.parametrize("name", ["sonnet_small", "sonnet_sharded"])
@pytest.mark.parametrize("given_as", ["", "seeded-1", "seeded-1.index"])
def test_parameters_are_bit_for_bit_those_given_to_tensorflow(
    state: dict[str, Tensor], name: str, given_as: str
) -> None:
    found = read_sonnet(FIXTURES / name / given_as)
    assert found.keys() == {key for key in state if not key.endswith("num_batches_tracked")}
    for key, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
        assert tensor.numpy().tobytes() == state[key].numpy().tobytes(), key


def test_both_formats_are_the_same_weights(state: dict[str, Tensor]) -> None:
    found = read_sonnet(FIXTURES / "sonnet_sharded")
    with torch.device("meta"):
        model = Enformer(tiny_config())
    load_parameters(model, found, source="sonnet_sharded")
    assert state_sha256(found) == state_sha256(state) == state_sha256(model.state_dict())


def test_files_for_the_digest() -> None:
    names = [path.name for path in weight_files(str(FIXTURES / "sonnet_sharded"))]
    assert names == [
        "seeded-1.index",
        "seeded-1.data-00000-of-00002",
        "seeded-1.data-00001-of-00002",
    ]
    digests = {
        file_sha256(weight_files(str(FIXTURES / name)))
        for name in ("sonnet_small", "sonnet_sharded")
    }
    assert len(digests) == 2


def test_what_inference_does_not_need_is_there_and_left_out() -> None:
    bundle = open_bundle(FIXTURES / "sonnet_small" / "seeded-1")
    average = "module/_trunk/_layers/0/_layers/1/_module/_layers/0/moving_mean"
    assert bundle.read(f"{average}/_counter/.ATTRIBUTES/VARIABLE_VALUE") == 7
    assert bundle.read(f"{average}/_hidden/.ATTRIBUTES/VARIABLE_VALUE").shape == (1, 1, 8)
    assert bundle.read("save_counter/.ATTRIBUTES/VARIABLE_VALUE") == 1
    with pytest.raises(InputError, match="_CHECKPOINTABLE_OBJECT_GRAPH has TensorFlow type 7"):
        bundle.read("_CHECKPOINTABLE_OBJECT_GRAPH")


# Damage


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def test_a_flipped_byte_of_the_data_is_caught_and_named(bundle: Path) -> None:
    entries = open_bundle(bundle).entries
    whole = data_of(bundle).read_bytes()
    for name in (
        f"module/_trunk/_layers/0/_layers/0/{leaf}/.ATTRIBUTES/VARIABLE_VALUE"
        for leaf in ("w", "b")
    ):
        for at in (entries[name].offset, entries[name].offset + entries[name].size - 1):
            flip(data_of(bundle), at)
            with pytest.raises(
                InputError,
                match=rf"data-00000-of-00001: {name} has checksum .* recorded is .*damaged",
            ):
                read_sonnet(bundle)
            data_of(bundle).write_bytes(whole)


def test_any_flipped_byte_of_the_index_is_caught_and_named(
    bundle: Path, state: dict[str, Tensor]
) -> None:
    whole = index_of(bundle).read_bytes()
    harmless = footer_padding(whole)
    for at in (*range(0, len(whole) - 100, 97), *range(len(whole) - 100, len(whole))):
        if at not in harmless:
            flip(index_of(bundle), at)
            with pytest.raises(InputError, match=r"seeded-1\.index: "):
                read_sonnet(bundle)
            index_of(bundle).write_bytes(whole)


def footer_padding(index: bytes) -> range:
    """Zeros between the footer's two handles and its magic number."""
    at = len(index) - FOOTER_BYTES
    for _ in range(4):
        _, at = varint(index, at)
    return range(at, len(index) - 8)


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_truncated_data_are_named(bundle: Path, keep: int) -> None:
    length = data_of(bundle).write_bytes(data_of(bundle).read_bytes()[:keep])
    with pytest.raises(
        InputError,
        match=rf"data-00000-of-00001: truncated at {length} bytes, its index goes to \d+\.",
    ):
        read_sonnet(bundle)


@pytest.mark.parametrize("keep", [0, 10, 48, 5000])
def test_truncated_index_is_named(bundle: Path, keep: int) -> None:
    content = index_of(bundle).read_bytes()
    index_of(bundle).write_bytes(content[:keep])
    with pytest.raises(InputError, match=rf"seeded-1\.index: .*truncated at {keep} bytes"):
        read_sonnet(bundle)
    index_of(bundle).write_bytes(content[:keep] + content[-48:])
    with pytest.raises(InputError, match=r"seeded-1\.index: "):
        read_sonnet(bundle)


def test_missing_files_are_named(bundle: Path) -> None:
    data_of(bundle).unlink()
    with pytest.raises(InputError, match=r"data-00000-of-00001: cannot be read \(No such file"):
        read_sonnet(bundle)
    index_of(bundle).unlink()
    with pytest.raises(InputError, match=r"seeded-1\.index: cannot be read"):
        read_sonnet(bundle)


def test_directory_without_a_usable_checkpoint_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable file `checkpoint`"):
        read_sonnet(tmp_path)
    (tmp_path / "checkpoint").write_text("something else\n")
    with pytest.raises(InputError, match="names no model_checkpoint_path"):
        read_sonnet(tmp_path)


def test_absent_checksum_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(InputError, match="extra `sonnet`"):
        read_sonnet(FIXTURES / "sonnet_small")


# Other contents: indexes written anew, one row changed


def rows(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Rows of the one data block of a small index."""
    at, key = 0, b""
    block = index[: data_block_bytes(index)]
    restarts = int.from_bytes(block[-4:], "little")
    while at < len(block) - 4 * (restarts + 1):
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        size, at = varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        yield key, block[at + unshared : at + unshared + size]
        at += unshared + size


def data_block_bytes(index: bytes) -> int:
    """Size of the data block, which is the first: the footer leads to the block of handles, whose row names it."""
    at = len(index) - FOOTER_BYTES
    for _ in range(3):
        at_block, at = varint(index, at)
    _, at = varint(index, at_block)
    unshared, at = varint(index, at)
    _, at = varint(index, at)
    _, at = varint(index, at + unshared)
    return varint(index, at)[0]


def number(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def stored(block: bytes, method: int) -> bytes:
    content = block + bytes([method])
    crc = google_crc32c.value(content)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
    return content + masked.to_bytes(4, "little")


def literal(data: bytes) -> bytes:
    """Snappy that compresses nothing."""
    return number(len(data)) + b"\xf8" + (len(data) - 1).to_bytes(3, "little") + data


def block_of(content: dict[bytes, bytes]) -> bytes:
    table = b"".join(
        b"\0" + number(len(key)) + number(len(value)) + key + value
        for key, value in content.items()
    )
    return table + bytes(4) + (1).to_bytes(4, "little")


def write_index(path: Path, content: dict[bytes, bytes], method: int = 0) -> None:
    """A table of one data block, an empty metaindex and the index of blocks, each packed by `method`."""
    written, handles = b"", []

    def append(block: bytes) -> None:
        nonlocal written
        packed = literal(block) if method == 1 else block
        handles.append(number(len(written)) + number(len(packed)))
        written += stored(packed, method)

    append(block_of(content))
    append(block_of({}))
    append(block_of({b"\xff": handles[0]}))
    footer = (handles[1] + handles[2]).ljust(40, b"\0")
    path.write_bytes(written + footer + bytes.fromhex("57fb808b247547db"))


def key(path: str) -> bytes:
    return f"module/{path}/.ATTRIBUTES/VARIABLE_VALUE".encode()


@pytest.mark.parametrize("method", [0, 1])
def test_an_index_written_anew_is_read_plain_and_compressed(
    bundle: Path, state: dict[str, Tensor], method: int
) -> None:
    write_index(index_of(bundle), dict(rows(index_of(bundle).read_bytes())), method)
    assert state_sha256(read_sonnet(bundle)) == state_sha256(state)


def test_unknown_compression_is_refused(bundle: Path) -> None:
    write_index(index_of(bundle), dict(rows(index_of(bundle).read_bytes())), method=4)
    with pytest.raises(InputError, match="unknown method 4"):
        read_sonnet(bundle)


def test_missing_and_unknown_object_paths_are_named(bundle: Path) -> None:
    content = dict(rows(index_of(bundle).read_bytes()))
    content[key("_optimizer/rate")] = content.pop(key("_trunk/_layers/0/_layers/0/w"))
    write_index(index_of(bundle), content)
    lacks = r"lacks 1 object path \(module/_trunk/_layers/0/_layers/0/w\)"
    with pytest.raises(
        InputError, match=rf"{lacks} and has the unknown 1 object path \(module/_optimizer/rate\)"
    ):
        read_sonnet(bundle)


def test_a_gap_between_blocks_is_missing(bundle: Path) -> None:
    content = dict(rows(index_of(bundle).read_bytes()))
    kept = {name: row for name, row in content.items() if b"_layers/1/_layers/3/" not in name}
    assert len(kept) < len(content)
    write_index(index_of(bundle), kept)
    with pytest.raises(
        InputError, match=r"lacks \d+ object paths \(module/_trunk/_layers/1/_layers/3/"
    ):
        read_sonnet(bundle)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.replace(b"\x08\x01", b"\x08\x13", 1), "cannot have 32 bytes"),
        (lambda row: row.replace(b"\x08\x01", b"\x08\x0e", 1), "TensorFlow type 14"),
        (lambda row: row + b"\x3a\x00", "stored in slices"),
        (lambda row: row.replace(b"\x08\x08", b"\x08\x10", 1), "cannot have 32 bytes"),
    ],
)
def test_types_and_sizes_that_are_not_read_are_named(
    bundle: Path, change: object, said: str
) -> None:
    content = dict(rows(index_of(bundle).read_bytes()))
    name = key("_trunk/_layers/0/_layers/0/b")
    content[name] = change(content[name])  # type: ignore[operator]
    write_index(index_of(bundle), content)
    with pytest.raises(InputError, match=f"_layers/0/_layers/0/b.*{said}"):
        read_sonnet(bundle)


def test_big_endian_is_refused(bundle: Path) -> None:
    write_index(index_of(bundle), {b"": b"\x08\x01\x10\x01"})
    with pytest.raises(InputError, match="big-endian"):
        read_sonnet(bundle)


# The small formats


def test_snappy_by_hand() -> None:
    # made by Google's library from the text on the right: literals, overlapping copies of one and of two offset bytes
    packed = "68086162633a03002430313233343536373839fe0a00090a14616263616263"
    assert uncompress(bytes.fromhex(packed)) == b"abc" * 6 + b"0123456789" * 8 + b"abcabc"
    assert uncompress(b"\x00") == b""
    assert uncompress(b"\x05\x00a\x0f\x01\x00\x00\x00") == b"aaaaa"  # four offset bytes


@pytest.mark.parametrize(
    "damaged", [b"\x05\x00a", b"\x05\x00a\x01\x02", b"\x05\x01\x01", b"\x01\x08abc"]
)
def test_damaged_snappy_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="snappy"):
        uncompress(damaged)


@given(st.integers(min_value=0, max_value=2**64 - 1), st.binary(max_size=3))
def test_varints_are_read_back(value: int, behind: bytes) -> None:
    written = number(value)
    assert varint(written + behind, 0) == (value, len(written))


def test_arrays_of_the_file_cannot_be_changed() -> None:
    values = open_bundle(FIXTURES / "sonnet_small" / "seeded-1").read(
        key("_trunk/_layers/0/_layers/0/b").decode()
    )
    assert isinstance(values, np.ndarray)
    assert not values.flags.writeable
