"""Whether variants were made for this genome, found on a sample before anything is computed.

A wrong assembly, REF and ALT in each other's place and positions that count from another number give plausible scores
of wrong alleles; here they stop the run with figures. Does not know what is done with single alleles: see `place`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import decode
from enformer_core.genome.assemblies import different_lengths, known_build
from enformer_core.genome.fasta import Genome
from enformer_core.variants.allele_checks import Alleles, contigs_of, short, some
from enformer_core.variants.arrow import bools, in_full
from enformer_core.variants.harmonise import has_letters
from enformer_core.variants.source import Source

LEAST_MATCHING = 0.9
"""Part of the sampled alleles that must fit the genome."""

FEW = 20
"""Of fewer alleles, half must fit: one wrong line of a handful is a row with a status, no wrong assembly."""


@dataclass(frozen=True)
class ContigFit:
    """How the sampled alleles of one contig fit the genome.

    Attributes:
        checked: alleles of letters inside the contig.
        ref: of which the genome has REF, or the other allele.
        alt: of which it has ALT, or the effect allele.
        either: of which it has one at least.
        shifted: of which it has REF one base to the left (-1) or right (1).
    """

    checked: int
    ref: int
    alt: int
    either: int
    shifted: Mapping[int, int]


@dataclass(frozen=True)
class AssemblyCheck:
    """What the sample of a file showed.

    Attributes:
        file: its name.
        genome: the genome's file name.
        declares_ref: whether REF alone counts, or either allele.
        contigs: by the genome's name.
        unknown: sampled alleles on contigs that the genome does not have, by the input's name.
        different_lengths: contigs whose length in the header is not the genome's: both, in bp.
        header_build: the assembly that the header's lengths are those of, if known.
        genome_build: likewise the genome's.
        example: an allele that does not fit, in words.
        allow_swapped: whether `place_alleles` may exchange REF and ALT of this file.
    """

    file: str
    genome: str
    declares_ref: bool
    contigs: Mapping[str, ContigFit]
    unknown: Mapping[str, int]
    different_lengths: Mapping[str, tuple[int, int]]
    header_build: str | None = None
    genome_build: str | None = None
    example: str | None = None
    allow_swapped: bool = False

    @property
    def checked(self) -> int:
        """Alleles that were looked up."""
        return sum(fit.checked for fit in self.contigs.values())

    def rate(self, which: str) -> float:
        """Part of the checked alleles of which the genome has `ref`, `alt` or `either`; 1 where none was checked."""
        return (
            sum(getattr(fit, which) for fit in self.contigs.values()) / self.checked
            if self.checked
            else 1.0
        )

    def shifted_rate(self, by_bp: int) -> float:
        """Part of which the genome has REF so many bases away."""
        return (
            sum(fit.shifted[by_bp] for fit in self.contigs.values()) / self.checked
            if self.checked
            else 0.0
        )

    @property
    def matching(self) -> float:
        """Part that fits: by REF where it is declared, else by either allele."""
        return self.rate("ref" if self.declares_ref else "either")

    def fits(self, which: str) -> bool:
        """Whether enough do."""
        return self.rate(which) >= (LEAST_MATCHING if self.checked >= FEW else 0.5)

    def notes(self) -> list[str]:
        """What is worth saying though the run goes on."""
        found = []
        if self.unknown:
            found.append(
                f"{self.file}: on contigs that {self.genome} does not have: {some(list(self.unknown))}"
            )
        if self.different_lengths:
            found.append(self._lengths_note())
        which = "ref" if self.declares_ref else "either"
        for contig, fit in self.contigs.items():
            if not fit.checked:
                found.append(
                    f"{self.file}: no sampled allele of {contig} lies inside {self.genome} and has letters"
                )
            part = getattr(fit, which) / fit.checked if fit.checked else 1.0
            if part < LEAST_MATCHING and fit.checked >= FEW:
                found.append(
                    f"{self.file}: on {contig} {part:.1%} of {fit.checked:,} sampled alleles fit {self.genome}"
                )
        return found

    def _lengths_note(self) -> str:
        contig, (declared, ours) = next(iter(self.different_lengths.items()))
        more = (
            f" and {len(self.different_lengths) - 1} more"
            if len(self.different_lengths) > 1
            else ""
        )
        build = f", as in {self.header_build}" if self.header_build else ""
        return f"{self.file}: its header says {contig} has {declared:,} bp{build}; {self.genome} has {ours:,} bp{more}"


def check_assembly(
    source: Source, genome: Genome, *, allow_swapped: bool = False, allow_mismatch: bool = False
) -> AssemblyCheck:
    """Look up a sample of a file's alleles in the genome.

    Args:
        source: the file.
        genome: what it should have been made for.
        allow_swapped: go on where the genome has ALT in the place of REF.
        allow_mismatch: go on whatever is found.

    Raises:
        InputError: when the file shares no contig with the genome, or less than 90 % of the sampled alleles fit it
            (half of fewer than 20): with the figures by contig, what it looks like, and what to do.
    """
    check = _measured(source, genome)
    if allow_mismatch:
        return _allowing(check, allow_swapped=allow_swapped)
    if check.unknown and not check.contigs:
        raise InputError(
            f"{check.file}: shares no contig with {check.genome}. It has {some(list(check.unknown))}; the genome has "
            f"{some(list(genome.contigs))}. Give the genome it was made for, or rename its contigs."
        )
    accepted = check.fits("ref") if source.declares_ref else check.fits("either")
    if not accepted and not (allow_swapped and check.fits("either")):
        raise InputError(_refusal(check))
    return _allowing(check, allow_swapped=allow_swapped)


def _allowing(check: AssemblyCheck, *, allow_swapped: bool) -> AssemblyCheck:
    return AssemblyCheck(**{**vars(check), "allow_swapped": allow_swapped})


def _refusal(check: AssemblyCheck) -> str:
    what = "REF alleles" if check.declares_ref else "alleles, in either order,"
    return (
        f"{check.file}: {check.matching:.1%} of {check.checked:,} sampled {what} agree with {check.genome} "
        f"({_by_contig(check)}), for example {check.example}. {_diagnosis(check)} --allow-mismatch goes on in any "
        "case; alleles that do not fit become rows with the status ref_mismatch."
    )


def _by_contig(check: AssemblyCheck) -> str:
    which = "ref" if check.declares_ref else "either"
    worst = sorted(
        check.contigs.items(), key=lambda item: getattr(item[1], which) / max(item[1].checked, 1)
    )
    shown = [
        f"{name} {getattr(fit, which) / max(fit.checked, 1):.1%} of {fit.checked:,}"
        for name, fit in worst
    ]
    return some(shown)


def _diagnosis(check: AssemblyCheck) -> str:
    """What the figures look like, and the remedy."""
    if check.declares_ref and check.rate("alt") >= LEAST_MATCHING:
        return (
            f"REF and ALT look swapped: {check.rate('alt'):.1%} of the ALT alleles agree. --allow-swapped goes on and "
            "takes the allele that the genome has for REF. Or was the file made for another assembly?"
        )
    for by_bp, words in ((1, "count from 0 where 1 is expected"), (-1, "are one too high")):
        if check.shifted_rate(by_bp) >= LEAST_MATCHING:
            return f"Positions look shifted: they {words}; {check.shifted_rate(by_bp):.1%} agree one base further."
    if check.declares_ref and check.rate("either") >= LEAST_MATCHING:
        return (
            f"REF and ALT look to be in mixed order: the genome has one of both in {check.rate('either'):.1%}. "
            "--allow-swapped goes on and takes the allele that the genome has for REF."
        )
    builds, ours = (
        "",
        f"the genome's are those of {check.genome_build}" if check.genome_build else "",
    )
    if check.header_build and check.header_build != check.genome_build:
        theirs = f"the header's contigs are those of {check.header_build}"
        builds = f" ({theirs}, {ours})" if ours else f" ({theirs})"
    elif ours and not check.header_build:
        builds = f" ({ours})"
    return f"It looks like another assembly{builds}: give the genome that the file was made for, or lift it over."


def _measured(source: Source, genome: Genome) -> AssemblyCheck:
    tally = _Tally(genome)
    for raw in sample_alleles(source):
        tally.add(raw)
    declared = source.header_contigs or {}
    return AssemblyCheck(
        file=source.name,
        genome=genome.path.name,
        declares_ref=source.declares_ref,
        contigs=tally.contigs(),
        unknown=dict(sorted(tally.unknown.items(), key=lambda item: -item[1])),
        different_lengths=different_lengths(declared, genome.contigs),
        header_build=known_build(declared),
        genome_build=known_build(genome.contigs),
        example=tally.example,
    )


class _Tally:
    """Counts over tables of alleles."""

    def __init__(self, genome: Genome) -> None:
        self._genome = genome
        self._counts: dict[str, np.ndarray] = {}
        self.unknown: dict[str, int] = {}
        self.example: str | None = None

    def add(self, raw: pa.Table) -> None:
        """Look up the alleles of a table."""
        undecided = bools(pc.is_null(in_full(raw, "status")))
        chrom = contigs_of(raw, undecided, self._genome.contigs)
        self._note_unknown(raw, undecided & bools(pc.is_null(chrom)))
        for contig in pc.unique(pc.drop_null(chrom)).to_pylist():
            self._counts.setdefault(contig, np.zeros(6, dtype=np.int64))
        alleles = Alleles.of(raw, chrom, self._genome.contigs)
        rows = undecided & ~np.any([rows for _, rows in alleles.decisions(1 << 40)], axis=0)
        if rows.any():
            self._look_up(alleles, rows)

    def _look_up(self, alleles: Alleles, rows: Bool[np.ndarray, " rows"]) -> None:
        ref = has_letters(alleles, alleles.ref, rows, self._genome)
        alt = has_letters(alleles, alleles.alt, rows, self._genome)
        moved = [
            has_letters(
                alleles.changed(alleles.start + by, alleles.ref, alleles.alt),
                alleles.ref,
                rows,
                self._genome,
            )
            for by in (-1, 1)
        ]
        found = np.stack([rows, ref, alt, ref | alt, *moved], axis=1)
        coded = alleles.chrom.dictionary_encode()
        numbers = np.asarray(pc.fill_null(coded.indices, -1))
        for number, contig in enumerate(coded.dictionary.to_pylist()):
            self._counts[contig] += found[numbers == number].sum(axis=0)
        declared_wrong = rows & ~ref & (alleles.declared | ~alt)
        if self.example is None and declared_wrong.any():
            self.example = self._described(alleles, int(np.flatnonzero(declared_wrong)[0]))

    def _described(self, alleles: Alleles, row: int) -> str:
        start = int(alleles.start[row])
        there = self._genome.fetch(
            alleles.chrom[row].as_py(), start, start + int(alleles.ref_bp[row])
        )
        return f"{alleles.name(row)}: the reference has {short(decode(there))} here"

    def _note_unknown(self, raw: pa.Table, rows: Bool[np.ndarray, " rows"]) -> None:
        names = in_full(raw, "input_chrom").filter(pa.array(rows))
        for count in pc.value_counts(names).to_pylist():
            name = str(count["values"])
            self.unknown[name] = self.unknown.get(name, 0) + count["counts"]

    def contigs(self) -> dict[str, ContigFit]:
        """In the genome's order."""
        return {
            contig: _fit(self._counts[contig].tolist())
            for contig in self._genome.contigs
            if contig in self._counts
        }


def _fit(counts: list[int]) -> ContigFit:
    checked, ref, alt, either, before, after = counts
    return ContigFit(checked, ref, alt, either, {-1: before, 1: after})


def check_assemblies(
    sources: Iterable[Source],
    genome: Genome,
    *,
    allow_swapped: bool = False,
    allow_mismatch: bool = False,
) -> list[AssemblyCheck]:
    """Check every file.

    Raises:
        InputError: as `check_assembly`, at the first that does not fit.
    """
    return [
        check_assembly(source, genome, allow_swapped=allow_swapped, allow_mismatch=allow_mismatch)
        for source in sources
    ]


HEAD_ROWS = 1 << 16

PROBES = 64


def sample_alleles(
    source: Source, *, head_rows: int = HEAD_ROWS, probes: int = PROBES
) -> Iterator[pa.Table]:
    """Alleles of RAW_SCHEMA; line numbers count from the beginning in the first table only.

    Args:
        source: the file.
        head_rows: records from its beginning.
        probes: places in the rest, where the file can be entered there.
    """
    head = list(islice(source.batches(rows=head_rows), 1))
    yield from head
    if not head or head[0].num_rows < head_rows:
        return
    for records in source.sample(probes):
        yield source.alleles_of(records)
