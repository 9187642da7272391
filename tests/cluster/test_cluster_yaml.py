"""The cluster file, held against Ray's own schema, Ray's own reading of it, and what we promise about it."""

import copy
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config  # noqa: TID251 - the judge

FILE = Path(__file__).parent.parent.parent / "ray_cluster.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((resources.files("ray.autoscaler") / "ray-schema.json").read_text())


def test_it_has_the_form_that_ray_asks_for(config, schema):
    jsonschema.validate(config, schema)
    validate_config(prepare_config(copy.deepcopy(config)))


@pytest.mark.parametrize(
    "path",
    [(), ("available_node_types", "worker.l4"), ("auth",)],
    ids=["at the top", "in a node type", "in auth"],
)
def test_a_misspelt_setting_is_caught(config, schema, path):
    place = config
    for step in path:
        place = place[step]
    name = next(iter(place))
    place[name + "z"] = place.pop(name)
    with pytest.raises(jsonschema.ValidationError, match=f"{name}z"):
        jsonschema.validate(config, schema)


def test_the_head_does_no_work_and_is_not_taken_away(config):
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]
    assert "--num-cpus=0" in " ".join(config["head_start_ray_commands"])


def test_workers_are_on_spot_have_a_gpu_and_go_when_idle(config):
    workers = [kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]]
    assert [kind["node_config"]["InstanceType"] for kind in workers] == ["g6.2xlarge", "g5.2xlarge"]
    for kind in workers:
        assert kind["min_workers"] == 0
        assert kind["resources"]["GPU"] == 1
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert 0 < config["idle_timeout_minutes"] <= 10


def test_no_key_is_stored_and_each_machine_has_its_profile(config):
    for kind in config["available_node_types"].values():
        assert kind["node_config"]["IamInstanceProfile"]["Name"]
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"
    assert "AWS_" not in FILE.read_text()


def test_there_is_no_science_in_it(config):
    text = json.dumps(config).lower()
    assert not [word for word in ("fasta", "vcf", "weights", "hg38", "shard", "variant") if word in text]
