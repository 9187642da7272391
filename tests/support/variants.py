"""Variant files read whole, by the way that the program reads them in batches."""

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.source import open_sources
from enformer_core.variants.table import RAW_SCHEMA


def read_alleles(paths, *, sites=None):
    """All alleles of some files in one table of RAW_SCHEMA."""
    sources = open_sources(paths, sites=sites)
    batches = [batch for source in sources for batch in source.batches()]
    return pa.concat_tables([RAW_SCHEMA.empty_table(), *batches])


def count_records(alleles):
    """Records of each file by name; each is counted by its first ALT."""
    firsts = alleles["input_file"].filter(pc.equal(alleles["alt_index"], 1))
    return {count["values"]: count["counts"] for count in pc.value_counts(firsts).to_pylist()}
