"""Seconds to read a VCF.gz into records and into alleles, beside pyarrow's CSV reader. Knows no genome and no plan."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.csv as pa_csv

from enformer_core.variants.source import open_source

_VCF_COLUMNS = ["chrom", "pos", "id", "ref", "alt", "qual", "filter", "info"]


def _alleles(vcf: Path) -> int:
    source = open_source(vcf)
    return sum(batch.num_rows for batch in source.batches())


def _records(vcf: Path) -> int:
    source = open_source(vcf)
    return sum(records.num_rows for records in source.records())


def _columns(vcf: Path) -> int:
    """The same file through pyarrow's reader, which knows nothing of VCF: the least that reading can cost."""
    parse_options = pa_csv.ParseOptions(
        delimiter="\t",
        quote_char=False,
        invalid_row_handler=_skip_header,
    )
    # As text, which is how a reader that must answer for every line takes them.
    convert_options = pa_csv.ConvertOptions(
        column_types={"pos": pa.string(), "chrom": pa.string()},
    )
    with pa.input_stream(str(vcf), compression="gzip") as stream:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(column_names=_VCF_COLUMNS),
            parse_options=parse_options,
            convert_options=convert_options,
        )
        return sum(batch.num_rows for batch in reader)


def _skip_header(_: pa_csv.InvalidRow) -> str:
    # Lines of the header have fewer columns than records, which is what makes them invalid.
    return "skip"


READERS: Mapping[str, Callable[[Path], int]] = MappingProxyType(
    {"records": _records, "alleles": _alleles, "pyarrow_csv": _columns}
)


def read(case: str, vcf: Path) -> dict[str, float]:
    """Read a file in one of the ways of READERS: how many seconds it takes, and how many rows it gives."""
    began = time.perf_counter()
    rows = READERS[case](vcf)
    return {"seconds": time.perf_counter() - began, "rows": rows}
