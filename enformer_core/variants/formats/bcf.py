"""Records of a BCF file; the line is the record, counted from 1.

Reads through pysam, which is an extra: BCF is the one format that needs a library of its own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.variants.formats.compression import GZIP_MAGIC
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.reader import (
    TEXT_COLUMNS,
    VCF_ALLELES,
    VCF_COLUMNS,
    Columns,
    Header,
    Roles,
    whole_records,
)

_BLOCK_ROWS = 1 << 14

_MAGIC = b"BCF"

_FREQUENCY_KEYS = ("AF", "MAF", "AC", "AN")


@dataclass(frozen=True)
class BcfReader:
    """A BCF file, whose header has been read and whose samples never are."""

    path: Path
    header: Header

    @staticmethod
    def sniff(path: Path, given: GivenColumns = NOTHING_GIVEN) -> "BcfReader | None":
        """Open the file if it begins as BCF does, compressed or not.

        Raises:
            InputError: when pysam is not installed, or the file is damaged.
        """
        if not is_bcf(path):
            return None
        if given:
            raise InputError(
                f"{path}: BCF has its columns in a fixed order; leave out --columns and --effect-allele"
            )
        pysam = _import_pysam(path)
        with _open(pysam, path) as file:
            contigs = file.header.contigs.items()
            lengths = {name: contig.length for name, contig in contigs if contig.length}
        return BcfReader(
            path,
            Header("BCF", Columns(VCF_COLUMNS, why=VCF_ALLELES), contigs=lengths or None),
        )

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All records, each with as much of FILTER and INFO as filters look at.

        Raises:
            InputError: when the file is damaged.
        """
        details = tuple(role for role in ("filter", "info") if role in roles)
        pysam = _import_pysam(self.path)
        with _open(pysam, self.path) as file:
            records = _records(file, self.path)
            line = 1
            roles = (*details, "info_end")
            while block := [_cells(record, roles) for record in islice(records, _BLOCK_ROWS)]:
                yield _table(block, roles, line)
                line += len(block)

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Nothing: without an index BCF is read from its beginning only."""
        del roles, probes
        return iter(())


def is_bcf(path: Path) -> bool:
    """Whether the file begins as BCF does, compressed or not."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(_MAGIC):
        return True
    if not head.startswith(GZIP_MAGIC):
        return False
    try:
        with pa.input_stream(pa.OSFile(os.fsencode(path)), compression="gzip") as stream:
            return bool(stream.read(len(_MAGIC)) == _MAGIC)
    except OSError:
        return False  # damaged: reading it as text says so


def bcf_text(path: Path) -> Iterator[bytes]:
    """The file as a VCF says it: the lines of its header, then its records with their samples.

    Raises:
        InputError: when pysam is not installed, or the file is damaged.
    """
    pysam = _import_pysam(path)
    with _open(pysam, path, samples=True) as file:
        yield from str(file.header).encode().splitlines(keepends=True)
        for record in _records(file, path):
            yield str(record).encode()


def _import_pysam(path: Path) -> ModuleType:
    try:
        import pysam  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            f"{path}: BCF is read by pysam, which is not installed. Run: pip install pysam; "
            f"or convert the file: bcftools view -Oz -o {path.stem}.vcf.gz {path.name}"
        ) from None
    module: ModuleType = pysam
    module.set_verbosity(0)  # what goes wrong is raised, not printed
    return module


def _open(pysam: ModuleType, path: Path, *, samples: bool = False) -> Any:
    try:
        return pysam.VariantFile(os.fsencode(path), drop_samples=not samples)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _records(file: Any, path: Path) -> Iterator[Any]:
    try:
        yield from file
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: this BCF file cannot be read ({error}). Copy it again, or convert it by bcftools view."
    )


def _cells(record: Any, details: Roles) -> tuple[str | None, ...]:
    """Text of TEXT_COLUMNS and of the details, as the same record has it in a VCF."""
    # pysam counts record.pos from 1, as the text does; record.start would be from 0
    alts = ",".join(record.alts) if record.alts else None
    cells = [record.chrom, str(record.pos), record.id, record.ref, alts]
    if "filter" in details:
        cells.append(";".join(record.filter.keys()) or ".")
    if "info" in details:
        # all of INFO would cost most of the time; only frequencies are ever looked for
        present = [key for key in _FREQUENCY_KEYS if key in record.info]
        cells.append(";".join(f"{key}={_as_text(record.info[key])}" for key in present))
    if "info_end" in details:
        # htslib keeps END apart from INFO, and gives the end of REF where there is none
        is_own = record.stop == record.start + len(record.ref or "")
        cells.append(None if is_own else f"END={record.stop}")
    return tuple(cells)


def _as_text(value: Any) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return ",".join("." if one is None else str(one) for one in values)


def _table(
    block: list[tuple[str | None, ...]],
    details: Roles,
    first_line: int,
) -> pa.Table:
    roles = (*TEXT_COLUMNS, *details)
    columns = zip(roles, zip(*block, strict=True), strict=True)
    cells = {role: pa.array(column, pa.string()) for role, column in columns}
    return whole_records(cells, rows=len(block), first_line=first_line)
