"""The files of the VCF specification's validator: what is read of each that breaks it, and why that is right.

A reader of alleles needs CHROM, POS, ID, REF, ALT. Where a file breaks the rules elsewhere (INFO, FORMAT, samples,
header lines of other kinds) nothing of what is scored is in doubt, and its records are read as written.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source
from tests.support.bcftools import read_text

# What becomes of each file that is not simply read: a message, or a status with its reason.
OUTCOMES = {
    "failed_body_alt_000": "bad_allele: ALT has 'R', which is not A, C, G or T",
    "failed_body_alt_001": "bad_allele: ALT has ' ', which is not A, C, G or T",
    "failed_body_alt_002": "malformed: ALT has an empty allele in its list: 'A,,T'",
    "failed_body_alt_003": "symbolic",  # <INS>BLAH>
    "failed_body_alt_005": "symbolic",  # a breakend without a base
    "failed_body_contiguous_000": "symbolic",  # contigs in turns, and symbolic alleles: order does not matter
    "failed_body_contiguous_001": "symbolic",
    "failed_body_unsorted_000": "symbolic",
    "failed_body_pos_000": "malformed: POS is missing",
    "failed_body_pos_001": "malformed: POS is not a whole number: '123abc'",
    "failed_body_pos_002": "malformed: POS is not a whole number: '-1'",
    "failed_body_ref_000": "bad_allele: REF has ',', which is not A, C, G or T",
    "failed_body_ref_001": "bad_allele: REF has 'B', which is not A, C, G or T",
    "failed_body_ref_002": "malformed: REF is missing",
    # a line of the header lacks its ##, so that records seem to begin before #CHROM
    "failed_meta_002": "refused: line 4 comes before any #CHROM line",
    "failed_meta_004": "refused: line 3 comes before any #CHROM line",
    "failed_meta_005": "refused: line 3 comes before any #CHROM line",
    "failed_empty": "refused: no header line and no records",  # one empty line
    "failed_empty_sample": "refused: an empty file (0 bytes)",
}
# Read as written, by what is wrong with them.
HARMLESS = {
    "failed_body_chrom": "characters that contig names may not have: such a contig is not in the genome",
    "failed_body_duplicated": "the same allele twice: scored once, each row answered",
    "failed_body_filter": "FILTER is not looked at, unless PASS is asked for",
    "failed_body_format": "FORMAT is not looked at",
    "failed_body_id": "an identifier with a space or given twice is kept as written",
    "failed_body_info": "INFO is not looked at, unless frequencies are asked for",
    "failed_body_no_newline": "the last line counts without its end",
    "failed_body_qual": "QUAL is not looked at",
    "failed_body_sample": "genotypes are not looked at",
    "failed_body_samples_ploidy": "genotypes are not looked at",
    "failed_fileformat": "the columns are named all the same",
    "failed_header": "POSITION for POS is understood; sample columns are not looked at",
    "failed_meta": "header lines other than contigs are not looked at",
    "failed_meta_alt": "likewise",
    "failed_meta_assembly": "likewise",
    "failed_meta_contig": "a contig without a usable length declares none",
    "failed_meta_format": "likewise",
    "failed_meta_info": "likewise",
    "failed_meta_meta": "likewise",
    "failed_meta_pedigree": "likewise",
    "failed_meta_pedigreedb": "likewise",
    "failed_meta_sample": "likewise",
}


class Unknown(Genome):
    """Long contigs of these names, of N: whatever has letters and a place disagrees with it."""

    def __init__(self, names):
        self.names = names

    contigs = property(lambda self: dict.fromkeys(self.names, 300_000_000))

    def codes(self, contig):
        return np.broadcast_to(np.uint8(4), 300_000_000)


def outcome(path):
    """Rows, and what became of those that are not as good as written."""
    try:
        raw = pa.concat_tables(open_source(path).batches())
    except InputError as error:
        return None, {
            f"refused: {str(error).removeprefix(f'{path}: ')}"
        }  # the table shows that it begins so
    except pa.ArrowInvalid:  # no table to join: no records
        return [], set()
    names = [name for name in raw["input_chrom"].unique().to_pylist() if name]
    placed = harmonise_alleles(raw, Unknown(names), max_allele_bp=1000).to_pylist()
    odd = {as_told(row) for row in placed if row["status"] not in {"ok", "ref_mismatch"}}
    return placed, odd


def as_told(row):
    """Status and reason; of statuses that only repeat what the file has, no reason."""
    if row["status"] in {"malformed", "bad_allele"}:
        return f"{row['status']}: {row['reason']}"
    assert row["reason"]
    return row["status"]


def expected_keys(path):
    """(line, ALT index) of every ALT, by plain Python."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        fields = line.rstrip("\r").split("\t")
        if line and not line.startswith("#"):
            for index, _ in enumerate((fields[4] if len(fields) > 4 else "").split(","), start=1):
                yield number, index


def paths_of(data_dir, kind):
    paths = sorted((data_dir / "vcf_conformance").glob(f"*/{kind}/*.vcf"))
    assert len(paths) == {"passed": 50, "failed": 414}[kind]
    return paths


def test_what_conforms_is_read_whole(data_dir):
    for path in paths_of(data_dir, "passed"):
        rows, odd = outcome(path)
        assert [(row["input_line"], row["alt_index"]) for row in rows] == list(
            expected_keys(path)
        ), path
        assert odd <= {"no_alt", "symbolic", "out_of_bounds"}, path  # POS 0 is a telomere


def test_what_does_not_conform_is_answered_as_the_table_says(data_dir):
    seen, kinds = Counter(), Counter()
    for path in paths_of(data_dir, "failed"):
        rows, odd = outcome(path)
        told = OUTCOMES.get(path.stem)
        if told is None:
            assert odd == set(), path
            kind = path.stem.rstrip("0123456789").rstrip("_")
            kinds["failed_body_info" if kind.startswith("failed_body_info") else kind] += 1
        else:
            seen[path.stem] += 1
            assert len(odd) == 1, path
            assert next(iter(odd)).startswith(told), path
        if rows is not None:
            assert [(row["input_line"], row["alt_index"]) for row in rows] == list(
                expected_keys(path)
            ), path
    assert set(seen) == set(OUTCOMES)
    assert set(kinds) == set(HARMLESS)


@pytest.mark.parametrize(
    "line", ["##contig=<ID=1,length=5>", "##contig=<ID=1,assembly=b37,length=5>"]
)
def test_lengths_in_headers(tmp_path, line):
    (tmp_path / "x.vcf").write_text(
        f"##fileformat=VCFv4.4\n{line}\n##contig=<ID=2>\n#CHROM\tPOS\tID\tREF\tALT\n"
    )
    assert open_source(tmp_path / "x.vcf").header_contigs == {"1": 5}
