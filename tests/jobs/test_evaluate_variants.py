"""`enformer-ray evaluate variants` on runs whose scores are chosen: numbers by hand, and every row accounted for."""

import gzip
import itertools
import json
import random

import numpy as np
import polars as pl
import pytest

from enformer_core.evaluate.estimate import Estimate
from enformer_core.storage.local import LocalStore
from enformer_core.summaries import write_summary
from jobs.evaluate_answer import in_words
from tests.support.summaries import Times, finished_toy_run
from tests.support.toy_runs import begun_toy_run

HEADER = ("chrom", "pos", "ref", "alt")


class ChosenScorer:
    """The number that a test chose for each allele, by its start and ALT, in the first of three tracks."""

    def __init__(self, chosen):
        self.chosen = chosen

    def score(self, alleles, start):
        del start
        values = [self.chosen[allele.start, allele.alt] for allele in alleles]
        return [{"sad": np.array([one, 0, 0]), "d1": np.array([abs(one), 0, 0])} for one in values]


@pytest.fixture
def toy(tmp_path):
    """Make a run of alleles (chrom, start, ref, alt) with their scores, and say where it lies."""

    def make(scores, name="run"):
        chosen = {(start, alt): score for (_, start, _, alt), score in scores.items()}
        run = begun_toy_run(
            LocalStore(tmp_path / name),
            list(scores),
            {"chr1": 1_000, "chr2": 1_000, "chrX": 1_000},
            scorer=ChosenScorer(chosen),
        )
        run.commit_all()
        return tmp_path / name

    return make


def snvs(values, chrom="chr1"):
    """Alleles A>G at starts 0, 1, 2, …, and their scores."""
    return {(chrom, start, "A", "G"): value for start, value in enumerate(values)}


@pytest.fixture
def write(tmp_path):
    """Write a table of tab-separated text."""

    def table(header, rows, name="table.tsv"):
        path = tmp_path / name
        lines = ["\t".join(map(str, cells)) + "\n" for cells in (header, *rows)]
        path.write_text("".join(lines))
        return path

    return table


@pytest.fixture
def judged(run):
    """The answer, and what was said beside it."""

    def call(table, out, *more):
        code, text, error = run("evaluate", "variants", table, "--run", out, "--json", *more)
        assert code == 0, error
        answer = json.loads(text)
        check_every_row_is_in_one_bucket(answer)
        return answer, error

    return call


@pytest.fixture
def refused(run):
    def call(*more):
        code, text, error = run("evaluate", "variants", *more)
        assert (code, text) == (2, ""), error
        assert "Traceback" not in error
        return error

    return call


def check_every_row_is_in_one_bucket(answer):
    buckets = answer["buckets"]
    assert sum(each["rows"] for each in buckets.values()) == answer["rows"]
    for each in buckets.values():
        assert len(each["examples"]) == min(each["rows"], 3)
        assert all(example["why"] for example in each["examples"])
    used = buckets["used"]["rows"] + buckets["used_swapped"]["rows"]
    assert answer["used"] == used


def rows_in(answer):
    return {name: each["rows"] for name, each in answer["buckets"].items() if each["rows"]}


def labelled(labels, chrom="1"):
    return [(chrom, start + 1, "A", "G", label) for start, label in enumerate(labels)]


def slow_auroc(labels, scores):
    items = list(zip(labels, scores, strict=True))
    pairs = [(p, n) for is_p, p in items if is_p for is_n, n in items if not is_n]
    return sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs)


def slow_precision(labels, scores):
    total = 0.0
    before = 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        recall = sum(taken) / sum(labels)
        total += (recall - before) * sum(taken) / len(taken)
        before = recall
    return total


def test_the_layout_of_traitgym_in_parquet(toy, tmp_path, judged):
    out = toy(snvs([5, 4, 3, 3], "chrX"))
    table = tmp_path / "test.parquet"
    pl.DataFrame(
        {
            "chrom": ["X"] * 4,
            "pos": [1, 2, 3, 4],
            "ref": ["A"] * 4,
            "alt": ["G"] * 4,
            "label": [True, False, True, False],
            "match_group": ["PLS_0", "PLS_0", "PLS_1", "PLS_1"],
            "tss_dist": [10, 20, 30, 40],
        }
    ).write_parquet(table)
    answer, said = judged(table, out)
    assert rows_in(answer) == {"used": 4}
    assert answer["auroc"] == pytest.approx((2 + 1 / 2) / 4)
    assert answer["match_groups"]["auroc"] == pytest.approx((1 + 1 / 2) / 2)
    assert answer["chromosomes"] == [
        {
            "chrom": "chrX",
            "rows": 4,
            "positives": 2,
            "auroc": answer["auroc"],
            "auprc": answer["auprc"],
        }
    ]
    assert "is not finished" in said


def test_areas_by_hand(toy, write, judged):
    # by size: 5 +, 4 -, then 3 + and 3 -: of 4 pairs 1, 1, 0 and a half
    out = toy(snvs([5, -4, 3, 3]))
    answer, _ = judged(write((*HEADER, "label"), labelled("1010")), out)
    assert answer["score"] == "max_abs_sad"
    assert answer["signed"] is False
    assert answer["joined_by"] == "alleles"
    assert answer["auroc"] == pytest.approx((2 + 1 / 2) / 4)
    assert answer["auprc"] == pytest.approx((1 + 2 / 4) / 2)
    assert answer["auroc_low"] <= answer["auroc"] <= answer["auroc_high"]
    assert answer["match_groups"] is None
    assert answer["bootstrap"] == {"draws": 1000, "seed": 0, "by": "rows"}
    # with its sign -4 is last
    signed, _ = judged(write((*HEADER, "label"), labelled("1010")), out, "--score", "sad[1]")
    assert signed["auroc"] == pytest.approx((4 - 1 / 2) / 4)


def test_match_groups_are_judged_each_and_drawn_whole(toy, write, judged):
    out = toy(snvs([5, 4, 3, 1, 2, 2, 9]))
    header = (*HEADER, "label", "match_group")
    groups = ["a", "a", "b", "b", "b", "c", "d"]
    rows = [(*row, group) for row, group in zip(labelled("1010011"), groups, strict=True)]
    answer, _ = judged(write(header, rows), out)
    groups = answer["match_groups"]
    # a: above its one. b: above two of two. c and d have one row each
    assert (groups["groups"], groups["left_out"]) == (2, 2)
    assert groups["auroc"] == groups["auprc"] == 1
    assert answer["bootstrap"]["by"] == "match_group"
    rows[2] = (*rows[2][:4], "0", "b")
    rows[3] = (*rows[3][:4], "1", "b")
    answer, _ = judged(write(header, rows), out)
    # the positive of b is the last of three, one group of two
    assert answer["match_groups"]["auroc"] == pytest.approx((1 + 0) / 2)
    assert answer["match_groups"]["auprc"] == pytest.approx((1 + 1 / 3) / 2)


def test_chromosomes_are_weighted_by_their_rows(toy, write, judged):
    scores = {("chr1", 0, "A", "G"): 3, ("chr1", 1, "A", "G"): 1, ("chr1", 2, "A", "G"): 2}
    scores |= {("chr2", 3, "A", "G"): 5, ("chr2", 4, "A", "G"): 4, ("chrX", 6, "A", "G"): 9}
    out = toy(scores)
    places = [("1", 1, 1), ("1", 2, 1), ("1", 3, 0), ("chr2", 4, 0), ("2", 5, 1), ("X", 7, 1)]
    rows = [(chrom, pos, "A", "G", label) for chrom, pos, label in places]
    answer, _ = judged(write((*HEADER, "label"), rows), out)
    # chr1: a half; chr2: none; X has no negative, and only its precision is there
    average = answer["auroc_by_chrom_weighted_average"]
    assert average == pytest.approx((3 * 1 / 2 + 2 * 0) / 5)
    precise = answer["auprc_by_chrom_weighted_average"]
    assert precise == pytest.approx((3 * (1 + 2 / 3) / 2 + 2 * (1 / 2) + 1 * 1) / 6)
    assert [each["auroc"] for each in answer["chromosomes"]] == [0.5, 0.0, None]
    by_chrom, _ = judged(write((*HEADER, "label"), rows), out, "--bootstrap-by", "chrom")
    assert by_chrom["auroc"] == answer["auroc"]
    assert (
        by_chrom["auroc_low"] != answer["auroc_low"]
        or by_chrom["auroc_high"] != answer["auroc_high"]
    )


def test_it_is_what_every_pair_and_every_threshold_come_to(toy, write, judged):
    chance = random.Random(5)
    scores = [chance.randrange(12) for _ in range(150)]
    labels = [chance.random() < 0.1 + score / 20 for score in scores]
    out = toy(snvs(scores))
    answer, _ = judged(write((*HEADER, "label"), labelled(labels)), out, "--bootstrap", "200")
    assert answer["auroc"] == pytest.approx(slow_auroc(labels, scores), rel=1e-12)
    assert answer["auprc"] == pytest.approx(slow_precision(labels, scores), rel=1e-12)
    assert answer["auroc"] > 0.6
    # the same draws by the same seed
    table = write((*HEADER, "label"), labelled(labels))
    again, _ = judged(table, out, "--bootstrap", "200")
    other, _ = judged(table, out, "--bootstrap", "200", "--seed", "4")
    none, _ = judged(table, out, "--bootstrap", "0")
    assert again == answer
    assert other["auroc"] == none["auroc"] == answer["auroc"]
    assert other["auroc_low"] != answer["auroc_low"]
    assert none["auroc_low"] is None
    # labels that say nothing: the interval of most shuffles holds one half
    holds = []
    for _ in range(8):
        chance.shuffle(labels)
        shuffled, _ = judged(write((*HEADER, "label"), labelled(labels)), out, "--bootstrap", "200")
        holds.append(shuffled["auroc_low"] <= 0.5 <= shuffled["auroc_high"])
        assert abs(shuffled["auroc"] - 0.5) < 0.2
    assert sum(holds) >= 5


def test_probabilities_of_gtex_identifiers(toy, write, judged, refused):
    out = toy(snvs([5, 4, 3, 2, 1]))
    header = ("variant_id", "gene_id", "pip")
    rows = [
        ("chr1_1_A_G_b38", "E1", 0.95),
        ("chr1_2_A_G_b38", "E1", 0.5),
        ("chr1_3_A_G_b38", "E1", 0.01),
        ("chr1_4_A_G_b38", "E1", "NA"),
        ("chr1_5_A_G_b38", "E1", 0.001),
        ("chr1_5_A_G_b38", "E2", 1.0),
        ("chr1_1_A_G_b38", "E2", 0.9),
        ("chr1_1_A_G_b38", "E3", 0.0),
    ]
    table = write(header, rows, "eqtl.tsv")
    answer, said = judged(table, out)
    assert answer["judged_by"] == "pip"
    assert rows_in(answer) == {"used": 3, "no_value": 1, "undecided": 1, "duplicate": 3}
    assert (answer["positives"], answer["negatives"]) == (2, 1)
    # 5 is positive for one gene and negative for another; so is 1
    assert "2 repeats of a variant are negative where another of its rows is positive" in said
    examples = answer["buckets"]["duplicate"]["examples"]
    assert [example["line"] for example in examples] == [6, 8, 9]
    assert examples[0]["why"] == "the same variant as 7, which counts"
    assert (
        answer["buckets"]["undecided"]["examples"][0]["why"] == "pip 0.5 lies between 0.01 and 0.9"
    )
    wider, _ = judged(table, out, "--min-pip", "0.5", "--max-pip", "0.4")
    assert rows_in(wider) == {"used": 4, "no_value": 1, "duplicate": 3}
    assert "0.4 and" in refused(table, "--run", out, "--min-pip", "0.4", "--max-pip", "0.4")
    bad = write(header, [("chr1_1_A_G_b38", "E1", 1.5)])
    assert "line 2: pip '1.5' is no probability" in refused(bad, "--run", out)


@pytest.mark.parametrize(
    "words", ["true false", "TRUE FALSE", "1 0", "yes no", "t f", "1.0 0.0", "Y N"]
)
def test_labels_in_any_words(toy, write, judged, words):
    yes, no = words.split()
    out = toy(snvs([3, 2, 1]))
    rows = labelled([yes, no, ""])
    answer, _ = judged(write((*HEADER, "causal"), rows), out, "--label-column", "Causal")
    assert rows_in(answer) == {"used": 2, "no_value": 1}
    assert answer["auroc"] == 1


def test_what_is_wrong_with_labels_is_said(toy, write, refused):
    out = toy(snvs([3, 2, 1]))
    header = (*HEADER, "label")
    said = refused(write(header, labelled(["1", "maybe"])), "--run", out)
    assert "table.tsv, line 3: label 'maybe' is no label: true or false" in said
    said = refused(write(header, labelled("11")), "--run", out)
    assert "none is among the negatives, 2 are positives" in said
    said = refused(write((*HEADER, "score"), labelled("10")), "--run", out)
    assert "has no column label, pip or Coefficient; it has chrom, pos, ref, alt, score" in said
    said = refused(
        write((*HEADER, "lable"), labelled("10")), "--run", out, "--label-column", "label"
    )
    assert "--label-column label: " in said
    assert "did you mean lable" in said
    both = [(*row, 0.3) for row in labelled("10")]
    said = refused(write((*header, "Coefficient"), both), "--run", out)
    assert "has columns label and Coefficient: say by which" in said
    assert "several columns are called label" in refused(
        write((*HEADER, "label", "Label"), both), "--run", out
    )


def test_probabilities_of_any_name(toy, write, judged, refused):
    out = toy(snvs([5, 4, 3, 1]))
    pips = [("1", at + 1, "A", "G", pip, 1 - pip) for at, pip in enumerate([1, 0, 0.5, 0.95])]
    # of finemap's two the one without a prior; the other would be judged by what made it
    answer, _ = judged(write((*HEADER, "pip_uniform", "pip_prior"), pips), out)
    assert (answer["judged_by"], answer["auroc"]) == ("pip_uniform", 0.5)
    assert rows_in(answer) == {"used": 3, "undecided": 1}
    table = write((*HEADER, "mine", "label"), pips)
    answer, _ = judged(table, out, "--pip-column", "mine", "--min-pip", "1")
    assert (answer["judged_by"], answer["positives"], answer["auroc"]) == ("mine", 1, 1)
    said = refused(table, "--run", out, "--pip-column", "mine", "--label-column", "label")
    assert "--label-column label and --pip-column mine: give one of them" in said
    said = refused(write((*HEADER, "mine"), pips), "--run", out, "--pip-column", "mien")
    assert "--pip-column mien: " in said


def test_an_interval_below_0_can_be_read():
    assert in_words(Estimate(-0.25, -0.4951, -0.1972)) == "-0.250 (-0.495 to -0.197)"
    assert in_words(Estimate(0.5, None, None)) == "0.500"


def test_every_row_is_in_one_bucket(toy, write, judged):
    scores = snvs([5, 4, 3, 2, 1, 0])
    scores[None, None, None, None] = 0
    out = toy({key: value for key, value in scores.items() if key[0]})
    rows = [
        ("chr1", 1, "A", "G", 1),
        ("chr1", 2, "G", "A", 0),
        ("chr1", 3, "A", "G", 1),
        ("chr1", 4, "A", "G", 0),
        ("chr1", 5, "A", "T", 0),
        ("chr1", 6, "A", "G", 1),
        ("chr1", "six", "A", "G", 1),
        ("chr1", 1, "A", "G,T", 1),
        ("chr9", 1, "A", "G", 0),
        ("chr1", 1, "A", "G", 1),
        ("chr1", 4, "A", "G", ""),
    ]
    nan = "CASE WHEN pos = 3 THEN 'nan'::FLOAT WHEN pos = 4 THEN 'inf'::FLOAT ELSE sad[1] END"
    answer, _ = judged(write((*HEADER, "label"), rows), out, "--score", nan)
    assert rows_in(answer) == {
        "used": 2,
        "used_swapped": 1,
        "unreadable": 2,
        "no_value": 1,
        "missing": 2,
        "no_score": 2,
        "duplicate": 1,
    }
    buckets = answer["buckets"]
    assert [each["why"] for each in buckets["no_score"]["examples"]] == [
        "the score is NaN",
        "the score is inf",
    ]
    assert buckets["unreadable"]["examples"][0] == {
        "line": 8,
        "variant": "chr1:?:A:G",
        "why": "POS is not a whole number: 'six'",
    }
    assert buckets["unreadable"]["examples"][1]["why"] == "has 2 ALTs; write a row for each"
    assert buckets["missing"]["negatives"] == 2
    assert buckets["duplicate"]["positives"] == 1
    # positives 5 and 0; the negative is 4, with its sign as the genome has it
    assert answer["auroc"] == 0.5
    turned, _ = judged(write((*HEADER, "label"), rows), out, "--score", nan, "--sign", "alt")
    assert turned["auroc"] == 1


def test_rows_that_the_run_did_not_score_are_told_by_status(toy, write, judged, refused):
    out = toy(snvs([3, np.nan, 1]))
    answer, _ = judged(write((*HEADER, "label"), labelled("110")), out)
    assert rows_in(answer) == {"used": 2, "not_scored": 1}
    bucket = answer["buckets"]["not_scored"]
    assert bucket["reasons"] == {"failed": 1}
    assert bucket["positives"] == 1
    assert bucket["examples"][0]["why"].startswith("failed: ")
    nothing = toy(snvs([np.nan, np.nan]), "other")
    said = refused(write((*HEADER, "label"), labelled("10")), "--run", nothing)
    assert "no row can be judged: 2 in the run, not scored (1:1:A:G: failed: " in said


def test_nothing_in_common_names_both_sides(toy, write, refused, judged):
    out = toy(snvs([3, 2, 1]))
    header = (*HEADER, "label")
    far = [("chr1", pos + 500, "A", "G", pos % 2) for pos in range(4)]
    said = refused(write(header, far), "--run", out)
    assert "none of 4 variants is in the run" in said
    assert "table.tsv has chr1:500:A:G" in said
    assert "has chr1:1:A:G" in said
    assert "another assembly" in said
    # a few by chance
    some = [*labelled("10"), *[("chr1", pos + 500, "A", "G", pos % 2) for pos in range(40)]]
    _, said = judged(write(header, some), out)
    assert "has 2 of 42 variants of" in said
    assert "another assembly" in said
    unread = [("chr1", "x", "A", "G", 1)]
    assert "no row has a place and a value" in refused(write(header, unread), "--run", out)
    assert "only a header" in refused(write(header, []), "--run", out)


MPRA = ("#Chrom", "Pos", "Ref", "Alt", "Tags", "DNA", "RNA", "Coefficient", "pValue", "Element")


def measured(pos, ref, alt, value, element="F9", tags=20, p=0.5):
    return ("1", pos, ref, alt, tags, 9, 9, value, p, element)


def test_measured_effects_by_hand(toy, tmp_path, judged, refused):
    scores = {
        ("chr1", 9, "A", "G"): -4.0,
        ("chr1", 10, "C", "T"): 1.0,
        ("chr1", 10, "CT", "C"): 2.0,
        ("chr1", 20, "G", "A"): 3.0,
        ("chr1", 30, "A", "G"): 1.0,
        ("chr1", 31, "A", "G"): 2.0,
    }
    # scores go by start and ALT: C at 10 is the deletion's
    out = toy(scores)
    rows = [
        measured(10, "A", "G", -0.8),
        measured(11, "C", "T", 0.1),
        measured(12, "T", "-", 0.2),
        # the genome has A's partner: what was measured is G>A's opposite
        measured(21, "A", "G", -0.3),
        measured(31, "A", "G", 5, "LDLR", tags=9),
        measured(32, "A", "G", 4, "LDLR", p=1e-6),
        measured(32, "A", "G", 7, "LDLR"),
        measured(33, "A", "G", 4, "LDLR"),
        measured(31, "A", "G", "", "LDLR"),
    ]
    table = tmp_path / "mpra.tsv.gz"
    lines = ["## made up", "## twice", *("\t".join(map(str, row)) for row in (MPRA, *rows))]
    table.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    answer, said = judged(table, out, "--score", "sad[1]")
    assert rows_in(answer) == {
        "used": 5,
        "used_swapped": 1,
        "no_value": 1,
        "missing": 1,
        "duplicate": 1,
    }
    assert answer["signed"] is True
    assert answer["bootstrap"]["by"] == "position"
    f9, ldlr = answer["elements"]
    # scores -4, 1, 2 and -3 beside -0.8, 0.1, 0.2 and -0.3: one order
    assert (f9["element"], f9["rows"]) == ("F9", 4)
    assert f9["spearman"] == pytest.approx(1)
    wanted = np.corrcoef([-4, 1, 2, -3], [-0.8, 0.1, 0.2, -0.3])[0, 1]
    assert f9["pearson"] == pytest.approx(wanted)
    assert (ldlr["rows"], ldlr["spearman"]) == (2, pytest.approx(-1))
    assert answer["mean"]["spearman"] == pytest.approx(0)
    assert answer["mean"]["elements"] == 2
    assert "is the mean of sad" not in said
    unsigned, _ = judged(table, out, "--score", "sad[1]", "--sign", "none")
    other = np.corrcoef([-4, 1, 2, 3], [-0.8, 0.1, 0.2, -0.3])[0, 1]
    assert unsigned["elements"][0]["pearson"] == pytest.approx(other)
    some, _ = judged(table, out, "--score", "sad[1]", "--min-tags", "10")
    assert rows_in(some)["filtered"] == 1
    assert some["buckets"]["filtered"]["examples"][0]["why"] == "Tags is 9.0 (--min-tags)"
    # one variant is no correlation, and no part of the mean
    assert some["elements"][1]["spearman"] is None
    assert some["mean"]["elements"] == 1
    few, _ = judged(table, out, "--max-p", "1e-5", "--score", "sad[1]")
    assert rows_in(few) == {"used": 1, "filtered": 7, "no_value": 1}
    assert "--match: draws negatives" in refused(table, "--run", out, "--match", "Tags")
    assert "--bootstrap-by chrom: measured effects" in refused(
        table, "--run", out, "--bootstrap-by", "chrom"
    )


def test_other_names_of_measured_effects(toy, write, judged, refused):
    out = toy(snvs([3, 2, 1]))
    rows = [("chr1", pos, "A", "G", 12, value) for pos, value in ((1, 9), (2, 5), (3, 1))]
    table = write(("Chromosome", "Position", "Ref", "Alt", "Tags", "Value"), rows, "GRCh38_F9.tsv")
    answer, said = judged(table, out)
    assert answer["judged_by"] == "Value"
    assert answer["score"] == "list_avg(sad)"
    assert [each["element"] for each in answer["elements"]] == ["GRCh38_F9"]
    assert answer["mean"]["spearman"] == pytest.approx(1)
    assert "the score is the mean of sad over 3 tracks" in said
    other = write((*HEADER, "logFC"), [row[:4] + row[5:] for row in rows])
    named, _ = judged(other, out, "--value-column", "logfc")
    assert named["mean"]["pearson"] == pytest.approx(1)
    assert "--max-p: " in refused(table, "--run", out, "--max-p", "0.1")
    infinite = write((*HEADER, "Coefficient"), [("chr1", 1, "A", "G", "high")])
    assert "line 2: Coefficient 'high' is not a number" in refused(infinite, "--run", out)


def test_matched_negatives(toy, write, judged, refused):
    out = toy(snvs(range(12)))
    header = (*HEADER, "label", "consequence", "tss_dist", "MAF")
    facts = [
        (1, "UTR", 10, 0.1), (1, "intron", 500, 0.2), (1, "exon", 5, 0.3),
        (0, "UTR", 12, 0.1), (0, "UTR", 9_000, 0.1), (0, "UTR", 9, 0.1),
        (0, "intron", 490, 0.2), (0, "intron", 510, 0.2), (0, "intron", 9_000, 0.2),
        (0, "intron", "NA", 0.2), (0, "exon", 5, 0.3),
    ]  # fmt: skip
    rows = [("chr1", pos, "A", "G", *fact) for pos, fact in enumerate(facts, 1)]
    table = write(header, rows)
    answer, _ = judged(
        table, out, "--match", "consequence,tss_dist,maf", "--negatives", "2", "--seed", "1"
    )
    assert rows_in(answer) == {"used": 6, "unmatched": 5}
    assert (answer["positives"], answer["negatives"]) == (2, 4)
    examples = [each["why"] for each in answer["buckets"]["unmatched"]["examples"]]
    assert examples == ["fewer than 2 negatives are like it", "is not drawn", "is not drawn"]
    assert answer["match_groups"]["groups"] == 2
    assert answer["bootstrap"]["by"] == "match_group"
    # 0 and 1 are the positives' scores, and the lowest
    assert answer["auroc"] == 0
    assert "did you mean consequence?" in refused(table, "--run", out, "--match", "consequense")
    assert "--negatives 0" in refused(table, "--run", out, "--match", "MAF", "--negatives", "0")
    said = refused(table, "--run", out, "--bootstrap-by", "match_group")
    assert "has no column match_group" in said
    assert "--min-tags: is of measured effects" in refused(table, "--run", out, "--min-tags", "1")


def test_scores_by_query_and_what_is_none(toy, write, judged, refused):
    out = toy(snvs([5, 4, 3, 1]))
    table = write((*HEADER, "label"), labelled("1010"))
    by_query = "SELECT variant_id, max(value) AS score FROM long GROUP BY variant_id"
    answer, _ = judged(table, out, "--score", by_query)
    plain, _ = judged(table, out, "--score", "list_max(sad) -- the largest")
    assert answer["auroc"] == plain["auroc"] == 0.75
    for wrong, said in {
        "sad": "--score sad: is a list over tracks. Make a number of it: list_avg(sad)",
        "max_abs_sda": "Candidate bindings",
        "max(max_abs_sad)": "must appear in the GROUP BY clause",
        "variant_id": "--score variant_id: is VARCHAR, no number",
        f"{by_query}; SELECT variant_id, 1 FROM scores": "is 2 statements, and one query gives",
        f"{by_query}; DROP TABLE scores": "is 2 statements, and one query gives",
        "SELECT 1": "a query must give variant_id and one number",
        "SELECT variant_id, value FROM long": "gives chr1:1:A:G 6 rows, and a variant has one score",
        "(SELECT max(a) FROM '/etc/passwd')": "this SQL was refused",
        "sad[1": "syntax error",
        "": "--score '':",
        "1) AS one, (2": "is no expression of one number",
        "NULL": "no number",
    }.items():
        error = refused(table, "--run", out, "--score", wrong)
        assert said in error, error


def test_scores_of_a_table_beside_the_run(tmp_path, write, judged):
    run = finished_toy_run(
        tmp_path / "run",
        rows=list(snvs(range(4))),
        contigs={"chr1": 1_000},
        scorer=ChosenScorer({(start, "G"): value for start, value in enumerate([5, 4, 3, 1])}),
    )
    write_summary(run.ledger, "tenfold", {"factor": 10}, Times(10.0), columns=["max_abs_sad"])
    table = write((*HEADER, "label"), labelled("1010"))
    answer, said = judged(
        table, tmp_path / "run", "--score", "tenfold.times / scores.pos", "--bootstrap", "0"
    )
    # 50, 20, 10 and 2.5
    assert answer["auroc"] == 0.75
    assert rows_in(answer) == {"used": 4}
    assert said == ""


def test_what_is_printed_and_written(toy, write, run, tmp_path):
    out = toy(snvs([5, 4, 3, 1]))
    table = write((*HEADER, "label"), [*labelled("1010"), ("chr1", 900, "A", "G", 1)])
    code, text, _ = run("evaluate", "variants", table, "--run", out)
    assert code == 0
    assert text.splitlines()[-4].startswith("AUROC  0.750 (")
    assert "         1         1         0  not in the run (line 6, chr1:900:A:G: " in text
    assert "         5                      in all" in text
    file = tmp_path / "answer.json"
    code, nothing, _ = run("evaluate", "variants", table, "--run", out, "--json", "--output", file)
    assert (code, nothing) == (0, "")
    assert json.loads(file.read_text())["auroc"] == 0.75
    inside = out / "answer.json"
    code, _, error = run("evaluate", "variants", table, "--run", out, "--output", inside)
    assert code == 2
    assert "lies in the run" in error


def test_other_kinds_of_runs_and_no_run(write, run, tmp_path):
    table = write((*HEADER, "label"), labelled("10"))
    code, _, error = run("evaluate", "variants", table, "--run", tmp_path / "nothing")
    assert code == 2
    assert "nothing" in error


def test_alleles_that_share_bases_are_found(toy, write, judged):
    out = toy(
        {("chr1", 9, "A", "G"): 5.0, ("chr1", 19, "CA", "C"): 1.0, ("chr1", 29, "C", "CT"): 3.0}
    )
    rows = [
        ("chr1", 9, "TA", "TG", 1),
        ("chr1", 20, "CAT", "CT", 0),
        ("chr1", 30, "CG", "CTG", 1),
        ("chr1", 21, "A", "-", 0),
    ]
    answer, _ = judged(write((*HEADER, "label"), rows), out)
    # the deletion is listed in two spellings
    assert rows_in(answer) == {"used": 3, "duplicate": 1}
    assert answer["buckets"]["duplicate"]["examples"][0]["why"].startswith("the same variant as 3")
    assert answer["auroc"] == 1


def test_every_order_of_rows_comes_to_the_same(toy, write, judged):
    out = toy(snvs([5, 4, 4, 1]))
    rows = labelled("1010")
    areas = set()
    for order in list(itertools.permutations(rows))[::5]:
        answer, _ = judged(write((*HEADER, "label"), order), out, "--bootstrap", "0")
        areas.add((answer["auroc"], answer["auprc"]))
    assert len(areas) == 1


def test_labels_that_were_made_of_probabilities_beside_them_are_what_counts(toy, write, judged):
    out = toy(snvs([3, 2, 1]))
    both = write((*HEADER, "label", "pip"), [(*row, 0.0) for row in labelled("101")])
    answer, _ = judged(both, out)
    assert answer["judged_by"] == "label"
    assert answer["positives"] == 2


def test_what_could_mean_two_things_or_has_no_use_is_refused(toy, write, refused):
    out = toy(snvs([3, 2, 1]))
    both = write((*HEADER, "label", "pip"), [(*row, 0.5) for row in labelled("101")])
    either = refused(both, "--run", out, "--min-pip", "0.5")
    assert "has columns label and pip: say by which" in either
    by_label = (both, "--run", out, "--label-column", "label")
    assert "--min-pip: is of probabilities" in refused(*by_label, "--min-pip", "0.5")
    assert "--max-pip: is of probabilities" in refused(*by_label, "--max-pip", "0.001")
    said = refused(both, "--run", out, "--value-column", "pip", "--min-pip", "0.5")
    assert "judged by its measured effects (pip)" in said
    assert "--match label: is what rows are judged by" in refused(*by_label, "--match", "label")
    assert "--bootstrap 19: of so few draws" in refused(*by_label, "--bootstrap", "19")
    said = refused(*by_label, "--output", "no/x.txt")
    assert "no/x.txt: there is no directory no" in said


def test_intervals_of_few_are_said_to_mean_little(toy, write, judged):
    out = toy(snvs(range(24)))
    table = write((*HEADER, "label"), labelled("1" + 23 * "0"))
    _, error = judged(table, out, "--bootstrap", "20")
    assert "intervals are drawn of 1 positive: of so few they mean little" in error
    _, error = judged(table, out, "--bootstrap", "20", "--bootstrap-by", "chrom")
    assert "intervals are drawn of 1 chromosome" in error
    _, error = judged(table, out, "--bootstrap", "0")
    assert "so few" not in error
    many = write((*HEADER, "label"), labelled(12 * "10"))
    _, error = judged(many, out)
    assert "so few" not in error


def test_match_groups_that_are_left_out_are_counted_in_words(toy, write, run):
    out = toy(snvs([3, 2, 1]))
    rows = [(*row, group) for row, group in zip(labelled("101"), "aab", strict=True)]
    table = write((*HEADER, "label", "match_group"), rows)
    _, text, _ = run("evaluate", "variants", table, "--run", out)
    assert "mean of 1 match group (1 of positives or negatives alone left out): AUROC" in text
