"""The Kubernetes manifest, held against a schema of the fields that it uses, and what we promise about it."""

import copy
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from jobs.cli import parse

KUBERAY = Path(__file__).parent.parent.parent / "cluster" / "kuberay"
ROOT = KUBERAY.parent.parent
Manifest = dict[str, Any]


@pytest.fixture
def manifest() -> Manifest:
    return yaml.safe_load((KUBERAY / "rayjob.yaml").read_text())


@pytest.fixture(scope="module")
def schema() -> Manifest:
    return json.loads((KUBERAY / "rayjob.schema.json").read_text())


def objects_in(place: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each mapping of a document lies."""
    if isinstance(place, dict):
        yield path
    entries = (
        place.items()
        if isinstance(place, dict)
        else enumerate(place)
        if isinstance(place, list)
        else ()
    )
    for name, inner in entries:
        yield from objects_in(inner, (*path, name))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_it_has_the_form_of_a_rayjob(manifest, schema):
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(manifest, schema)


def test_every_field_at_every_depth_misspelt_is_caught(manifest, schema):
    places = list(objects_in(manifest))
    assert len(places) > 20
    for path in places:
        for name in at(manifest, path):
            wrong = copy.deepcopy(
                manifest
            )  # a copy shares nothing, so YAML's anchors do not spread the change
            place = at(wrong, path)
            place[f"{name}z"] = place.pop(name)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, schema)


def test_the_schema_admits_no_field_that_it_does_not_name(schema):
    for path in objects_in(schema):
        place = at(schema, path)
        if place.get("type") == "object":
            assert place["additionalProperties"] is False, path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backoffLimit"), "5"),
        (("spec", "rayClusterSpec", "rayVersion"), 2.6),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "maxReplicas"), 0),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "tokens"),
    ],
)
def test_a_value_that_kubernetes_would_refuse_is_caught(manifest, schema, path, value):
    at(manifest, path[:-1])[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema)


def test_it_is_tried_again_and_leaves_nothing_that_costs(manifest):
    spec = manifest["spec"]
    assert spec["backoffLimit"] >= 1
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] <= 3600
    assert spec["activeDeadlineSeconds"] >= 24 * 3600
    cluster = spec["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] is True
    (workers,) = cluster["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"]) == (0, 0)
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_each_worker_has_one_gpu_and_nobody_has_privileges_or_keys(manifest):
    cluster = manifest["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    (workers,) = cluster["workerGroupSpecs"]
    for group in (cluster["headGroupSpec"], workers):
        pod = group["template"]["spec"]
        assert pod["serviceAccountName"] == "enformer-ray"
        (container,) = pod["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert not [
            entry for entry in container["env"] if re.search("KEY|SECRET|TOKEN|AUTH", entry["name"])
        ]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_its_command_is_one_that_the_command_line_takes(manifest):
    program, *arguments = shlex.split(manifest["spec"]["entrypoint"])
    assert program == "enformer-ray"
    _, settings = parse(arguments)
    assert settings.ray == "auto"
    assert settings.device == "cuda"
    assert (
        settings.workers == manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"]
    )


def test_its_runtime_environment_is_that_of_submitted_runs(manifest):
    assert yaml.safe_load(manifest["spec"]["runtimeEnvYAML"]) == yaml.safe_load(
        (ROOT / "cluster" / "runtime_env.yaml").read_text()
    )


def test_ray_is_of_one_version_in_manifest_image_and_lock(manifest):
    (pinned,) = re.findall(
        r"^ray(?:\[\w+\])?==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert manifest["spec"]["rayClusterSpec"]["rayVersion"] == pinned
    assert f"rayproject/ray:{pinned}-" in (KUBERAY / "Dockerfile").read_text()


def test_the_image_is_made_from_all_that_the_installation_reads():
    copies = re.findall(
        r"^COPY --chown=ray (.+) \S+$", (KUBERAY / "Dockerfile").read_text(), re.MULTILINE
    )
    copied = set(" ".join(copies).split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    read = {
        project["project"]["readme"],
        *project["project"]["license-files"],
        "pyproject.toml",
        "requirements.lock",
    }
    assert copied == rooms | read


@pytest.mark.skipif(
    "ENFORMER_RAY_RAYJOB_CRD" not in os.environ,
    reason="ENFORMER_RAY_RAYJOB_CRD: no KubeRay CRD given",
)
def test_it_fits_the_operators_own_definition(manifest):
    """With KubeRay's `ray.io_rayjobs.yaml`, which is too large to be kept here."""
    definition = yaml.load(
        Path(os.environ["ENFORMER_RAY_RAYJOB_CRD"]).read_text(), yaml.CSafeLoader
    )
    (version,) = [version for version in definition["spec"]["versions"] if version["name"] == "v1"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path in list(objects_in(spec)):
        place = at(spec, path)
        if isinstance(place.get("properties"), dict) and not place.get(
            "x-kubernetes-preserve-unknown-fields"
        ):
            place.setdefault("additionalProperties", False)
        if place.get("x-kubernetes-int-or-string") is True:
            place.pop("type", None)
    jsonschema.Draft7Validator(spec).validate(manifest["spec"])
