"""A run of `score` with a model of Borzoi's family: its parameter file, its Keras weights, either engine."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from enformer_core.api.scorer import Scorer
from enformer_core.errors import InputError
from jobs.cli import main
from tests.support.closeness import relative_l2

VARIANT = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nchr20\t4699605\trs1799990\tA\tG\n"


@pytest.fixture(scope="module")
def sad(golden_dir: Path) -> np.ndarray:
    """Of the original in float64, for the graph with two convolutions in each level."""
    with np.load(golden_dir / "borzoi" / "graphs_golden.npz") as arrays:
        return arrays["numconvs2_SAD_f64"]


@pytest.fixture
def place(golden_dir: Path) -> Path:
    return golden_dir / "borzoi" / "graphs"


@pytest.fixture
def genome(data_dir: Path) -> Path:
    return data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"


@pytest.fixture
def given(place: Path, genome: Path, tmp_path: Path) -> dict[str, Path | str]:
    """What every command here names."""
    variants = tmp_path / "one.vcf"
    variants.write_text(VARIANT)
    return {
        "variants": variants,
        "--genome": genome,
        "--model": "borzoi",
        "--params": place / "numconvs2.params.json",
        "--weights": place / "numconvs2.h5",
        "--engine": "direct",
        "--strands": "forward",
    }


def asked(command: str, given: dict[str, Path | str], *more: str) -> int:
    variants, *options = given.items()
    words = [command, variants[1], *(word for option in options for word in option), *more]
    return main([str(word) for word in words])


def table_of_pairs(folder: Path, pairs: list[int]) -> Path:
    path = folder / "targets.txt"
    lines = ["\tidentifier\tstrand_pair\tdescription"]
    lines += [f"{row}\tX{row}\t{pair}\tRNA:{row}" for row, pair in enumerate(pairs)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scores_of_a_run_are_those_of_the_original(given, sad, tmp_path, capsys):
    out = ("--out", str(tmp_path / "run"), "--ray", "off", "--mantissa-bits", "23")
    assert asked("score", given, *out) == 0
    assert main(["verify", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["query", str(tmp_path / "run"), "FROM scores SELECT sad", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert relative_l2(row["sad"], sad) < 2e-4
    # the sizes are a part of what a run was made with
    params = tmp_path / "params.json"
    shutil.copy(given["--params"], params)
    params.chmod(0o644)
    params.write_text(params.read_text() + "\n")
    assert asked("score", given | {"--params": params}, *out) == 2
    assert "weights_sha256" in capsys.readouterr().err


def test_by_differences_too(given, sad, tmp_path, capsys):
    run = tmp_path / "run"
    more = ("--out", str(run), "--ray", "off", "--mantissa-bits", "23", "--precision", "exact")
    assert asked("score", given | {"--engine": "delta"}, *more) == 0
    capsys.readouterr()
    assert main(["query", str(run), "FROM scores SELECT sad", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert relative_l2(row["sad"], sad) < 2e-4
    # a second run copies what the first has scored
    copied = ("--out", str(tmp_path / "copied"), *more[2:], "--reuse", str(run))
    assert asked("score", given | {"--engine": "delta"}, *copied) == 0
    assert "copied" in capsys.readouterr().out


def test_from_python_strands_are_exchanged_as_the_table_says(given, genome, sad, tmp_path):
    def scorer(**more):
        return Scorer(
            "borzoi",
            genome=genome,
            weights=given["--weights"],
            params=given["--params"],
            engine="direct",
            **more,
        )

    forward = scorer(strands="forward").variant("chr20:4699605:A:G").statistics["sad"]
    assert relative_l2(forward, sad) < 2e-4
    alone = table_of_pairs(tmp_path, list(range(12)))
    apart = scorer(targets=alone).variant("chr20:4699605:A:G").statistics["sad"]
    backwards = 2 * apart - forward
    paired = table_of_pairs(tmp_path, [1, 0, 3, 2, *range(4, 12)])
    swapped = scorer(targets=paired).variant("chr20:4699605:A:G").statistics["sad"]
    order = [1, 0, 3, 2, *range(4, 12)]
    assert relative_l2(swapped, (forward + backwards[order]) / 2) < 1e-4
    # a selection reads the other strand all the same
    one = scorer(targets=paired, tracks="2").variant("chr20:4699605:A:G").statistics["sad"]
    assert one == pytest.approx(swapped[2:3], rel=1e-4)
    with pytest.raises(InputError, match="tracks of borzoi may be of one strand"):
        scorer()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"--strands": "both"}, "Give --targets with the published table"),
        ({"--model": "basenji2"}, "model basenji2 has one size; leave out --params"),
        ({"--head": "mouse"}, "model borzoi has no head 'mouse'"),
    ],
)
def test_what_cannot_be_is_refused_before_it_costs_anything(
    given, changes, refusal, tmp_path, capsys
):
    assert asked("score", given | changes, "--out", str(tmp_path / "run"), "--ray", "off") == 2
    assert refusal in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_sizes_and_weights_of_two_models_are_refused(given, place, tmp_path, capsys):
    other = given | {"--params": place / "pool8.params.json"}
    assert asked("score", other, "--out", str(tmp_path / "run"), "--ray", "off") == 2
    assert "Do the sizes (--params) and the weights belong together?" in capsys.readouterr().err


def test_a_plan_counts_the_work_of_these_sizes(given, capsys):
    needed = {name: value for name, value in given.items() if name != "--weights"}
    assert asked("plan", needed) == 0
    assert "1 distinct allele" in capsys.readouterr().out
    assert asked("plan", needed | {"--engine": "delta"}) == 0
    assert "1 distinct allele" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["links", "insulators"])
def test_what_reads_tokens_as_bins_is_refused_by_name(given, command, tmp_path, capsys):
    regions = tmp_path / "regions.bed"
    regions.write_text("chr20\t4699600\t4699700\n")
    of_command = {
        "links": ("--genes", regions, "--candidates", regions, "--group", "x=0"),
        "insulators": ("--boundaries", regions),
    }
    named = [name for name in given if name.startswith("--") and name != "--engine"]
    options = [word for name in named for word in (name, given[name])]
    words = [command, *options, *of_command[command], "--out", tmp_path / "run"]
    assert main([str(word) for word in words]) == 2
    error = capsys.readouterr().err
    assert "model borzoi: `links` and `insulators` read models whose tokens are their bins" in error
    assert "of this one a token becomes 2" in error
    assert "enformer-ray attribute" in error


def test_a_plan_looks_into_weights_that_are_here(given, tmp_path, capsys):
    def planned(**changes) -> tuple[int, str]:
        options = {name: value for name, value in (given | changes).items() if value is not None}
        code = asked("plan", options)
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    code, text = planned()
    assert (code, "no file here" in text) == (0, False)
    code, text = planned(**{"--params": None})
    assert code == 2
    assert "--params" in text
    code, text = planned(**{"--weights": tmp_path / "nowhere.h5"})
    assert code == 0
    assert "nowhere.h5 is no file here, so nobody has looked" in text
    assert planned(**{"--head": "mouse"})[0] == 2


def test_a_model_is_proposed_by_the_content_of_its_weights(given, capsys):
    unnamed = {name: value for name, value in given.items() if name not in ("--model", "--params")}
    assert asked("score", unnamed) == 2
    assert "--model borzoi" in capsys.readouterr().err
    # `plan` has a model where none is named
    assert asked("plan", unnamed) == 2
    assert "Use --model borzoi" in capsys.readouterr().err


def test_replicates_are_the_same_in_two_formats(given, tmp_path, capsys):
    out = tmp_path / "imported.safetensors"
    sizes = ("--params", str(given["--params"]))
    assert main(["weights", "import", str(given["--weights"]), str(out), *sizes]) == 0
    assert "trained parameters (running means and variances not counted)" in capsys.readouterr().out
    both = given | {"--weights": f"{given['--weights']},{out}"}
    assert asked("score", both, "--out", str(tmp_path / "run"), "--ray", "off") == 2
    assert "hold the same" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()
    # sizes forgotten for a file whose names fit
    forgotten = {name: value for name, value in given.items() if name != "--params"}
    assert asked("plan", forgotten | {"--weights": out}) == 2
    assert "12 tracks of the head human, the model has 7,611. Without --params" in (
        " ".join(capsys.readouterr().err.split())
    )


def test_weights_are_imported_with_their_sizes(given, sad, genome, tmp_path, capsys):
    out = tmp_path / "imported.safetensors"
    source = str(given["--weights"])
    sizes = ("--params", str(given["--params"]))
    assert main(["weights", "import", source, str(out), "--model", "borzoi", *sizes]) == 0
    assert "borzoi, human (12 tracks)" in capsys.readouterr().out
    imported = Scorer(
        "borzoi",
        genome=genome,
        weights=out,
        params=given["--params"],
        engine="direct",
        strands="forward",
    )
    assert relative_l2(imported.variant("chr20:4699605:A:G").statistics["sad"], sad) < 2e-4


GENE = (
    "chr20\tx\texon\t{first}\t4701590\t.\t+\t.\t"
    'gene_id "ENSG00000171867"; gene_name "PRNP"; transcript_id "T{first}";\n'
)


def attributed(given, place: Path | str, out: Path, *more: str) -> int:
    options = {name: value for name, value in given.items() if name.startswith("--")}
    options = {"variants": place} | options | {"--out": out, "--ray": "off"}
    del options["--engine"]
    return asked("attribute", options, "--group", "one=0", "--group", "some=1,4,7", *more)


def asked_of(run: Path, sql: str, capsys) -> list[dict]:
    capsys.readouterr()
    assert main(["query", str(run), sql, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_contributions_of_a_variant_are_of_both_strands_tracks(given, genome, tmp_path, capsys):
    pairs = [1, 0, 3, 2, *range(4, 12)]
    paired = {"--targets": table_of_pairs(tmp_path, pairs), "--strands": "both"}
    run = tmp_path / "run"
    assert attributed(given | paired, given["variants"], run, "--attention") == 0
    assert main(["verify", str(run)]) == 0
    rows = asked_of(
        run,
        'FROM contributions SELECT allele, "group", start, first_bin, end_bin, prediction, '
        "list_sum(values) AS sum, len(values) AS bases",
        capsys,
    )
    assert [(row["allele"], row["group"]) for row in rows] == [
        ("ref", "one"),
        ("alt", "one"),
        ("ref", "some"),
        ("alt", "some"),
    ]
    # of 496 bins of 16 bp the middle is 248; tokens of two bins are averaged, three of them and one bin more
    assert {(row["start"], row["first_bin"], row["end_bin"], row["bases"]) for row in rows} == {
        (4_699_604 - 4095, 245, 252, 8192)
    }
    # the same of a whole pass
    scorer = Scorer(
        "borzoi",
        genome=genome,
        weights=given["--weights"],
        params=given["--params"],
        targets=paired["--targets"],
        engine="direct",
    )
    effect = scorer.variant("chr20:4699605:A:G")
    for row in rows:
        tracks = [0] if row["group"] == "one" else [1, 4, 7]
        profile = effect.ref if row["allele"] == "ref" else effect.alt
        mean = profile[245:252][:, tracks].mean()
        assert row["prediction"] == pytest.approx(mean, rel=1e-5)
    bins = asked_of(
        run,
        'FROM contribution_bins SELECT allele, "group", count(*) AS bins, sum(value) AS sum, '
        'max("end" - start) AS bp GROUP BY ALL',
        capsys,
    )
    sums = {(row["allele"], row["group"]): row["sum"] for row in rows}
    assert len(bins) == len(rows)
    for row in bins:
        assert (row["bins"], row["bp"]) == (512, 16)
        assert row["sum"] == pytest.approx(sums[row["allele"], row["group"]], rel=1e-4, abs=1e-9)
    attention = asked_of(
        run, "FROM attention SELECT layer, len(values) AS tokens, list_sum(values) AS sum", capsys
    )
    assert {(row["layer"], row["tokens"]) for row in attention} == {(None, 256), (1, 256)}
    assert [row["sum"] for row in attention] == pytest.approx([1.0] * 4, rel=1e-5)


@pytest.mark.full
def test_contributions_of_a_gene_go_to_a_bedgraph_and_a_logo(given, tmp_path):
    genes = tmp_path / "genes.gtf"
    # the second TSS is 20 bp from the first, within a token of 32 bp
    genes.write_text(GENE.format(first=4_699_101) + GENE.format(first=4_699_121))
    run = tmp_path / "run"
    assert attributed(given, genes, run) == 0
    logo = tmp_path / "logo.svg"
    assert main(["plot", "logo", str(run), "--target", "PRNP", "--out", str(logo)]) == 0
    assert logo.read_text().startswith("<svg")
    assert main(["export", str(run), "--bedgraph", str(tmp_path / "bedgraph")]) == 0
    lines = (tmp_path / "bedgraph").read_text().splitlines()
    assert sum(line.startswith("track") for line in lines) == 2


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"--strands": "both"}, "Give --targets with the published table"),
        ({"--model": "basenji2"}, "model basenji2 has one size; leave out --params"),
    ],
)
def test_contributions_that_cannot_be_are_refused(given, changes, refusal, tmp_path, capsys):
    assert attributed(given | changes, given["variants"], tmp_path / "run") == 2
    assert refusal in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
