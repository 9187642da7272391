"""Whether variants were made for this genome, found on a sample before anything is computed.

A wrong assembly, REF and ALT in each other's place and positions that count from another number give plausible scores
of wrong alleles; here they stop the run with figures. Does not know what is done with single alleles: see `harmonise`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from enformer_core.errors import InputError, first_few
from enformer_core.genome.assemblies import different_lengths, known_build
from enformer_core.genome.contig_names import called_otherwise
from enformer_core.genome.fasta import Genome
from enformer_core.variants.assembly_sample import (
    ContigFit,
    SampledAlleles,
    sample_alleles,
)
from enformer_core.variants.source import QUOTED, Source

LEAST_MATCHING = 0.9
"""Part of the sampled alleles that must fit the genome."""

FEW = 20
"""Of fewer alleles, half must fit: one wrong line of a handful is a row with a status, no wrong assembly."""


@dataclass(frozen=True)
class AssemblyCheck:
    """What the sample of a file showed.

    Attributes:
        file: its name.
        genome: the genome's file name.
        declares_ref: whether REF alone counts, or either allele.
        contigs: by the genome's name, in its order.
        unknown: sampled alleles on contigs that the genome does not have, by the input's name, the most first.
        different_lengths: contigs whose length in the header is not the genome's: both, in bp.
        header_build: the assembly that the header's lengths are those of, if known.
        genome_build: the assembly that the genome's lengths are those of, if known.
        example: an allele that does not fit, in words.
        allow_swapped: whether `harmonise_alleles` may exchange REF and ALT of this file.
        called_otherwise: which contigs the genome calls otherwise, in words.
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
    called_otherwise: str | None = None

    @property
    def checked(self) -> int:
        """How many alleles were looked up, over all contigs."""
        return sum(fit.checked for fit in self.contigs.values())

    @property
    def ref_rate(self) -> float:
        """Part of the checked alleles of which the genome has REF."""
        return self.rate(sum(fit.ref for fit in self.contigs.values()))

    @property
    def alt_rate(self) -> float:
        """Part of the checked alleles of which the genome has ALT."""
        return self.rate(sum(fit.alt for fit in self.contigs.values()))

    @property
    def either_rate(self) -> float:
        """Part of the checked alleles of which the genome has REF or ALT."""
        return self.rate(sum(fit.either for fit in self.contigs.values()))

    @property
    def matching(self) -> float:
        """Part that fits: by REF where it is declared, else by either allele."""
        return self.ref_rate if self.declares_ref else self.either_rate

    def rate(self, alleles: int) -> float:
        """Return such a number of alleles as a part of the checked ones; 1 where none was checked."""
        return alleles / self.checked if self.checked else 1.0

    def is_enough(self, rate: float) -> bool:
        """Whether such a part of the checked alleles shows that the file belongs to the genome."""
        least = LEAST_MATCHING if self.checked >= FEW else 0.5
        return rate >= least

    def notes(self) -> list[str]:
        """Say what is worth knowing though the run goes on."""
        notes = []
        if self.unknown:
            names = first_few(list(self.unknown))
            notes.append(f"{self.file}: on contigs that {self.genome} does not have: {names}")
        if self.different_lengths:
            notes.append(self._lengths_note())
        for contig, fit in self.contigs.items():
            note = self._contig_note(contig, fit)
            if note is not None:
                notes.append(f"{self.file}: {note}")
        if self.called_otherwise:
            notes.append(f"{self.file}: {self.called_otherwise}")
        return notes

    def _lengths_note(self) -> str:
        contig, (declared_bp, genome_bp) = next(iter(self.different_lengths.items()))
        others = len(self.different_lengths) - 1
        more = f" and {others} more" if others else ""
        build = f", as in {self.header_build}" if self.header_build else ""
        return (
            f"{self.file}: its header says {contig} has {declared_bp:,} bp{build}; "
            f"{self.genome} has {genome_bp:,} bp{more}"
        )

    def _contig_note(self, contig: str, fit: ContigFit) -> str | None:
        if not fit.checked:
            return f"no sampled allele of {contig} lies inside {self.genome} and has letters"
        rate = fit.matching(declares_ref=self.declares_ref) / fit.checked
        if rate >= LEAST_MATCHING or fit.checked < FEW:
            return None
        return f"on {contig} {rate:.1%} of {fit.checked:,} sampled alleles fit {self.genome}"


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


def check_assembly(
    source: Source,
    genome: Genome,
    *,
    allow_swapped: bool = False,
    allow_mismatch: bool = False,
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
    check = replace(_look_up_sample(source, genome), allow_swapped=allow_swapped)
    if allow_mismatch:
        return check
    if check.unknown and not check.contigs:
        is_quoted = all(name.startswith('"') for name in check.unknown)
        remedy = "Give the genome it was made for, or rename its contigs."
        raise InputError(
            f"{check.file}: shares no contig with {check.genome}. It has {first_few(list(check.unknown))}; the genome "
            f"has {first_few(list(genome.contigs))}. {QUOTED if is_quoted else remedy}"
        )
    # Where REF and ALT may change places, either of both is as good as REF.
    rate = check.either_rate if allow_swapped else check.matching
    if not check.is_enough(rate):
        raise InputError(_refusal(check))
    return check


def _refusal(check: AssemblyCheck) -> str:
    what = "REF alleles" if check.declares_ref else "alleles, in either order,"
    return (
        f"{check.file}: {check.matching:.1%} of {check.checked:,} sampled {what} agree with {check.genome} "
        f"({_worst_contigs(check)}), for example {check.example}. {_diagnosis(check)} --allow-mismatch goes on in any "
        "case; alleles that do not fit become rows with the status ref_mismatch."
    )


def _worst_contigs(check: AssemblyCheck) -> str:
    # Unlike in notes, a contig of which nothing was checked counts as one that does not fit.
    rates = {
        contig: fit.matching(declares_ref=check.declares_ref) / max(fit.checked, 1)
        for contig, fit in check.contigs.items()
    }
    worst_first = sorted(rates, key=lambda contig: rates[contig])
    shown = []
    for contig in worst_first:
        checked = check.contigs[contig].checked
        shown.append(f"{contig} {rates[contig]:.1%} of {checked:,}")
    return first_few(shown)


def _diagnosis(check: AssemblyCheck) -> str:
    """What the figures look like, and the remedy."""
    # The most telling first. Of another assembly letters agree by chance, 1 in 4: far less than is looked for here.
    if check.declares_ref and check.alt_rate >= LEAST_MATCHING:
        return (
            f"REF and ALT look swapped: {check.alt_rate:.1%} of the ALT alleles agree. --allow-swapped goes on and "
            "takes the allele that the genome has for REF. Or was the file made for another assembly?"
        )
    fits = check.contigs.values()
    # a position from 0, read as one from 1, names the base before the one that is meant
    shifts = {
        "count from 0 where 1 is expected": sum(fit.one_right for fit in fits),
        "are one too high": sum(fit.one_left for fit in fits),
    }
    for words, alleles in shifts.items():
        rate = check.rate(alleles)
        if rate >= LEAST_MATCHING:
            return f"Positions look shifted: they {words}; {rate:.1%} agree one base further."
    if check.declares_ref and check.either_rate >= LEAST_MATCHING:
        return (
            f"REF and ALT look to be in mixed order: the genome has one of both in {check.either_rate:.1%}. "
            "--allow-swapped goes on and takes the allele that the genome has for REF."
        )
    return (
        f"It looks like another assembly{_builds(check)}: "
        "give the genome that the file was made for, or lift it over."
    )


def _builds(check: AssemblyCheck) -> str:
    """Which assemblies the lengths of contigs show, where they tell more than that both are the same."""
    clues = []
    if check.header_build and check.header_build != check.genome_build:
        clues.append(f"the header's contigs are those of {check.header_build}")
    if check.genome_build and check.header_build != check.genome_build:
        clues.append(f"the genome's are those of {check.genome_build}")
    return f" ({', '.join(clues)})" if clues else ""


def _look_up_sample(source: Source, genome: Genome) -> AssemblyCheck:
    fits: dict[str, ContigFit] = {}
    unknown: Counter[str] = Counter()
    example: str | None = None
    names: dict[str, None] = {}
    for raw in sample_alleles(source):
        sample = SampledAlleles.of(raw, genome)
        for contig, fit in sample.fits().items():
            fits[contig] = fits.get(contig, ContigFit()) + fit
        unknown.update(sample.unknown_contigs())
        names |= dict.fromkeys(sample.contig_names())
        # the first will do
        example = example or sample.example()
    declared = source.header_contigs or {}
    return AssemblyCheck(
        file=source.shown,
        genome=genome.path.name,
        declares_ref=source.declares_ref,
        contigs={name: fits[name] for name in genome.contigs if name in fits},
        unknown=dict(unknown.most_common()),
        different_lengths=different_lengths(declared, genome.contigs),
        header_build=known_build(declared),
        genome_build=known_build(genome.contigs),
        example=example,
        called_otherwise=called_otherwise(names, genome.contigs),
    )
