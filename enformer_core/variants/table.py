"""The table of alleles: its columns, and the statuses an allele can have.

One row for each ALT of each input record. Does not know files, genomes or scores.
"""

from enum import StrEnum

import pyarrow as pa


class Status(StrEnum):
    """What became of an allele; everything but OK leaves its scores null."""

    OK = "ok"
    REF_MISMATCH = "ref_mismatch"
    """The genome has other letters where the input has REF."""
    UNKNOWN_CONTIG = "unknown_contig"
    OUT_OF_BOUNDS = "out_of_bounds"
    """REF leaves the contig at either end."""
    NO_ALT = "no_alt"
    """ALT is `.` or null: a site without a variant."""
    SYMBOLIC = "symbolic"
    """`<DEL>`, `*`, breakends (`G]17:198982]`, `.A`): no sequence is given."""
    BAD_ALLELE = "bad_allele"
    """Letters other than A, C, G, T; an empty ALT; ALT equal to REF."""
    TOO_LONG = "too_long"
    NOT_FOUND = "not_found"
    """An rsID that could not be resolved."""
    MALFORMED = "malformed"
    """The record itself cannot be read."""
    FAILED = "failed"
    """Scoring failed, and again when tried alone."""


_INPUT_FIELDS = [
    pa.field("input_file", pa.string()),
    pa.field("input_line", pa.int64()),
    pa.field("alt_index", pa.int32()),
    pa.field("input_chrom", pa.string()),
    pa.field("input_ref", pa.string()),
    pa.field("input_alt", pa.string()),
    pa.field("id", pa.string()),
    pa.field("start", pa.int64()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
]

RAW_SCHEMA = pa.schema(_INPUT_FIELDS)
"""Alleles as read.

`input_line` counts from 1 (rows of a Parquet file too), `alt_index` from 1 inside the record; `input_chrom`,
`input_ref` and `input_alt` are as written, null when absent; `start` is 0-based, null if it could not be read;
`status` is null while nothing is decided; `reason` says why a record is malformed or an allele bad.
"""

PLACED_SCHEMA = pa.schema(
    [
        *_INPUT_FIELDS,
        pa.field("chrom", pa.string()),
        pa.field("ref", pa.string()),
        pa.field("alt", pa.string()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("effect_sign", pa.int8()),
    ]
)
"""Alleles with a place and a status, which is never null.

`chrom` is the genome's own name, null for rows without a place; `ref` and `alt` are in upper case, except that a
symbolic `alt` is kept as written; `ref` is null where the record is malformed, `alt` there and where there is none.
"""
