"""`enformer-ray lookup`, as a user calls it: rows, what is not there, and how it ends."""

import json

import pytest

from enformer_core.dataset.lookup import FoundAllele
from jobs.cli import main
from jobs.lookup import _cells
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

ONE_STRAND = ["--strands", "forward", "--audit-fraction", "0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, genome, letters):
    """Two small runs over one file, of two statistics and of one."""
    folder = tmp_path_factory.mktemp("lookup")
    one = letters["chr1"]
    lines = [
        "##fileformat=VCFv4.2",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
        f"chr1\t1000\trs10\t{one[999]}\t{'A' if one[999] != 'A' else 'C'}\t.\t.\t.",
        f"chr1\t2000\trs11;rs12\t{one[1999]}\t<DEL>\t.\t.\t.",
    ]
    vcf = folder / "v.vcf"
    vcf.write_text("\n".join([*lines, ""]))
    score = ["score", str(vcf), "--genome", str(genome), "--model", "motif", "--ray", "off"]
    score += ONE_STRAND
    assert main([*score, "--statistics", "sad,js", "--out", str(folder / "both")]) == 0
    assert main([*score, "--out", str(folder / "one"), "--top-tracks", "0"]) == 0
    return folder


def test_a_row_for_each_run_and_allele(runs, run):
    both = runs / "both"
    code, text, error = run("lookup", both, runs / "one", "rs10", "1:2000", "--json")
    assert (code, error) == (0, "")
    answer = json.loads(text)
    assert (answer["missing"], answer["uncommitted"]) == ([], [])
    assert [(each["id"], each["status"], each["keys"]) for each in answer["alleles"]] == [
        ("rs10", "ok", ["rs10"]),
        ("rs11;rs12", "symbolic", ["1:2000"]),
    ] * 2
    strong = answer["alleles"][0]
    assert strong["run"] == str(both)
    assert {each["statistic"] for each in strong["strongest"]} == {"sad", "js"}
    (largest, *_) = [each for each in strong["strongest"] if each["statistic"] == "sad"]
    assert abs(largest["value"]) == strong["max_abs_sad"]
    assert largest["track"] == strong["max_abs_sad_track"]
    assert largest["description"]
    # without effects there is the largest size, and its track
    assert answer["alleles"][2]["strongest"] == []
    assert answer["alleles"][2]["max_abs_sad"] == strong["max_abs_sad"]


def test_text_has_a_line_for_each(runs, run):
    code, text, _ = run("lookup", "rs10", "rs12", runs / "both", runs / "one")
    assert code == 0
    names, _, *rows = text.splitlines()
    assert names.split()[:5] == ["run", "variant_id", "id", "status", "reason"]
    assert "js_track" in names
    assert [row.split()[0] for row in rows] == [str(runs / "both")] * 2 + [str(runs / "one")] * 2
    assert "symbolic" in rows[1]


def test_a_place_without_its_contig_is_told_so(runs, run):
    code, _, error = run("lookup", runs / "one", "4,662,647")
    assert code == 2
    assert "4,662,647: a place needs its contig. Give it as chr20:4662647" in error


def test_what_is_nowhere_is_said(runs, run):
    code, text, error = run("lookup", runs / "one", "rs10", "rs99", "chr1:1000:T:TT")
    assert code == 2
    assert text.count("rs10") == 1
    assert "rs99: in none of the runs\n" in error
    assert "chr1:1000:T:TT: in none of the runs; at its place is chr1:1000:" in error


def test_what_is_not_computed_yet_is_said(runs, run):
    receipt = runs / "both" / "commits" / "shard-00000000.json"
    content = receipt.read_bytes()
    receipt.unlink()
    try:
        code, text, error = run("lookup", runs / "both", "rs10", "--json")
        assert (code, json.loads(text)["uncommitted"]) == (5, ["rs10"])
        assert "not committed yet" in error
        # what another run has is found
        assert run("lookup", runs / "both", runs / "one", "rs10")[0] == 0
    finally:
        receipt.write_bytes(content)


def test_words_that_make_no_question_are_refused(runs, run, tmp_path):
    code, _, error = run("lookup", "rs10")
    assert (code, "no run is named" in error) == (2, True)
    code, _, error = run("lookup", runs / "one", "chr20-4699605")
    assert (code, "no key is named" in error) == (2, True)
    code, _, error = run("lookup", tmp_path, "rs10")
    assert (code, "no run here" in error) == (2, True)


def test_verify_and_status_pass_over_the_index(runs, run):
    assert run("lookup", runs / "one", "rs10")[0] == 0
    assert (runs / "one" / "lookup").is_dir()
    assert run("verify", runs / "one")[0] == 0
    assert run("status", runs / "one")[0] == 0


def test_a_region_is_refused_with_the_question_for_it(runs, run):
    code, _, error = run("lookup", runs / "both", "chr1:900-1,100")
    assert code == 2
    assert "chr1:900-1,100: is a region" in error
    assert (
        "enformer-ray query RUN \"FROM scores WHERE chrom = 'chr1' AND pos BETWEEN 900 AND 1100\""
        in error
    )


def test_an_allele_without_an_effect_has_no_strongest_track():
    """Where all are 0 the first track stands in `max_abs_sad_track`."""
    for largest, name in ((0.0, ""), (0.5, "CAGE:liver")):
        row = {"variant_id": "v", "max_abs_sad": largest, "max_abs_sad_track": 0}
        effect = {"statistic": "sad", "value": largest, "description": "CAGE:liver"}
        *_, track = _cells("run", FoundAllele(row, ("v",), (effect,)), ["sad"])
        assert track == name


def test_any_identifier_is_looked_up_and_a_word_that_is_no_key_is_told_how(runs, run):
    code, text, _ = run("lookup", runs / "one", "--id", "rs11", "--id", "chr1:1000", "--json")
    answer = json.loads(text)
    assert (code, answer["missing"]) == (2, ["chr1:1000"])
    assert [each["keys"] for each in answer["alleles"]] == [["rs11"]]
    code, _, error = run("lookup", runs / "one", "COSV58737076")
    assert (code, "any other identifier by --id" in error) == (2, True)


def test_of_very_many_keys_without_a_row_some_are_named(runs, run):
    words = [f"rs{number}" for number in range(1_000, 1_030)]
    code, text, error = run("lookup", runs / "one", *words)
    assert (code, text) == (2, "")
    assert [line for line in error.splitlines() if "in none" in line][-1].startswith(
        "note: rs1019:"
    )
    assert error.endswith("note: 10 further keys without a row: --json names all\n")


def test_kept_columns_take_no_place_that_was_promised(run, runs, genome, tmp_path, letters):
    ref = letters["chr1"][999]
    table = tmp_path / "t.tsv"
    alt = "A" if ref != "A" else "C"
    names = "chrom\tpos\tref\talt\tid\tkeys\tstrongest\tkeys_2\n"
    table.write_text(f"{names}chr1\t1000\t{ref}\t{alt}\trs10\ta\tb\tc\n")
    kept = ["--keep-columns", "keys,strongest,keys_2", *ONE_STRAND]
    score = ["score", table, "--genome", genome, "--model", "motif", "--ray", "off", *kept]
    assert run(*score, "--out", tmp_path / "run")[0] == 0
    _, text, _ = run("lookup", tmp_path / "run", "rs10", "--json")
    (allele,) = json.loads(text)["alleles"]
    assert allele["keys"] == ["rs10"]
    assert allele["strongest"][0]["rank"] == 1
    assert [allele[name] for name in ("keys_3", "strongest_2", "keys_2")] == ["a", "b", "c"]


def test_places_of_runs_of_several_genomes_are_told_apart(runs, run, tmp_path):
    other = tmp_path / "other.fa"
    letters = random_letters(3_000, seed=5)
    write_fasta(other, {"chr1": letters})
    vcf = write_vcf(tmp_path / "o.vcf", [("chr1", 1000, letters[999], OTHER[letters[999]])])
    score = ["score", vcf, "--genome", other, "--model", "motif", "--ray", "off"]
    assert run(*score, *ONE_STRAND, "--out", tmp_path / "other")[0] == 0
    code, text, error = run("lookup", runs / "one", tmp_path / "other", "chr1:1000")
    assert (code, len(text.splitlines())) == (0, 4)
    assert f"{runs / 'one'} and {tmp_path / 'other'} are of genomes with other contigs" in error
    assert "of genomes" not in run("lookup", runs / "one", runs / "both", "chr1:1000")[2]
    assert "of genomes" not in run("lookup", runs / "one", tmp_path / "other", "rs10")[2]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "chr1:2002:C:<DEL>",
            "other letters than A, C, G, T and N. Give its place, chr1:2002, or its identifier by --id",
        ),
        ("chr1:0", "there is no position 0: the first base of a contig is 1"),
        ("chr1:-5", "there is no position -5"),
        ("sl/ash:1006", "has a slash, as names of directories have"),
    ],
)
def test_what_is_written_as_a_place_is_taken_for_no_run(runs, run, word, says):
    code, _, error = run("lookup", runs / "one", word)
    assert code == 2
    assert f"{word}: " in error
    assert says in error
