"""Summary statistics of an association study, read from any table of variants that the project reads.

    sumstats = read_sumstats(Path("gwas.tsv.gz"))
    sumstats.usable()          # rows that have alleles and a z

Places and alleles are found by the names and rules of `variants`, statistics by those of `statistic_names`. Every row
of the file is a row here, with a status. Does not know a run or the genome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.finemapping.fine_mapped import set_names
from enformer_core.finemapping.repeated_rows import are_repeats
from enformer_core.finemapping.row_statistics import Floats, Signs, Statistics, texts_of
from enformer_core.finemapping.row_status import MEANINGS, RowStatus
from enformer_core.finemapping.statistic_names import (
    Statistic,
    StatisticColumns,
    check_has_z,
    find_statistics,
    said_of_signs,
)
from enformer_core.finemapping.statistic_texts import as_floats
from enformer_core.finemapping.whose_effects import assumed_effects, is_harmonised
from enformer_core.variants.arrow import Mask, Numbers, bools, in_full, ints, matches
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.input_files import InputFile
from enformer_core.variants.source import Source, open_source
from enformer_core.words import counted

__all__ = ["MEANINGS", "Floats", "RowStatus", "Statistics", "Sumstats", "read_sumstats"]

_LETTERS = "^[ACGT]+$"


@dataclass(frozen=True)
class Sumstats:
    """Rows of summary statistics, in the order of their file; numbers that are not there are NaN.

    Attributes:
        name: of the file, as its user calls it.
        line: of the file, from 1; of Parquet the row.
        chrom: the contig as written.
        pos: counts from 1; 0 where there is none.
        id: as written; null where there is none.
        effect_allele: in upper case; the one that beta and z are of.
        other_allele: in upper case.
        beta: effect of the effect allele; of an odds ratio its logarithm.
        se: standard error of beta.
        z: of the effect allele.
        n: sample size.
        maf: frequency of the rarer allele.
        log_p: natural logarithm of P as written; -inf of 0.
        is_no_p: whether something stands where P should, and is no number from 0 to 1.
        status: of each row, of `RowStatus`.
        effect_is_ref: where the file declares REF, whether that is the effect allele; None where it does not.
        why_effect: how it is known which column is the effect allele.
        columns: which columns held the statistics.
        agreement: whether the signs of Z, BETA and OR are the same, as `Statistics` has it; None where nobody looked.
        pip: of a study that has been fine-mapped; None where the file has none.
        credible_set: as written, null where a row is in none, for which -1 and 0 stand too; None where the file has no
            such column.
    """

    name: str
    line: Numbers
    chrom: pa.Array
    pos: Numbers
    id: pa.Array
    effect_allele: pa.Array
    other_allele: pa.Array
    beta: Floats
    se: Floats
    z: Floats
    n: Floats
    maf: Floats
    log_p: Floats
    is_no_p: Mask
    status: pa.Array
    effect_is_ref: Mask | None
    why_effect: str
    columns: StatisticColumns
    agreement: Signs | None = None
    pip: Floats | None = None
    credible_set: pa.Array | None = None

    def __len__(self) -> int:
        return self.line.size

    @property
    def p(self) -> Floats:
        """P as float64 has it: 0 below 1e-323."""
        return np.exp(self.log_p)

    @property
    def is_usable(self) -> Mask:
        """Whether each row has alleles and a z."""
        return bools(pc.equal(self.status, RowStatus.OK.value))

    def usable(self) -> "Sumstats":
        """The rows that have alleles and a z."""
        return self.taken(np.flatnonzero(self.is_usable))

    def taken(
        self,
        rows: Numbers,
    ) -> "Sumstats":
        """These rows alone, in the order that is given."""
        chosen: dict[str, object] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                chosen[each.name] = value[rows]
            elif isinstance(value, pa.Array):
                chosen[each.name] = value.take(pa.array(rows))
        return replace(self, **chosen)  # type: ignore[arg-type]

    def counts(self) -> dict[str, int]:
        """How many rows have each status; those that none has are left out."""
        by_status = pc.value_counts(self.status).to_pylist()
        found = {entry["values"]: entry["counts"] for entry in by_status}
        return {status.value: found[status] for status in RowStatus if status in found}

    def notes(self) -> list[str]:
        """What a user should know of the rows: how many are not used, and why; whose the effects are."""
        counts = self.counts()
        said = [
            f"{self.name}: {counted(counts[status], 'rows')} not used: {words}"
            for status, words in MEANINGS.items()
            if status in counts
        ]
        if self.why_effect:
            said.append(f"{self.name}: effects are taken for {self.why_effect}")
        return [*said, *self.said_of_signs()]

    def said_of_signs(self) -> tuple[str, ...]:
        """A note where columns of effects contradict each other.

        Raises:
            InputError: where they do in most rows.
        """
        if self.agreement is None:
            return ()
        return said_of_signs(self.columns, self.agreement[self.is_usable], self.name)

    def check_n(self) -> None:
        """Refuse usable rows without a sample size, for programs that need one.

        Raises:
            InputError: naming the file and its columns.
        """
        missing = int(np.count_nonzero(self.is_usable & ~(self.n > 0)))
        if not missing:
            return
        if self.columns.has("n") or self.columns.has("cases", "controls"):
            raise InputError(
                f"{self.name}: {counted(missing, 'rows')} without an N above 0. Take them out, or give one N for all "
                "by --n N"
            )
        known = ", ".join(name.strip() for name in self.columns.header)
        raise InputError(
            f"{self.name}: has no column of sample sizes (N); it has {known}. Give it by --n N"
        )


def read_sumstats(
    path: Path | InputFile,
    *,
    n: float | None = None,
    sites: Path | InputFile | None = None,
    columns: GivenColumns = NOTHING_GIVEN,
    needs_z: bool = True,
) -> Sumstats:
    """Read a file of summary statistics: text of any dialect, plain or packed, or Parquet.

    z is the column Z; where a row has none, BETA / SE; where it has no SE, the z of P with the sign of BETA. An odds
    ratio counts as the BETA that is its logarithm, whose SE stands beside it. Where P makes z, SE is BETA / z.

    Args:
        path: the file.
        n: sample size of all rows; by default that of the file's column, else cases + controls.
        sites: a file of identifiers with places, for sumstats without places.
        columns: of places and alleles, which the user named.
        needs_z: whether rows without z are of no use.

    Raises:
        InputError: when it cannot be read, has no columns that z could be made of, where it is needed, or several that
            contradict each other in most rows.
    """
    if n is not None and not 0 < n < np.inf:
        raise InputError(f"--n {n:g}: a sample size must be above 0")
    file = path if isinstance(path, InputFile) else InputFile(path, str(path))
    opened = open_source(
        file.path,
        name=file.name,
        given=file.given,
        sites=sites,
        columns=columns,
    )
    statistics = find_statistics(opened.columns.names, harmonised=is_harmonised(opened))
    if needs_z:
        check_has_z(statistics, opened.called)
    keep = tuple(dict.fromkeys(statistics.names.values()))
    source = open_source(
        file.path, name=file.name, given=file.given, sites=sites, columns=columns, keep=keep
    )
    reading = _Reading(source, statistics, n, needs_z)
    # of a batch only numbers and names stay, not the text that they were
    parts = [reading.rows(raw) for raw in source.batches(details=True)]
    if not parts:
        raise InputError(f"{source.called}: has no rows below its header")
    sumstats = _with_repeats(_joined(parts))
    # refused before anything is matched
    sumstats.said_of_signs()
    return sumstats


@dataclass(frozen=True)
class _Reading:
    """How rows of a file become rows of summary statistics.

    Attributes:
        source: of the rows.
        columns: which of its columns hold statistics.
        n: sample size of all rows; None for the file's own.
        needs_z: whether rows without z are of no use.
    """

    source: Source
    columns: StatisticColumns
    n: float | None
    needs_z: bool

    def rows(self, raw: pa.Table) -> Sumstats:
        """Rows of a batch as read, of which a record with several ALTs is one; repeats are not looked for."""
        line = ints(in_full(raw, "input_line"), 0)
        # a record of two ALTs is two rows, one behind the other
        is_further = np.zeros(line.size, dtype=bool)
        is_further[1:] = line[1:] == line[:-1]
        is_list = is_further.copy()
        is_list[:-1] |= is_further[1:]
        rows = np.flatnonzero(~is_further)
        first = raw.take(pa.array(rows))
        numbers = Statistics.of(first, self.columns, self.n)
        return replace(
            self._named(first, numbers),
            line=line[rows],
            status=_statuses(self._faults(first, numbers, is_list[rows])),
        )

    def _named(self, raw: pa.Table, numbers: Statistics) -> Sumstats:
        """Rows with their names and numbers; lines and statuses are yet to come."""
        effect = in_full(raw, "effect")
        is_of_ref = bools(pc.equal(effect, -1))
        is_swapped = pa.array(is_of_ref)
        ref, alt = _letters(raw)
        return Sumstats(
            name=self.source.called,
            line=np.zeros(raw.num_rows, dtype=np.int64),
            chrom=in_full(raw, "input_chrom"),
            pos=ints(in_full(raw, "start"), -1) + 1,
            id=in_full(raw, "id"),
            effect_allele=pc.if_else(is_swapped, ref, alt),
            other_allele=pc.if_else(is_swapped, alt, ref),
            beta=numbers.beta,
            se=numbers.se,
            z=numbers.z,
            n=numbers.n,
            maf=_minor(in_full(raw, "frequency")),
            log_p=numbers.log_p,
            is_no_p=numbers.is_no_p,
            status=pa.nulls(raw.num_rows, pa.string()),
            effect_is_ref=is_of_ref if self.source.declares_ref else None,
            why_effect=_why_effect(self.source, effect) if self.needs_z else "",
            columns=self.columns,
            agreement=numbers.agreement if self.needs_z else None,
            pip=self._floats_of(raw, "pip"),
            credible_set=self._sets_of(raw),
        )

    def _texts_of(self, raw: pa.Table, statistic: Statistic) -> pa.Array | None:
        if not self.columns.has(statistic):
            return None
        return texts_of(raw, self.columns, statistic)

    def _sets_of(self, raw: pa.Table) -> pa.Array | None:
        texts = self._texts_of(raw, "credible_set")
        return None if texts is None else set_names(texts)

    def _floats_of(self, raw: pa.Table, statistic: Statistic) -> Floats | None:
        texts = self._texts_of(raw, statistic)
        return None if texts is None else as_floats(texts)

    def _faults(
        self,
        raw: pa.Table,
        numbers: Statistics,
        is_list: Mask,
    ) -> dict[RowStatus, Mask]:
        """Why rows cannot be used, in the order in which it counts."""
        faults = {
            RowStatus.MALFORMED: bools(pc.is_valid(in_full(raw, "status"))),
            RowStatus.SEVERAL_ALTS: is_list,
            RowStatus.BAD_ALLELE: ~_are_letters(*_letters(raw)),
            RowStatus.EFFECT_UNMATCHED: bools(pc.equal(in_full(raw, "effect"), 0)),
        }
        if self.needs_z:
            faults[RowStatus.BAD_SE] = numbers.se_as_read <= 0
            faults[RowStatus.NO_Z] = ~numbers.has_z
        return faults


def _joined(parts: Sequence[Sumstats]) -> Sumstats:
    """Rows of all batches, one behind the other."""
    joined: dict[str, object] = {}
    for each in fields(Sumstats):
        values = [getattr(part, each.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            joined[each.name] = np.concatenate(values)
        elif isinstance(values[0], pa.Array):
            joined[each.name] = pa.concat_arrays(values)
    # of ALT only where no batch names an effect allele
    why = [part.why_effect for part in parts]
    joined["why_effect"] = why[0] if all(why) else ""
    return replace(parts[0], **joined)  # type: ignore[arg-type]


def _letters(raw: pa.Table) -> tuple[pa.Array, pa.Array]:
    """REF and ALT, or the other and the effect allele, in upper case."""
    ref = pc.ascii_upper(in_full(raw, "input_ref"))
    alt = pc.ascii_upper(in_full(raw, "input_alt"))
    return ref, alt


def _minor(frequency: pa.Array) -> Floats:
    """Frequencies of the rarer of both alleles; NaN for what is no frequency."""
    values = np.asarray(pc.fill_null(frequency, np.nan), dtype=np.float64)
    minor = np.minimum(values, 1 - values)
    return np.where(minor >= 0, minor, np.nan)


def _are_letters(
    ref: pa.Array,
    alt: pa.Array,
) -> Mask:
    differ = bools(pc.not_equal(ref, alt))
    return matches(ref, _LETTERS) & matches(alt, _LETTERS) & differ


def _why_effect(
    source: Source,
    effect: pa.Array,
) -> str:
    """Whose effects they are, where the file does not say it itself; else nothing."""
    if not source.declares_ref:
        return assumed_effects(source)
    nobody_named = effect.null_count == len(effect)
    return "those of ALT: no column names an effect allele" if nobody_named else ""


def _statuses(faults: Mapping[RowStatus, Mask]) -> pa.Array:
    """The first fault of each row; rows that have none are fine."""
    masks = list(faults.values())
    names = [status.value for status in faults]
    number = np.select(masks, list(range(len(masks))), default=len(masks))
    return pa.array([*names, RowStatus.OK.value]).take(pa.array(number))


def _with_repeats(sumstats: Sumstats) -> Sumstats:
    """The rows, of which usable ones that repeat an earlier usable one are marked."""
    sound = np.flatnonzero(sumstats.is_usable)
    is_repeat = np.zeros(len(sumstats), dtype=bool)
    is_repeat[sound] = _are_repeats(sumstats.taken(sound))
    status = pc.if_else(pa.array(is_repeat), RowStatus.DUPLICATE.value, sumstats.status)
    return replace(sumstats, status=status)


def _are_repeats(sumstats: Sumstats) -> Mask:
    """Whether an earlier row has the same place and alleles."""
    ref = sumstats.other_allele
    alt = sumstats.effect_allele
    if sumstats.effect_is_ref is not None:
        is_ref = pa.array(sumstats.effect_is_ref)
        ref = pc.if_else(is_ref, sumstats.effect_allele, sumstats.other_allele)
        alt = pc.if_else(is_ref, sumstats.other_allele, sumstats.effect_allele)
    return are_repeats(
        sumstats.chrom,
        sumstats.pos,
        ref,
        alt,
    )
