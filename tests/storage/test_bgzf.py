"""Files packed by blocks are what bgzip would make of them: gzip, entered anywhere, with an end."""

import gzip
import io
import random

import pysam
import pytest

from enformer_core.storage.bgzf import END, BgzfWriter


def packed(*pieces):
    out = io.BytesIO()
    writer = BgzfWriter(out.write)
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, 0xFEFF, 0xFF00, 0xFF01, 500_000])
@pytest.mark.parametrize("letters", [b"A", bytes(range(256))])
def test_what_was_written_is_read_again(size, letters, tmp_path):
    # what cannot be packed must fit into a member all the same
    content = bytes(random.Random(size).choices(letters, k=size))
    half = size // 3
    result = packed(content[:half], b"", content[half:])
    assert gzip.decompress(result) == content
    assert result.endswith(END)
    file = tmp_path / "x.gz"
    file.write_bytes(result)
    with pysam.BGZFile(str(file)) as reader:
        assert reader.read(size + 1) == content


def test_nothing_but_the_end_is_a_file():
    assert packed() == END
