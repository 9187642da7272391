"""What became of the rows of a study and of a run's alleles, counted: the numbers add up, and none is left out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from enformer_core.words import counted


@dataclass(frozen=True)
class OrientationReport:
    """What became of the rows and of the run's alleles.

    rows = matched + unusable + not_in_run + ambiguous_dropped + duplicates, and
    matched = as_written + swapped + turned + turned_and_swapped;
    alleles = matched + not_in_sumstats.

    Attributes:
        rows: of the sumstats.
        matched: rows that are an allele of the run.
        as_written: of these, the other allele is REF.
        swapped: the effect allele is REF: the effect's sign is turned.
        turned: on the other strand.
        turned_and_swapped: both.
        ambiguous_kept: matched rows whose strand, or of an indel whose order, nothing shows.
        ambiguous_dropped: the same, left out.
        unusable: rows without alleles or a z; `Sumstats.counts` says why.
        not_in_run: rows that the run has not scored.
        other_alleles: of these, those at the place of an allele of the run.
        duplicates: rows that are the allele of an earlier one, written otherwise.
        alleles: that the run has scored.
        not_in_sumstats: of these, those that no row is.
    """

    rows: int
    matched: int
    as_written: int
    swapped: int
    turned: int
    turned_and_swapped: int
    ambiguous_kept: int
    ambiguous_dropped: int
    unusable: int
    not_in_run: int
    other_alleles: int
    duplicates: int
    alleles: int
    not_in_sumstats: int

    @property
    def may_match(self) -> int:
        """How many rows could be alleles of the run, as many as the smaller of both sets has."""
        return min(self.rows - self.unusable, self.alleles)

    def counts(self) -> dict[str, int]:
        """All numbers by their names, for JSON and sums."""
        return asdict(self)


def report_in_words(report: OrientationReport) -> str:
    """The counts as one line: `3 of 5 rows matched (1 swapped), 1 not in the run, …`."""
    counts: Mapping[str, int] = report.counts()
    of_matched = [
        f"{counts[name]:,} {name.replace('_', ' ')}"
        for name in ("swapped", "turned", "turned_and_swapped", "ambiguous_kept")
        if counts[name]
    ]
    others = [
        f"{counts[name]:,} {words}"
        for name, words in (
            ("unusable", "not usable"),
            ("not_in_run", "not in the run"),
            ("ambiguous_dropped", "ambiguous and left out"),
            ("duplicates", "duplicates"),
        )
        if counts[name]
    ]
    matched = f"{report.matched:,} of {counted(report.rows, 'rows')} matched"
    in_brackets = f" ({', '.join(of_matched)})" if of_matched else ""
    of_run = (
        f"{report.not_in_sumstats:,} of {counted(report.alleles, 'alleles')} of the run not in it"
    )
    return ", ".join([f"{matched}{in_brackets}", *others, of_run])
