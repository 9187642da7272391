"""The policies for AWS, asked what they allow: a small reading of IAM's rules, for the conditions used here."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

AWS = Path(__file__).parent.parent.parent / "cluster" / "aws"
RUNS = "arn:aws:s3:::BUCKET/runs/first/scores/chrom=chr20/shard-00000042.parquet"
INPUT = "arn:aws:s3:::BUCKET/input/hg38.fa"
BUCKET = "arn:aws:s3:::BUCKET"
# What S3 says of a request: a put or the completion of a multipart upload creates an object, its other steps do not.
CREATE = {
    "s3:if-none-match": "*",
    "s3:ObjectCreationOperation": "true",
    "aws:SecureTransport": "true",
}
OVERWRITE = {"s3:ObjectCreationOperation": "true", "aws:SecureTransport": "true"}
UPLOAD_PART = {"s3:ObjectCreationOperation": "false", "aws:SecureTransport": "true"}
READ = {"aws:SecureTransport": "true"}


def statements(name: str) -> list[dict[str, Any]]:
    policy = json.loads((AWS / name).read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Every operator must hold; of several values of one key, any."""
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            values, found = listed(wanted), context.get(key)
            match operator:
                case "Null":
                    held = (found is None) == (values == ["true"])
                case "Bool" | "StringEquals":
                    held = found in values
                case "StringLike":
                    held = found is not None and any(fnmatchcase(found, value) for value in values)
                case _:
                    raise AssertionError(f"{operator} is not read here")
            if not held:
                return False
    return True


def decide(action: str, resource: str, context: Mapping[str, str]) -> bool:
    """A worker's request, with the policy of its role and that of the bucket; a denial outweighs."""
    effects = {
        statement["Effect"]
        for statement in [*statements("s3_policy.json"), *statements("bucket_policy.json")]
        if any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        and holds(statement.get("Condition", {}), context)
    }
    return effects == {"Allow"}


@pytest.mark.parametrize(
    ("action", "resource", "context", "allowed"),
    [
        ("s3:PutObject", RUNS, CREATE, True),
        ("s3:PutObject", RUNS, OVERWRITE, False),
        ("s3:PutObject", RUNS, UPLOAD_PART, True),
        ("s3:PutObject", RUNS, {**CREATE, "aws:SecureTransport": "false"}, False),
        ("s3:PutObject", INPUT, CREATE, False),
        ("s3:PutObject", "arn:aws:s3:::OTHER/runs/first/run.json", CREATE, False),
        ("s3:GetObject", RUNS, READ, True),
        ("s3:GetObject", INPUT, READ, True),
        ("s3:GetObject", "arn:aws:s3:::BUCKET/private/key", READ, False),
        ("s3:AbortMultipartUpload", RUNS, READ, True),
        ("s3:ListBucket", BUCKET, {**READ, "s3:prefix": "runs/first/commits/"}, True),
        ("s3:ListBucket", BUCKET, {**READ, "s3:prefix": ""}, False),
        ("s3:ListBucket", BUCKET, READ, False),
        ("s3:DeleteObject", RUNS, READ, False),
        ("s3:DeleteObjectVersion", RUNS, READ, False),
        ("s3:PutBucketPolicy", BUCKET, READ, False),
        ("s3:PutObjectAcl", RUNS, CREATE, False),
    ],
)
def test_a_worker_creates_reads_and_lists_and_can_do_no_more(action, resource, context, allowed):
    assert decide(action, resource, context) is allowed


def test_no_policy_of_a_worker_grants_deletion_or_a_family_of_actions():
    granted = {
        action
        for statement in statements("s3_policy.json")
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }
    assert granted == {"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:AbortMultipartUpload"}
    for statement in statements("bucket_policy.json"):
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] == "*"


def test_create_only_is_enforced_in_the_documented_form():
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html"""
    (enforced,) = [
        statement
        for statement in statements("bucket_policy.json")
        if statement["Action"] == "s3:PutObject"
    ]
    assert enforced["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


def test_the_head_ends_only_machines_of_this_cluster_and_touches_no_data():
    by_name = {statement["Sid"]: statement for statement in statements("launcher_policy.json")}
    for statement in by_name.values():
        actions = listed(statement["Action"])
        assert not [action for action in actions if "*" in action or action.startswith("s3:")]
        if "ec2:TerminateInstances" in actions:
            assert statement["Condition"] == {
                "StringEquals": {"aws:ResourceTag/ray-cluster-name": "enformer-ray"}
            }
    assert by_name["GiveWorkersTheirProfile"]["Resource"].endswith(":role/enformer-ray-worker")
