"""The published size under seeded weights, made once, and the golden outputs of the original programs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from enformer_core.genome.fasta import Genome
from enformer_core.models.registry import ModelSource
from tests.support.seeded import seeded_state


@pytest.fixture(scope="session")
def golden(golden_dir):
    """Arrays of the original Enformer."""
    return np.load(golden_dir / "enformer_seed0.npz")


@pytest.fixture(scope="session")
def seeded_weights(tmp_path_factory) -> Path:
    """A file with the seeded weights, in the published names."""
    path = tmp_path_factory.mktemp("weights") / "seeded.safetensors"
    save_file(seeded_state(0), path)
    return path


@pytest.fixture(scope="session")
def enformer(seeded_weights):
    """The published size, loaded as a user's weights are."""
    return ModelSource("enformer", str(seeded_weights)).build(torch.device("cpu"))


@pytest.fixture(scope="session", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """Where a test computes; on a GPU with `-m gpu`."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def enformer_there(device, seeded_weights):
    """`enformer`, on that device."""
    return ModelSource("enformer", str(seeded_weights)).build(device)


@pytest.fixture(scope="session")
def chr20(data_dir):
    """GRCh38 chr20:1-10,000,000."""
    return Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
