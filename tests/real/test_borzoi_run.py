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


def test_what_looks_into_a_model_is_refused_by_name(given, tmp_path, capsys):
    options = {name: value for name, value in given.items() if name.startswith("--")}
    del options["--engine"]
    regions = tmp_path / "regions.bed"
    regions.write_text("chr20\t4699600\t4699700\n")
    asked_for = {"variants": regions, **options, "--group": "x=0"}
    assert asked("attribute", asked_for, "--out", str(tmp_path / "run")) == 2
    assert "model borzoi: gradients and attention are not taken through it" in (
        capsys.readouterr().err
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
