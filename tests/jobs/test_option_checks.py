"""Words that no option can mean are named, before anything is read."""

import itertools
import json
from dataclasses import fields
from importlib import import_module

import pytest

from enformer_core.errors import InputError
from jobs.cli import COMMANDS, parse

SCORE = ["score", "a.vcf", "--genome", "g.fa", "--model", "motif", "--out", "o"]

LINKS = ["links", "--genes", "g.bed", "--candidates", "c.bed", "--out", "o.tsv"]

NOT_TEXT = "K\udce9"
"""How Python gives the bytes of a word in Latin-1."""


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (SCORE, "--shard-size"),
        (SCORE, "--max-indel-bp"),
        (SCORE, "--sample"),
        (SCORE, "--sample-seed"),
        (SCORE, "--shifts"),
        ([*SCORE, "--mutagenesis-around", "b.vcf"], "--flank"),
        (LINKS, "--window-bp"),
        (["evaluate", "links", "pairs.tsv"], "--bootstrap"),
    ],
)
@pytest.mark.parametrize("value", ["99999999999999999999", "9" * 5_000])
def test_a_number_that_nothing_has_so_many_of(command, option, value, tmp_path):
    with pytest.raises(InputError, match=f"{option} {value}: is too large. The most is "):
        parse([*command, option, value])
    with pytest.raises(InputError, match=f"{option} -{value}: is too large"):
        parse([*command, f"{option}=-{value}"])
    config = tmp_path / "run.toml"
    config.write_text(f"{option.removeprefix('--')} = {json.dumps(value)}\n")
    with pytest.raises(InputError, match=f"{option} {value}: is too large"):
        parse([*command, "--config", str(config)])


def test_the_largest_numbers_are_taken():
    words = ["--sample-seed", str(2**63 - 1), "--shard-size", str(10**12), "--shifts", "-5,5"]
    _, settings = parse([*SCORE, *words])
    assert settings.sample_seed == 2**63 - 1
    assert settings.shard_size == 10**12
    assert settings.shifts == (-5, 5)


SEEDED = [
    (SCORE, "--sample-seed"),
    (["plan", "a.vcf", "--genome", "g.fa"], "--sample-seed"),
    (["attribute", "a.vcf", *SCORE[2:], "--group", "K=1"], "--sample-seed"),
    (["insulators", "b.bed", *SCORE[2:]], "--seed"),
    (LINKS, "--seed"),
    (["demo"], "--seed"),
    (["evaluate", "links", "pairs.tsv"], "--seed"),
    (["evaluate", "variants", "labels.tsv", "--run", "scores"], "--seed"),
    (["evaluate", "tracks", "measured.tsv", "--run", "tiles"], "--seed"),
]


def test_every_command_with_a_seed_is_tried():
    commands = {" ".join(itertools.takewhile(str.isalpha, words)) for words, _ in SEEDED}
    seeded = set()
    for name, command in COMMANDS.items():
        module, _, settings = command.settings.partition(":")
        # those of commands that only read a run stand beside what they do, which takes long to load
        if not module.endswith("settings"):
            continue
        known = fields(getattr(import_module(module), settings))
        if any(setting.name.endswith("seed") for setting in known):
            seeded.add(name)
    assert commands == seeded


@pytest.mark.parametrize(("command", "option"), SEEDED)
def test_no_seed_is_below_0(command, option):
    with pytest.raises(InputError, match=f"^{option} -1: must be at least 0$"):
        parse([*command, f"{option}=-1"])
    _, settings = parse([*command, option, "0"])
    assert getattr(settings, option.removeprefix("--").replace("-", "_")) == 0


def test_each_number_of_a_list_is_whole():
    with pytest.raises(InputError, match=r"--shifts 1\.5: must be a whole number"):
        parse([*SCORE, "--shifts", "0,1.5"])


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["attribute", "chr1:1-3", *SCORE[2:]], "--group"),
        (SCORE, "--tracks"),
        (SCORE, "--columns"),
        (SCORE, "--effect-allele"),
    ],
)
def test_what_is_stored_as_text_is_text(command, option):
    with pytest.raises(InputError, match=rf"{option} K\\xe9: is not UTF-8"):
        parse([*command, option, NOT_TEXT])


def test_names_of_files_are_as_they_are():
    name = f"{NOT_TEXT}.vcf"
    _, settings = parse(["score", name, *SCORE[2:-1], name, "--regions", name, "--sites", name])
    assert settings.variants == settings.regions == (name,)
    assert settings.out == settings.sites == name


def test_a_truth_of_a_toml_file_is_no_number(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("sample = true\n")
    with pytest.raises(InputError, match="--sample True: must be a whole number"):
        parse([*SCORE, "--config", str(config)])
