"""Places and alleles of records that only name a variant: looked up by identifier in a file of known sites.

Works on columns of records. Does not know the formats of files, nor the genome.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.variants.table import Status

SITE_COLUMNS = ("id", "chrom", "pos", "ref", "alt")


@dataclass(frozen=True)
class Sites:
    """Known sites by identifier: those that an input names.

    Attributes:
        name: of the file, for messages.
        ids: each once.
        table: of SITE_COLUMNS, rows of one identifier together, in the order of `ids`.
        firsts: the first row of each identifier; one more entry at the end.
    """

    name: str
    ids: pa.Array
    table: pa.Table
    firsts: Int64[np.ndarray, " ids"]

    @staticmethod
    def read(blocks: Iterable[pa.Table], wanted: pa.Array, name: str) -> "Sites":
        """Keep what is wanted.

        Args:
            blocks: records of the file of sites; an identifier such as rs1;rs2 counts for both.
            wanted: identifiers.
            name: of the file.
        """
        empty = pa.table({column: pa.array([], pa.string()) for column in SITE_COLUMNS})
        found = pa.concat_tables(
            [empty, *(_wanted_rows(block, wanted) for block in blocks)]
        ).combine_chunks()
        ids = pc.unique(found["id"])
        codes = np.asarray(pc.index_in(found["id"], ids), dtype=np.int64)
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes, minlength=len(ids))
        return Sites(name, ids, found.take(pa.array(order)), np.append(0, np.cumsum(counts)))

    def fill(self, records: pa.Table, *, has_alleles: bool) -> pa.Table:
        """Records with place and, unless they have their own, alleles; `not_found` where there is no such site.

        A record whose identifier has several sites becomes several with consecutive ALTs, unless its own alleles or its
        effect allele show which is meant.
        """
        code = np.asarray(pc.fill_null(pc.index_in(records["id"], self.ids), -1), dtype=np.int64)
        known = code >= 0
        counts = (
            np.where(known, np.diff(self.firsts, append=0)[code], 1)
            if len(self.ids)
            else np.ones_like(code)
        )
        row = np.repeat(np.arange(code.size), counts)
        within = np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts)
        site = np.where(known[row], self.firsts[code[row]] + within, -1)
        records = records.take(pa.array(row))
        sites = self.table.take(pa.array(site, mask=site < 0))
        kept = _chosen(records, sites, row) if has_alleles else np.ones(row.size, dtype=bool)
        if not kept.all():
            mask = pa.array(kept)
            records, sites, row = records.filter(mask), sites.filter(mask), row[kept]
        return self._joined(records, sites, row, has_alleles=has_alleles)

    def _joined(
        self,
        records: pa.Table,
        sites: pa.Table,
        row: Int64[np.ndarray, " rows"],
        *,
        has_alleles: bool,
    ) -> pa.Table:
        found = pc.is_valid(sites["pos"])
        named = pc.and_(
            pc.is_valid(records["id"]), pc.invert(pc.is_in(records["id"], pa.array(["", "."])))
        )
        unnamed, absent = pc.invert(pc.or_(found, named)), pc.and_(named, pc.invert(found))
        text = pa.scalar(None, pa.string())
        status = pc.case_when(
            pc.make_struct(unnamed, absent), Status.MALFORMED.value, Status.NOT_FOUND.value, text
        )
        reason = pc.case_when(
            pc.make_struct(unnamed, absent),
            "no identifier to look up",
            pc.binary_join_element_wise(
                pc.fill_null(records["id"], ""), f" is not in {self.name}", ""
            ),
            text,
        )
        columns = {name: records[name] for name in records.column_names}
        columns |= {
            "chrom": sites["chrom"],
            "pos": sites["pos"],
            "status": status,
            "reason": reason,
        }
        if not has_alleles:
            alt = _only_effect(sites, records) if "effect" in records.column_names else sites["alt"]
            columns |= {"ref": sites["ref"], "alt": alt, "alt_offset": pa.array(_offsets(alt, row))}
        return pa.table(columns)


def _wanted_rows(block: pa.Table, wanted: pa.Array) -> pa.Table:
    rows = block.select(SITE_COLUMNS)
    if pc.any(pc.match_substring(rows["id"], ";")).as_py():
        lists = pc.split_pattern(pc.fill_null(rows["id"].combine_chunks(), ""), ";")
        each = pc.list_parent_indices(lists)
        rows = rows.take(each).set_column(0, "id", pc.list_flatten(lists))
    return rows.filter(pc.is_in(rows["id"], wanted))


def _chosen(records: pa.Table, sites: pa.Table, row: Int64[np.ndarray, " rows"]) -> np.ndarray:
    """Of the sites of a record: the first of which both alleles are the record's, else the first."""
    if row.size == np.unique(row).size:
        return np.ones(row.size, dtype=bool)
    cells = [sites[name].to_pylist() for name in ("ref", "alt")] + [
        records[name].to_pylist() for name in ("ref", "alt")
    ]
    same = np.array([_same_alleles(*four) for four in zip(*cells, strict=True)])
    order = np.lexsort((np.arange(row.size), ~same, row))
    kept = np.zeros(row.size, dtype=bool)
    kept[order[np.diff(row[order], prepend=-1) > 0]] = True
    return kept


def _same_alleles(
    site_ref: str | None, site_alt: str | None, ref: str | None, alt: str | None
) -> bool:
    if None in {site_ref, site_alt, ref, alt}:
        return False
    theirs = {str(site_ref).upper(), *str(site_alt).upper().split(",")}
    return {str(ref).upper(), str(alt).upper()} <= theirs


def _only_effect(sites: pa.Table, records: pa.Table) -> pa.Array:
    """The site's ALT that is the effect allele; all of them where none is."""
    chosen = []
    for alts, effect in zip(sites["alt"].to_pylist(), records["effect"].to_pylist(), strict=True):
        several = alts.split(",") if alts else []
        chosen.append(effect if len(several) > 1 and effect in several else alts)
    return pa.array(chosen, pa.string())


def _offsets(
    alt: pa.Array | pa.ChunkedArray, row: Int64[np.ndarray, " rows"]
) -> Int64[np.ndarray, " rows"]:
    """ALTs of the same record before each part of it."""
    counts = 1 + np.asarray(pc.fill_null(pc.count_substring(alt, ","), 0), dtype=np.int64)
    before = np.cumsum(counts) - counts
    first = np.diff(row, prepend=-1) > 0
    return before - before[np.flatnonzero(first)][np.cumsum(first) - 1] if row.size else before
