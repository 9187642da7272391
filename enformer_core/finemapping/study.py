"""The results of one locus: z, sample size and prior weights of each variant, from any table of summary statistics.

Every row of the file that lies in the locus is a row here; what cannot be used says why. Does not know correlations.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.errors import InputError, nearest
from enformer_core.finemapping.repeated_variants import earlier_rows, is_same_effect
from enformer_core.finemapping.row_statistics import MOST_Z, Statistics
from enformer_core.finemapping.statistic_names import (
    StatisticColumns,
    check_has_z,
    find_statistics,
    said_of_signs,
    z_made_of,
)
from enformer_core.finemapping.statistic_texts import as_floats
from enformer_core.finemapping.variant_names import NamedTable, VariantNames, unreadable
from enformer_core.finemapping.whose_effects import assumed_effects, is_harmonised
from enformer_core.genome.contig_names import one_name_each
from enformer_core.variants.arrow import Mask, Numbers, in_full
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.reader import kept_role
from enformer_core.words import counted

Floats = Float64[np.ndarray, " rows"]

_LEAST_PEOPLE = 3
_MOST_PEOPLE = 1e12


@dataclass(frozen=True)
class Locus:
    """A stretch of a contig.

    Attributes:
        text: as it was given.
        chrom: the contig as written.
        first: its first base, counted from 1.
        last: its last.
    """

    text: str
    chrom: str
    first: int
    last: int

    def holds(
        self,
        names: VariantNames,
    ) -> Mask:
        """Which variants lie in it; contigs may be called with chr or without."""
        own = one_name_each([self.chrom, *(each for each in names.chrom if each is not None)])
        is_here = (names.pos >= self.first) & (names.pos <= self.last)
        is_contig = [each is not None and own[each] == self.chrom for each in names.chrom]
        return is_here & np.array(is_contig, dtype=bool)


@dataclass(frozen=True)
class Study:
    """Rows of a study in one locus, in the order of their file.

    Attributes:
        name: of the file, as its user calls it.
        line: of the file, from 1.
        place: which of all rows of the file, from 0.
        rows: how many the whole file has.
        names: what variants are called.
        z: of the effect allele; NaN where there is none.
        reasons: why rows cannot be used; None of the others.
        people: the sample size.
        weights: prior weights; None where the file's are not asked for.
        effect_is_ref: where the file declares REF, whether that is the effect allele; None where it does not.
        notes: what is worth saying of the file.
    """

    name: str
    line: Numbers
    place: Numbers
    rows: int
    names: VariantNames
    z: Floats
    reasons: Sequence[str | None]
    people: float
    weights: Floats | None
    effect_is_ref: Mask | None = None
    notes: tuple[str, ...] = ()

    def where(
        self,
        row: int,
    ) -> str:
        """A row's place, for messages: `gwas.tsv, line 3 (rs1)`."""
        return f"{self.name}, line {self.line[row]} ({self.names.shown(row)})"


@dataclass(frozen=True)
class StudyFile:
    """What is read of a file, and how.

    Attributes:
        name: a path or an object's address.
        people: the sample size; None for the file's own column.
        locus: which rows; None for all.
        weights: the column of prior weights; None where they are not asked for.
        columns: of places and alleles, which the user named.
    """

    name: str
    people: float | None = None
    locus: Locus | None = None
    weights: str | None = None
    columns: GivenColumns = NOTHING_GIVEN

    def read(self) -> Study:
        """Read the rows of the locus.

        Raises:
            InputError: for a file without z or sample sizes, a locus without rows, a variant with two z, and weights
                that are none.
        """
        table = NamedTable.open(self.name, self.columns)
        statistics = _statistics_of(table)
        kept = dict.fromkeys(statistics.names.values())
        if self.weights is not None:
            kept[self._weight_column(table, self.weights)] = None
        found = _Rows.read(table.keeping([*kept]), self.locus)
        self._check_found(found, table)
        numbers = Statistics.of(found.records, statistics, self.people)
        reasons = _reasons(found, statistics, numbers)
        _mark_repeats(found, numbers.z, reasons, table.called)
        is_used = np.array([reason is None for reason in reasons])
        if not is_used.any():
            raise InputError(
                f"{table.called}, line {found.line[0]} ({found.names.shown(0)}) {reasons[0]}; no other row is of use "
                "either"
            )
        of_signs = said_of_signs(statistics, numbers.agreement[is_used], table.called)
        people, said = self._people(table, statistics, numbers.n, is_used)
        return Study(
            name=table.called,
            line=found.line,
            place=found.place,
            rows=found.rows,
            names=found.names,
            z=np.where(is_used, numbers.z, np.nan),
            reasons=reasons,
            people=people,
            weights=self._weights(found, is_used, table.called),
            effect_is_ref=table.effect_is_ref(found.records, found.names),
            notes=(*said, *_whose_effects(table), *of_signs),
        )

    def _weight_column(
        self,
        table: NamedTable,
        wanted: str,
    ) -> str:
        names = [each.strip().strip('"').removeprefix("#") for each in table.source.columns.names]
        if wanted not in names:
            raise InputError(
                f"--prior-column {wanted}: {table.called} has no such column{nearest(wanted, names)}"
            )
        return wanted

    def _check_found(
        self,
        found: "_Rows",
        table: NamedTable,
    ) -> None:
        if found.line.size:
            return
        if self.locus is None:
            raise InputError(f"{table.called}: has no rows below its header")
        if not table.source.columns.has_place and not table.source.header.named_alleles:
            raise InputError(
                f"--locus {self.locus.text}: {table.called} says of no variant where it lies. Leave out --locus, and "
                "give the locus's rows alone"
            )
        raise InputError(
            f"--locus {self.locus.text}: none of the {counted(found.rows, 'rows')} of {table.called} lies there. Are "
            "both of one assembly?"
        )

    def _people(
        self,
        table: NamedTable,
        statistics: StatisticColumns,
        sizes: Floats,
        is_used: Mask,
    ) -> tuple[float, tuple[str, ...]]:
        """The sample size, and what is to be said of it."""
        if self.people is not None:
            if not _LEAST_PEOPLE <= self.people <= _MOST_PEOPLE:
                raise InputError(
                    f"--n {self.people:g}: must be at least {_LEAST_PEOPLE}, and at most {_MOST_PEOPLE:g}"
                )
            return self.people, ()
        has_sizes = statistics.has("n") or statistics.has("cases", "controls")
        if not has_sizes:
            known = ", ".join(name.strip() for name in statistics.header)
            raise InputError(
                f"{table.called}: has no column of sample sizes (N); it has {known}. Give it by --n N"
            )
        known_sizes = sizes[is_used & (sizes >= _LEAST_PEOPLE) & (sizes <= _MOST_PEOPLE)]
        if not known_sizes.size:
            raise InputError(
                f"{table.called}: no variant has a sample size of {_LEAST_PEOPLE} or more. Give it by --n N"
            )
        people = float(np.median(known_sizes))
        low, high = float(known_sizes.min()), float(known_sizes.max())
        if low == high:
            return people, ()
        return people, (
            f"{table.called}: sample sizes are {low:,.0f} to {high:,.0f}; the median, {people:,.0f}, counts for all "
            "(--n N says otherwise)",
        )

    def _weights(
        self,
        found: "_Rows",
        is_used: Mask,
        called: str,
    ) -> Floats | None:
        """The column of weights of rows that are used; of the others it may be anything.

        Raises:
            InputError: naming the first that is no weight, and where all are 0.
        """
        if self.weights is None:
            return None
        cells = in_full(found.records, kept_role(self.weights))
        weights = as_floats(cells)
        is_none = is_used & ~(weights >= 0)
        for row in np.flatnonzero(is_none)[:1].tolist():
            raise InputError(
                f"{called}, line {found.line[row]} ({found.names.shown(row)}): {self.weights} "
                f"{cells[row].as_py()!r} is no prior weight. Give a number of 0 or more to each variant"
            )
        if not weights[is_used].any():
            raise InputError(
                f"--prior-column {self.weights}: all weights in {called} are 0; one at least must be above"
            )
        return weights


@dataclass(frozen=True)
class _Rows:
    """Records of the locus.

    Attributes:
        records: as text.
        names: what they are called.
        line: of the file, from 1.
        place: which of all rows of the file, from 0.
        rows: how many the file has.
    """

    records: pa.Table
    names: VariantNames
    line: Numbers
    place: Numbers
    rows: int

    @staticmethod
    def read(
        table: NamedTable,
        locus: Locus | None,
    ) -> "_Rows":
        """Block by block, of which only the rows of the locus stay in memory."""
        parts: list[pa.Table] = []
        places: list[Numbers] = []
        rows = 0
        for block in table.records():
            is_here = np.ones(block.num_rows, dtype=bool)
            if locus is not None:
                is_here = locus.holds(table.names_of(block))
            here = np.flatnonzero(is_here)
            parts.append(block.take(pa.array(here)))
            places.append(rows + here)
            rows += block.num_rows
        if not parts:
            raise InputError(f"{table.called}: has no rows below its header")
        records = pa.concat_tables(parts, promote_options="default").combine_chunks()
        line = np.asarray(records["line"], dtype=np.int64)
        return _Rows(records, table.names_of(records), line, np.concatenate(places), rows)


def _statistics_of(table: NamedTable) -> StatisticColumns:
    columns = table.source.columns
    statistics = find_statistics(columns.names, harmonised=is_harmonised(table.source))
    check_has_z(statistics, table.called)
    return statistics


def _whose_effects(table: NamedTable) -> Iterator[str]:
    """Of a table that does not say it, which allele is taken for the effect's."""
    taken_for = assumed_effects(table.source)
    if taken_for:
        yield f"{table.called}: effects are taken for {taken_for}"


def _reasons(
    found: _Rows,
    statistics: StatisticColumns,
    numbers: Statistics,
) -> list[str | None]:
    """Why rows cannot be used, in words with their values."""
    is_unreadable = unreadable(found.records)
    reasons: list[str | None] = [None] * found.line.size
    # an SE below 0 divides like any other number
    is_bad = ~numbers.has_z | (numbers.se_as_read <= 0)
    is_odd = np.array([_has_odd_alleles(found.names, row) for row in range(len(reasons))])
    for row in np.flatnonzero(is_unreadable | is_bad | is_odd).tolist():
        if is_unreadable[row]:
            reasons[row] = "is on a line that cannot be read"
        elif is_bad[row]:
            cells = _cells(found.records, statistics, row)
            said = ", ".join(f"{name} {cell}" for name, cell in cells.items())
            is_far = np.isfinite(numbers.z[row]) and abs(numbers.z[row]) > MOST_Z
            kind = f"no z within ±{MOST_Z:,.0f}" if is_far else "no finite z"
            reasons[row] = f"has {kind}: {said}"
        else:
            reasons[row] = "has several ALTs for one effect, or no effect allele"
    return reasons


def _cells(
    records: pa.Table,
    statistics: StatisticColumns,
    row: int,
) -> Mapping[str, str | None]:
    names = [statistics.names[each] for each in z_made_of(statistics)]
    return {name: records[kept_role(name)][row].as_py() for name in names}


def _has_odd_alleles(
    names: VariantNames,
    row: int,
) -> bool:
    effect = names.effect[row]
    other = names.other[row]
    is_list = "," in f"{effect}{other}"
    return is_list or (effect is None and other is not None)


def _mark_repeats(
    found: _Rows,
    z: Floats,
    reasons: list[str | None],
    called: str,
) -> None:
    """Give a reason to a row that says again what an earlier one says.

    Raises:
        InputError: where it says something else: nobody can know which z is the variant's.
    """
    used = [row for row, reason in enumerate(reasons) if reason is None]
    for row, first in earlier_rows(found.names, used):
        if not is_same_effect(found.names, z, row, first):
            raise InputError(
                f"{called}: lines {found.line[first]} and {found.line[row]} are one variant, "
                f"{found.names.shown(row)}, with z {z[first]:.6g} and {z[row]:.6g}. Keep one of them"
            )
        reasons[row] = f"is the variant of line {found.line[first]} again"
