"""Which model a Keras file is of: layers of several classes tell the family, whatever sizes it has."""

import shutil
from pathlib import Path

import pytest
import torch

from enformer_core.errors import InputError
from enformer_core.models.registry import ModelSource, recognise
from enformer_core.models.weights.source import open_weights
from jobs.cli import main
from tests.support import small_weights as small

FILES = {
    "tiny/model.h5": "tiny/params.json",
    "graphs/mini_noup.h5": "graphs/mini_noup.params.json",
    "graphs/numconvs2.h5": "graphs/numconvs2.params.json",
    "graphs/pool8.h5": "graphs/pool8.params.json",
}


@pytest.fixture(params=FILES)
def source(golden_dir: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Weights and the file of their sizes."""
    folder = golden_dir / "borzoi"
    return folder / request.param, folder / FILES[request.param]


def test_a_file_of_the_family_is_told_and_refused_as_another(source: tuple[Path, Path]) -> None:
    weights, params = source
    assert recognise(open_weights(str(weights))) == "borzoi"
    for other in ("basenji2", "enformer"):
        with pytest.raises(InputError) as refusal:
            ModelSource(other, str(weights)).build(torch.device("cpu"))
        said = str(refusal.value)
        assert said.startswith(f"{weights}: holds weights of borzoi (Keras HDF5; it has ")
        assert f"the model asked for is {other}. Use --model borzoi, or weights of {other}." in said
    built = ModelSource("borzoi", str(weights), params=str(params)).build(torch.device("cpu"))
    assert built.geometry.window_bp > 0


def test_it_is_imported_without_a_model_and_scored_from_the_import(
    source: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, params = source
    out = tmp_path / "imported.safetensors"
    command = ["weights", "import", str(weights), str(out)]
    assert main(command) == 2
    # of other sizes than the published ones: it says what would help
    assert "--params" in capsys.readouterr().err
    assert main([*command, "--params", str(params)]) == 0
    assert f"{weights}: borzoi, human" in capsys.readouterr().out
    # the port's names tell it too
    assert recognise(open_weights(str(out))) == "borzoi"
    with pytest.raises(InputError, match="holds weights of borzoi"):
        ModelSource("enformer", str(out)).build(torch.device("cpu"))


def test_convolutions_alone_are_still_those_of_basenji2(tmp_path: Path) -> None:
    keras = small.write_keras(tmp_path / "model_human.h5")
    assert recognise(open_weights(str(keras))) == "basenji2"
    renamed = shutil.copy(keras, tmp_path / "anything")
    assert recognise(open_weights(str(renamed))) == "basenji2"
