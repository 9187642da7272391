"""A record format is one file and its line in `detect.READERS`; a dialect of text is one row of a table."""

import importlib.util
import json
import random

import pytest

from enformer_core.variants.assembly_sample import sample_alleles
from enformer_core.variants.formats import detect, headers
from enformer_core.variants.formats.headers import Dialect
from enformer_core.variants.source import open_source
from jobs.cli import main
from tests.support.vcf import write_vcf

TOY_READER = '''
"""Variants as lines of JSON: {"at": "chr1:1000", "from": "A", "to": ["C", "G"]}; positions count from 0."""

import itertools
import json

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.variants.formats.reader import Columns, Header, whole_records


class ToyReader:
    def __init__(self, path):
        self.path = path
        self.header = Header("toy lines", Columns({"chrom": 0, "pos": 1, "ref": 2, "alt": 3}, one_based_start=False))

    @staticmethod
    def sniff(path):
        with path.open("rb") as file:
            first = file.readline()
        if not first.startswith(b'{"at"'):
            return None
        if b'"from"' not in first:
            raise InputError(f"{path}: toy lines without alleles")
        return ToyReader(path)

    def blocks(self, roles=()):
        lines = self.path.read_text().splitlines()
        for first in range(0, len(lines), 100):
            yield self._records(lines[first : first + 100], first + 1)

    def sample(self, roles=(), *, probes):
        lines = self.path.read_text().splitlines()
        yield self._records(lines[:: max(1, len(lines) // probes)], 1)

    def _records(self, lines, first_line):
        records = [json.loads(line) for line in lines]
        places = [record["at"].split(":") for record in records]
        cells = {
            "chrom": [chrom for chrom, _ in places],
            "pos": [pos for _, pos in places],
            "ref": [record["from"] for record in records],
            "alt": [",".join(record["to"]) for record in records],
        }
        columns = {role: pa.array(texts, pa.string()) for role, texts in cells.items()}
        return whole_records(columns, rows=len(records), first_line=first_line)
'''

CONTIG_BP = 4_000

LETTERS = "".join(random.Random(0).choices("ACGT", k=CONTIG_BP))

# (0-based start, REF, ALTs): SNVs, one of them with all three ALTs, and a deletion
VARIANTS = [
    *[(start, LETTERS[start], ["C" if LETTERS[start] != "C" else "G"]) for start in (990, 2000)],
    (1500, LETTERS[1500], sorted(set("ACGT") - {LETTERS[1500]})),
    (3000, LETTERS[3000:3004], [LETTERS[3000]]),
]


@pytest.fixture
def toy_format(tmp_path, monkeypatch):
    """The reader as a new file, and its line in the list of readers."""
    path = tmp_path / "toy_format.py"
    path.write_text(TOY_READER)
    spec = importlib.util.spec_from_file_location("toy_format", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(detect, "READERS", (module.ToyReader, *detect.READERS))


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "small.fa"
    path.write_text(f">chr1\n{LETTERS}\n")
    return path


@pytest.fixture
def toy_file(tmp_path):
    path = tmp_path / "variants.toy"
    lines = [
        json.dumps({"at": f"chr1:{start}", "from": ref, "to": alts})
        for start, ref, alts in VARIANTS
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def vcf(tmp_path):
    records = [("chr1", start + 1, ref, ",".join(alts)) for start, ref, alts in VARIANTS]
    return write_vcf(tmp_path / "variants.vcf", records)


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_new_format_is_planned_and_scored_by_the_command(
    toy_format, toy_file, vcf, genome, run, tmp_path
):
    common = ["--genome", genome, "--model", "motif"]
    plans = [json.loads(run("plan", file, *common, "--json")[1]) for file in (toy_file, vcf)]
    columns = [plan.pop("columns")[0] for plan in plans]
    assert [taken["files"][0] for taken in columns] == [toy_file.name, vcf.name]
    assert plans[0] == plans[1]
    assert plans[0]["alleles"] == 6
    tables = []
    for file in (toy_file, vcf):
        out = tmp_path / f"run_{file.suffix[1:]}"
        assert run("score", file, *common, "--ray", "off", "--out", out)[0] == 0
        sql = "FROM scores SELECT * EXCLUDE (input_file, input_line) ORDER BY window_start, variant_id"
        code, text, error = run("query", out, sql, "--json")
        assert code == 0, error
        tables.append(json.loads(text))
    assert tables[0] == tables[1]
    assert {row["status"] for row in tables[0]} == {"ok"}


def test_a_new_format_is_sampled_and_refused_as_it_says(
    toy_format, toy_file, genome, run, tmp_path
):
    sampled = list(sample_alleles(open_source(toy_file), head_rows=1, probes=2))
    assert [table.num_rows for table in sampled] == [1, 4]
    bad = tmp_path / "bad.toy"
    bad.write_text('{"at": "chr1:5"}\n')
    code, _, error = run("plan", bad, "--genome", genome, "--model", "motif")
    assert code == 2
    assert "bad.toy: toy lines without alleles" in error


DIALECT = Dialect(
    "Lepus study",
    names=frozenset({"kontig", "stelle", "allele1", "allele2"}),
    columns={
        "chrom": "kontig",
        "pos": "stelle",
        "effect_allele": "allele2",
        "other_allele": "allele1",
    },
)


@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_a_new_dialect_is_a_row(tmp_path, monkeypatch, separator):
    lines = ["Kontig Stelle Allele1 Allele2 SNP", "1 5 A C rs1", "1 7 AT A rs2"]
    path = tmp_path / "study.txt"
    path.write_text("".join(line.replace(" ", separator) + "\n" for line in lines))
    monkeypatch.setattr(headers, "DIALECTS", (DIALECT, *headers.DIALECTS))
    source = open_source(path)
    assert (source.format, source.declares_ref) == ("Lepus study", False)
    [table] = source.batches()
    rows = table.select(["input_chrom", "start", "input_ref", "input_alt", "id"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("1", 4, "A", "C", "rs1"),
        ("1", 6, "AT", "A", "rs2"),
    ]
