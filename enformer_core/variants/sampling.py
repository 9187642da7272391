"""Some alleles of all parts of a file, without reading all of it: from its beginning and from places spread over it.

Knows how to enter plain text, BGZF and Parquet in the middle. Of plain gzip and BCF it reads the beginning.
"""

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.variants.delimited import DelimitedFile
from enformer_core.variants.parquet import ParquetRecords
from enformer_core.variants.sources import Source

HEAD_ROWS = 1 << 16
PROBES = 64
_PROBE_BYTES = 1 << 17  # more than one BGZF block, and some lines at least
_PROBE_LINES = 1_000
_BGZF_MAGIC = b"\x1f\x8b\x08\x04"


def sample_alleles(source: Source, *, head_rows: int = HEAD_ROWS, probes: int = PROBES) -> Iterator[pa.Table]:
    """Alleles of RAW_SCHEMA; line numbers count from the beginning in the first table only.

    Args:
        source: the file.
        head_rows: records from its beginning.
        probes: places in the rest, where the file can be entered there.
    """
    head = list(islice(source.batches(rows=head_rows), 1))
    yield from head
    if not head or head[0].num_rows < head_rows:
        return
    for records in _probed(source, probes):
        yield source.alleles_of(records)


def _probed(source: Source, probes: int) -> Iterator[pa.Table]:
    reader = source.reader
    if source.sites is not None:
        return
    if isinstance(reader, DelimitedFile):
        if lines := b"".join(_text_probes(source.path, probes)):
            yield source.completed(reader.split(lines, source.needed_roles))
    elif isinstance(reader, ParquetRecords):
        groups = pq.ParquetFile(source.path).num_row_groups
        for group in range(1, groups, max(1, groups // probes)):
            yield from (source.completed(block) for block in reader.group(group, source.needed_roles))


def _text_probes(path: Path, probes: int) -> Iterator[bytes]:
    """Whole lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(18)
        bgzf = head.startswith(_BGZF_MAGIC) and head[12:14] == b"BC"
        if head.startswith(b"\x1f\x8b") and not bgzf:
            return
        for number in range(1, probes + 1):
            file.seek(size * number // (probes + 1))
            content = file.read(_PROBE_BYTES)
            text = _inflated(content) if bgzf else content
            first, end = text.find(b"\n") + 1, text.rfind(b"\n") + 1
            if 0 < first < end:
                yield from text[first:end].splitlines(keepends=True)[:_PROBE_LINES]


def _inflated(content: bytes) -> bytes:
    """The text of the whole BGZF blocks among these bytes."""
    at = content.find(_BGZF_MAGIC)
    while at >= 0:
        text = b""
        rest = content[at:]
        try:
            while rest.startswith(_BGZF_MAGIC) and len(text) < _PROBE_BYTES and text.count(b"\n") < _PROBE_LINES:
                member = zlib.decompressobj(31)
                piece = member.decompress(rest)
                if not member.eof:
                    break
                text, rest = text + piece, member.unused_data
        except zlib.error:
            pass  # the magic number by chance, inside a block
        if text:
            return text
        at = content.find(_BGZF_MAGIC, at + 1)
    return b""
