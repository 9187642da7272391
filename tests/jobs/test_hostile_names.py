r"""Nothing in a name reaches a terminal, a path or a query as code, whatever command it goes through.

One run over a VCF and a Parquet file whose identifiers, keys of INFO and contigs are HTML, SQL, escape sequences, ways
out of a folder, and ends of lines; every command that shows or writes names is given it.
"""

import csv
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core import open_run
from enformer_core.user_path import CONTROL_SIGNS
from jobs.cli import main
from tests.support.bcftools import read_text
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.pages import Page, check_numbers, check_sound
from tests.support.terminals import on_terminal

IN_TEXT = [
    "<script>alert(1)</script>",
    "'; DROP TABLE scores; --",
    '"quoted"',
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x1b\\",
    "\x9b2J",
    "\x7f",
    "a\u202eb\u2066c",
    "../../../etc/passwd",
    "/etc/passwd",
    "$(touch hacked)`touch hacked`",
    "%s%n{0}{__class__}",
    "=cmd|'/c calc'!A0",
    "-rf",
]
"""Identifiers as a VCF may have them: no tab, no end of a line, no byte below the tab."""

IN_PARQUET = [
    *IN_TEXT,
    "a\x00b",
    "bell\x07",
    "two\nlines",
    "tab\there",
    "back\rover",
    "\u2028\u2029\x85",
    " ",
]
"""Identifiers as columns of text may have them."""

CONTIGS = [
    "<b>x</b>",
    "'OR'1'='1",
    "x';DROP--",
    "..",
    "../up",
    "a\x1b[31mb",
    "b\x9b\u202e",
    "%2e%2e",
    'q"q',
    "*?[x]",
]

INFO = "KEY=\x1b[31m;<i>='x';ER_STATUS=mine"


class World:
    """A run, what it is of, and the folder that all of it lies in."""

    def __init__(self, folder):
        self.folder = folder
        contigs = {name: random_letters(400, seed=at) for at, name in enumerate(CONTIGS)}
        self.genome = write_fasta(folder / "g.fa", contigs)
        self.vcf = folder / "v.vcf"
        self.parquet = folder / "p.parquet"
        self.run = folder / "run"
        self.named = [(name, *_snv(contigs, at)) for at, name in enumerate(IN_TEXT)]
        records = [[chrom, str(pos), name, ref, alt] for name, chrom, pos, ref, alt in self.named]
        # one that no contig of the genome has
        records.append(["<i>no</i>\x1b[2J", "5", "\x1b[7mnowhere", "A", "C"])
        lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
        lines += ["\t".join([*record, ".", ".", INFO]) for record in records]
        self.vcf.write_text("\n".join([*lines, ""]), newline="\n")
        rows = [(name, *_snv(contigs, 100 + at)) for at, name in enumerate(IN_PARQUET)]
        columns = zip(*rows, strict=True)
        names = ("id", "chrom", "pos", "ref", "alt")
        pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), self.parquet)
        self.ids = {*IN_TEXT, *IN_PARQUET, "\x1b[7mnowhere"}

    def score(self):
        """Score both files; gives the exit code."""
        words = ["--genome", self.genome, "--model", "motif_core", "--strands", "forward"]
        words += ["--ray", "off", "--tracks", "0,1", "--audit-fraction", "0", "--out", self.run]
        return main(["score", *map(str, [self.vcf, self.parquet, *words])])

    def names(self):
        """Every file and folder."""
        return {path.relative_to(self.folder) for path in self.folder.rglob("*")}


def _snv(contigs, at):
    chrom = CONTIGS[at % len(CONTIGS)]
    pos = 20 + at
    ref = contigs[chrom][pos - 1]
    return chrom, pos, ref, OTHER[ref]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The run, made once."""
    folder = tmp_path_factory.mktemp("hostile") / "inner"
    folder.mkdir()
    made = World(folder)
    assert made.score() == 0
    return made


@pytest.fixture(autouse=True)
def nothing_beside(world, monkeypatch, tmp_path):
    """No command leaves anything above its folders, nor where it is called from."""
    monkeypatch.chdir(tmp_path)
    above = set(world.folder.parent.iterdir())
    yield
    assert set(world.folder.parent.iterdir()) == above
    assert not list(tmp_path.rglob("hacked"))


def test_the_run_has_every_name_and_no_path_of_theirs(world, run):
    scores = open_run(world.run).scores.select("id", "chrom", "status").collect()
    assert set(scores["id"]) == world.ids
    assert {*scores["chrom"]} == {*CONTIGS, None}
    assert set(scores.filter(scores["chrom"].is_not_null())["status"]) == {"ok"}
    tops = {path.parts[0] for path in world.names()}
    assert tops <= {"g.fa", "g.fa.fai", "v.vcf", "p.parquet", "run"}
    for path in (world.run / "scores").iterdir():
        assert path.name.isprintable()
        assert path.name.startswith("chrom=")
    assert run("verify", world.run)[0] == 0


ASKED = 'SELECT id, chrom, id AS "\x1b[31m\'odd" FROM scores ORDER BY input_file, input_line'


def asked(world):
    """What `ASKED` has, from Python."""
    table = open_run(world.run).scores.sort("input_file", "input_line").collect()
    return [(name, chrom, name) for name, chrom in zip(table["id"], table["chrom"], strict=True)]


def test_pipes_are_given_names_as_they_are(world, run):
    text = run("query", world.run, ASKED, "--format", "csv")[1]
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["id", "chrom", "\x1b[31m'odd"]
    assert [tuple(row) for row in rows] == [(a, b or "", c) for a, b, c in asked(world)]
    text = run("query", world.run, ASKED, "--json")[1]
    assert [tuple(row.values()) for row in json.loads(text)] == asked(world)
    # those signs that a terminal obeys are none of JSON's letters
    assert not set(text) & {*map(chr, range(0x7F, 0xA0)), "\x1b", "\u202e", "\u2066", "\u2028"}


def shown(monkeypatch, *words):
    """What a command shows on a terminal."""
    with on_terminal(monkeypatch) as terminal:
        code = main([str(word) for word in words])
    return code, terminal.shown.decode()


def moves(text):
    """The signs of a text that a terminal would obey, but ends of lines and tabs."""
    return [sign for sign in re.findall(CONTROL_SIGNS, text) if sign not in "\n\t"]


SHOWN = {
    "table": ["query", "RUN", ASKED],
    "csv": ["query", "RUN", ASKED, "--format", "csv"],
    "tsv": ["query", "RUN", ASKED, "--format", "tsv"],
    "json": ["query", "RUN", ASKED, "--json"],
    "a drawing": ["query", "RUN", "EXPLAIN SELECT '\x1b[31m', id FROM scores"],
    "top": ["query", "RUN", "FROM top", "--format", "csv", "--output", "-"],
    "lookup": ["lookup", "RUN", "--id", IN_TEXT[3], "--id", IN_TEXT[8], "--id", "two\nlines"],
    "lookup as JSON": ["lookup", "RUN", "--id", IN_TEXT[3], "--id", IN_TEXT[8], "--json"],
    "vcf": ["export", "RUN", "--vcf", "-", "--input", "VCF"],
    "tsv of export": ["export", "RUN", "--tsv", "-"],
    "status": ["status", "RUN"],
    "verify": ["verify", "RUN"],
    "sql": ["sql", "RUN", "--engine", "polars"],
}


@pytest.mark.parametrize("words", SHOWN.values(), ids=SHOWN.keys())
def test_a_terminal_obeys_none_of_them(words, world, monkeypatch, capsys):
    places = {"RUN": world.run, "VCF": world.vcf}
    code, text = shown(monkeypatch, *(places.get(word, word) for word in words))
    assert code == 0
    assert text.strip()
    assert moves(text) == []
    assert moves(capsys.readouterr().err) == []
    # what can be told from a name is there, escaped
    if (
        words[0] in ("query", "lookup", "export")
        and words[2] != "FROM top"
        and "EXPLAIN" not in words[2]
    ):
        assert "x1b[31mred" in text or "u001b[31mred" in text


@pytest.fixture(scope="module")
def sumstats(world):
    """Statistics of the run's alleles under their names; beside them none that a line of text could not have."""
    lines = ["CHR\tBP\tSNP\tA1\tA2\tZ\tN\tPIP\tCS"]
    lines += [
        f"{chrom}\t{pos}\t{name}\t{alt}\t{ref}\t2.5\t1000\t0.5\t1"
        for name, chrom, pos, ref, alt in world.named
    ]
    file = world.folder / "s.tsv"
    file.write_text("\n".join([*lines, ""]), newline="\n")
    yield file
    file.unlink()


@pytest.mark.parametrize("format_", ["susie", "finemap"])
def test_exports_beside_sumstats_move_no_terminal_and_files_have_names_as_they_are(
    format_, world, sumstats, monkeypatch, capsys, tmp_path
):
    words = ["export", world.run, "--sumstats", sumstats, "--effect-allele", "A1"]
    code, text = shown(monkeypatch, *words, f"--{format_}", "-")
    said = capsys.readouterr().err
    assert code == 0, said
    assert moves(text) == []
    assert moves(said) == []
    assert text.count("\n") > len(IN_TEXT)
    assert "\\x1b[31mred" in text
    assert main([*map(str, words), f"--{format_}", str(tmp_path / "x.txt")]) == 0
    # a program that reads a file is given each name with its blanks alone made one word
    written = (tmp_path / "x.txt").read_bytes().decode()
    assert "\x1b[31mred\x1b[0m" in written
    assert "=cmd|'/c_calc'!A0" in written


def test_a_report_has_names_as_text(world, run, tmp_path):
    table = tmp_path / "fine.tsv"
    table.write_text("id\tpip_prior\n" + "".join(f"{name}\t0.5\n" for name in IN_TEXT))
    out = tmp_path / "report.html"
    assert run("report", world.run, "--attach", f"fine={table}", "--out", out)[0] == 0
    content = out.read_text()
    page = Page(content)
    check_sound(page)
    check_numbers(page, run)
    assert moves(content) == []
    assert "<script>alert(1)</script>" in page.text
    assert [name for tag, given in page.elements for name in given if name.startswith("on")] == []
    assert "\\x1b[31mred\\x1b[0m" in page.text


def test_every_name_is_looked_up_as_it_is(world, run):
    wanted = [name for name in {*IN_TEXT, *IN_PARQUET} if name and name == name.lower()]
    words = [word for name in wanted if ";" not in name for word in ("--id", name)]
    code, text, error = run("lookup", world.run, *words, "--json")
    assert code == 0, error
    found = {allele["id"] for allele in json.loads(text)["alleles"]}
    assert found == {name for name in wanted if ";" not in name}


def test_the_vcf_comes_back_byte_for_byte_but_for_what_is_added(world, run, tmp_path):
    out = tmp_path / "out.vcf"
    assert run("export", world.run, "--vcf", out, "--input", world.vcf)[0] == 0
    lines = [line for line in read_text(out).split("\n") if "enformer-ray" not in line]
    kept = [re.sub(r";ER2_[^\t]*", "", line) for line in lines]
    assert "\n".join(kept) == world.vcf.read_bytes().decode()


def test_text_has_a_line_for_each_row_whatever_is_in_it(world, run, tmp_path):
    assert run("export", world.run, "--tsv", tmp_path / "out.tsv")[0] == 0
    with (tmp_path / "out.tsv").open(newline="\n", encoding="utf-8") as lines:
        text = lines.read()
    rows = [line.split("\t") for line in text.split("\n")[:-1]]
    assert len(rows) == len(asked(world)) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert moves(text) == []


@pytest.mark.parametrize("engine", ["duckdb", "polars", "datafusion"])
def test_other_engines_read_names_as_values(engine, world, run):
    pytest.importorskip(engine)
    code, text, error = run("sql", world.run, "--engine", engine)
    assert code == 0, error
    assert moves(text) == []
    code, text, error = run("sql", world.run, "--engine", engine, "--run", "--json")
    assert code == 0, error
    assert json.loads(text)


def test_tables_in_a_catalog_have_every_name(world, run, tmp_path):
    pytest.importorskip("pyiceberg")
    catalog = f"sqlite:///{tmp_path}/catalog.db"
    words = ["--catalog", catalog, "--warehouse", tmp_path / "warehouse"]
    code, _, error = run("publish", world.run, *words)
    assert code == 0, error
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    opened = sql.SqlCatalog("default", uri=catalog, warehouse=f"file://{tmp_path}/warehouse")
    rows = opened.load_table("enformer_ray.scores").scan().to_arrow()
    assert set(rows["id"].to_pylist()) == world.ids
    assert set(rows["chrom"].to_pylist()) == {*CONTIGS, "__unplaced__"}


def test_the_compacted_run_is_the_same(world, run, tmp_path):
    out = tmp_path / "compact"
    assert run("compact", world.run, "--out", out)[0] == 0
    assert run("verify", out)[0] == 0
    before, after = (open_run(each).scores.collect() for each in (world.run, out))
    assert before.equals(after)


def test_rows_without_a_place_have_no_contig(world, run):
    of_null = "SELECT id, status FROM scores WHERE chrom IS NULL"
    assert json.loads(run("query", world.run, of_null, "--json")[1]) == [
        {"id": "\x1b[7mnowhere", "status": "unknown_contig"}
    ]
    by_folder = "SELECT count(*) AS rows FROM scores WHERE chrom = '__unplaced__'"
    assert json.loads(run("query", world.run, by_folder, "--json")[1]) == [{"rows": 0}]


LONG = "9" * 20


def test_positions_beyond_all_numbers_are_rows_and_answers(world, run, tmp_path):
    """In POS, in a name that holds a place, in a header, in a key, and in a region."""
    lines = ["##fileformat=VCFv4.2", f"##contig=<ID=%2e%2e,length={LONG}>"]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    letter = random_letters(400, seed=CONTIGS.index("%2e%2e"))[4]
    lines.append(f"%2e%2e\t5\tchr1:{LONG}:A:G\t{letter}\t{OTHER[letter]}\t.\t.\tEND={LONG}")
    lines.append(f"%2e%2e\t{LONG}\tx\tA\tG\t.\t.\t.")
    (tmp_path / "v.vcf").write_text("\n".join([*lines, ""]))
    words = ["--genome", world.genome, "--model", "motif_core", "--strands", "forward"]
    words += ["--ray", "off", "--tracks", "0", "--audit-fraction", "0"]
    code, _, error = run("score", tmp_path / "v.vcf", *words, "--out", tmp_path / "run")
    assert (code, "Traceback" in error) == (0, False), error
    statuses = "SELECT status FROM scores ORDER BY input_line"
    assert json.loads(run("query", tmp_path / "run", statuses, "--json")[1]) == [
        {"status": "ok"},
        {"status": "malformed"},
    ]
    assert run("lookup", tmp_path / "run", f"%2e%2e:{LONG}")[0] == 2
    for option in ("--mutagenesis", "--regions"):
        files = [] if option == "--mutagenesis" else [tmp_path / "v.vcf"]
        asked = ["score", *files, option, f"%2e%2e:1-{LONG}", *words, "--out", tmp_path / "none"]
        code, _, error = run(*asked)
        assert (code, "no contig has so many bases" in error) == (2, True), error
    assert not (tmp_path / "none").exists()
