"""What the rows of a table of variants are called: identifiers, places and alleles, by the readers of `variants`.

Unlike variants that are scored these may lack places, or alleles, or both: tables of correlations and COJO's files have
identifiers alone. Does not know statistics, correlations or the genome.
"""

from collections.abc import (
    Iterator,
    Sequence,
)
from dataclasses import (
    dataclass,
    replace,
)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.arrow import (
    Mask,
    Numbers,
    in_full,
)
from enformer_core.variants.formats.detect import open_reader
from enformer_core.variants.formats.given import (
    NOTHING_GIVEN,
    GivenColumns,
)
from enformer_core.variants.formats.identifiers import holds_alleles, parts_of
from enformer_core.variants.given_alleles import check_given_alleles
from enformer_core.variants.input_files import (
    InputFile,
    check_file,
)
from enformer_core.variants.kept_columns import find_kept
from enformer_core.variants.named_files import files_named
from enformer_core.variants.parse import ParseRules
from enformer_core.variants.source import Source

Texts = Sequence[str | None]

_HEADERS_OF_LISTS = ("#id", "id", "snp", "rsid")

_NO_NAME = ("", ".", "NA", "#NA", "nan", "None")

_WHOLE_NUMBER = "^[0-9]{1,18}$"

_NO_TEXT = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class VariantNames:
    """What each of some variants is called; None, or a position of 0, where that is not known.

    Attributes:
        id: as written.
        chrom: the contig as written.
        pos: counts from 1.
        effect: the allele that effects are of, or that correlations count, in upper case.
        other: the other one.
        says_counted: whether it is known which of both alleles is the effect's; of a list of keys it is not.
    """

    id: Texts
    chrom: Texts
    pos: Numbers
    effect: Texts
    other: Texts
    says_counted: bool = True

    def __len__(self) -> int:
        return len(self.id)

    @staticmethod
    def of_ids(ids: Texts) -> "VariantNames":
        """Names of which nothing is known but identifiers."""
        unknown: Texts = [None] * len(ids)
        nowhere = np.zeros(len(ids), dtype=np.int64)
        return VariantNames(
            id=ids,
            chrom=unknown,
            pos=nowhere,
            effect=unknown,
            other=unknown,
        )

    def taken(
        self,
        rows: Sequence[int] | Numbers,
    ) -> "VariantNames":
        """These variants, in the order in which they are asked for."""
        places = np.asarray(rows, dtype=np.int64)

        def taken(texts: Texts) -> Texts:
            return [texts[row] for row in places.tolist()]

        return VariantNames(
            id=taken(self.id),
            chrom=taken(self.chrom),
            pos=self.pos[places],
            effect=taken(self.effect),
            other=taken(self.other),
            says_counted=self.says_counted,
        )

    def shown(
        self,
        row: int,
    ) -> str:
        """A variant's name for people: its identifier, else place and alleles, else its number from 1."""
        identifier = self.id[row]
        if identifier is not None:
            return identifier
        if self.chrom[row] is None or not self.pos[row]:
            return f"variant {row + 1}"
        place = f"{self.chrom[row]}:{self.pos[row]}"
        alleles = (self.other[row], self.effect[row])
        return ":".join([place, *(each for each in alleles if each is not None)])


@dataclass(frozen=True)
class NamedTable:
    """A table of variants, opened.

    Attributes:
        source: of its records.
    """

    source: Source

    @staticmethod
    def open(
        name: str,
        columns: GivenColumns = NOTHING_GIVEN,
    ) -> "NamedTable":
        """Look at a file's beginning.

        Args:
            name: a path or an object's address.
            columns: those that the user named.

        Raises:
            InputError: for a file that is none, or has neither identifiers nor places.
        """
        file = one_file(name)
        reader = open_reader(file.path, file.given, columns)
        check_given_alleles(reader, columns, file.path)
        header = reader.header
        rules = ParseRules(header.columns.declares_ref, header.columns.one_based_start)
        source = Source(file.path, file.name, reader, header, rules, given=file.given)
        return NamedTable(_with_places_of_names(source))

    @property
    def called(self) -> str:
        """The file as its user wrote it."""
        return self.source.called

    def keeping(
        self,
        names: Sequence[str],
    ) -> "NamedTable":
        """The same with further columns, by the names that they have in the header."""
        reader, kept = find_kept(self.source.reader, self.source.path, names)
        rules = replace(self.source.rules, kept=kept)
        return NamedTable(replace(self.source, reader=reader, rules=rules))

    def records(self) -> Iterator[pa.Table]:
        """All records as text, in blocks; those without line ends in them have one row a variant.

        Raises:
            InputError: when the file is damaged.
        """
        yield from self.source.records()

    def names_of(
        self,
        records: pa.Table,
    ) -> VariantNames:
        """What records are called, each of them one variant."""

        def upper(role: str) -> pa.Array:
            return pc.utf8_upper(in_full(records, role))

        ref = upper("ref")
        alt = upper("alt")
        effect = alt
        if "effect" in records.column_names:
            effect = upper("effect")
        if self.source.header.named_alleles:
            # beside such an identifier a column may say so, and mostly does not
            effect = pc.coalesce(effect, alt)
        # REF and ALT beside a column that says which of both the effect is of
        is_of_ref = pc.fill_null(pc.equal(effect, ref), False)
        other = pc.if_else(is_of_ref, alt, ref)
        return VariantNames(
            id=_named(in_full(records, "id")),
            chrom=in_full(records, "chrom").to_pylist(),
            pos=self._positions(in_full(records, "pos")),
            effect=effect.to_pylist(),
            other=other.to_pylist(),
        )

    def effect_is_ref(
        self,
        records: pa.Table,
        names: VariantNames,
    ) -> Mask | None:
        """Where the table declares REF, whether that is the effect allele of each record; None where it does not."""
        if not self.source.rules.declares_ref or None in names.effect:
            return None
        ref = pc.utf8_upper(in_full(records, "ref"))
        is_ref = pc.equal(pa.array(names.effect, pa.string()), ref)
        return np.asarray(pc.fill_null(is_ref, False), dtype=bool)

    def _positions(
        self,
        written: pa.Array,
    ) -> Numbers:
        # 20.0, as table programs write numbers of a column with gaps
        bare = pc.replace_substring_regex(written, r"\.0+$", "")
        is_number = pc.match_substring_regex(bare, _WHOLE_NUMBER)
        digits = pc.if_else(pc.fill_null(is_number, False), bare, _NO_TEXT)
        numbers = pc.fill_null(pc.cast(digits, pa.int64()), 0)
        positions = np.array(numbers, dtype=np.int64)
        # a BED's start counts from 0
        from_zero = self.source.rules.one_based is False
        return np.where(np.asarray(pc.is_valid(digits)), positions + int(from_zero), 0)


def read_names(name: str) -> VariantNames:
    """What all rows of a table are called: a .bim, PolyFun's .gz, a table with a header, or a list of identifiers.

    Raises:
        InputError: for a file that is none of these.
    """
    listed = _listed(name)
    if listed is not None:
        return _names_of_list(listed)
    table = NamedTable.open(name)
    return table.names_of(pa.concat_tables(table.records(), promote_options="default"))


def _names_of_list(listed: Texts) -> VariantNames:
    """Names of a list; of those that hold place and alleles, `chr20:1000:A:G`, these too."""
    ids = pa.array(listed, pa.string())
    parts = parts_of(ids)
    pos = np.array(pc.fill_null(pc.cast(parts["pos"], pa.int64()), 0), dtype=np.int64)
    return VariantNames(
        id=_named(ids),
        chrom=parts["chrom"].to_pylist(),
        pos=pos,
        effect=pc.utf8_upper(parts["alt"]).to_pylist(),
        other=pc.utf8_upper(parts["ref"]).to_pylist(),
        says_counted=False,
    )


def unreadable(records: pa.Table) -> Mask:
    """Which records have too few cells, or a fault that the reader found."""
    is_short = pc.less(records["fields"], records["needed_fields"])
    mask = np.asarray(is_short)
    if "fault" in records.column_names:
        mask = mask | np.asarray(pc.is_valid(records["fault"]))
    return mask


def one_file(name: str) -> InputFile:
    """The one file that a name means.

    Raises:
        InputError: where it means several, or is none.
    """
    files = files_named(name)
    if len(files) != 1:
        raise InputError(f"{name}: stands for {len(files)} files; give one")
    check_file(files[0].path, "file")
    return files[0]


def _with_places_of_names(source: Source) -> Source:
    """A table without places or alleles of its own, whose identifiers hold both: 20:1000:A:G."""
    columns = source.columns
    if columns.has_place or columns.has_alleles:
        return source
    blocks = (block for block in source.records() if block.num_rows)
    first = next((block["id"][0].as_py() for block in blocks), None)
    if not holds_alleles(first or ""):
        return source
    rules = replace(source.rules, declares_ref=True, one_based=True)
    return replace(source, header=replace(source.header, named_alleles=True), rules=rules)


def _named(ids: pa.Array) -> Texts:
    return [None if each in _NO_NAME else each for each in ids.to_pylist()]


def _listed(name: str) -> Texts | None:
    """Identifiers of a list, one a line, whatever they are; None for a table of several columns."""
    path = one_file(name).path
    try:
        # of what is packed or no text the second byte is none of UTF-8's
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return None
    words = [line.split() for line in lines if line.strip()]
    widths = set(map(len, words))
    if widths != {1}:
        return None
    ids = [word for (word,) in words]
    # PLINK 2's lists may have a header
    has_header = ids[0].lower() in _HEADERS_OF_LISTS
    return ids[1:] if has_header else ids
