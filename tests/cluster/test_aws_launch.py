"""Ray's own AWS launcher, given the cluster file, on a make-believe EC2 (moto): what is really asked of Amazon."""

from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from ray.autoscaler._private.aws.config import bootstrap_aws  # noqa: TID251 - the launcher itself
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider  # noqa: TID251
from ray.autoscaler._private.util import prepare_config  # noqa: TID251

FILE = Path(__file__).parent.parent.parent / "ray_cluster.yaml"


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One machine of each kind, by kind, and the security group that Ray makes for them."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        home = tmp_path_factory.mktemp("home")
        (home / ".ssh").mkdir()
        patch.setenv("HOME", str(home))  # the launcher stores its key pair there
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        make_profiles()
        ec2 = boto3.client("ec2")
        config = bootstrap_aws(
            prepare_config(cluster_with(ec2.describe_images(Owners=["amazon"])["Images"][0]))
        )
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        for name, kind in config["available_node_types"].items():
            provider.create_node(kind["node_config"], {"ray-user-node-type": name}, 1)
        machines = [
            each
            for group in ec2.describe_instances()["Reservations"]
            for each in group["Instances"]
        ]
        groups = ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["ray-autoscaler-*"]}]
        )
    by_kind = {tags_of(machine)["ray-user-node-type"]: machine for machine in machines}
    return {"machines": by_kind, "groups": groups["SecurityGroups"]}


def make_profiles() -> None:
    iam = boto3.client("iam")
    for name in ("enformer-ray-head", "enformer-ray-worker"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def cluster_with(image: dict[str, Any]) -> dict[str, Any]:
    config = yaml.safe_load(FILE.read_text())
    for kind in config["available_node_types"].values():
        assert kind["node_config"]["ImageId"] == "ami-SET-ME"
        kind["node_config"]["ImageId"] = image["ImageId"]
    return config


def tags_of(machine: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in machine["Tags"]}


def test_workers_are_spot_and_the_head_is_not(launched):
    kinds = {
        name: machine.get("InstanceLifecycle") for name, machine in launched["machines"].items()
    }
    assert kinds == {"head": None, "worker.l4": "spot", "worker.a10g": "spot"}


def test_each_machine_has_its_own_profile_and_guards_its_credentials(launched):
    profiles = {
        name: machine["IamInstanceProfile"]["Arn"].split("/")[-1]
        for name, machine in launched["machines"].items()
    }
    assert profiles == {
        "head": "enformer-ray-head",
        "worker.l4": "enformer-ray-worker",
        "worker.a10g": "enformer-ray-worker",
    }
    for machine in launched["machines"].values():
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert (
            tags_of(machine)["ray-cluster-name"] == "enformer-ray"
        )  # what the launcher's policy goes by


def test_only_ssh_is_open_to_the_outside(launched):
    """docs/security.md says how to close that too."""
    (group,) = launched["groups"]
    from_outside = [rule for rule in group["IpPermissions"] if rule["IpRanges"]]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in from_outside] == [(22, 22)]
    within = [rule for rule in group["IpPermissions"] if not rule["IpRanges"]]
    assert all(
        pair["GroupId"] == group["GroupId"] for rule in within for pair in rule["UserIdGroupPairs"]
    )
