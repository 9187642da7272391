"""Seconds to read a VCF.gz into records and into alleles, beside pyarrow's CSV reader. Knows no genome and no plan."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.csv as pa_csv

from enformer_core.variants.source import open_source


def _alleles(vcf: Path) -> int:
    return sum(batch.num_rows for batch in open_source(vcf).batches())


def _records(vcf: Path) -> int:
    return sum(records.num_rows for records in open_source(vcf).records())


def _columns(vcf: Path) -> int:
    names = ["chrom", "pos", "id", "ref", "alt", "qual", "filter", "info"]
    with pa.input_stream(str(vcf), compression="gzip") as stream:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(column_names=names),
            parse_options=pa_csv.ParseOptions(
                delimiter="\t", quote_char=False, invalid_row_handler=_skip
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={"pos": pa.string(), "chrom": pa.string()}
            ),
        )
        return sum(batch.num_rows for batch in reader)


def _skip(_: pa_csv.InvalidRow) -> str:
    """Lines of the header."""
    return "skip"


READERS: Mapping[str, Callable[[Path], int]] = MappingProxyType(
    {"records": _records, "alleles": _alleles, "pyarrow_csv": _columns}
)


def read(case: str, vcf: Path) -> dict[str, float]:
    """Seconds and rows."""
    began = time.perf_counter()
    rows = READERS[case](vcf)
    return {"seconds": time.perf_counter() - began, "rows": rows}
