"""A run of saturation mutagenesis as a picture of text, counted by hand."""

import numpy as np

from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.toy_runs import begun_toy_run

VALUES = {(10, "C"): -8.0, (10, "T"): 3.0, (11, "A"): -4.0, (20, "G"): -0.1}


class ScorerOfChanges:
    """Of the second track what a table says, of the others less."""

    def score(self, alleles, start):
        found = []
        for allele in alleles:
            value = VALUES.get((allele.start, allele.alt), 0.0)
            found.append({"sad": np.array([0.1 * value, value, 0.0]), "d1": np.zeros(3)})
        return found


def run_of(folder, rows):
    run = begun_toy_run(LocalStore(folder / "run"), rows, scorer=ScorerOfChanges())
    run.commit_all()
    run.ledger.finish(run.plan)
    return run.store.location


def changes(start, ref):
    return [("chr1", start, ref, alt) for alt in "ACGT" if alt != ref]


def test_every_stretch_is_drawn_on_one_scale(tmp_path, capsys):
    """Two bases beside each other and one apart; a lone change and a deletion are no part of it."""
    rows = [*changes(10, "A"), *changes(11, "G"), *changes(20, "T")]
    rows += [("chr1", 30, "A", "C"), ("chr1", 40, "AC", "A")]
    out = run_of(tmp_path, rows)
    file = tmp_path / "map.txt"
    assert main(["export", out, "--map", str(file)]) == 0
    assert f"{file}: 3 bases" in capsys.readouterr().err
    heading, signs, *lines = file.read_text().splitlines()
    assert heading == "sad of track 5, which changes most of 3; the strongest change is 8 in size"
    assert signs.startswith("░▒▓█ less")
    assert lines == [
        "",
        "chr1:11-12",
        "",
        "",
        "  genome  AG",
        "    to A   ▓",
        "    to C  █·",
        "    to G  ·",
        "    to T  +·",
        "",
        "chr1:21-21",
        "",
        "",
        "  genome  T",
        "    to A  ·",
        "    to C  ·",
        "    to G  ·",
        "    to T",
    ]


def test_a_run_without_a_map_says_what_has_one(tmp_path, capsys):
    out = run_of(tmp_path, [("chr1", 10, "A", "C"), ("chr1", 30, "A", "C")])
    assert main(["export", out, "--map", "-"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "has no base of which all three changes are scored" in said
    assert "`enformer-ray score --mutagenesis`" in said
