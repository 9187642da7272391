"""Let TensorFlow write an Enformer checkpoint of seeded weights, as DeepMind's release is written.

    python tests/support/make_sonnet_bundle.py --seed 0 --size small --tensorflow /path/to/python-with-tensorflow OUT

`OUT` becomes a directory with one checkpoint. Weights are made here, by `tests/support/seeded.py`; the checkpoint is
written by this same file under an interpreter that has TensorFlow (2.15 was used), which needs nothing of this
project. The tree of objects is that of DeepMind's program, so that object paths are the published ones. `--shards 2`
spreads the tensors over two data files. `sonnet_small` and `sonnet_sharded` were made with `--size small`, seed 0,
and 1 and 2 shards.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()


def make_weights(seed: int, size: str, path: Path) -> None:
    sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]
    from tests.support.seeded import seeded_state, tiny_config  # noqa: PLC0415

    state = seeded_state(seed, tiny_config() if size == "small" else None)
    np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})


class Builder:
    """Modules of TensorFlow with the attributes of DeepMind's, holding weights in Sonnet's order."""

    def __init__(self, weights: Path) -> None:
        import tensorflow as tf  # noqa: PLC0415

        self.tf = tf
        self.arrays = dict(np.load(weights))

    def node(self, **attributes: object) -> object:
        module = self.tf.Module()
        for name, value in attributes.items():
            setattr(module, name, value)
        return module

    def variable(self, name: str, *axes: int) -> object:
        values = self.arrays[name]
        return self.tf.Variable(values.transpose(axes) if axes else values)

    def sequential(self, *layers: object) -> object:
        return self.node(_layers=list(layers))

    def residual(self, *layers: object) -> object:
        return self.node(_module=self.sequential(*layers))

    def linear(self, name: str) -> object:
        return self.node(w=self.variable(f"{name}.weight", 1, 0), b=self.variable(f"{name}.bias"))

    def conv(self, name: str) -> object:
        return self.node(
            w=self.variable(f"{name}.weight", 2, 1, 0), b=self.variable(f"{name}.bias")
        )

    def norm(self, name: str, **more: object) -> object:
        return self.node(
            scale=self.variable(f"{name}.weight"), offset=self.variable(f"{name}.bias"), **more
        )

    def average(self, name: str) -> object:
        values = self.arrays[name][None, None]
        hidden, average = self.tf.Variable(values * 0.5), self.tf.Variable(values)
        counter = self.tf.Variable(7, dtype=self.tf.int64)
        return self.node(_counter=counter, _hidden=hidden, average=average)

    def conv_block(self, name: str) -> tuple[object, ...]:
        averages = {
            "moving_mean": f"{name}.0.running_mean",
            "moving_variance": f"{name}.0.running_var",
        }
        norm = self.norm(
            f"{name}.0", **{theirs: self.average(ours) for theirs, ours in averages.items()}
        )
        return norm, self.node(), self.conv(f"{name}.2")

    def pool(self, name: str) -> object:
        matrix = self.arrays[f"{name}.to_attn_logits.weight"][:, :, 0, 0].T
        return self.node(_logit_linear=self.node(w=self.tf.Variable(matrix)))

    def attention(self, name: str) -> object:
        layers = {
            f"_{theirs}_layer": self.node(w=self.variable(f"{name}.to_{ours}.weight", 1, 0))
            for theirs, ours in {"q": "q", "k": "k", "v": "v", "r_k": "rel_k"}.items()
        }
        biases = {"_r_w_bias": "rel_content_bias", "_r_r_bias": "rel_pos_bias"}
        variables = {theirs: self.variable(f"{name}.{ours}") for theirs, ours in biases.items()}
        return self.node(**layers, **variables, _embedding_layer=self.linear(f"{name}.to_out"))

    def transformer_layer(self, name: str) -> object:
        gather = self.norm(f"{name}.0.fn.0"), self.attention(f"{name}.0.fn.1"), self.node()
        inner, outer = self.linear(f"{name}.1.fn.1"), self.linear(f"{name}.1.fn.4")
        perceptron = (
            self.norm(f"{name}.1.fn.0"),
            inner,
            self.node(),
            self.node(),
            outer,
            self.node(),
        )
        return self.sequential(self.residual(*gather), self.residual(*perceptron))

    def tower_block(self, name: str) -> object:
        first, second = self.conv_block(f"{name}.0"), self.conv_block(f"{name}.1.fn")
        return self.sequential(
            self.sequential(*first), self.residual(*second), self.pool(f"{name}.2")
        )

    def numbered(self, room: str) -> list[str]:
        matches = [re.match(rf"{room}\.(\d+)\.", name) for name in self.arrays]
        return [
            f"{room}.{number}" for number in sorted({int(match[1]) for match in matches if match})
        ]

    def enformer(self) -> object:
        trunk = self.sequential(
            self.sequential(
                self.conv("stem.0"),
                self.residual(*self.conv_block("stem.1.fn")),
                self.pool("stem.2"),
            ),
            self.sequential(*map(self.tower_block, self.numbered("conv_tower"))),
            self.sequential(*map(self.transformer_layer, self.numbered("transformer"))),
            self.node(),
            self.sequential(
                self.sequential(*self.conv_block("final_pointwise.1")), self.node(), self.node()
            ),
        )
        heads = sorted({name.split(".")[1] for name in self.arrays if name.startswith("_heads.")})
        layers = {
            head: self.sequential(self.linear(f"_heads.{head}.0"), self.node()) for head in heads
        }
        return self.node(_trunk=trunk, _heads=layers)


def write_bundle(weights: Path, out: Path, shards: int) -> None:
    builder = Builder(weights)
    out.mkdir(parents=True, exist_ok=True)
    saved = builder.tf.train.Checkpoint(module=builder.enformer()).save(str(out / "seeded"))
    if shards > 1:
        reshard(saved, shards)


def reshard(prefix: str, shards: int) -> None:
    """Spread the tensors over several data files, as savers on several machines do."""
    import tensorflow as tf  # noqa: PLC0415

    reader = tf.train.load_checkpoint(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    parts = [f"{prefix}_part{shard}" for shard in range(shards)]
    for shard, part in enumerate(parts):
        members = names[shard::shards]
        tensors = [tf.constant(reader.get_tensor(name)) for name in members]
        tf.raw_ops.SaveV2(
            prefix=part, tensor_names=members, shape_and_slices=[""] * len(members), tensors=tensors
        )
    for old in Path(prefix).parent.glob(f"{Path(prefix).name}.*"):
        old.unlink()
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=False
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument(
        "--tensorflow", default=sys.executable, help="an interpreter that has TensorFlow"
    )
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weights is not None:
        write_bundle(options.weights, options.out, options.shards)
        return
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory) / "weights.npz"
        make_weights(options.seed, options.size, weights)
        command = [options.tensorflow, str(HERE), str(options.out), "--weights", str(weights)]
        command += ["--shards", str(options.shards)]
        subprocess.run(command, check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})


if __name__ == "__main__":
    main()
