"""A run's alleles by contig, position and letters, so that all rows of a study are looked up at once."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.finemapping.allele_forms import AlleleForm
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.variants.arrow import Mask, Numbers, ints

Places = Int64[np.ndarray, " places"]


@dataclass(frozen=True)
class AlleleIndex:
    """Alleles of a run as sorted whole numbers, so that all rows are looked up at once.

    A place is its contig's number times 2^40 plus the position; an allele its place's rank times the number of kinds
    of alleles, A/G, C/T, plus the number of its kind.

    Attributes:
        contigs: names, in the order of their numbers.
        places: all, sorted.
        kinds: texts `REF/ALT`, in the order of their numbers.
        keys: of the alleles, sorted.
        order: which allele each key is.
    """

    contigs: pa.Array
    places: Places
    kinds: pa.Array
    keys: Numbers
    order: Numbers

    @staticmethod
    def of(alleles: RunAlleles) -> "AlleleIndex":
        """Number and sort the alleles of a run, of which no two are the same."""
        chrom = alleles.column("chrom").dictionary_encode()
        kinds = _kinds(alleles.column("ref"), alleles.column("alt")).dictionary_encode()
        # no contig has 2^40 bases
        place = (ints(chrom.indices, -1) << 40) + alleles.pos
        places, rank = np.unique(place, return_inverse=True)
        key = rank * len(kinds.dictionary) + ints(kinds.indices, -1)
        order = np.argsort(key, kind="stable")
        return AlleleIndex(
            chrom.dictionary,
            places,
            kinds.dictionary,
            key[order],
            order,
        )

    def found(
        self,
        chrom: pa.Array,
        form: AlleleForm,
    ) -> Numbers:
        """The allele that each row is, read so; -1 for none."""
        letters = _kinds(form.ref, form.alt)
        # of letters that no allele of the run has -1
        kind = ints(pc.index_in(letters, value_set=self.kinds), -1)
        rank = self._rank(chrom, form.pos)
        key = rank * len(self.kinds) + kind
        found = np.searchsorted(self.keys, key)
        # what is above all keys is behind the last
        at = np.minimum(found, self.keys.size - 1)
        is_known = form.is_possible & (kind >= 0) & (rank >= 0)
        is_there = is_known & (self.keys[at] == key)
        return np.where(is_there, self.order[at], -1)

    def has_place(
        self,
        chrom: pa.Array,
        pos: Numbers,
    ) -> Mask:
        """Whether the run has any allele at these places."""
        return self._rank(chrom, pos) >= 0

    def _rank(
        self,
        chrom: pa.Array,
        pos: Numbers,
    ) -> Numbers:
        number = ints(pc.index_in(chrom, value_set=self.contigs, skip_nulls=True), -1)
        place = (number << 40) + pos
        found = np.searchsorted(self.places, place)
        at = np.minimum(found, self.places.size - 1)
        is_there = (number >= 0) & (self.places[at] == place)
        return np.where(is_there, at, -1)


def _kinds(
    ref: pa.Array,
    alt: pa.Array,
) -> pa.Array:
    return pc.binary_join_element_wise(ref, alt, "/")
