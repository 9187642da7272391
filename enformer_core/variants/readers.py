"""Variant files in, alleles out: VCF, tab-separated text and Parquet, told apart by what they contain.

Knows files and formats. Does not know the genome: whether an allele can be scored is decided in `place`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.errors import InputError
from enformer_core.variants.columns import REQUIRED, find_columns, listed
from enformer_core.variants.delimited import read_delimited
from enformer_core.variants.records import to_alleles
from enformer_core.variants.table import RAW_SCHEMA

_PARQUET_ROWS = 1 << 18


def read_alleles(paths: Sequence[Path]) -> pa.Table:
    """Alleles of all files, one row for each ALT of each record, in the files' order.

    Positions are 1-based in every format, as in VCF; 0 is the telomere and gives start -1. A record that cannot be read
    is a row `malformed` with its reason, never left out. Only empty lines are no records.

    Args:
        paths: VCF 4, tab-separated text with a header that names chrom, pos, ref, alt (and id), either of them plain,
            gzip or bgzip; or Parquet with such columns.

    Returns:
        A table of RAW_SCHEMA. `input_file` is the file's name, or the path as given where two share a name.

    Raises:
        InputError: when a file is missing, empty, damaged or no variant file; the message names it and the remedy.
    """
    names = _input_names(paths)
    for path in paths:
        _check_file(path)
    tables = [RAW_SCHEMA.empty_table()]
    for path, name in zip(paths, names, strict=True):
        tables.extend(to_alleles(records, name) for records in _read_records(path))
    return pa.concat_tables(tables)


def input_digests(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Name (as in `input_file`), sha256 and size in bytes of each file.

    Raises:
        InputError: when a file is missing or empty.
    """
    digests = []
    for path, name in zip(paths, _input_names(paths), strict=True):
        _check_file(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        digests.append({"name": name, "sha256": sha256, "bytes": path.stat().st_size})
    return digests


def describe_inputs(paths: Sequence[Path], table: pa.Table) -> list[dict[str, Any]]:
    """Name, sha256, size in bytes and number of records of each file.

    Args:
        paths: the files.
        table: their alleles, raw or placed; a record is counted by its first ALT.
    """
    firsts = table["input_file"].filter(pc.equal(table["alt_index"], 1))
    records = {count["values"]: count["counts"] for count in pc.value_counts(firsts).to_pylist()}
    return [{**digest, "records": records.get(digest["name"], 0)} for digest in input_digests(paths)]


def _input_names(paths: Sequence[Path]) -> list[str]:
    shared = Counter(path.name for path in paths)
    names = [path.name if shared[path.name] == 1 else str(path) for path in paths]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(f"{twice[0]}: given twice. Rows are named by file and line, so give each file once.")
    return names


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: a directory. Give the variant files in it by name.")
    if not path.is_file():
        raise InputError(f"{path}: no such variant file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: an empty file (0 bytes). Was it written or copied to its end?")


def _read_records(path: Path) -> Iterator[pa.Table]:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        yield from _read_parquet(path) if is_parquet else read_delimited(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _read_parquet(path: Path) -> Iterator[pa.Table]:
    """Blocks of records as `read_delimited` gives them; the line is the row, counted from 1."""
    try:
        file = pq.ParquetFile(path)
        columns = find_columns(file.schema_arrow.names, str(path))
        if columns is None:
            found = listed(file.schema_arrow.names)
            raise InputError(f"{path}: needs the columns {', '.join(REQUIRED)}; it has {found}. Rename them.")
        chosen = {name: file.schema_arrow.names[index] for name, index in columns.items()}
        row = 1
        for batch in file.iter_batches(_PARQUET_ROWS, columns=list(chosen.values())):
            cells = {name: _as_text(batch[column], f"{path}: column {column!r}") for name, column in chosen.items()}
            size = batch.num_rows
            yield pa.table(
                {
                    "line": np.arange(row, row + size),
                    "fields": np.full(size, len(columns)),
                    "wanted": np.full(size, len(REQUIRED)),
                    "id": pa.nulls(size, pa.string()),
                }
                | cells
            )
            row += size
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: this Parquet file cannot be read ({error}). Write or copy it again.") from error


def _as_text(column: pa.Array, where: str) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):  # ALTs as a list, which other programs write
        return pc.binary_join(pc.cast(column, pa.list_(pa.string())), ",")
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (is_text or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise InputError(f"{where} is of type {kind}. Write it as text, or positions as integers.")
    return pc.cast(column, pa.string())
