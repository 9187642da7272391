"""`config init` writes a file of all settings that `--config` takes, and paths mean the same wherever they stand."""

import re
import tomllib
from pathlib import Path

import pytest

from enformer_core.errors import InputError
from jobs import exit_codes
from jobs.cli import COMMANDS, command_options, main, parse

GIVEN = {
    "score": ["a.vcf", "--genome", "g.fa", "--model", "motif", "--out", "o"],
    "plan": ["a.vcf", "--genome", "g.fa"],
    "tiles": ["--genome", "g.fa", "--model", "motif", "--out", "o"],
    "attribute": [
        *("a.bed", "--genome", "g.fa", "--model", "motif", "--out", "o"),
        *("--group", "a=1", "--group", "b=assay=CAGE,3"),
    ],
}


@pytest.mark.parametrize("command", GIVEN)
def test_the_file_is_accepted_as_written_and_with_all_defaults_in_force(capsys, tmp_path, command):
    given = GIVEN[command]
    path = tmp_path / "run.toml"
    assert main(["config", "init", command, "--out", str(path)]) == exit_codes.DONE
    capsys.readouterr()
    without_file = parse([command, *given])[1]
    assert parse([command, *given, "--config", str(path)])[1] == without_file

    text = path.read_text()
    in_force, count = re.subn(r"^# ([a-z-]+ = \S)", r"\1", text, flags=re.MULTILINE)
    assert count > 5
    path.write_text(in_force)
    assert parse([command, *given, "--config", str(path)])[1] == without_file

    names = {option.name for option in command_options(command) if option.name.startswith("--")}
    written = set(re.findall(r"^# ([a-z-]+) =", text, re.MULTILINE))
    assert {f"--{name}" for name in written} == names - {"--config"}
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("command", GIVEN)
def test_a_list_that_is_empty_by_default_has_an_example_that_can_be_used(capsys, tmp_path, command):
    assert main(["config", "init", command]) == exit_codes.DONE
    text = capsys.readouterr().out
    assert "[]" not in text
    path = tmp_path / "run.toml"
    of_files = re.sub(
        r"^# (?!mutagenesis)([a-z-]+) =  # such as ", r"\1 = ", text, flags=re.MULTILINE
    )
    path.write_text(of_files)
    settings = parse([command, *GIVEN[command], "--config", str(path)])[1]
    if command != "tiles":
        assert settings.columns == ("chrom=CHR", "pos=BP", "effect=A1", "other=A2")
        assert settings.regions == ("chr20:1-5000000", "exons.bed")
    if command == "attribute":
        assert settings.gene_types == ("protein_coding",)
    elif command != "tiles":
        # what stands in the place of files is given without them
        made = re.sub(r"^# (mutagenesis[a-z-]*) =  # such as ", r"\1 = ", text, flags=re.MULTILINE)
        path.write_text(made)
        _, *others = GIVEN[command]
        settings = parse([command, *others, "--config", str(path)])[1]
        assert settings.mutagenesis == ("chr20:4699500-4699700", "peaks.bed")
        assert settings.mutagenesis_around == ("variants.vcf.gz",)


def test_it_goes_to_standard_output_and_over_no_file(capsys, tmp_path):
    assert main(["config", "init"]) == exit_codes.DONE
    assert "# statistics = " in capsys.readouterr().out
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    assert main(["config", "init", "--out", str(path)]) == exit_codes.BAD_INPUT
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["config", "init", "--out", str(path / "x")]) == exit_codes.BAD_INPUT
    assert "cannot be written" in capsys.readouterr().err


def test_home_is_home_wherever_a_path_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.toml").write_text(
        'variants = ["~/a.vcf"]\ngenome = "~/g.fa"\nout = "~/o"\nweights = "~/w"\nregions = "chr1,~/r.bed"\n'
    )
    settings = parse(["score", "--model", "enformer", "--config", "~/run.toml"])[1]
    home = str(tmp_path)
    assert settings.variants == (f"{home}/a.vcf",)
    assert (settings.genome, settings.out) == (f"{home}/g.fa", f"{home}/o")
    assert (settings.weights, settings.regions) == (f"{home}/w", ("chr1", f"{home}/r.bed"))
    assert parse(["status", "~/o"])[1].out == f"{home}/o"
    assert parse(["query", "~/o", "FROM top"])[1].out == f"{home}/o"
    assert parse(["plan", "~/a.vcf", "--genome=~/g.fa"])[1].genome == f"{home}/g.fa"
    assert parse(["export", "~/o", "--tsv", "~/x.tsv"])[1].tsv == f"{home}/x.tsv"


def test_a_tilde_that_is_no_home_stays_or_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("~odd.vcf").touch()
    settings = parse(["plan", "~odd.vcf", "--genome", "s3://bucket/~/g.fa"])[1]
    assert settings.variants == ("~odd.vcf",)
    assert settings.genome == "s3://bucket/~/g.fa"
    with pytest.raises(InputError, match=r"~nobody-of-that-name/x: .* Give the whole path"):
        parse(["status", "~nobody-of-that-name/x"])


def test_of_an_option_given_twice_the_last_stands_and_lists_are_joined(capsys):
    given = ["score", "a.vcf", "--genome", "g", "--model", "motif", "--out", "o"]
    twice = ["--statistics", "sad", "--statistics", "js,d1", "--out", "p"]
    settings = parse([*given, *twice, "--shifts", "-1", "--shifts", "1"])[1]
    assert settings.statistics == ("sad", "js", "d1")
    assert settings.shifts == (-1, 1)
    assert settings.out == "p"
    with pytest.raises(SystemExit):
        parse([*given, "--tracks", "CAGE", "--tracks", "4-5"])
    assert "--tracks" in capsys.readouterr().err


def test_a_setting_that_is_called_as_a_command_is_one(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('weights = "w.bin"\n')
    assert parse([*["plan", *GIVEN["plan"]], "--config", str(path)])[1].weights == "w.bin"


@pytest.mark.parametrize(
    "command",
    [name for name in COMMANDS if name not in ("config init", "docs", "--install-completion")],
)
def test_every_command_that_takes_a_file_has_one(capsys, command):
    assert main(["config", "init", command]) == exit_codes.DONE
    text = capsys.readouterr().out
    assert f"enformer-ray {command} --config FILE" in text
    assert "[]" not in text
    tomllib.loads(text)
