"""`--unsquash` and scores averaged over shifts and pairings, as a user asks for them, by either engine."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import enformer_core
from enformer_core import InputError
from enformer_core.analyses.model_inputs import squashings_undone
from enformer_core.models.tracks.squashing import Squashing, unsquashed
from enformer_core.models.tracks.targets import read_targets
from jobs.cli import main
from tests.api import test_scorer as scorer_tests
from tests.support.closeness import relative_l2
from tests.support.vcf import write_vcf

genome = scorer_tests.genome
small_enformer = scorer_tests.small_enformer

pytestmark = pytest.mark.usefixtures("one_thread")

TABLE = (
    Squashing(),
    Squashing(clip_soft=0.1),
    Squashing(sum_stat="sum_sqrt"),
    Squashing(clip_soft=0.1, scale=2.0, sum_stat="mean_sqrt"),
    Squashing(clip_soft=0.1, scale=0.3),
)


def write_targets(path, squashings=TABLE):
    lines = ["\tidentifier\tclip_soft\tscale\tsum_stat\tdescription"]
    for row, one in enumerate(squashings):
        clip = "" if one.clip_soft is None else one.clip_soft
        lines.append(f"{row}\tX{row}\t{clip}\t{one.scale}\t{one.sum_stat}\tRNA:{row}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def targets(tmp_path):
    return write_targets(tmp_path / "targets.txt")


@pytest.fixture
def make(genome, small_enformer, targets):
    """A scorer of all statistics that are asked for here."""

    def made(**how):
        usual = {"targets": targets, "statistics": ("sad", "log_d2", "sax"), "precision": "exact"}
        return enformer_core.Scorer(
            "enformer", weights=small_enformer, genome=genome, **(usual | how)
        )

    return made


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"indel_rule": "compensated", "shifts": (0, 3), "average_shifts": "scores"},
        {"indel_rule": "stitched", "strands": "forward", "max_offset_bp": 320},
    ],
)
def test_engines_agree(make, form, how):
    # the SNV, the deletion, and the insertion
    chosen = [scorer_tests.alleles()[at] for at in (0, 2, 3)]
    plain = make(engine="direct", unsquash=form, **how).variants(chosen)
    found = make(unsquash=form, **how).variants(chosen)
    squashed = make(**how).variants(chosen)
    for one, other, as_predicted in zip(plain, found, squashed, strict=True):
        for name, values in one.statistics.items():
            assert relative_l2(other.statistics[name], values) < 5e-3, (one.variant_id, name)
        # the first track has nothing to undo
        sad = other.statistics["sad"]
        assert sad[0] == as_predicted.statistics["sad"][0]
        assert (sad[1:] != as_predicted.statistics["sad"][1:]).all()


def test_statistics_are_of_what_is_brought_back(make):
    snv = scorer_tests.alleles()[0]
    how = {"engine": "direct", "strands": "forward"}
    as_predicted = make(**how).variant(snv)
    found = make(**how, unsquash="new").variant(snv)
    reference, alternate = (
        unsquashed(torch.tensor(each).double(), TABLE, "new")
        for each in (as_predicted.ref, as_predicted.alt)
    )
    assert relative_l2(found.ref, reference.numpy()) < 1e-6
    expected = (alternate - reference).sum(dim=0).numpy()
    assert relative_l2(found.statistics["sad"], expected) < 1e-2


def test_scores_averaged_over_shifts_are_the_mean_of_each_shift_alone(make):
    snv = scorer_tests.alleles()[0]
    alone = [make(shifts=(shift,)).variant(snv).statistics for shift in (0, 3)]
    both = make(shifts=(0, 3), average_shifts="scores").variant(snv).statistics
    for name, values in both.items():
        mean = np.mean([each[name] for each in alone], axis=0)
        np.testing.assert_allclose(values, mean, rtol=1e-4)
    averaged = make(shifts=(0, 3)).variant(snv).statistics
    assert relative_l2(averaged["sad"], both["sad"]) < 1e-3
    assert (averaged["log_d2"] < both["log_d2"]).all()


def score(capsys, *words):
    code = main(["score", *map(str, words), "--ray", "off", "--audit-fraction", "0"])
    return code, capsys.readouterr().err


def test_a_run_says_what_it_undoes(genome, small_enformer, targets, tmp_path, capsys):
    vcf = write_vcf(tmp_path / "one.vcf", scorer_tests.alleles()[:1])
    model = ["--genome", genome, "--model", "enformer", "--weights", small_enformer]
    common = [vcf, *model, "--targets", targets]
    run, plain = tmp_path / "run", tmp_path / "plain"
    asked = ["--unsquash", "new", "--shifts", "0,3", "--average-shifts", "scores"]
    assert score(capsys, *common, "--out", run, *asked)[0] == 0
    assert score(capsys, *common, "--out", plain)[0] == 0
    assert main(["status", str(run), "--json"]) == 0
    conventions = json.loads(capsys.readouterr().out)["conventions"]
    assert conventions["unsquash"] == "new"
    assert conventions["average_shifts"] == "scores"
    identity = json.loads((plain / "run.json").read_text())["identity"]
    # who asks for neither has the identity that runs had before there were such options
    assert not {"unsquash", "average_shifts"} & identity["conventions"].keys()
    code, error = score(capsys, *common, "--out", plain, "--unsquash", "new")
    assert code == 2
    assert "conventions.unsquash: there null" in error
    # a run goes on, and is reused, only with the same table of what is undone
    assert score(capsys, *common, "--out", tmp_path / "copy", *asked, "--reuse", run)[0] == 0
    write_targets(targets, (Squashing(clip_soft=9.0), *TABLE[1:]))
    code, error = score(capsys, *common, "--out", run, *asked)
    assert (code, "tracks.sha256" in error) == (2, True), error
    code, error = score(capsys, *common, "--out", tmp_path / "other", *asked, "--reuse", run)
    assert (code, "nothing of it can be reused" in error) == (2, True), error
    # of the run that undoes nothing that table is no part
    assert score(capsys, *common, "--out", plain)[0] == 0


@pytest.mark.parametrize("command", ["score", "plan"])
def test_a_table_that_does_not_say_it_is_refused(command, genome, small_enformer, tmp_path, capsys):
    vcf = write_vcf(tmp_path / "one.vcf", scorer_tests.alleles()[:1])
    words = [command, vcf, "--genome", genome, "--model", "enformer", "--unsquash", "old"]
    if command == "score":
        words += ["--weights", small_enformer, "--out", tmp_path / "run", "--ray", "off"]
    assert main([str(word) for word in words]) == 2
    assert "--unsquash old: the table of tracks does not say" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sum_stat", ["median_cbrt", "SUM_SQRT", "sqrt", ""])
def test_a_way_to_sum_that_is_not_known_is_refused_where_it_is_to_be_undone(sum_stat, tmp_path):
    path = write_targets(tmp_path / "targets.txt", (*TABLE, Squashing(sum_stat=sum_stat)))
    table = read_targets(str(path), head="human", count=len(TABLE) + 1, layouts={})
    # who asks for nothing of it may have such a table
    assert squashings_undone(table, None) is None
    with pytest.raises(
        InputError, match=f"track 5 has sum_stat '{sum_stat}'.*known is .* sum, mean"
    ):
        squashings_undone(table, "new")
    rest = replace(table, rows=table.rows[:-1])
    assert squashings_undone(rest, "new") == TABLE


def test_scores_of_a_single_shift_are_no_average(make):
    with pytest.raises(InputError, match="of one shift that is no average"):
        make(average_shifts="scores")
