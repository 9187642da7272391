"""Every allele gets its contig on the genome and a status; REF is checked against the genome.

Works on columns. Does not know files, and does not shift, trim or merge alleles.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.bases import decode, encode
from enformer_core.errors import InputError
from enformer_core.genome import Genome
from enformer_core.variants.contigs import reconcile_contigs
from enformer_core.variants.table import PLACED_SCHEMA, Status

_SYMBOLIC = r"^\*$|[<>\[\]]|^\.|\.$"  # VCF 4.3, sections 1.6.1 and 5.4: spanning deletion, <ID>, breakends
_LETTERS = "^[ACGT]+$"
_SHOWN = 5
_SHOWN_BP = 20


def place_alleles(raw: pa.Table, genome: Genome, *, max_allele_bp: int) -> pa.Table:
    """Set contig, alleles in upper case, and status.

    The first that applies, of: what the reader decided, unknown_contig, out_of_bounds, no_alt, symbolic, bad_allele,
    too_long, ref_mismatch, ok. So a symbolic allele keeps its place. Letters count in either case.

    Args:
        raw: alleles as `readers.read_alleles` gives them.
        genome: contigs are read one after another.
        max_allele_bp: longest REF or ALT that is scored.

    Returns:
        The same rows in the same order, of PLACED_SCHEMA.

    Raises:
        InputError: when an input file shares no contig with the genome, or not one of its REFs agrees with it.
    """
    undecided = _bools(pc.is_null(_whole(raw, "status")))
    chrom = _contigs(raw, undecided, genome)
    ref, alt = pc.ascii_upper(_whole(raw, "input_ref")), _clean_alts(_whole(raw, "input_alt"))
    alleles = _Alleles(raw=raw, chrom=chrom, ref=ref, alt=alt)
    lengths = _lengths_bp(chrom, genome)
    end = alleles.start + alleles.ref_bp
    decisions = [
        (Status.UNKNOWN_CONTIG, _bools(pc.is_null(chrom))),
        (Status.OUT_OF_BOUNDS, (alleles.start < 0) | (end > lengths)),
        (Status.NO_ALT, _bools(pc.is_null(alt))),
        (Status.SYMBOLIC, _matches(alt, _SYMBOLIC)),
        (Status.BAD_ALLELE, alleles.bad()),
        (Status.TOO_LONG, np.maximum(alleles.ref_bp, alleles.alt_bp) > max_allele_bp),
    ]
    open_rows = undecided & ~np.any([rows for _, rows in decisions], axis=0)
    wrong = np.zeros(raw.num_rows, dtype=bool)
    wrong[open_rows] = ~_ref_agrees(alleles, open_rows, genome)
    _refuse_wrong_genome(alleles, open_rows, wrong, genome)
    return _placed(alleles, undecided, [*decisions, (Status.REF_MISMATCH, wrong)])


@dataclass(frozen=True)
class _Alleles:
    """Columns of the alleles; `chrom` is the genome's name or null, `ref` and `alt` are as in PLACED_SCHEMA."""

    raw: pa.Table
    chrom: pa.Array
    ref: pa.Array
    alt: pa.Array

    @property
    def start(self) -> Int64[np.ndarray, " rows"]:
        return _ints(_whole(self.raw, "start"), -1)

    @property
    def ref_bp(self) -> Int64[np.ndarray, " rows"]:
        return _ints(pc.utf8_length(self.ref), 0)

    @property
    def alt_bp(self) -> Int64[np.ndarray, " rows"]:
        return _ints(pc.utf8_length(self.alt), 0)

    def bad(self) -> Bool[np.ndarray, " rows"]:
        """REF or ALT is no sequence of A, C, G, T, or they are equal."""
        same = _bools(pc.equal(self.ref, self.alt))
        return ~_matches(self.ref, _LETTERS) | ~_matches(self.alt, _LETTERS) | same

    def name(self, row: int) -> str:
        """chrom:pos REF>ALT of one row, for a message."""
        ref, alt = self.ref[row].as_py(), self.alt[row].as_py()
        return f"{self.chrom[row].as_py()}:{self.start[row] + 1} {_short(ref)}>{_short(alt)}"


def _clean_alts(written: pa.Array) -> pa.Array:
    """Upper case, but what is symbolic holds names that depend on case; null where there is none."""
    present = pc.if_else(pc.equal(written, "."), None, written)
    return pc.if_else(pa.array(_matches(present, _SYMBOLIC)), present, pc.ascii_upper(present))


def _contigs(raw: pa.Table, undecided: Bool[np.ndarray, " rows"], genome: Genome) -> pa.Array:
    """The genome's name of each row's contig; null where it has none or the row is decided."""
    written = pc.if_else(pa.array(undecided), _whole(raw, "input_chrom"), None)
    names = pc.drop_null(pc.unique(written))
    known = reconcile_contigs(names.to_pylist(), genome.contigs)
    chrom = pa.array([known.get(name) for name in names.to_pylist()], pa.string()).take(pc.index_in(written, names))
    for file, rows in _by_file(raw, undecided):
        if not _bools(pc.is_valid(chrom))[rows].any():
            theirs = pc.unique(written.filter(pa.array(rows))).to_pylist()
            raise InputError(
                f"{file}: shares no contig with {genome.path.name}. It has {_some(theirs)}; the genome has "
                f"{_some(list(genome.contigs))}. Give the genome it was made for, or rename its contigs."
            )
    return chrom


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _by_file(raw: pa.Table, rows: Bool[np.ndarray, " rows"]) -> list[tuple[str, Bool[np.ndarray, " rows"]]]:
    """Those of the rows that belong to each input file; files without any are left out."""
    files = pc.unique(raw["input_file"].filter(pa.array(rows))).to_pylist()
    if len(files) == 1:
        return [(files[0], rows)]
    return [(file, rows & _are(_whole(raw, "input_file"), file)) for file in files]


def _lengths_bp(chrom: pa.Array, genome: Genome) -> Int64[np.ndarray, " rows"]:
    names, lengths = list(genome.contigs), np.array([*genome.contigs.values(), 0])
    return lengths[_ints(pc.index_in(chrom, pa.array(names, pa.string())), len(names))]


def _ref_agrees(alleles: _Alleles, chosen: Bool[np.ndarray, " rows"], genome: Genome) -> Bool[np.ndarray, " chosen"]:
    """Whether the genome has the REF of each chosen row; their REFs are plain sequence inside a contig."""
    refs = alleles.ref.filter(pa.array(chosen))
    contigs = alleles.chrom.filter(pa.array(chosen)).dictionary_encode()
    starts, sizes = alleles.start[chosen], alleles.ref_bp[chosen]
    agrees = np.zeros(starts.size, dtype=bool)
    for number, contig in enumerate(contigs.dictionary.to_pylist()):
        codes = genome.codes(contig)
        here = contigs.indices.to_numpy() == number
        single = np.flatnonzero(here & (sizes == 1))
        agrees[single] = codes[starts[single]] == encode(_joined(refs.take(pa.array(single))))
        longer = np.flatnonzero(here & (sizes > 1))
        for row, start, ref in zip(longer, starts[longer], refs.take(pa.array(longer)).to_pylist(), strict=True):
            agrees[row] = np.array_equal(codes[start : start + len(ref)], encode(ref))
    return agrees


def _joined(letters: pa.Array) -> str:
    everything = pa.ListArray.from_arrays(pa.array([0, len(letters)], pa.int32()), letters)
    return str(pc.binary_join(everything, "")[0])


def _refuse_wrong_genome(
    alleles: _Alleles, checked: Bool[np.ndarray, " rows"], wrong: Bool[np.ndarray, " rows"], genome: Genome
) -> None:
    for file, rows in _by_file(alleles.raw, checked):
        if wrong[rows].all():
            first = int(np.flatnonzero(rows)[0])
            start, ref_bp = int(alleles.start[first]), int(alleles.ref_bp[first])
            there = decode(genome.fetch(alleles.chrom[first].as_py(), start, start + ref_bp))
            total = int(rows.sum())
            raise InputError(
                f"{file}: 0 of {total:,} REF alleles agree with {genome.path.name}, for example {alleles.name(first)}: "
                f"the reference has {_short(there)} here. "
                "Was this file made for this assembly, with REF and ALT in this order?"
            )


def _short(letters: str) -> str:
    return letters if len(letters) <= _SHOWN_BP else f"{letters[:_SHOWN_BP]}… ({len(letters):,} bp)"


def _placed(
    alleles: _Alleles, undecided: Bool[np.ndarray, " rows"], decisions: list[tuple[Status, Bool[np.ndarray, " rows"]]]
) -> pa.Table:
    names = pa.array([status.value for status, _ in decisions] + [Status.OK.value])
    choice = np.select([rows for _, rows in decisions], list(range(len(decisions))), len(decisions))
    status = pc.coalesce(_whole(alleles.raw, "status"), names.take(pa.array(choice)))
    has_place = ~_bools(pc.is_in(status, pa.array([Status.UNKNOWN_CONTIG.value, Status.OUT_OF_BOUNDS.value])))
    bad = undecided & _are(status, Status.BAD_ALLELE.value)
    return pa.table(
        {
            **{name: alleles.raw[name] for name in alleles.raw.column_names},
            "status": status,
            "reason": _with_bad_alleles(alleles, bad),
            "chrom": pc.if_else(pa.array(undecided & has_place), alleles.chrom, None),
            "ref": pc.if_else(pa.array(undecided), alleles.ref, None),
            "alt": pc.if_else(pa.array(undecided), alleles.alt, None),
            "flags": pa.array([[]], pa.list_(pa.string())).take(pa.array(np.zeros(undecided.size, dtype=np.int64))),
            "effect_sign": pa.nulls(undecided.size, pa.int8()),
        },
        schema=PLACED_SCHEMA,
    )


def _with_bad_alleles(alleles: _Alleles, bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    """The reader's reasons, and why each bad allele is one."""
    reasons = _whole(alleles.raw, "reason")
    if not bad.any():
        return reasons
    pairs = zip(
        alleles.ref.filter(pa.array(bad)).to_pylist(), alleles.alt.filter(pa.array(bad)).to_pylist(), strict=True
    )
    return pc.replace_with_mask(reasons, pa.array(bad), pa.array([_why_bad(ref, alt) for ref, alt in pairs]))


def _why_bad(ref: str, alt: str) -> str:
    for name, letters in (("REF", ref), ("ALT", alt)):
        if not letters:
            return f"{name} is empty"
        other = next((letter for letter in letters if letter not in "ACGT"), None)
        if other is not None:
            return f"{name} has {other!r}, which is not A, C, G or T"
    return "ALT is the same as REF"


def _whole(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()


def _are(column: pa.Array, text: str) -> Bool[np.ndarray, " rows"]:
    return _bools(pc.equal(column, text))


def _matches(column: pa.Array, pattern: str) -> Bool[np.ndarray, " rows"]:
    return _bools(pc.match_substring_regex(column, pattern))


def _bools(column: pa.Array) -> Bool[np.ndarray, " rows"]:
    """As NumPy; null is False."""
    return np.asarray(pc.fill_null(column, False))


def _ints(column: pa.Array, null: int) -> Int64[np.ndarray, " rows"]:
    return np.asarray(pc.cast(pc.fill_null(column, null), pa.int64()))
