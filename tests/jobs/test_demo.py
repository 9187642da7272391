"""The demonstration: a known variant in real DNA, found again among all its neighbours."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from enformer_core.genome.alphabet import decode
from enformer_core.genome.assemblies import known_build
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER
from enformer_core.storage.local import LocalStore
from jobs import exit_codes
from jobs.cli import main, parse
from jobs.demo import scores_of
from jobs.gp1bb import FLANK_BP, KNOWN_ID, SLICE_START, shipped_letters, write_input
from jobs.query import run_query
from tests.support.page_blocks import blocks_of

# GATA1's consensus WGATAR, as it reads on this strand and on the other; worked out by hand.
WGATAR = re.compile("(?=[AT]GATA[AG]|[CT]TATC[AT])")
WIDTH = 6

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return write_input(tmp_path_factory.mktemp("input"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The demonstration without Ray: its directory, and what it prints where there is no terminal."""
    out = tmp_path_factory.mktemp("demo") / "demo run"
    # In a process of its own, where shapes are not checked at every call as they are in tests, which takes time.
    command = [sys.executable, "-m", "jobs.cli", "demo", "--out", str(out), "--ray", "off"]
    environment = os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, encoding="utf-8"
    )
    return out, done.stdout.splitlines()


@pytest.fixture(scope="module")
def scored(shown):
    return scores_of(f"{shown[0]}/gp1bb-scores")


def test_what_is_shipped_is_the_genome(data_dir):
    reference = Genome(data_dir / "reference" / "grch37_chr22_1-22000000.fa.gz")
    letters = shipped_letters()
    assert decode(reference.fetch("22", SLICE_START, SLICE_START + len(letters))) == letters


def test_every_window_lies_in_what_is_shipped(given):
    half_bp = ENFORMER.window_bp // 2 + 256
    assert given.first - half_bp >= SLICE_START
    end = SLICE_START + len(shipped_letters())
    assert given.first + len(given.letters) + half_bp <= end


def test_places_are_those_of_the_chromosome(given):
    genome = Genome(given.genome)
    assert known_build(genome.contigs) == "GRCh37 (hg19)"
    letters = shipped_letters()
    assert decode(genome.fetch("chr22", SLICE_START - 2, SLICE_START + 3)) == "NN" + letters[:3]
    end = given.first + len(given.letters)
    assert decode(genome.fetch("chr22", given.first, end)) == given.letters


def test_the_site_is_found_where_the_consensus_is(given):
    found = [given.first + match.start() for match in WGATAR.finditer(given.letters)]
    assert found == [given.site.start]
    assert given.site.end - given.site.start == WIDTH
    assert given.site.reverse


def test_every_base_around_the_site_is_changed_into_every_other(given):
    assert len(given.letters) == WIDTH + 2 * FLANK_BP
    changes = {(snv.start, snv.ref, snv.alt) for snv in given.snvs}
    assert len(changes) == len(given.snvs) == 3 * len(given.letters)
    assert all(given.letters[snv.start - given.first] == snv.ref != snv.alt for snv in given.snvs)


def test_files_that_are_right_are_left_alone_and_wrong_ones_are_written_again(tmp_path):
    first = write_input(tmp_path)
    states = [path.stat().st_mtime_ns for path in (first.genome, first.variants)]
    assert write_input(tmp_path) == first
    assert [path.stat().st_mtime_ns for path in (first.genome, first.variants)] == states
    right = first.variants.read_bytes()
    first.variants.write_bytes(right[:100])
    write_input(tmp_path)
    assert first.variants.read_bytes() == right


def test_two_that_begin_at_once_write_the_same_whole_files(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(write_input, [tmp_path / "input"] * 2)
    assert one == other
    assert one.variants.read_text().count("\n") == 3 + len(one.snvs)
    left = {path.name for path in one.genome.parent.iterdir() if not path.name.startswith(".")}
    assert left == {"chr22.fa.gz", "gp1bb.vcf"}


@pytest.mark.parametrize("out", ["s3://bucket/demo", "{}/file", "{}/file/below"])
def test_a_place_that_cannot_hold_it_is_said(tmp_path, capsys, out):
    (tmp_path / "file").write_text("")
    out = out.format(tmp_path)
    assert main(["demo", "--out", out, "--ray", "off"]) == exit_codes.BAD_INPUT
    assert f"--out {out}: the demonstration" in capsys.readouterr().err


def test_the_letters_of_the_site_stand_out(given, scored):
    """The most that a change of a place loses: at each letter of the site more than at any other place."""
    lost = dict.fromkeys(range(given.first + 1, given.first + len(given.letters) + 1), 0.0)
    for variant in scored:
        lost[variant.pos] = max(lost[variant.pos], -variant.sad)
    ranked = sorted(lost, key=lost.__getitem__, reverse=True)
    (start,) = [given.first + match.start() for match in WGATAR.finditer(given.letters)]
    assert sorted(ranked[:WIDTH]) == list(range(start + 1, start + WIDTH + 1))
    assert lost[ranked[WIDTH - 1]] > 9.9
    assert lost[ranked[WIDTH]] < 0.1


def test_the_disease_variant_breaks_the_site(scored):
    (known,) = [variant for variant in scored if variant.name == KNOWN_ID]
    assert known.variant_id == "chr22:19710933:C:G"  # NM_000407.5:c.-160C>G
    assert known.track == "motif-GATA1"
    assert known.sad == pytest.approx(-10, abs=0.01)


def test_scores_follow_from_the_sites_that_a_change_makes_and_breaks(given, scored):
    before = len(WGATAR.findall(given.letters))
    for variant in scored:
        at = variant.pos - given.first - 1
        changed = given.letters[:at] + variant.alt + given.letters[at + 1 :]
        more = len(WGATAR.findall(changed)) - before
        if variant.track == "motif-GATA1" and abs(variant.sad) > 1:
            # softplus(18 n - 8) of one site is 10.0, of two 28.0
            assert variant.sad == pytest.approx({1: 18, -1: -10}[more], abs=0.01)
        else:
            assert more == 0


def test_what_is_printed(shown):
    _, lines = shown
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert re.search(r"chr22:19710933:C:G +motif-GATA1 +-10\.0 +<- GP1BB_-133C>G", text)
    assert "16 of 18 changes of the site's own letters break it, 0 of 180 beside it." in text
    rows = [line for line in lines if re.match(" +(genome|to [ACGT]|site) ", line)]
    assert len(rows) == 6
    assert max(map(len, rows)) <= 80
    begin = rows[-1].index("^")
    assert rows[-1].count("^") == WIDTH
    assert rows[0][begin : begin + WIDTH] == "CTATCT"
    assert rows[3][begin + 4] == "X"  # its fifth letter, to G


def test_the_picture_in_the_readme_is_what_is_printed(shown):
    (block,) = [block for block in blocks_of(ROOT / "README.md") if "  genome  " in block.text]
    for line in block.text.splitlines():
        assert line in [*shown[1], "…"]


def test_the_last_lines_are_commands_for_data_of_ones_own(shown, scored):
    out, lines = shown
    commands = [shlex.split(line) for line in lines[-3:]]
    assert [command[:2] for command in commands] == [
        ["enformer-ray", name] for name in ("plan", "score", "query")
    ]
    (without_weights,) = [line for line in lines if line.endswith("--out try")]
    for _, *words in (shlex.split(without_weights), *commands):
        parse(words)
    # The query is one that a run answers, by the changes that do something and no rounding.
    strongest = run_query(f"{out}/gp1bb-scores", commands[-1][-1])
    changing = {variant.variant_id for variant in scored if abs(variant.sad) > 1}
    assert {variant for variant, *_ in strongest} == changing
    assert len(strongest) == len(changing) == 18


def test_run_again_it_says_so_and_run_on_it_continues(shown, scored, tmp_path, capsys):
    out = tmp_path / "again"
    shutil.copytree(shown[0], out)
    assert main(["demo", "--out", str(out), "--ray", "off"]) == 0
    assert "already complete" in capsys.readouterr().out
    # As a run that was killed leaves it: one shard without its receipt, and no manifest.
    scores = out / "gp1bb-scores"
    receipts = [key for key in LocalStore(scores).keys("commits/") if key.endswith(".json")]
    (scores / sorted(receipts)[2]).unlink()
    (scores / "manifest.json").unlink()
    assert main(["demo", "--out", str(out), "--ray", "off"]) == 0
    captured = capsys.readouterr()
    assert "already complete" not in captured.out
    assert "165 of 198" in captured.err
    assert scores_of(str(scores)) == scored
