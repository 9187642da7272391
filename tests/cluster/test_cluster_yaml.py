"""The cluster file, held against Ray's own schema and reading of it, EC2's model of a machine, and what we promise."""

import copy
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
import yaml
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config  # noqa: TID251 - the judge

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "ray_cluster.yaml"
Config = dict[str, Any]


@pytest.fixture
def config() -> Config:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def schema() -> Config:
    return json.loads((resources.files("ray.autoscaler") / "ray-schema.json").read_text())


@pytest.fixture(scope="module")
def machine() -> Shape:
    """What EC2's RunInstances takes, as botocore carries it: no request is made."""
    model = botocore.session.Session().get_service_model("ec2")
    return model.operation_model("RunInstances").input_shape


def complaints(node_config: Mapping[str, Any], machine: Shape) -> list[str]:
    """Unknown fields, wrong types, and values that are none of those EC2 lists (which botocore does not look at)."""
    asked = {**node_config, "MinCount": 1, "MaxCount": 1}  # as Ray's launcher adds them
    report = ParamValidator().validate(asked, machine)
    return [*filter(None, report.generate_report().split("\n")), *unlisted(asked, machine)]


def unlisted(value: Any, shape: Shape, name: str = "") -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for key, item in value.items():
            if key in shape.members:
                yield from unlisted(item, shape.members[key], f"{name}.{key}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from unlisted(item, shape.member, f"{name}[]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{name} = {value} is none of EC2's values"


def test_it_has_the_form_that_ray_asks_for(config, schema):
    jsonschema.validate(config, schema)
    validate_config(prepare_config(copy.deepcopy(config)))


def test_each_machine_is_one_that_ec2_takes(config, machine):
    for name, kind in config["available_node_types"].items():
        assert complaints(kind["node_config"], machine) == [], name


@pytest.mark.parametrize(
    "path",
    [(), ("available_node_types", "worker.l4"), ("auth",)],
    ids=["at the top", "in a node type", "in auth"],
)
def test_a_misspelt_setting_is_caught(config, schema, path):
    place = config
    for step in path:
        place = place[step]
    for name in list(place):
        place[name + "z"] = place.pop(name)
        with pytest.raises(
            jsonschema.ValidationError, match=f"{name}z|'{name}' is a required property"
        ):
            jsonschema.validate(config, schema)
        place[name] = place.pop(name + "z")


def test_the_provider_has_only_settings_that_ray_knows(config, schema):
    """Ray's schema lists them, and lets others pass."""
    assert set(config["provider"]) <= set(schema["properties"]["provider"]["properties"])


def misspell(name: str) -> Callable[[Config], None]:
    return lambda node: node.update({f"{name}z": node.pop(name)})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (misspell("InstanceMarketOptions"), "InstanceMarketOptionsz"),
        (misspell("IamInstanceProfile"), "IamInstanceProfilez"),
        (misspell("ImageId"), "ImageIdz"),
        (lambda node: misspell("MarketType")(node["InstanceMarketOptions"]), "MarketTypez"),
        (lambda node: misspell("Encrypted")(node["BlockDeviceMappings"][0]["Ebs"]), "Encryptedz"),
        (lambda node: node["BlockDeviceMappings"][0]["Ebs"].update(VolumeSize="100"), "VolumeSize"),
        (
            lambda node: node["InstanceMarketOptions"].update(MarketType="spott"),
            "MarketType = spott",
        ),
        (
            lambda node: node["MetadataOptions"].update(HttpTokens="requierd"),
            "HttpTokens = requierd",
        ),
        (lambda node: node.update(InstanceType="g6.2xlagre"), "InstanceType = g6.2xlagre"),
    ],
    ids=[
        "market",
        "profile",
        "image",
        "market type",
        "encryption",
        "size as text",
        "spott",
        "requierd",
        "xlagre",
    ],
)
def test_a_misspelt_field_or_value_of_a_machine_is_caught(
    config, machine, schema, change, complaint
):
    node = copy.deepcopy(config["available_node_types"]["worker.l4"]["node_config"])
    change(node)
    assert any(complaint in line for line in complaints(node, machine))
    config["available_node_types"]["worker.l4"]["node_config"] = node
    jsonschema.validate(config, schema)  # Ray's own schema does not look there


def test_there_is_one_head_it_does_no_work_and_is_not_taken_away(config):
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]
    assert "--num-cpus=0" in " ".join(config["head_start_ray_commands"])


def test_workers_are_on_spot_have_a_gpu_and_go_when_idle(config):
    workers = [
        kind
        for name, kind in config["available_node_types"].items()
        if name != config["head_node_type"]
    ]
    assert [kind["node_config"]["InstanceType"] for kind in workers] == ["g6.2xlarge", "g5.2xlarge"]
    for kind in workers:
        assert kind["min_workers"] == 0
        assert kind["resources"]["GPU"] == 1
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert 0 < config["idle_timeout_minutes"] <= 10


def test_no_key_is_stored_and_each_machine_has_its_profile(config):
    for kind in config["available_node_types"].values():
        assert kind["node_config"]["IamInstanceProfile"]["Name"]
        assert kind["node_config"]["MetadataOptions"] == {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
        }
        assert all(disk["Ebs"]["Encrypted"] for disk in kind["node_config"]["BlockDeviceMappings"])
    assert "AWS_" not in FILE.read_text()


def test_every_node_demands_the_token_and_is_given_it(config):
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        starts = [command for command in commands if "ray start" in command]
        assert starts
        assert all(
            "RAY_AUTH_MODE=token ray start" in start.replace("RAY_USAGE_STATS_ENABLED=0 ", "")
            for start in starts
        )
    assert "disabled" not in FILE.read_text()
    assert config["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 $HOME/.ray/auth_token" in config["setup_commands"]


def test_the_dashboard_stays_on_loopback(config):
    (start,) = [command for command in config["head_start_ray_commands"] if "ray start" in command]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in FILE.read_text()


def test_nodes_get_the_packages_and_what_their_installation_reads_and_no_more(config):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    read = {
        project["project"]["readme"],
        *project["project"]["license-files"],
        "pyproject.toml",
        "requirements.lock",
    }
    mounts = dict(config["file_mounts"])
    mounts.pop("/home/ubuntu/.ray/auth_token")
    assert mounts == {f"/home/ubuntu/enformer-ray/{name}": name for name in rooms | read}
    assert all((ROOT / name).exists() for name in mounts.values())


def test_there_is_no_science_in_it(config):
    text = json.dumps(config).lower()
    assert not [
        word for word in ("fasta", "vcf", "weights", "hg38", "shard", "variant") if word in text
    ]
