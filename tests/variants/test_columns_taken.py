"""What a sample of a file shows against its name."""

import pytest

from enformer_core.variants.assembly_check import AssemblyCheck
from enformer_core.variants.assembly_sample import ContigFit
from enformer_core.variants.columns_taken import doubts
from enformer_core.variants.source import open_source

NAMES = {
    "ukb_chr20.tsv": "called after chr20, and has records on 21; the records count",
    "chr21.tsv": None,
    "cohort_chr20_chr21.tsv": None,
    "cohort.tsv": None,
    "mychr20b.tsv": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_called_after_another_chromosome(tmp_path, name):
    path = tmp_path / name
    path.write_text("chr\tpos\tref\talt\n21\t5\tA\tC\n")
    check = AssemblyCheck(name, "x.fa", True, {"21": ContigFit(checked=1)}, {}, {})
    said = doubts(open_source(path), check)
    assert list(said) == ([] if NAMES[name] is None else [f"{name}: {NAMES[name]}"])
