"""To add a store is to write its module and one line of `STORES`: a toy one, in a temporary file, carries a run."""

import importlib.util
import json
import random

import pytest

from enformer_core.storage import open as gateway
from enformer_core.storage.store import ObjectStore
from jobs.cli import main

TOY_STORE = '''
"""Objects in this process's memory."""

import hashlib

from enformer_core.errors import InputError
from enformer_core.storage.store import ObjectStat

OBJECTS = {}


class ToyStore:
    def __init__(self, bucket, prefix, *, single_writer=False):
        self.location = f"toy://{bucket}/{prefix}".rstrip("/")
        self.root = f"{bucket}/{prefix}/" if prefix else f"{bucket}/"

    def check_usable(self, marker, closed):
        if any(self.keys("")) and self.get(marker) is None:
            raise InputError(f"{self.location}: holds objects but no run")

    def put_if_absent(self, key, content):
        absent = self.root + key not in OBJECTS
        OBJECTS.setdefault(self.root + key, content)
        return absent

    def get(self, key):
        return OBJECTS.get(self.root + key)

    def keys(self, prefix, *, after=""):
        names = sorted(name for name in OBJECTS if name.startswith(self.root + prefix))
        keys = [name.removeprefix(self.root) for name in names]
        return iter([key for key in keys if key > after])

    def sizes(self, prefix, *, after=""):
        return ((key, len(self.get(key))) for key in self.keys(prefix, after=after))

    def move(self, key, to):
        if self.root + key in OBJECTS:
            OBJECTS[self.root + to] = OBJECTS.pop(self.root + key)

    def sweep(self):
        pass

    def stat(self, key):
        content = self.get(key)
        return content and ObjectStat(len(content), hashlib.sha256(content).hexdigest())

    def pieces(self, key, *, etag, first_byte=0, end_byte=None):
        yield self.get(key)[first_byte:end_byte]
'''


@pytest.fixture
def objects(tmp_path, monkeypatch):
    """What the toy store holds, by bucket and key."""
    (tmp_path / "toy_store.py").write_text(TOY_STORE)
    spec = importlib.util.spec_from_file_location("toy_store", tmp_path / "toy_store.py")
    toy_store = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toy_store)
    monkeypatch.setitem(gateway.STORES, "toy", toy_store.ToyStore)
    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path / "cache"))
    return toy_store.OBJECTS


@pytest.fixture
def inputs(objects):
    """Four variants in two files, and a genome."""
    letters = "".join(random.Random(0).choices("ACGT", k=4_000))
    other = letters.translate(str.maketrans("ACGT", "CGTA"))
    objects["in/small.fa"] = f">chr1\n{letters}\n".encode()
    for name, places in (("a", (1000, 1100)), ("b", (1200, 1300))):
        records = [f"chr1\t{at + 1}\t.\t{letters[at]}\t{other[at]}\t.\t.\t.\n" for at in places]
        header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        objects[f"in/{name}.vcf"] = (header + "".join(records)).encode()
    objects["in/readme.txt"] = b"not a variant"


def test_a_run_lies_in_it_from_input_to_answer(objects, inputs, capsys):
    assert isinstance(gateway.open_store("toy://out/run").store, ObjectStore)
    where = ["toy://in/?.vcf", "--genome", "toy://in/small.fa", "--out", "toy://out/run"]
    how = ["--model", "motif", "--tracks", "0,1", "--strands", "forward", "--shard-size", "2"]
    how += ["--audit-fraction", "0"]
    assert main(["score", *where, *how, "--ray", "off"]) == 0
    assert "4 alleles in 2 shards: 4 ok" in capsys.readouterr().out
    folders = {name.split("/")[2] for name in objects if name.startswith("out/run/")}
    assert folders >= {"run.json", "manifest.json", "plan", "scores", "effects", "commits"}

    assert main(["verify", "toy://out/run"]) == 0
    assert main(["status", "toy://out/run", "--json"]) == 0
    assert '"finished": true' in capsys.readouterr().out
    sql = (
        "SELECT input_file, count(*) AS n, min(pos) AS first FROM scores GROUP BY ALL ORDER BY ALL"
    )
    assert main(["query", "toy://out/run", sql, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"input_file": "a.vcf", "n": 2, "first": 1001},
        {"input_file": "b.vcf", "n": 2, "first": 1201},
    ]


def test_what_it_lacks_is_said(inputs, capsys):
    where = ["toy://in/none.vcf", "--genome", "toy://in/small.fa", "--out", "toy://out/run"]
    assert main(["score", *where, "--model", "motif", "--ray", "off"]) == 2
    assert "toy://in/none.vcf: there is no such object" in capsys.readouterr().err


def test_before_it_is_added_its_addresses_are_refused(capsys):
    assert main(["query", "toy://out/run", "SELECT 1"]) == 2
    assert "toy://out/run: this kind of storage is not known" in capsys.readouterr().err


BAD = {
    "genome": ("--genome", b"hello\n", "not a readable FASTA file"),
    "regions": ("--regions", b"chr1\t5\tx\n", "line 1"),
    "targets": ("--targets", b"index\tidentifier\n", "not a targets table"),
    "genes": ("--genes", b"hello\n", "neither GTF, GFF3 nor BED"),
    "gene list": ("--gene-list", b"NOBODY\n", "its one name is no gene of toy://in/genes.bed"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_an_object_is_said_by_its_address(objects, inputs, capsys, case):
    option, content, message = BAD[case]
    objects["in/bad.x"] = content
    objects["in/genes.bed"] = b"chr1\t100\t900\tA\t0\t+\n"
    files = {"--genome": "toy://in/small.fa", option: "toy://in/bad.x"}
    if option == "--gene-list":
        files["--genes"] = "toy://in/genes.bed"
    words = [word for pair in files.items() for word in pair]
    assert main(["plan", "toy://in/a.vcf", "--model", "enformer", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "toy://in/bad.x" in said
    assert "cache" not in said
