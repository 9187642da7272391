"""A wrong command line is answered with the right one, which the program itself takes."""

import shlex

import pytest

from jobs import exit_codes
from jobs.cli import main, parse

GIVEN = ["--genome", "g.fa", "--model", "motif", "--out", "o"]
ENFORMER = ["--model", "enformer", "--weights", "pytorch_model.bin"]
HG38 = ["--genome", "hg38.fa", "--out", "scores"]


def said(capsys, arguments):
    """The message of a wrong command line, and the words of the line that it proposes."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == exit_codes.BAD_INPUT
    message = capsys.readouterr().err
    assert "Traceback" not in message
    _, _, proposed = message.partition("\n  enformer-ray ")
    return message, shlex.split(proposed)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        # an option by its nearest name, in every way to write it
        (["score", "a b.vcf", "--statistic", "sad", *GIVEN], ["score", "a b.vcf", "--statistics", "sad", *GIVEN]),
        (["score", "a.vcf", "--statistic=sad", *GIVEN], ["score", "a.vcf", "--statistics=sad", *GIVEN]),
        (["score", "a.vcf", "--max_ofset_bp", "64", *GIVEN], ["score", "a.vcf", "--max-offset-bp", "64", *GIVEN]),
        (["score", "a.vcf", "--offset", "64", *GIVEN], ["score", "a.vcf", "--max-offset-bp", "64", *GIVEN]),
        (["score", "a.vcf", "--no-strict", *GIVEN], ["score", "a.vcf", *GIVEN]),
        (["query", "o", "FROM top", "--jsn"], ["query", "o", "FROM top", "--json"]),
        # a command by its nearest name, or by a word of it
        (["scroe", "a.vcf", *GIVEN], ["score", "a.vcf", *GIVEN]),
        (["import", "a.bin", "b.safetensors"], ["weights", "import", "a.bin", "b.safetensors"]),
        (["weights", "convert", "a", "b"], ["weights", "import", "a", "b"]),
        (["help", "score"], ["score", "--help"]),
        # a file in the place of the command
        (["a.vcf.gz", "--genome", "g.fa"], ["score", "a.vcf.gz", "--genome", "g.fa", *ENFORMER, "--out", "scores"]),
        # SQL without quotes, regions as in other programs
        (["query", "o", "FROM", "top", "LIMIT", "3", "--json"], ["query", "o", "FROM top LIMIT 3", "--json"]),
        (["tiles", "a.bed", *GIVEN], ["tiles", *GIVEN, "--regions", "a.bed"]),
        # what is missing is filled in beside what was given
        (["score", "my file.vcf", "--model=motif", "--strict"],
         ["score", "my file.vcf", *HG38, "--model", "motif", "--strict"]),
        # a model for the files that are there, and no second file of weights
        (["score", "a.vcf", "--weights", "no.h5", *HG38],
         ["score", "a.vcf", "--model", "enformer", *HG38[:2], "--weights", "no.h5", *HG38[2:]]),
        (["score", "a.vcf", "--weights", "no.h5", "--params", "p.json", *HG38],
         ["score", "a.vcf", "--model", "borzoi", *HG38[:2], "--weights", "no.h5", "--params", "p.json", *HG38[2:]]),
        (["query", "my run"], ["query", "my run", "FROM top LIMIT 20"]),
        (["attribute", "a.bed", "--model", "motif", "--group", "a=1", "--group", "b=2,3"],
         ["attribute", "a.bed", "--genome", "hg38.fa", "--out", "contributions", "--model", "motif",
          "--group", "a=1", "--group", "b=2,3"]),
        (["attribute", *GIVEN],
         ["attribute", "promoters.bed", "--group", "K562=4828,5111", *GIVEN]),
        (["weights", "import", "a.h5"], ["weights", "import", "a.h5", "enformer.safetensors"]),
    ],
)  # fmt: skip
def test_the_line_as_it_should_be(capsys, wrong, right):
    _, proposed = said(capsys, wrong)
    assert proposed == right
    if "--help" not in proposed:
        parse(proposed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "a.vcf", "--frobnicate", *GIVEN], "--frobnicate: score has no such option. See enformer-ray score"),
        (["frobnicate"], "frobnicate: there is no such command. Known: score, tiles, attribute, plan"),
        (["--genome", "g.fa", "score"], "--genome: the command comes first"),
        (["status", "a", "b"], "'b': status takes no such word"),
        (["demo", "x"], "'x': demo takes no such word"),
        (["a" * 300], "there is no such command"),
        (["plan"], "missing: VARIANTS, --genome"),
    ],
)  # fmt: skip
def test_where_no_line_can_be_told_the_help_is(capsys, arguments, message):
    assert message in said(capsys, arguments)[0]


def test_a_run_in_the_place_of_the_command(capsys, tmp_path):
    (tmp_path / "run.json").touch()
    assert said(capsys, [str(tmp_path)])[1] == ["status", str(tmp_path)]
