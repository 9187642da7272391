"""Borzoi's family: parameter files read and refused, sizes, positions and doublings by hand."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from enformer_core.errors import InputError
from enformer_core.models.borzoi import Borzoi, UNetLevel
from enformer_core.models.borzoi_params import read_params
from enformer_core.models.borzoi_spec import SPEC, BorzoiConfig, UNetSize
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import tanh_gelu
from enformer_core.models.positional import central_masks
from enformer_core.models.registry import likely_model, sized_spec
from enformer_core.models.weights.keras import KerasLayer, KerasLayers
from jobs.plan_hours import no_hours
from tests.support.seeded_borzoi import keras_arrays, keras_layers

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "seq_length": 512,
    "activation": "gelu",
    "norm_type": "batch",
    "bn_momentum": 0.9,
    "trunk": [
        {"name": "conv_dna", "filters": 6, "kernel_size": 7, "norm_type": None}
        | {"activation": "linear", "pool_size": 2},
        {"name": "res_tower", "filters_init": 8, "filters_end": 12, "divisible_by": 2}
        | {"kernel_size": 5, "num_convs": 1, "repeat": 3},
        {"name": "transformer_tower", "key_size": 4, "heads": 2, "num_position_features": 8}
        | {"repeat": 1, "dropout": 0.2},
        {"name": "unet_conv", "kernel_size": 3, "upsample_conv": True},
        {"name": "Cropping1D", "cropping": 4},
        {"name": "conv_nac", "filters": 10},
    ],
    "head_human": {"name": "final", "units": 5, "activation": "softplus"},
    "head_mouse": {"name": "final", "units": 3, "activation": "softplus"},
}


def params(folder: Path, model: dict) -> str:
    path = folder / "params.json"
    path.write_text(json.dumps({"train": {}, "model": model}))
    return str(path)


def changed(block: str, **entries: object) -> dict:
    model = copy.deepcopy(SMALL)
    (found,) = (one for one in model["trunk"] if one["name"] == block)
    found.update(entries)
    return model


def test_a_parameter_file_says_every_size(tmp_path):
    config = read_params(params(tmp_path, SMALL))
    # 2 in the stem and 2 in each of three levels make tokens of 16 bp, and one doubling bins of 8 bp
    assert config == BorzoiConfig(
        geometry=Geometry(window_bp=512, bin_bp=8, bins=56, bins_per_token=2),
        stem_channels=6,
        stem_width=7,
        tower_channels=(8, 10, 12),
        layers=1,
        heads=2,
        key_channels=4,
        positional_features=8,
        unet=(UNetSize(3, dense_incoming=True),),
        final_channels=10,
        output_tracks={"human": 5, "mouse": 3},
    )
    assert config.skip_levels == (2,)
    assert (config.geometry.tokens, config.geometry.crop_bp) == (32, 32)


def test_hours_are_not_known_of_a_file_of_small_sizes_whatever_the_published_model_is(tmp_path):
    small = SPEC.of_params(params(tmp_path, SMALL))
    assert "the model is small" in no_hours(small, "human")
    assert "no such GPU" in no_hours(SPEC, "human")


def test_what_a_file_leaves_out_is_what_the_original_takes(tmp_path):
    model = changed("res_tower")
    # two convolutions in each level, and no dense layer on the way up
    del model["trunk"][1]["num_convs"], model["trunk"][3]["upsample_conv"]
    # without a crop and a last convolution
    del model["trunk"][4:]
    config = read_params(params(tmp_path, model))
    assert (config.tower_convolutions, config.tower_pool) == (2, 2)
    assert config.unet == (UNetSize(3, dense_incoming=False),)
    assert (config.final_channels, config.embedding, config.geometry.bins) == (None, 12, 64)


def test_the_default_is_the_published_model():
    with torch.device("meta"):
        model = Borzoi(BorzoiConfig(output_tracks={"human": 7611}))
        assert model(torch.zeros(1, 524_288, 4), "human").shape == (1, 16_352, 7611)
    held = [tensor.numel() for tensor in model.state_dict().values() if tensor.ndim]
    assert sum(held) == 185_917_723
    assert model.config.skip_levels == (5, 4)
    assert model.geometry.crop_bp == 512
    # the variant's first base lies at L/2 - 1, in the bin left of the middle; the next base in the one right of it
    assert model.geometry.output_bin(524_288 // 2 - 1) == 8175
    assert model.geometry.output_bin(524_288 // 2) == 8176


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        (changed("conv_dna", se_ratio=4), "conv_dna: the entry se_ratio is not known"),
        (changed("conv_dna", activation="relu"), 'conv_dna: activation is "relu"'),
        (changed("conv_dna", kernel_size=6), "kernel_size is 6, expected an odd number"),
        (changed("res_tower", norm_type="layer"), 'res_tower: norm_type is "layer"'),
        (changed("res_tower", norm_type=None), "res_tower: norm_type is null"),
        (changed("res_tower", repeat=0), "repeat is 0, expected a whole number above 0"),
        (changed("transformer_tower", qkv_width=3), "transformer_tower: the entry qkv_width"),
        (changed("transformer_tower", num_position_features=7), "expected an even number"),
        (changed("unet_conv", activation="relu"), 'unet_conv: activation is "relu"'),
        (changed("Cropping1D", cropping=32), "cropping 32 leaves no bin of 64"),
        (changed("conv_nac", name="dilated_residual"), "the block dilated_residual is not known"),
        (SMALL | {"trunk": SMALL["trunk"][::-1]}, "not in the order that is known"),
        (SMALL | {"trunk": SMALL["trunk"][:2]}, "not in the order that is known"),
        (SMALL | {"activation": "relu"}, "model: activation is 'relu'"),
        (SMALL | {"batch_norm": True}, "model: the entry batch_norm is not known"),
        (SMALL | {"head_human": {"name": "dense"}}, "head_human: the block dense is not known"),
        (SMALL | {"seq_length": 520}, "520 is not a whole number of 16-bp tokens"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(tmp_path, model, refusal):
    with pytest.raises(InputError, match=refusal):
        read_params(params(tmp_path, model))


def test_a_doubling_needs_a_level_of_its_length(tmp_path):
    model = copy.deepcopy(SMALL)
    model["trunk"][3:4] = [SMALL["trunk"][3]] * 4
    with pytest.raises(InputError, match="no level of the tower has 16 positions for each token"):
        read_params(params(tmp_path, model))


def test_files_that_are_no_parameters_are_refused(tmp_path):
    path = tmp_path / "params.json"
    with pytest.raises(InputError, match="cannot be read as a parameter file"):
        read_params(str(path))
    path.write_text('{"trunk": []}')
    with pytest.raises(InputError, match="has no `model`"):
        read_params(str(path))


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("[1]", "the file is a list, expected an object"),
        ("null", "the file is null, expected an object"),
        ('{"model": [1]}', "`model` is a list, expected an object"),
        (
            '{"model": {"seq_length": 512, "seq_length": 256}}',
            "the entry seq_length is there twice",
        ),
        ("[" * 100_000, "cannot be read as a parameter file"),
        ("1" * 5_000, "cannot be read as a parameter file"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path, text, refusal):
    path = tmp_path / "params.json"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"params\.json: .*{refusal}"):
        read_params(str(path))


@pytest.mark.parametrize("value", ["x", None, 3, 2.5, True, {"name": "conv_dna"}, [], [1], [[]]])
@pytest.mark.parametrize("place", ["trunk", "block", "name", "head_human", "filters", "activation"])
def test_no_value_of_another_type_gets_through(tmp_path, place, value):
    model = copy.deepcopy(SMALL)
    if place in {"trunk", "head_human"}:
        model[place] = value
    elif place == "block":
        model["trunk"][1] = value
    else:
        model["trunk"][5][place] = value
    if (place, value) == ("filters", 3):
        assert read_params(params(tmp_path, model)).final_channels == 3
        return
    with pytest.raises(InputError, match=r"params\.json: "):
        read_params(params(tmp_path, model))


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        (SMALL | {"trunk": {}}, "trunk is an object, expected a list of blocks: conv_dna, "),
        (SMALL | {"trunk": []}, "trunk: the list is empty, expected the blocks conv_dna, "),
        (SMALL | {"trunk": [None]}, "trunk: block 1 is null, expected an object"),
        (SMALL | {"trunk": [{}]}, "trunk: `name` of block 1 is null, expected one of conv_dna"),
        (SMALL | {"head_human": "final"}, "head_human is a string, expected an object"),
        (SMALL | {"head_a.b": SMALL["head_human"]}, r"head_a\.b names no head"),
        (SMALL | {"head_1²": SMALL["head_human"]}, "head_1² names no head"),
        (changed("conv_nac", pool_size=True), "pool_size is true; known is 1"),
        (changed("res_tower", filters_init=1, divisible_by=8), "leaves a level without any"),
        (changed("transformer_tower", heads=5), "heads is 5, which does not divide .* 12 channels"),
        (
            SMALL | {"seq_length": 10**12},
            "seq_length is 1,000,000,000,000, expected at most 248,956",
        ),
        (changed("res_tower", repeat=10**9), "repeat is 1,000,000,000, expected at most 1,000"),
        (changed("res_tower", repeat=999), "999 levels of the tower pool more bases to a token"),
        (
            changed("res_tower", num_convs=10**9),
            "num_convs is .* no known model has as many layers",
        ),
        (changed("transformer_tower", repeat=10**9), "transformer_tower: repeat is 1,000,000,000"),
        (changed("conv_nac", filters=10**9), "filters is .*, expected at most 1,048,576: no layer"),
        (changed("Cropping1D", cropping=10**9), "cropping is 1,000,000,000, expected at most"),
    ],
)
def test_types_and_magnitudes_are_refused_at_once(tmp_path, model, refusal):
    with pytest.raises(InputError, match=refusal):
        read_params(params(tmp_path, model))


def test_who_forgot_the_sizes_is_told_so_first(tmp_path):
    table = tmp_path / "targets.txt"
    table.write_text("index\tidentifier\tdescription\n" + "0\tX\tRNA:x\n")
    with pytest.raises(InputError) as forgotten:
        SPEC.tracks("human", str(table))
    told = str(forgotten.value)
    assert "has 1 track, the human head 7,611. Without --params the sizes are those of the" in told
    assert told.index("give --params") < told.index("Give the human head's table")
    sized = SPEC.of_params(params(tmp_path, SMALL))
    with pytest.raises(InputError, match=r"the human head 5\. Give the human head's table"):
        sized.tracks("human", str(table))


def test_a_model_of_one_size_names_who_reads_sizes():
    for name in ("enformer", "basenji2"):
        with pytest.raises(InputError, match=f"model {name} has one size; .* --model borzoi"):
            sized_spec(name, "params.json")
    assert likely_model(None, "params.json") == "borzoi"
    assert likely_model("nowhere.h5", None) is None
    assert likely_model("x" * 5_000, None) is None

    # 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) at 1: tanh(0.797885 * 1.044715) = 0.682384
    found = tanh_gelu(torch.tensor([1.0], dtype=torch.float64))
    assert float(found) == pytest.approx(0.8411920, abs=1e-7)


def test_masks_are_as_wide_as_the_trained_window():
    three = central_masks(3, 4, torch.float32, torch.device("cpu"))
    # of three tokens and two masks: widths 4^(1/2) - 1 = 1 and 4 - 1 = 3; distances -2 ... 2
    assert three.tolist() == [
        [0, 1, -0, -1],
        [0, 1, -0, -1],
        [1, 1, 0, 0],
        [0, 1, 0, 1],
        [0, 1, 0, 1],
    ]
    # of 15 trained tokens: widths 3 and 15, which hold every distance of three
    wide = central_masks(3, 4, torch.float32, torch.device("cpu"), widest=15)
    assert wide[:, :2].tolist() == [[1, 1]] * 5


def test_a_doubling_takes_each_position_twice_and_adds_the_skip():
    level = UNetLevel(1, 1, UNetSize(width=3, dense_incoming=False)).eval()
    with torch.no_grad():
        for norm in (level.incoming.norm, level.skip.norm):
            norm.running_var.fill_(1 - 1e-3)
        level.skip.dense.weight.fill_(10.0)
        level.skip.dense.bias.fill_(0.0)
        # the left neighbour of each position, and 100 on top
        level.separable.depthwise.weight.copy_(torch.tensor([[[1.0, 0.0, 0.0]]]))
        level.separable.pointwise.weight.fill_(1.0)
        level.separable.pointwise.bias.fill_(100.0)
        # so large that the GELU is the identity
        found = level(torch.tensor([[[20.0, 30.0]]]), torch.tensor([[[11.0, 12.0, 13.0, 14.0]]]))
    assert found.flatten().tolist() == pytest.approx([100, 230, 240, 260])


def test_a_base_changes_predictions_of_every_bin_but_tokens_near_it_only(tmp_path):
    config = read_params(params(tmp_path, SMALL))
    torch.manual_seed(0)
    model = Borzoi(config).eval().double()
    letters = torch.zeros(1, 512, 4, dtype=torch.float64)
    letters[0, :, 0] = 1
    other = letters.clone()
    other[0, 255] = torch.tensor([0, 0, 1, 0])
    with torch.no_grad():
        changed_bins = (model(other, "mouse") - model(letters, "mouse")).abs().amax(dim=-1)[0]
        moved = (model.tokens(other) - model.tokens(letters)).abs().amax(dim=-1)[0]
    assert (changed_bins > 0).all()
    # 3 bp of the stem and 2 positions of each level, 2 + 4 + 8 bp wide: 31 bp to either side, two tokens
    (near,) = torch.nonzero(moved, as_tuple=True)
    assert 13 <= near.min() <= near.max() <= 17
    # the rows, skips in them, are all that the trunk reads
    with torch.no_grad():
        rows = model.tokens(letters)
        assert rows.shape == (1, 32, 12 + 2 * 12)
        torch.testing.assert_close(
            model.embed_tokens(rows), model.embed(letters), rtol=1e-12, atol=0
        )
    with pytest.raises(ValueError, match="508 bp is not a whole number of 16-bp tokens"):
        model.embed(letters[:, :508])


@pytest.fixture
def layers(tmp_path) -> tuple[BorzoiConfig, KerasLayers]:
    config = read_params(params(tmp_path, SMALL))
    return config, keras_layers(keras_arrays(config))


def loaded(config: BorzoiConfig, layers: KerasLayers):
    heads = config.output_tracks

    def network(head: str) -> Borzoi:
        return Borzoi(replace(config, output_tracks={head: heads[head]}))

    return SPEC.weights.keras.load(layers, heads, network)


def renamed(layers: KerasLayers, by: int) -> KerasLayers:
    """As a process numbers layers that has made others before."""

    def moved(name: str) -> str:
        kind, _, number = name.rpartition("_")
        return f"{kind}_{int(number) + by}" if number.isdigit() else f"{name}_{by}"

    # in another order than that of their numbers, too
    *others, head = layers.layers
    in_reverse = (*others[::-1], head)
    return KerasLayers(
        layers.file, tuple(KerasLayer(moved(one.name), one.weights) for one in in_reverse)
    )


def test_layers_are_told_by_class_and_number_wherever_numbers_begin(layers):
    config, made = layers
    one, other = loaded(config, made).state, loaded(config, renamed(made, 8)).state
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_layers_that_do_not_fit_are_refused(layers):
    config, made = layers
    kept = [one for one in made.layers if one.name not in ("conv1d_2", "conv1d_3")]
    with pytest.raises(InputError, match="3 layers conv1d with weights, but Borzoi of these"):
        loaded(config, KerasLayers(made.file, tuple(kept)))
    first, *rest = made.layers
    turned = KerasLayer(first.name, first.weights | {"kernel": first.weights["kernel"].T})
    with pytest.raises(InputError, match=r"layer conv1d: kernel is float32 \(6, 4, 7\)"):
        loaded(config, KerasLayers(made.file, (turned, *rest)))
    nameless = KerasLayer(first.name, {"kernel": first.weights["kernel"]})
    with pytest.raises(InputError, match="layer conv1d holds kernel, but stem"):
        loaded(config, KerasLayers(made.file, (nameless, *rest)))
