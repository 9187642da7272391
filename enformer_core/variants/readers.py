"""Variant files in, all alleles of them out, in memory; `sources` reads the same in batches.

Does not know the genome: whether an allele can be scored is decided in `place`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.input_files import check_file, expand_inputs, input_digests, input_names
from enformer_core.variants.source import open_source
from enformer_core.variants.table import RAW_SCHEMA

__all__ = ["describe_inputs", "input_digests", "read_alleles"]


def read_alleles(paths: Sequence[Path], *, sites: Path | None = None) -> pa.Table:
    """Alleles of all files, one row for each ALT of each record, in the files' order.

    A record that cannot be read is a row `malformed` with its reason, never left out. Only empty lines are no records.

    Args:
        paths: files as `sources.open_source` takes them, globs, and directories of Parquet.
        sites: for inputs that only name their variants.

    Returns:
        A table of RAW_SCHEMA. `input_file` is the file's name, or the path as given where two share a name.

    Raises:
        InputError: when a file is missing, empty, damaged or no variant file; the message names it and the remedy.
    """
    files = expand_inputs(paths)
    names = input_names(files)
    for file in files:
        check_file(file.path)
    tables = [RAW_SCHEMA.empty_table()]
    for file, name in zip(files, names, strict=True):
        tables.extend(open_source(file.path, sites=sites, name=name).batches())
    return pa.concat_tables(tables)


def describe_inputs(paths: Sequence[Path], table: pa.Table) -> list[dict[str, Any]]:
    """Name, sha256, size in bytes and number of records of each file.

    Args:
        paths: the files.
        table: their alleles, raw or placed; a record is counted by its first ALT.
    """
    firsts = table["input_file"].filter(pc.equal(table["alt_index"], 1))
    records = {count["values"]: count["counts"] for count in pc.value_counts(firsts).to_pylist()}
    return [
        {**digest, "records": records.get(digest["name"], 0)} for digest in input_digests(paths)
    ]
