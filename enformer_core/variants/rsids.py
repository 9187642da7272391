"""Places and alleles of records that only name a variant: looked up by identifier in a file of known sites.

Works on columns of records. Does not know the formats of files, nor the genome.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.variants.table import Status

SITE_COLUMNS = ("id", "chrom", "pos", "ref", "alt")

_SITE_SCHEMA = pa.schema([(name, pa.string()) for name in SITE_COLUMNS])

_NO_IDENTIFIER = ("", ".")

_Integers = Int64[np.ndarray, " rows"]

_Mask = Bool[np.ndarray, " rows"]

_Letters = str | None

_Pairs = Int64[np.ndarray, " pairs"]


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
        """Keep the sites of wanted identifiers, in the order of the file.

        Args:
            blocks: records of the file of sites; an identifier such as rs1;rs2 counts for both.
            wanted: identifiers.
            name: of the file.
        """
        tables = [_wanted_rows(block, wanted) for block in blocks]
        no_sites = _SITE_SCHEMA.empty_table()
        sites = pa.concat_tables([no_sites, *tables]).combine_chunks()
        ids = pc.unique(sites["id"])
        codes = _index_in(sites["id"], ids)
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes, minlength=len(ids))
        firsts = np.append(0, np.cumsum(counts))
        table = sites.take(pa.array(order))
        return Sites(name, ids, table, firsts)

    def fill(self, records: pa.Table, *, has_alleles: bool) -> pa.Table:
        """Return records with place and, unless they have their own, alleles; `not_found` where there is no such site.

        A record whose identifier has several sites becomes several with consecutive ALTs, unless its own alleles or its
        effect allele show which is meant.

        Args:
            records: with a column id, and of alleles those that the input has.
            has_alleles: whether the input has a column for each of both alleles.
        """
        row, site = self._pairs(_index_in(records["id"], self.ids))
        records = records.take(pa.array(row))
        sites = self.table.take(pa.array(site, mask=site < 0))
        if has_alleles:
            is_meant = _are_meant(records, sites, row)
            if not is_meant.all():
                mask = pa.array(is_meant)
                records = records.filter(mask)
                sites = sites.filter(mask)
                row = row[is_meant]
        has_site = pc.is_valid(sites["pos"])
        status, reason = self._decided(records["id"], has_site)
        columns = {name: records[name] for name in records.column_names}
        columns["chrom"] = sites["chrom"]
        columns["pos"] = sites["pos"]
        columns["status"] = status
        columns["reason"] = reason
        if not has_alleles:
            names_effect = "effect" in records.column_names
            alt = _only_effect(sites, records) if names_effect else sites["alt"]
            columns["ref"] = sites["ref"]
            columns["alt"] = alt
            columns["alt_offset"] = pa.array(_alts_before(alt, row))
        return pa.table(columns)

    def _pairs(self, code: _Integers) -> tuple[_Pairs, _Pairs]:
        """Each record with each of its sites: rows of both; one pair with the site -1 where there is none."""
        # Sites of identifiers 0 and 1 begin at 0 and 2, and end at 3. Records have the identifiers 1, none, 0:
        #     code    1 -1 0        counts  1 1 2
        #     row     0  1 2 2      within  0 0 0 1
        #     site    2 -1 0 1
        is_known = code >= 0
        counts = np.ones_like(code)
        counts[is_known] = np.diff(self.firsts)[code[is_known]]
        row = np.repeat(np.arange(code.size), counts)
        first_pair = np.cumsum(counts) - counts
        within = np.arange(row.size) - first_pair[row]
        site = self.firsts[code[row]] + within
        site[~is_known[row]] = -1
        return row, site

    def _decided(
        self, ids: pa.ChunkedArray, has_site: pa.ChunkedArray
    ) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Status and reason where there is no site; null elsewhere."""
        is_blank = pc.is_in(ids, pa.array(_NO_IDENTIFIER))
        is_named = pc.and_not(pc.is_valid(ids), is_blank)
        is_unnamed = pc.invert(pc.or_(has_site, is_named))
        is_absent = pc.and_not(is_named, has_site)
        cases = pc.make_struct(is_unnamed, is_absent)
        undecided = pa.scalar(None, pa.string())
        status = pc.case_when(cases, Status.MALFORMED.value, Status.NOT_FOUND.value, undecided)
        no_separator = ""
        named = pc.fill_null(ids, "")
        not_found = pc.binary_join_element_wise(named, f" is not in {self.name}", no_separator)
        reason = pc.case_when(cases, "no identifier to look up", not_found, undecided)
        return status, reason


def _index_in(ids: pa.ChunkedArray, among: pa.Array) -> _Integers:
    """Where each identifier stands among others; -1 where it does not."""
    index = pc.index_in(ids, among)
    return np.asarray(pc.fill_null(index, -1), dtype=np.int64)


def _wanted_rows(block: pa.Table, wanted: pa.Array) -> pa.Table:
    rows = block.select(SITE_COLUMNS)
    has_lists = pc.any(pc.match_substring(rows["id"], ";"))
    if has_lists.as_py():
        ids = pc.fill_null(rows["id"].combine_chunks(), "")
        lists = pc.split_pattern(ids, ";")
        rows = rows.take(pc.list_parent_indices(lists))
        rows = rows.set_column(0, "id", pc.list_flatten(lists))
    return rows.filter(pc.is_in(rows["id"], wanted))


def _are_meant(records: pa.Table, sites: pa.Table, row: _Integers) -> _Mask:
    """Of the sites of a record: the first of which both alleles are the record's, else the first.

    Args:
        records: of each pair.
        sites: of each pair.
        row: the record of each pair.
    """
    if row.size == np.unique(row).size:
        return np.ones(row.size, dtype=bool)
    of_sites = (sites["ref"].to_pylist(), sites["alt"].to_pylist())
    of_records = (records["ref"].to_pylist(), records["alt"].to_pylist())
    is_same = np.array(list(map(_same_alleles, *of_sites, *of_records)))
    # row      0 0 0 1 1      pairs of one record together, those of the same alleles first, in their order:
    # is_same  - x x - -      order  1 2 0 3 4      each record's first of these is meant: 1 and 3
    pair = np.arange(row.size)
    order = np.lexsort((pair, ~is_same, row))  # the last key counts first
    is_first = np.diff(row[order], prepend=-1) > 0
    is_meant = np.zeros(row.size, dtype=bool)
    is_meant[order[is_first]] = True
    return is_meant


def _same_alleles(site_ref: _Letters, site_alt: _Letters, ref: _Letters, alt: _Letters) -> bool:
    if site_ref is None or site_alt is None or ref is None or alt is None:
        return False
    of_site = site_alt.upper().split(",")
    of_site.append(site_ref.upper())
    return ref.upper() in of_site and alt.upper() in of_site


def _only_effect(sites: pa.Table, records: pa.Table) -> pa.Array:
    """The site's ALT that is the effect allele; all of them where none is."""
    alts_of_site = sites["alt"].to_pylist()
    effects = records["effect"].to_pylist()
    chosen = map(_one_alt, alts_of_site, effects)
    return pa.array(list(chosen), pa.string())


def _one_alt(alts: _Letters, effect: _Letters) -> _Letters:
    if alts is None or "," not in alts:
        return alts
    return effect if effect in alts.split(",") else alts


def _alts_before(alt: pa.Array | pa.ChunkedArray, row: _Integers) -> _Integers:
    """How many ALTs the same record has before each of its parts, each of which has one site's ALTs."""
    if not row.size:
        return row
    # row  0 0 1    alt  "C,G" "T" "A"    counts  2 1 1    before  0 2 3    at each record's first  0 0 3
    # so that ALTs of record 0 are numbered from 0 and 2, those of record 1 from 0
    commas = pc.fill_null(pc.count_substring(alt, ","), 0)
    counts = 1 + np.asarray(commas, dtype=np.int64)
    before = np.cumsum(counts) - counts
    is_first = np.diff(row, prepend=-1) > 0
    record = np.cumsum(is_first) - 1
    return before - before[is_first][record]
