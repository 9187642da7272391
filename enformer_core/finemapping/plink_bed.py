"""Correlations between variants of a PLINK 1 file set: PREFIX.bed with .bim and .fam beside it.

The format is that of https://www.cog-genomics.org/plink/1.9/formats#bed: variant after variant, two bits a person, the
first person in the lowest bits. Knows genotypes. Does not know studies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import (
    Bool,
    Float64,
    Int64,
    UInt8,
)

from enformer_core.errors import InputError
from enformer_core.finemapping.variant_names import (
    VariantNames,
    one_file,
    read_names,
)

Rows = Int64[np.ndarray, " variants"]
Genotypes = Float64[np.ndarray, "variants people"]

MAGIC = b"\x6c\x1b\x01"
"""What such a file begins with; its third byte says that variants follow each other."""

_BY_PERSON = b"\x6c\x1b\x00"

_BLOCK_BYTES = 1 << 28
"""Genotypes of about so many bytes, as numbers, are in memory at once."""

# copies of A1, the first allele of the .bim: 00 two, 01 missing, 10 one, 11 none
_COPIES = np.array([2.0, np.nan, 1.0, 0.0])


def said_of_no_bed(path: Path) -> str:
    """Of a file that is called .bed and is none of PLINK 1, with which bytes it begins and should begin."""
    with path.open("rb") as file:
        first = file.read(len(MAGIC))
    return f"begins with {first.hex(' ')}, and a .bed of PLINK 1 with {MAGIC.hex(' ')}"


@dataclass(frozen=True)
class Correlated:
    """Correlations of some variants.

    Attributes:
        correlations: of each pair; rows and columns of variants that do not vary are 0.
        varies: which variants have two genotypes at least.
        missing: the share of genotypes that were missing, and were taken for their variant's mean.
    """

    correlations: Float64[np.ndarray, "variants variants"]
    varies: Bool[np.ndarray, " variants"]
    missing: float


@dataclass(frozen=True)
class PlinkBed:
    """A file set, opened.

    Attributes:
        name: of the .bed, as its user calls it.
        path: where it is.
        names: the variants of the .bim; effect is A1, whose copies are counted.
        people: lines of the .fam.
    """

    name: str
    path: Path
    names: VariantNames
    people: int

    @staticmethod
    def open(name: str) -> "PlinkBed":
        """Look at the three files.

        Args:
            name: of the .bed; an address stands for a file that is fetched.

        Raises:
            InputError: where one is missing, or they do not fit each other.
        """
        path = one_file(name).path
        beside = name.removesuffix(".bed")
        names = read_names(f"{beside}.bim")
        people = _people(f"{beside}.fam")
        expected = len(MAGIC) + len(names) * _bytes_each(people)
        size = path.stat().st_size
        with path.open("rb") as file:
            beginning = file.read(len(_BY_PERSON))
        if beginning == _BY_PERSON:
            raise InputError(
                f"{name}: genotypes are stored person by person, as programs before PLINK 1.07 wrote them. Write it "
                "anew: plink --bfile PREFIX --make-bed"
            )
        # a file that was copied in part, or of other people
        if size != expected:
            raise InputError(
                f"{name}: has {size:,} bytes; {beside}.bim ({len(names):,} variants) and {beside}.fam "
                f"({people:,} people) make {expected:,}. Are the three of one set, and copied whole?"
            )
        return PlinkBed(name, path, names, people)

    def correlated(
        self,
        rows: Rows,
    ) -> Correlated:
        """Correlations of these variants over all people, in float64; missing genotypes are their variant's mean.

        Args:
            rows: of the .bim, in the order that is wanted.
        """
        total = np.zeros(rows.size)
        called = np.zeros(rows.size)
        for genotypes in self._blocks(rows):
            total += np.nansum(genotypes, axis=1)
            called += (~np.isnan(genotypes)).sum(axis=1)
        mean = total / np.maximum(called, 1)
        products = np.zeros((rows.size, rows.size))
        for genotypes in self._blocks(rows):
            centred = genotypes - mean[:, None]
            # 0 is the mean now
            centred[np.isnan(centred)] = 0.0
            products += centred @ centred.T
        # a variant of one genotype is left with rounding alone
        variance = np.diag(products).copy()
        varies = variance > 1e-9 * np.maximum(called, 1)
        scale = np.zeros(rows.size)
        scale[varies] = 1 / np.sqrt(variance[varies])
        # in place: the matrix is the large thing
        products *= scale[:, None]
        products *= scale[None, :]
        genotypes_asked = rows.size * self.people
        missing = 1 - float(called.sum()) / genotypes_asked
        return Correlated(products, varies, missing)

    def _blocks(
        self,
        rows: Rows,
    ) -> Iterator[Genotypes]:
        """Copies of A1 of all people, some people at a time."""
        each = _bytes_each(self.people)
        packed = np.memmap(
            self.path, dtype=np.uint8, mode="r", offset=len(MAGIC), shape=(len(self.names), each)
        )
        step = max(1, _BLOCK_BYTES // (32 * max(rows.size, 1)))
        for first in range(0, each, step):
            block = packed[rows, first : first + step]
            # the last byte is filled up with people who are not there
            yield _unpacked(block)[:, : self.people - 4 * first]


def _unpacked(packed: UInt8[np.ndarray, "variants bytes"]) -> Genotypes:
    """Copies of A1: 0b11_10_01_00 is four people with two copies, a missing genotype, one copy and none."""
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)
    codes = (packed[:, :, None] >> shifts) & 3
    return _COPIES[codes.reshape(packed.shape[0], -1)]


def _bytes_each(people: int) -> int:
    return (people + 3) // 4


def _people(name: str) -> int:
    text = one_file(name).path.read_text(encoding="utf-8", errors="replace")
    people = sum(bool(line.strip()) for line in text.split("\n"))
    if people < 2:
        raise InputError(f"{name}: has {people} people; correlations need two at least")
    return people
