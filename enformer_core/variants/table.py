"""The table of alleles: its columns, and the statuses an allele can have.

One row for each ALT of each input record. Does not know files, genomes or scores.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


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


MEANINGS: Mapping[Status, str] = MappingProxyType(
    {
        Status.OK: "scored",
        Status.REF_MISMATCH: "the genome has other letters where the input has REF",
        Status.UNKNOWN_CONTIG: "the genome has no such contig",
        Status.OUT_OF_BOUNDS: "REF leaves the contig",
        Status.NO_ALT: "a site without a variant",
        Status.SYMBOLIC: "ALT names no sequence",
        Status.BAD_ALLELE: "an allele is no sequence of A, C, G and T",
        Status.TOO_LONG: "an allele is longer than --max-allele-bp",
        Status.NOT_FOUND: "its identifier is not among the --sites",
        Status.MALFORMED: "the record cannot be read",
        Status.FAILED: "scoring failed",
    }
)
"""The statuses in words, for rows that have no reason of their own."""


class Flag(StrEnum):
    """What is worth knowing of an allele whatever its status."""

    REF_SWAPPED = "ref_swapped"
    """The genome has the allele that came as ALT, or as effect allele."""
    STRAND_AMBIGUOUS = "strand_ambiguous"
    """A/T or C/G where the input does not say which is REF: the other strand would look the same."""
    AMBIGUOUS_ORDER = "ambiguous_order"
    """An indel, its order not declared, of which both alleles fit the genome; the order is taken as written."""
    ID_DISAGREES = "id_disagrees"
    """The identifier names another place, or other alleles, than the record's own columns, which are what counts."""
    MINUS_STRAND = "minus_strand"
    """The file says minus: effect and other allele were turned to the plus strand; a declared REF stays as written."""
    EFFECT_UNMATCHED = "effect_unmatched"
    """The input names an effect allele that is neither REF nor ALT: the score is of ALT, which it says nothing of."""
    END_DISAGREES = "end_disagrees"
    """INFO's END is not REF's last base, though ALT has letters; POS, REF and ALT are what counts."""
    DUPLICATE = "duplicate"
    """The same allele as another row; set when a plan is made."""


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

RAW_SCHEMA = pa.schema(
    [
        *_INPUT_FIELDS,
        pa.field("declares_ref", pa.bool_()),
        pa.field("effect", pa.int8()),
        pa.field("frequency", pa.float64()),
        pa.field("passed", pa.bool_()),
        pa.field("id_disagrees", pa.bool_()),
        pa.field("dash_is_empty", pa.bool_()),
        pa.field("minus_strand", pa.bool_()),
        pa.field("end_disagrees", pa.bool_()),
    ]
)
"""Alleles as read.

`input_line` counts from 1 (rows of a Parquet file too), `alt_index` from 1 inside the record; `input_chrom`,
`input_ref` and `input_alt` are as written, null when absent; `start` is 0-based, null if it could not be read;
`status` is null while nothing is decided; `reason` says why a record is malformed or an allele bad.

`declares_ref` is false where the format says nothing of which allele the genome has: then `input_alt` is the effect
allele (A1) and `input_ref` the other; null counts as true. `effect` is 1 where `input_alt` is the effect allele, -1
where `input_ref` is, 0 where another is named, null where none is. `frequency` (of `input_alt`, 0 to 1) and `passed`
(FILTER) are null where the input does not have them or they were not asked for. `id_disagrees` is true where the
identifier names another place or other alleles than the columns, `dash_is_empty` where `-` is an empty allele, as in
tables, `minus_strand` where a column says so, `end_disagrees` where INFO's END is not REF's last base; null counts as
false.
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
symbolic `alt` is kept as written; `ref` is null where the record is malformed, `alt` there and where there is none. Of
alleles that are scored, `start`, `ref` and `alt` are trimmed and left-aligned, and `ref` is what the genome has.

`effect_sign` turns a score, alt - ref, to that of the input's effect allele; where the input names none it is null, but
-1 where its REF and ALT were swapped. Where it names another than both it is null, and the row has EFFECT_UNMATCHED.
`flags` are of `Flag`.
"""


def has_flag(alleles: pa.Table, flag: Flag) -> pa.Array:
    """Return whether each row bears the flag, as a column of booleans without null."""
    flags = alleles["flags"].combine_chunks()
    is_flag = pc.equal(pc.list_flatten(flags), flag)
    rows_with_flag = pc.list_parent_indices(flags).filter(is_flag)
    bears_flag = np.zeros(len(flags), dtype=bool)
    bears_flag[np.asarray(rows_with_flag)] = True
    return pa.array(bears_flag)
