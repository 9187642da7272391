"""Summary statistics beside a run: read, matched with its alleles and weighted, as exports for fine-mapping need them.

What is done with them, each export says. Does not know the programs that read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.run_input import run_genome
from enformer_core.export.vcf_file import unheard
from enformer_core.finemapping.allele_match import Ambiguous
from enformer_core.finemapping.orientation import Oriented, orient
from enformer_core.finemapping.orientation_report import OrientationReport, report_in_words
from enformer_core.finemapping.prior import Prior, alleles_with_prior
from enformer_core.finemapping.repeated_rows import are_firsts
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import Floats, Sumstats, read_sumstats
from enformer_core.genome.contig_names import chromosome_number
from enformer_core.variants.arrow import Mask
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.input_files import InputFile
from enformer_core.variants.named_files import files_named
from enformer_core.words import agreeing, counted

_LEAST_SHARE = 0.01
"""Of the smaller of both sets, the part that must be the same alleles in both."""

_LEAST_MATCHES = 2

_MANY = 20
"""Of fewer even one match may be all that there is."""

Report = Callable[[str, Mapping[str, Any]], object]
"""Told what came of the match, in words and as figures by name."""


def unreported(
    words: str,
    figures: Mapping[str, Any],
) -> None:
    """Where nobody wants to know what came of the match."""
    del words, figures


class StudyOptions(TypedDict, total=False):
    """What the exports of this kind can be told, beside the run and the path.

    Attributes:
        sumstats: the file of summary statistics.
        n: sample size of all its rows.
        prior: SQL whose value is an allele's weight; its rank by default.
        ambiguous: what becomes of alleles whose strand nothing shows.
        genome: the run's, by its present name.
        sites: places of identifiers.
        few_matches: whether next to no match is enough.
        effect_allele: the column whose allele effects are of.
        warn: told what a user should know though it stops nothing.
        report: told what came of the match.
    """

    sumstats: str
    n: float
    prior: str
    ambiguous: Ambiguous
    genome: str
    sites: str
    effect_allele: str
    few_matches: bool
    warn: Callable[[str], object]
    report: Report


@dataclass(frozen=True)
class Association:
    """A study and a run, row by row and allele by allele.

    Attributes:
        sumstats: all rows of the file.
        alleles: that the run has scored.
        prior: their weights.
        oriented: which row is which allele.
        warn: told what a user should know.
    """

    sumstats: Sumstats
    alleles: RunAlleles
    prior: Prior
    oriented: Oriented
    warn: Callable[[str], object] = field(repr=False)

    @cached_property
    def rows(self) -> Sumstats:
        """The matched rows, in the order of the file."""
        return self.sumstats.taken(self.oriented.row)

    @cached_property
    def names(self) -> pa.Table:
        """SNP, CHROM, BP, A1 and A2 of the matched rows: A1 is the effect allele; letters and place are the run's."""
        taken = pa.array(self.oriented.allele)
        own = {
            name: self.alleles.column(name).take(taken) for name in self.alleles.table.column_names
        }
        is_alt = pa.array(self.oriented.sign > 0)
        return pa.table(
            {
                "SNP": pc.coalesce(self.rows.id, own["id"], own["variant_id"]),
                "CHROM": own["chrom"],
                "BP": pc.cast(own["pos"], pa.int64()),
                "A1": pc.if_else(is_alt, own["alt"], own["ref"]),
                "A2": pc.if_else(is_alt, own["ref"], own["alt"]),
            }
        )

    @property
    def weight(self) -> Floats:
        """The prior weight of each matched row."""
        return self.prior.weight[self.oriented.allele]


def read_association(
    ledger: Ledger,
    export: str,
    options: StudyOptions,
    *,
    needs_z: bool = True,
) -> Association:
    """Read both, match them, and say what came of it.

    Args:
        ledger: of the run.
        export: name of the format, for messages.
        options: as they were given.
        needs_z: whether rows without z are of no use.

    Raises:
        InputError: where no sumstats are named, they cannot be used, or none of their rows is an allele of the run.
        DatasetError: for a table of the run that is missing or damaged.
    """
    warn = options.get("warn", unheard)
    if "sumstats" not in options:
        raise InputError(
            f"--{export}: needs summary statistics beside the run; give --sumstats FILE"
        )
    sumstats = read_sumstats(
        _one_file(options["sumstats"], "--sumstats"),
        n=options.get("n"),
        sites=_one_file(options["sites"], "--sites") if "sites" in options else None,
        columns=GivenColumns.parse([], options.get("effect_allele")),
        needs_z=needs_z,
    )
    alleles, prior = alleles_with_prior(ledger, options.get("prior"))
    oriented = orient(
        sumstats,
        alleles,
        genome=run_genome(ledger, options.get("genome")),
        ambiguous=options.get("ambiguous", "majority"),
    )
    if not options.get("few_matches", False):
        _check_enough(sumstats.name, oriented.report)
    for text in (*sumstats.notes(), *oriented.notes):
        warn(text)
    report = options.get("report", unreported)
    figures = {
        **oriented.report.counts(),
        "unusable_by_status": _unusable(sumstats),
        "prior_made_of": prior.made_of,
    }
    report(f"{sumstats.name}: {report_in_words(oriented.report)}", figures)
    return Association(
        sumstats,
        alleles,
        prior,
        oriented,
        warn,
    )


def _check_enough(
    name: str,
    report: OrientationReport,
) -> None:
    """Refuse a match of next to nothing: by chance alone a few places of another assembly have the same alleles.

    Raises:
        InputError: with the counts.
    """
    may_match = report.may_match
    if report.matched >= max(_LEAST_SHARE * may_match, _LEAST_MATCHES) or may_match < _MANY:
        return
    raise InputError(
        f"{name}: of {may_match:,} that could be alleles of the run {report.matched:,} "
        f"{agreeing(report.matched, 'is one', 'are')}; {report.other_alleles:,} rows are at a place of the run with "
        "other alleles. Are the positions of another assembly than the run's genome? --few-matches goes on"
    )


def _unusable(sumstats: Sumstats) -> dict[str, int]:
    counts = sumstats.counts()
    counts.pop("ok", None)
    return counts


def _one_file(
    name: str,
    option: str,
) -> InputFile:
    files = files_named(name)
    if len(files) != 1:
        raise InputError(f"{option} {name}: stands for {len(files)} files; name one")
    return files[0]


def numbered(
    names: pa.Table,
    warn: Callable[[str], object],
) -> tuple[pa.Table, Mask]:
    """The names with a column CHR, the chromosomes' numbers, in the place of CHROM; and which rows have one.

    PLINK's numbers, in which X is 23. Rows of other contigs are left out, and counted.

    Args:
        names: of alleles, with CHROM.
        warn: told how many are left out.
    """
    coded = names["CHROM"].combine_chunks().dictionary_encode()
    numbers = pa.array(map(chromosome_number, coded.dictionary.to_pylist()), pa.int64())
    of_rows = numbers.take(coded.indices)
    has_number = np.asarray(pc.is_valid(of_rows), dtype=bool)
    left_out = int((~has_number).sum())
    if left_out:
        are = agreeing(left_out, "is", "are")
        warn(
            f"{counted(left_out, 'alleles')} {are} on contigs that are no numbered chromosomes, and left out"
        )
    at = names.schema.get_field_index("CHROM")
    renamed = names.set_column(at, "CHR", of_rows)
    return renamed.filter(pa.array(has_number)), has_number


def first_of_pairs(
    names: pa.Table,
    warn: Callable[[str], object],
) -> Mask:
    """Whether each row is the first of its place and pair of alleles, in whichever order.

    Where the genome has TT, the deletion of a T and the insertion of one have the same place and pair; programs that
    know variants by these take them for one.

    Args:
        names: with CHR, BP, A1 and A2.
        warn: told how many are no first ones.
    """
    place = [pc.cast(names[name], pa.string()) for name in ("CHR", "BP")]
    pair = [names["A1"], names["A2"]]
    least = pc.min_element_wise(*pair)
    largest = pc.max_element_wise(*pair)
    keys = pc.binary_join_element_wise(
        *place,
        least,
        largest,
        ":",
    )
    is_first = are_firsts(keys)
    repeats = int((~is_first).sum())
    if repeats:
        are = agreeing(repeats, "is", "are")
        warn(
            f"{counted(repeats, 'alleles')} {are} another's with insertion and deletion exchanged, which the program "
            "cannot tell apart, and left out"
        )
    return is_first


def names_of_run(alleles: RunAlleles) -> pa.Table:
    """SNP, CHROM, BP, A1 and A2 of a run's alleles: A1 is ALT."""
    return pa.table(
        {
            "SNP": pc.coalesce(alleles.column("id"), alleles.column("variant_id")),
            "CHROM": alleles.column("chrom"),
            "BP": pc.cast(alleles.column("pos"), pa.int64()),
            "A1": alleles.column("alt"),
            "A2": alleles.column("ref"),
        }
    )
