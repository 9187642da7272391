"""No output takes the place of an object of a run, of what a run was made of, or of what is read for it."""

import gzip
import importlib
from pathlib import Path

import polars as pl
import pytest

from jobs.cli import command_options, main
from jobs.commands import COMMANDS
from jobs.finished_run import open_ledger
from jobs.option_types import written_options
from jobs.output_guard import check_output
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run
from tests.support.vcf import write_vcf

CSV = "FROM top LIMIT 1"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder with a run, another run and their files, of which all are made from here."""
    monkeypatch.chdir(tmp_path)
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    file = write_vcf(tmp_path / "v.vcf", [("chr1", 101, "A", "G"), ("chr1", 105, "A", "C")])
    for name in ("run", "other"):
        scored_file_run(tmp_path / name, [file], fasta)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("run/x.tsv", "lies in the run "),
        ("other/run.json", "lies in the run "),
        ("other/scores/chrom=chr1/y.tsv", "lies in the run "),
        ("v.vcf", "v.vcf, "),
        ("link.vcf", "v.vcf, "),
        ("g.fa", "g.fa, which the run "),
    ],
)
@pytest.mark.parametrize("how", ["query", "tsv", "vcf", "hdf5", "vep"])
def test_what_somebody_reads_stays(made, capsys, file, said, how):
    (made / "link.vcf").symlink_to("v.vcf")
    before = contents(made)
    if how == "query":
        words = ["query", "run", CSV, "--format", "csv", "--output", file]
    else:
        words = ["export", "run", f"--{how}", file]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"enformer-ray: {file}: ")
    assert said in error
    assert contents(made) == before


def test_directories_are_no_runs_either(made, capsys):
    before = contents(made)
    for folder in ("other", "other/scores", "run"):
        assert main(["export", "run", "--bigwig", folder]) == 2
        assert "lies in the run" in capsys.readouterr().err
    assert contents(made) == before


def test_an_attached_table_stays(made, capsys):
    table = made / "own.csv"
    table.write_text("a,b\n1,2\n3,4\n")
    words = ["query", "run", "FROM own LIMIT 1", "--attach", "own=own.csv", "--output", "./own.csv"]
    assert main(words) == 2
    assert "is own.csv, which is read for it" in capsys.readouterr().err.replace(f"{made}/", "")
    assert table.read_text() == "a,b\n1,2\n3,4\n"


def test_the_input_is_known_by_its_bytes_wherever_it_is(made, capsys):
    (made / "moved").mkdir()
    Path("v.vcf").rename("moved/v2.vcf")
    assert main(["export", "run", "--tsv", "moved/v2.vcf"]) == 2
    assert "is v.vcf, byte for byte" in capsys.readouterr().err
    # of the same length, and something else
    Path("same.tsv").write_bytes(bytes(Path("moved/v2.vcf").stat().st_size))
    assert main(["export", "run", "--tsv", "same.tsv"]) == 0
    assert "2 rows (replaced the file that was there)" in capsys.readouterr().err


def test_names_in_settings_are_seen_from_the_runs_folder_too(made, monkeypatch):
    (made / "elsewhere").mkdir()
    ledger = open_ledger(str(made / "run"))
    ledger.run.configuration["weights"] = "w.bin"
    ledger.run.configuration["group"] = {"a": ["t.txt"]}
    for name in ("w.bin", "t.txt"):
        Path(name).write_text(name)
    monkeypatch.chdir(made / "elsewhere")
    for name, option in (("w.bin", "weights"), ("t.txt", "group")):
        with pytest.raises(Exception, match=rf"is {name}, which the run .* read \({option}\)"):
            check_output(made / name, ledger)


def test_another_programs_run_json_is_no_run(made):
    (made / "theirs").mkdir()
    (made / "theirs" / "run.json").write_text('{"run": 1}')
    assert main(["export", "run", "--tsv", "theirs/x.tsv"]) == 0
    assert main(["export", "run", "--tsv", "theirs/run.json"]) == 0


def test_an_ordinary_file_gives_way_with_a_word(made, capsys):
    Path("x.csv").write_text("before")
    assert main(["query", "run", CSV, "--output", "x.csv"]) == 0
    assert "x.csv: takes the place of the file that was there" in capsys.readouterr().err
    assert Path("x.csv").read_text().startswith("variant_id,")
    assert main(["query", "run", CSV, "--output", "new.csv"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["-", "both.txt", "/dev/stdout"])
def test_two_formats_do_not_share_a_file(made, capsys, place):
    assert main(["export", "run", "--vcf", place, "--tsv", place]) == 2
    said = capsys.readouterr()
    assert "--tsv and --vcf: both to" in said.err
    assert said.out == ""
    assert not Path("both.txt").exists()


def test_the_ending_says_the_format_and_that_it_is_packed(made, capsysbinary):
    sql = "SELECT variant_id, pos FROM scores ORDER BY pos"
    for ending in ("csv", "tsv", "json"):
        assert main(["query", "run", sql, "--format", ending]) == 0
        printed = capsysbinary.readouterr().out
        for packed in ("", ".gz"):
            name = f"rows.{ending}{packed}"
            assert main(["query", "run", sql, "--output", name]) == 0
            content = Path(name).read_bytes()
            assert (gzip.decompress(content) if packed else content) == printed
    assert main(["query", "run", sql, "--output", "rows.parquet"]) == 0
    assert pl.read_parquet("rows.parquet")["pos"].to_list() == [101, 105]
    # what was said counts more
    assert main(["query", "run", sql, "--format", "tsv", "--output", "said.csv"]) == 0
    assert Path("said.csv").read_bytes() == Path("rows.tsv").read_bytes()
    capsysbinary.readouterr()
    assert main(["query", "run", sql, "--output", "rows.parquet.gz"]) == 2
    assert b"Give rows.parquet" in capsysbinary.readouterr().err
    assert main(["query", "run", sql, "--format", "csv", "--output", "rows.csv.zst"]) == 2
    assert b"nothing here packs as .zst says" in capsysbinary.readouterr().err


def test_exports_of_text_are_packed_by_their_ending(made):
    assert main(["export", "run", "--tsv", "plain.tsv"]) == 0
    assert main(["export", "run", "--tsv", "packed.tsv.gz"]) == 0
    assert gzip.decompress(Path("packed.tsv.gz").read_bytes()) == Path("plain.tsv").read_bytes()


def test_several_statements_are_refused(made, capsys):
    assert main(["query", "run", "FROM top LIMIT 1; FROM effects LIMIT 1"]) == 2
    said = capsys.readouterr()
    assert "'FROM top LIMIT 1;': its rows would not be seen: of 2 statements" in said.err
    assert said.out == ""
    assert main(["query", "run", "FROM top LIMIT 1;"]) == 0


WRITING = {
    "query": ["query", "run", CSV, "--output"],
    "export": ["export", "run", "--tsv"],
    "evaluate variants": ["evaluate", "variants", "e.tsv", "--run", "run", "--output"],
    "evaluate tracks": ["evaluate", "tracks", "e.tsv", "--run", "run", "--parquet"],
    "report": ["report", "run", "--out"],
    "calibrate": ["calibrate", "run", "--out"],
    "pca fit": ["pca", "fit", "run", "--components", "1", "--out"],
    "links": ["links", "--genes", "genes.tsv", "--candidates", "e.tsv", "--out"],
    "finemap": ["finemap", "--sumstats", "e.tsv", "--ld", "e.npz", "--out"],
    "plot locus": ["plot", "locus", "--locus", "chr1:1-9", "--genes", "e.tsv", "--out"],
    "plot calibration": ["plot", "calibration", "n.parquet", "--out"],
    "plot track": ["plot", "track", "--variant", "chr1:5:A:C", "--out"],
    "plot logo": ["plot", "logo", "run", "--out"],
    "plot links": ["plot", "links", "e.tsv", "--out"],
    "plot insulators": ["plot", "insulators", "run", "--out"],
    "weights import": ["weights", "import", "w.bin"],
    "config init": ["config", "init", "--out"],
    "demo": ["demo", "--gwas"],
    "--install-completion": ["--install-completion", "--shell", "bash", "--output"],
}
"""A command line of each command that writes a file, up to the file's name."""


def settings_of(name):
    module, _, settings = COMMANDS[name].settings.partition(":")
    return getattr(importlib.import_module(module), settings)


def test_each_command_that_writes_a_file_says_so_and_is_here():
    assert {name for name in COMMANDS if written_options(settings_of(name))} == {*WRITING}
    for name in COMMANDS:
        marked = written_options(settings_of(name))
        for option in command_options(name):
            # a run is continued by the command that made it: `repair` has a run in other words
            of_run = option.parameter.metavar in ("DIR", None)
            is_output = option.name in ("--out", "--output") and not of_run
            field = option.name.removeprefix("--")
            assert not is_output or field in marked, (name, option.name)


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("place", ["run/scores/x.parquet", "other/x.tsv", "other/x.safetensors"])
def test_no_command_writes_into_a_run(made, capsys, name, place):
    before = contents(made)
    assert main([*WRITING[name], place]) == 2
    run = place.partition("/")[0]
    said = capsys.readouterr()
    assert f"enformer-ray: {place}: lies in the run " in said.err
    assert f"{run}. Give a place beside it." in said.err
    assert said.out == ""
    assert contents(made) == before


READ = {
    "table": (["evaluate", "variants", "e.tsv", "--run", "run", "--output"], "e.tsv"),
    "sites": (
        ["evaluate", "variants", "e.tsv", "--run", "run", "--sites", "s.vcf", "--output"],
        "s.vcf",
    ),
    "genome": (
        ["evaluate", "variants", "e.tsv", "--run", "run", "--genome", "g2.fa", "--output"],
        "g2.fa",
    ),
    "sumstats": (["export", "run", "--sumstats", "e.tsv", "--susie"], "e.tsv"),
    "ld": (["finemap", "--sumstats", "e.tsv", "--ld", "l.tsv", "--out"], "l.tsv"),
    "candidates": (["links", "--genes", "g2.fa", "--candidates", "e.tsv", "--out"], "e.tsv"),
    "genes": (["plot", "locus", "--locus", "chr1:1-9", "--genes", "e.tsv", "--out"], "e.tsv"),
    "links": (["plot", "links", "e.tsv", "--out"], "e.tsv"),
    "source": (["weights", "import", "w.safetensors"], "w.safetensors"),
    "attached": (["query", "run", CSV, "--attach", "g=e.tsv", "--output"], "e.tsv"),
}
"""Commands with a file that each reads, up to the name of what it writes."""


@pytest.mark.parametrize("how", READ)
@pytest.mark.parametrize("called", ["{}", "./{}", "link-{}"])
def test_what_a_command_reads_stays(made, capsys, how, called):
    words, file = READ[how]
    for name in ("e.tsv", "s.vcf", "g2.fa", "l.tsv", "w.safetensors"):
        (made / name).write_text(f"somebody's {name}\n")
    (made / f"link-{file}").symlink_to(file)
    before = contents(made)
    assert main([*words, called.format(file)]) == 2
    assert f"is {file}, which is read for it. Give another name." in capsys.readouterr().err
    assert contents(made) == before


def test_evaluate_says_what_it_replaces(made, capsys):
    (made / "e.tsv").write_text(
        "chrom\tpos\tref\talt\tlabel\nchr1\t101\tA\tG\t1\nchr1\t105\tA\tC\t0\n"
    )
    words = [
        "evaluate",
        "variants",
        "e.tsv",
        "--run",
        "run",
        "--bootstrap",
        "0",
        "--output",
        "judged.txt",
    ]
    assert main(words) == 0
    assert "takes the place" not in capsys.readouterr().err
    assert main(words) == 0
    assert "judged.txt: takes the place of the file that was there" in capsys.readouterr().err


BESIDE = {
    "g2.fa.fai": ["evaluate", "variants", "e.tsv", "--run", "run", "--genome", "g2.fa", "--output"],
    "e.tsv.tbi": ["export", "run", "--sumstats", "e.tsv", "--susie"],
    "p.bim": ["finemap", "--sumstats", "e.tsv", "--ld", "p.bed", "--out"],
    "p.fam": ["finemap", "--sumstats", "e.tsv", "--ld", "p", "--out"],
    # the run's own genome
    "g.fa.gzi": ["export", "run", "--tsv"],
}
"""Commands up to the name of what they write, by a name that belongs to what they read."""


@pytest.mark.parametrize("file", BESIDE)
@pytest.mark.parametrize("is_there", [False, True])
def test_what_belongs_to_a_file_that_is_read_stays(made, capsys, file, is_there):
    for name in ("e.tsv", "g2.fa", "p.bed"):
        (made / name).write_text(f"somebody's {name}\n")
    if is_there:
        (made / file).write_text("an index\n")
    before = contents(made)
    assert main([*BESIDE[file], file]) == 2
    assert "would be read as" in capsys.readouterr().err
    assert contents(made) == before


@pytest.mark.parametrize("config", [("--config", "c.toml"), ("--config=c.toml",)])
def test_the_file_of_settings_stays(made, capsys, config):
    (made / "c.toml").write_text("top = 3\n")
    assert main(["finemap", "--sumstats", "e", "--ld", "l", *config, "--out", "./c.toml"]) == 2
    assert "is c.toml, which is read for it" in capsys.readouterr().err


def test_what_a_pattern_stands_for_stays(made, capsys):
    (made / "e.tsv").write_text("a\n")
    words = ["query", "run", CSV, "--attach", "g=*.tsv", "--output"]
    assert main([*words, "e.tsv"]) == 2
    assert "is *.tsv, which is read for it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x" * 300, "/", "SELECT '*' FROM top -- [a-z]?" + "y" * 300])
def test_texts_that_name_no_file_are_no_matter(made, text):
    (made / "x.tsv").write_text("")
    for file in ("x.tsv", "new.tsv"):
        check_output(made / file, open_ledger("run"), [Path(text)])


def test_a_fit_does_not_take_the_place_of_another_kind_of_file(made, capsys):
    (made / "x.bin").write_text("of many hours\n")
    commands = {"a PCA": ["pca", "fit", "run"], "a null distribution": ["calibrate", "run"]}
    for kind, words in commands.items():
        assert main([*words, "--out", "x.bin"]) == 2
        assert f"x.bin: is there already, and is not {kind}" in capsys.readouterr().err
    assert (made / "x.bin").read_text() == "of many hours\n"


@pytest.mark.parametrize("statistics", ["", " , "])
def test_a_list_that_names_nothing_is_refused(made, capsys, statistics):
    words = ["calibrate", "run", "--out", "n.parquet", "--statistics", statistics]
    assert main(words) == 2
    assert "--statistics '': names nothing" in capsys.readouterr().err
