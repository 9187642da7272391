"""A sample of a file's alleles, and how many of them the genome has where they say.

Reads the beginning of the file and places spread over the rest. Does not know what follows from the figures: see
`assembly_check`.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome
from enformer_core.variants.allele_checks import Alleles, contigs_of, short
from enformer_core.variants.arrow import Mask, bools, in_full, ints
from enformer_core.variants.lookup import has_letters
from enformer_core.variants.source import Source

HEAD_ROWS = 1 << 16
"""Records read from the beginning of a file: of most files, all of them."""

PROBES = 64
"""Places looked at in the rest of a file: another assembly may show on some contigs only."""

# no allele is too long to be looked up
_ANY_LENGTH_BP = 1 << 40


@dataclass(frozen=True)
class ContigFit:
    """How many of the sampled alleles of one contig, or of all, fit the genome.

    Attributes:
        checked: alleles of letters inside the contig.
        ref: of which the genome has REF, or the other allele.
        alt: of which it has ALT, or the effect allele.
        either: of which it has one at least.
        one_left: of which it has REF one base to the left.
        one_right: of which it has REF one base to the right.
    """

    checked: int = 0
    ref: int = 0
    alt: int = 0
    either: int = 0
    one_left: int = 0
    one_right: int = 0

    def __add__(self, other: "ContigFit") -> "ContigFit":
        pairs = zip(astuple(self), astuple(other), strict=True)
        sums = map(sum, pairs)
        return ContigFit(*sums)

    def matching(self, *, declares_ref: bool) -> int:
        """Return the alleles that fit: by REF where it is declared, else by either allele."""
        return self.ref if declares_ref else self.either


@dataclass(frozen=True)
class SampledAlleles:
    """Alleles of one table.

    Attributes:
        alleles: all its rows.
        undecided: rows that the reader could make sense of.
        checked: rows of letters inside a contig.
        ref: rows of which the genome has REF.
        alt: rows of which it has ALT.
    """

    genome: Genome
    alleles: Alleles
    undecided: Mask
    checked: Mask
    ref: Mask
    alt: Mask

    @staticmethod
    def of(raw: pa.Table, genome: Genome) -> "SampledAlleles":
        """Look up a table of RAW_SCHEMA in the genome: REF and ALT of each allele that has letters and a place."""
        undecided = bools(pc.is_null(in_full(raw, "status")))
        chrom = contigs_of(raw, undecided, genome.contigs)
        alleles = Alleles.of(raw, chrom, genome.contigs)
        # What is too long to be scored tells as much of the assembly as the others.
        decided = [rows for _, rows in alleles.decisions(_ANY_LENGTH_BP)]
        checked = undecided & ~np.any(decided, axis=0)
        return SampledAlleles(
            genome=genome,
            alleles=alleles,
            undecided=undecided,
            checked=checked,
            ref=has_letters(alleles, alleles.ref, checked, genome),
            alt=has_letters(alleles, alleles.alt, checked, genome),
        )

    def fits(self) -> dict[str, ContigFit]:
        """What fits, by the genome's name of the contig; alleles on contigs that it does not have are left out."""
        # chrom       chr1 chr2 null chr2    names  chr1 chr2
        # contig         0    1   -1    1
        # rows           x    -    x    x    on a contig and true: 0 1    of chr1 1, of chr2 1
        encoded = self.alleles.chrom.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        contig = ints(encoded.indices, -1)
        is_known = contig >= 0

        def counts(rows: Mask) -> list[int]:
            contigs_of_rows = contig[rows & is_known]
            of_contigs = np.bincount(contigs_of_rows, minlength=len(names))
            return of_contigs.tolist()

        # in the order of ContigFit's fields
        by_contig = zip(
            counts(self.checked),
            counts(self.ref),
            counts(self.alt),
            counts(self.ref | self.alt),
            counts(self._has_ref(-1)),
            counts(self._has_ref(1)),
            strict=True,
        )
        return {name: ContigFit(*of_one) for name, of_one in zip(names, by_contig, strict=True)}

    def _has_ref(self, moved_bp: int) -> Mask:
        # The same letters at the next base: nearly all are there where positions count from another number.
        alleles = self.alleles
        moved = alleles.changed(alleles.start + moved_bp, alleles.ref, alleles.alt)
        return has_letters(moved, alleles.ref, self.checked, self.genome)

    def unknown_contigs(self) -> dict[str, int]:
        """Alleles on contigs that the genome does not have, by the input's name."""
        is_unknown = bools(pc.is_null(self.alleles.chrom))
        rows = self.undecided & is_unknown
        written = in_full(self.alleles.raw, "input_chrom")
        names = written.filter(pa.array(rows))
        counts = pc.value_counts(names)
        return {str(count["values"]): count["counts"] for count in counts.to_pylist()}

    def contig_names(self) -> list[str]:
        """Names of contigs that the genome has, as the input has them."""
        is_known = pc.is_valid(self.alleles.chrom)
        written = in_full(self.alleles.raw, "input_chrom")
        names: list[str] = pc.unique(written.filter(is_known)).to_pylist()
        return names

    def example(self) -> str | None:
        """An allele that does not fit, and what the genome has there."""
        alleles = self.alleles
        # of a pair whose order is open, either allele may be the genome's
        fits_by_alt = ~alleles.declared & self.alt
        wrong = self.checked & ~self.ref & ~fits_by_alt
        if not wrong.any():
            return None
        # the first
        row = int(np.argmax(wrong))
        start = int(alleles.start[row])
        end = start + int(alleles.ref_bp[row])
        there = self.genome.fetch(alleles.chrom[row].as_py(), start, end)
        return f"{alleles.name(row)}: the reference has {short(decode(there))} here"


def sample_alleles(
    source: Source,
    *,
    head_rows: int = HEAD_ROWS,
    probes: int = PROBES,
) -> Iterator[pa.Table]:
    """Alleles of RAW_SCHEMA; line numbers count from the beginning in the first table only.

    Args:
        source: the file.
        head_rows: records from its beginning.
        probes: places in the rest, where the file can be entered there.
    """
    head = list(islice(source.batches(rows=head_rows), 1))
    yield from head
    # A head that is not full is the whole file.
    if not head or head[0].num_rows < head_rows:
        return
    for records in source.sample(probes):
        yield source.alleles_of(records)
