"""Places and alleles of records that only name a variant: looked up by identifier in a file of known sites.

Works on columns of records. Does not know the formats of files, nor the genome.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, sentence
from enformer_core.variants.table import Status

SITE_COLUMNS = ("id", "chrom", "pos", "ref", "alt")

_SITE_SCHEMA = pa.schema([(name, pa.string()) for name in SITE_COLUMNS])

_NO_IDENTIFIER = ("", ".")

_UNNAMED = "no identifier to look up"

_Letters = str | None

Result = TypeVar("Result")


@dataclass(frozen=True)
class Sites:
    """Known sites by identifier: those that an input names.

    Attributes:
        name: of the file, for messages.
        table: of SITE_COLUMNS, each site in the order of the file; one with two identifiers is there twice.
    """

    name: str
    table: pa.Table

    @staticmethod
    def read(
        blocks: Iterable[pa.Table],
        wanted: pa.Array,
        name: str,
    ) -> "Sites":
        """Keep the sites of wanted identifiers.

        Args:
            blocks: records of the file of sites; an identifier such as rs1;rs2 counts for both.
            wanted: identifiers; those that say that there is none are passed over.
            name: of the file.
        """
        # A site without an identifier is not that of a record without one.
        ids = wanted.filter(_has_identifier(wanted))
        tables = [_wanted_rows(block, ids) for block in blocks]
        no_sites = _SITE_SCHEMA.empty_table()
        return Sites(name, pa.concat_tables([no_sites, *tables]))

    def fill(self, records: pa.Table, *, has_alleles: bool) -> pa.Table:
        """Return records with place and, unless they have their own, alleles; `not_found` where there is no such site.

        A record whose identifier has several sites becomes several with consecutive ALTs, unless its own alleles or its
        effect allele show which is meant. Of a record that has the other allele alone, the site's partner of it is the
        effect allele.

        Args:
            records: with a column id, and of alleles those that the input has.
            has_alleles: whether the input has a column for each of both alleles.
        """
        pairs = self._chosen_pairs(records, has_alleles=has_alleles)
        filled = records.take(pairs["record"].to_arrow())
        # the row of no site is a row of nulls
        sites = self.table.take(pairs["site"].to_arrow())
        columns = {name: filled[name] for name in filled.column_names}
        columns |= self._placed(filled["id"], sites)
        if not has_alleles:
            columns |= _alleles_of_sites(sites, filled, pairs["record"])
        return pa.table(columns)

    def _chosen_pairs(self, records: pa.Table, *, has_alleles: bool) -> pl.DataFrame:
        """Rows of each record and of those of its sites that its alleles, or its effect allele, leave."""
        pairs = self._pairs(records["id"])
        # Where identifiers have one site each, there is nothing to choose, and no letters need be compared.
        if len(pairs) == len(records):
            return pairs
        if has_alleles:
            return pairs.filter(self._are_meant(pairs, records))
        if "effect" in records.column_names:
            return pairs.filter(self._have_effect(pairs, records))
        return pairs

    def _placed(self, ids: pa.ChunkedArray, sites: pa.Table) -> dict[str, pa.ChunkedArray]:
        """Columns of place, status and reason: each record's from its site, or why it has none."""
        has_site = pc.is_valid(sites["pos"])
        status, reason = self._decided(ids, has_site)
        return {
            "chrom": sites["chrom"],
            "pos": sites["pos"],
            "status": status,
            "reason": reason,
        }

    def _pairs(self, ids: pa.ChunkedArray) -> pl.DataFrame:
        """Rows of each record and of each of its sites, in the order of both; a null site where there is none."""
        records = _numbered("record", ids)
        sites = _numbered("site", self.table["id"])
        pairs = records.join(sites, on="id", how="left", maintain_order="left_right")
        return pairs.select("record", "site")

    def _are_meant(self, pairs: pl.DataFrame, records: pa.Table) -> pl.Series:
        """Of the sites of a record: the first of which both alleles are the record's, else the first."""
        # record   0 0 0 1 1      pairs of each record, those of the same alleles first:  1 2 0 | 3 4
        # is_same  - x x - -      the first of these is meant:  1 | 3
        of_records = records.take(pairs["record"].to_arrow())
        of_sites = self.table.take(pairs["site"].to_arrow())
        are_same = _map_letters(
            _same_alleles,
            of_sites["ref"],
            of_sites["alt"],
            of_records["ref"],
            of_records["alt"],
        )
        is_same = pl.Series(are_same, dtype=pl.Boolean)
        marked = pairs.with_columns(is_same=is_same)
        numbered = marked.with_row_index("pair")
        pair = pl.col("pair")
        same_first = pair.sort_by("is_same", descending=True, maintain_order=True)
        meant = same_first.first().over("record")
        is_meant = numbered.select(pair == meant)
        return is_meant.to_series()

    def _have_effect(self, pairs: pl.DataFrame, records: pa.Table) -> pl.Series:
        """The sites of a record that have its effect allele; all of them where none has."""
        of_sites = self.table.take(pairs["site"].to_arrow())
        effects = records["effect"].take(pairs["record"].to_arrow())
        have_it = _map_letters(
            _has_allele,
            of_sites["ref"],
            of_sites["alt"],
            effects,
        )
        among = pairs.with_columns(pl.Series("has_effect", have_it, dtype=pl.Boolean))
        has_effect = pl.col("has_effect")
        any_has = has_effect.any().over("record")
        return among.select(has_effect | ~any_has).to_series()

    def _decided(
        self, ids: pa.ChunkedArray, has_site: pa.ChunkedArray
    ) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Status and reason where there is no site; null elsewhere."""
        is_named = _has_identifier(ids)
        is_unnamed = pc.invert(pc.or_(has_site, is_named))
        is_absent = pc.and_not(is_named, has_site)
        cases = pc.make_struct(is_unnamed, is_absent)
        undecided = pa.scalar(None, pa.string())
        status = pc.case_when(
            cases,
            Status.MALFORMED.value,
            Status.NOT_FOUND.value,
            undecided,
        )
        named = pc.fill_null(ids, "")
        not_found = sentence(named, f" is not in {self.name}")
        reason = pc.case_when(cases, _UNNAMED, not_found, undecided)
        return status, reason


def _map_letters(function: Callable[..., Result], *columns: Column) -> list[Result]:
    """What a function of letters gives for each row."""
    # in Python: of an ALT such as "A,C" Arrow has no column for each part
    letters = [column.to_pylist() for column in columns]
    return list(map(function, *letters))


def _numbered(name: str, ids: pa.ChunkedArray) -> pl.DataFrame:
    column = pl.DataFrame({"id": pl.Series(ids)})
    return column.with_row_index(name)


def _has_identifier(ids: Column) -> Column:
    is_blank = pc.is_in(ids, pa.array(_NO_IDENTIFIER))
    return pc.and_not(pc.is_valid(ids), is_blank)


def _wanted_rows(block: pa.Table, wanted: pa.Array) -> pa.Table:
    rows = block.select(SITE_COLUMNS)
    has_lists = pc.any(pc.match_substring(rows["id"], ";"))
    if has_lists.as_py():
        ids = pc.fill_null(rows["id"].combine_chunks(), "")
        lists = pc.split_pattern(ids, ";")
        rows = rows.take(pc.list_parent_indices(lists))
        rows = rows.set_column(0, "id", pc.list_flatten(lists))
    return rows.filter(pc.is_in(rows["id"], wanted))


def _same_alleles(
    site_ref: _Letters,
    site_alt: _Letters,
    ref: _Letters,
    alt: _Letters,
) -> bool:
    if site_ref is None or site_alt is None:
        return False
    if ref is None or alt is None:
        return False
    # in either order: which of both is REF the genome decides, later
    of_site = site_alt.upper().split(",")
    of_site.append(site_ref.upper())
    return ref.upper() in of_site and alt.upper() in of_site


def _alleles_of_sites(
    sites: pa.Table,
    records: pa.Table,
    record: pl.Series,
) -> dict[str, Column]:
    """Columns of alleles for an input that has none: ref, alt, and how many ALTs the record has before these."""
    # a study's effect allele shows which of a site's ALTs it measured; the others are not its variants
    is_effect_named = "effect" in records.column_names
    alt = _only_effect(sites, records) if is_effect_named else sites["alt"]
    columns = {
        "ref": sites["ref"],
        "alt": alt,
        "alt_offset": _alts_before(alt, record),
    }
    # a study that names the other allele alone has measured its partner
    if not is_effect_named and "ref" in records.column_names:
        columns |= _effects_of_partners(sites, records)
    return columns


def _only_effect(sites: pa.Table, records: pa.Table) -> pa.Array:
    """The site's ALT that is the effect allele; all of them where none is."""
    chosen = _map_letters(_one_alt, sites["alt"], records["effect"])
    return pa.array(chosen, pa.string())


def _one_alt(alts: _Letters, effect: _Letters) -> _Letters:
    if alts is None or effect is None or "," not in alts:
        return alts
    meant = effect.upper()
    for alt in alts.split(","):
        if alt.upper() == meant:
            return alt
    return alts


def _has_allele(ref: _Letters, alts: _Letters, allele: _Letters) -> bool:
    if ref is None or alts is None or allele is None:
        return False
    return allele.upper() in (ref.upper(), *alts.upper().split(","))


def _effects_of_partners(sites: pa.Table, records: pa.Table) -> dict[str, pa.Array]:
    """The column effect of records that name the other allele alone; none where they name no allele at all."""
    others = records["ref"]
    if others.null_count == len(others):
        return {}
    partners = _map_letters(_partner, sites["ref"], sites["alt"], others)
    return {"effect": pa.array(partners, pa.string())}


def _partner(ref: _Letters, alts: _Letters, other: _Letters) -> _Letters:
    """Of T and G the one that is not `other`; an `other` that is neither stays, so that it fits nothing either."""
    if ref is None or alts is None or other is None:
        return None
    if not _has_allele(ref, alts, other):
        return other
    # beside one of three, either of the two others may be it
    if "," in alts:
        return None
    return alts if other.upper() == ref.upper() else ref


def _alts_before(alt: Column, record: pl.Series) -> pa.Array:
    """How many ALTs the same record has before each of its parts, each of which has one site's ALTs."""
    # record  0 0 1    alt  "C,G" "T" "A"    count  2 1 1    running sum in the record  2 3 1    before  0 2 0
    # A site without ALT counts as one: its row is numbered too.
    commas = pc.fill_null(pc.count_substring(alt, ","), 0)
    counts = 1 + np.asarray(commas, dtype=np.int64)
    parts = pl.DataFrame({"record": record, "count": counts})
    count = pl.col("count")
    before = count.cum_sum().over("record") - count
    return parts.select(before).to_series().to_arrow()
