"""Damaged files: never a traceback, never a hang, never a lost row.

make fuzz          # 20,000 of them
ENFORMER_RAY_FUZZ=20000 python -m pytest tests/variants/test_fuzz.py
"""

import gzip
import os
import random

import pyarrow as pa
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.assembly_check import check_assembly
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source
from enformer_core.variants.table import PLACED_SCHEMA, Status
from tests.support.bcftools import read_text
from tests.support.bgzf import bgzip

COUNT = int(os.environ.get("ENFORMER_RAY_FUZZ", "500"))
CHUNK = 250  # files of one test, so that a hang shows where it is
MOST_BYTES = 6_000
SPLICES = [
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b",",
    b" ",
    b'"',
    b"#",
    b"\0",
    b"\xff",
    b".",
    b"<DEL>",
    b"\t\t",
    b"\n\n",
    b"-1",
]
SPLICES += [
    b"9" * 30,
    b"##contig=<ID=",
    b"#CHROM\tPOS\tID\tREF\tALT\n",
    b"rs1\n",
    b"NaN",
    b"1e9",
    "é".encode(),
    b"A" * 999,
]


@pytest.fixture(scope="module")
def seeds(data_dir):
    """Real files, or the beginning of them, as text."""
    folder = data_dir / "vcf_conformance"
    paths = [
        *sorted(folder.glob("*/passed/*.vcf")),
        *sorted(folder.glob("*/failed/failed_body_*.vcf")),
    ]
    paths += sorted((data_dir / "gwas").glob("*.*")) + sorted(
        (data_dir / "variants").glob("*.vcf*")
    )
    paths += sorted((data_dir / "normalisation").glob("*.vcf"))
    paths = [path for path in paths if path.suffix not in {".tbi", ".yaml"}]
    texts = []
    for path in paths:
        lines = read_text(path).split("\n")
        header = [line for line in lines[:4000] if line.startswith("#")]
        texts.append(
            "\n".join([*header[-12:], *[line for line in lines if not line.startswith("#")][:60]])[
                :MOST_BYTES
            ]
        )
    return [text.encode() for text in texts if text]


def damaged(text, random):
    """One to six changes of bytes or lines."""
    for _ in range(random.randint(1, 6)):
        at, to = sorted(random.randrange(len(text) + 1) for _ in range(2))
        near = min(to, at + random.randint(0, 40))
        change = random.randrange(6)
        if change == 0:
            text = text[:at] + random.choice(SPLICES) + text[near:]
        elif change == 1:
            text = text[:at] + random.choice(SPLICES) + text[at:]
        elif change == 2:
            text = text[:at] + text[near:]
        elif change == 3:
            text = text[:near] + text[at:near] * random.randint(1, 3) + text[near:]
        elif change == 4 and at < len(text):
            text = text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
        else:
            lines = text.split(b"\n")
            random.shuffle(lines)
            text = b"\n".join(lines) if random.random() < 0.2 else text
    return text


def packed(text, random):
    """Plain, gzip of several members, or BGZF; sometimes damaged after that."""
    kind = random.randrange(4)
    if kind == 1:
        half = len(text) // 2
        text = gzip.compress(text[:half], 1) + gzip.compress(text[half:], 1)
    elif kind == 2:
        text = bgzip(text)
    is_damaged = kind in {1, 2} and random.random() < 0.2
    if is_damaged:
        at = random.randrange(len(text))
        text = text[:at] + (
            b"" if random.random() < 0.5 else bytes([random.randrange(256)]) + text[at + 1 :]
        )
    return text, is_damaged


def body_lines(text, source):
    """Numbers of the lines that are records: all that are not empty, from where they begin."""
    begin = source.reader.layout.body_line
    is_space = source.reader.header.separator == "space"
    text = text.removeprefix(b"\xef\xbb\xbf")
    lines = enumerate((text if text.endswith(b"\n") else text + b"\n").split(b"\n")[:-1], start=1)
    without_end = ((number, line[:-1] if line.endswith(b"\r") else line) for number, line in lines)
    return [
        number
        for number, line in without_end
        if number >= begin and (line.strip(b" \t") if is_space else line)
    ]


@pytest.fixture(scope="module")
def genome(data_dir):
    return Genome(data_dir / "normalisation" / "norm.fa")


def names_file(path, error):
    assert path.name in str(error)


def check(path, text, genome, is_damaged):
    """Read, judge and place; every record has rows, or there is a message that names the file."""
    try:
        source = open_source(path)
        tables = list(source.batches(rows=17, details=True))
    except InputError as error:
        names_file(path, error)
        return "refused"
    try:
        check_assembly(source, genome)
    except InputError as error:
        names_file(path, error)
    alleles = [0]
    for raw in tables:
        placed = harmonise_alleles(raw, genome, max_allele_bp=50, allow_swapped=True)
        assert placed.schema == PLACED_SCHEMA
        assert placed.num_rows == raw.num_rows
        assert set(placed["status"].to_pylist()) <= set(Status)
        alleles.append(placed.num_rows)
    if not is_damaged:
        found = [line for table in tables for line in table["input_line"].to_pylist()]
        assert list(dict.fromkeys(found)) == body_lines(text, source)
        keys = pa.concat_tables(tables).select(["input_line", "alt_index"]) if tables else None
        assert keys is None or keys.group_by(["input_line", "alt_index"]).aggregate(
            []
        ).num_rows == sum(alleles)
    return "read"


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_damaged_files_are_answered(seeds, genome, tmp_path, first):
    outcomes = set()
    for number in range(first, min(first + CHUNK, COUNT)):
        dice = random.Random(number)
        text = damaged(dice.choice(seeds), dice)
        content, is_damaged = packed(text, dice)
        path = tmp_path / f"fuzz_{number}.vcf"
        path.write_bytes(content or b"\n")
        try:
            outcomes.add(check(path, text or b"\n", genome, is_damaged))
        except BaseException:
            print(f"number {number} of ENFORMER_RAY_FUZZ: {text[:400]!r}")
            raise
        path.unlink()
    assert outcomes == {"read", "refused"}
