"""Records of a BCF file, with the same columns as those of a text file; the line is the record, counted from 1.

Reads through pysam, which is an extra: BCF is the one format that needs a library of its own. Does not know what an
allele is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.errors import InputError

_BLOCK_ROWS = 1 << 14


@dataclass(frozen=True)
class BcfFile:
    """A BCF file."""

    path: Path
    header_contigs: Mapping[str, int] | None

    @staticmethod
    def open(path: Path) -> "BcfFile":
        """Look at the header.

        Raises:
            InputError: when pysam is not installed, or the file is damaged.
        """
        pysam = _pysam(path)
        with _opened(pysam, path) as file:
            lengths = {
                name: contig.length for name, contig in file.header.contigs.items() if contig.length
            }
        return BcfFile(path, lengths or None)

    def blocks(self, roles: tuple[str, ...] = ()) -> Iterator[pa.Table]:
        """Blocks of records as `DelimitedFile.blocks` gives them."""
        pysam = _pysam(self.path)
        with _opened(pysam, self.path) as file:
            records, line = _records(file, self.path), 1
            while block := [_cells(record, roles) for record in islice(records, _BLOCK_ROWS)]:
                yield _table(block, roles, line)
                line += len(block)


def _pysam(path: Path) -> ModuleType:
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


def _opened(pysam: ModuleType, path: Path) -> Any:
    try:
        return pysam.VariantFile(str(path), drop_samples=True)
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


def _cells(record: Any, roles: tuple[str, ...]) -> tuple[str | None, ...]:
    alts = ",".join(record.alts) if record.alts else None
    cells = [record.chrom, str(record.pos), record.id, record.ref, alts]
    if "filter" in roles:
        cells.append(";".join(record.filter.keys()) or ".")
    if "info" in roles:
        found = {key: record.info[key] for key in ("AF", "MAF", "AC", "AN") if key in record.info}
        cells.append(";".join(f"{key}={_listed(value)}" for key, value in found.items()))
    return tuple(cells)


def _listed(value: Any) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return ",".join("." if one is None else str(one) for one in values)


def _table(block: list[tuple[str | None, ...]], roles: tuple[str, ...], line: int) -> pa.Table:
    names = [
        "chrom",
        "pos",
        "id",
        "ref",
        "alt",
        *[role for role in ("filter", "info") if role in roles],
    ]
    columns = {
        name: pa.array(cells, pa.string())
        for name, cells in zip(names, zip(*block, strict=True), strict=True)
    }
    size = len(block)
    return pa.table(
        {
            "line": np.arange(line, line + size),
            "fields": np.full(size, 5),
            "wanted": np.full(size, 5),
            **columns,
        }
    )
