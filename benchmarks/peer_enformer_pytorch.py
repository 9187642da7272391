"""Predict given windows with enformer-pytorch and given weights, in an environment of its own.

    python peer_enformer_pytorch.py INPUTS.npz OUTPUTS.npz

Imports nothing of this project, so that the two can disagree. Uses the port as its users do: its constructor with
default settings, its own one-hot encoder, its own layers. Only the relative positional features are exchanged, in
three ways that share the convolutions, which do not see them:

- `default`: what the constructor gives (`use_tf_gamma=False`);
- `tf_gamma`: the table that is shipped with the port (`use_tf_gamma=True`);
- `given`: the features in the inputs, put in place of `get_positional_embed`.

Inputs: `codes` [windows, 196608] uint8 (A, C, G, T, N = 0 … 4), `features` [3071, 192] float32, `weight/KEY` for each
tensor. Outputs: for each way `WAY/human` [windows, 896, 5313] float32, `WAY/features` [3071, 192] float32, and
`versions`, a JSON object.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from enformer_pytorch import modeling_enformer
from enformer_pytorch.data import seq_indices_to_one_hot
from torch import Tensor

PACKAGES = ("enformer-pytorch", "transformers", "torch", "numpy", "einops")


def load(weights: dict[str, Tensor]) -> modeling_enformer.Enformer:
    """The port with its default settings and these weights; refuses any key that it has not or that is missing."""
    model = modeling_enformer.Enformer.from_hparams()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [
        key for key in missing if not key.startswith("_trunk.")
    ]  # second names of the same tensors
    if missing or unexpected:
        sys.exit(f"enformer-pytorch: missing {missing}, unexpected {unexpected}")
    return model.eval()


def ways(model: modeling_enformer.Enformer, given: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Switch the model to each kind of positional features in turn; yields its name and the features in use."""
    original = modeling_enformer.get_positional_embed
    size = given.shape[-1]
    for name in ("default", "tf_gamma"):
        for module in model.modules():
            if isinstance(module, modeling_enformer.Attention):
                module.use_tf_gamma = name == "tf_gamma"
        yield name, original(1536, size, given.device, use_tf_gamma=name == "tf_gamma")
    modeling_enformer.get_positional_embed = lambda *_, **__: given
    yield "given", given


def main(inputs_path: str, outputs_path: str) -> None:
    """Read, predict, write."""
    inputs = np.load(inputs_path)
    prefix = "weight/"
    model = load(
        {
            key[len(prefix) :]: torch.from_numpy(inputs[key])
            for key in inputs.files
            if key.startswith(prefix)
        }
    )
    codes = torch.from_numpy(inputs["codes"]).long()
    versions = {name: version(name) for name in PACKAGES}
    outputs: dict[str, Any] = {"versions": np.array(json.dumps(versions))}
    with torch.inference_mode():
        tokens = []
        for row in codes:
            tokens.append(
                model.trunk[:4](seq_indices_to_one_hot(row[None]))
            )  # as far as the transformer
            print(
                f"enformer-pytorch: window {len(tokens)} of {len(codes)}: convolutions done",
                flush=True,
            )
        for name, features in ways(model, torch.from_numpy(inputs["features"])):
            predictions = [model.heads["human"](model.trunk[4:](row))[0].numpy() for row in tokens]
            outputs[f"{name}/human"] = np.stack(predictions)
            outputs[f"{name}/features"] = features.numpy()
            print(f"enformer-pytorch: {name} features done", flush=True)
    np.savez(outputs_path, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
