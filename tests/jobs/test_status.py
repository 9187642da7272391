"""`enformer-ray status`: from receipts alone, also of a run that was left half-way, with hours and cost."""

import json
import math

import pytest

from jobs.count import significant

SMALL = ["--model", "motif", "--ray", "off", "--strands", "forward", "--shard-size", "1"]
SMALL += ["--tracks", "0", "--audit-fraction", "0"]
SMALL += ["--device", "cpu"]  # of whose cores hours are told, whatever the machine has


@pytest.fixture
def half(finished):
    """A run of which half the receipts are there, each made to say that it took half an hour on two threads."""
    out = finished("half", *SMALL)
    (out / "manifest.json").unlink()
    receipts = sorted((out / "commits").iterdir())
    for number, path in enumerate(receipts):
        change_provenance(path, seconds=1800.0, threads=2)
        if number % 2:
            path.unlink()
    return out


def change_provenance(path, **fields):
    receipt = json.loads(path.read_text())
    assert fields.keys() <= receipt["provenance"].keys()
    receipt["provenance"] |= fields
    path.write_text(json.dumps(receipt))


def test_hours_and_cost_so_far_and_to_come(run, half):
    code, text, _ = run("status", half, "--json", "--price-per-hour", "0.5")
    found = json.loads(text)
    assert code == 5
    assert found["model"] == "motif"
    assert found["gpu_hours"] == 0
    assert found["cpu_hours"] == found["shards_done"] * 1.0
    left = found["cpu_hours"] * (found["rows"] - found["rows_done"]) / found["rows_done"]
    assert math.isclose(found["hours_left"], left)
    assert math.isclose(found["cost"], 0.5 * found["cpu_hours"])
    assert math.isclose(found["cost_left"], 0.5 * left)


def test_as_text(run, half):
    code, text, _ = run("status", half, "--price-per-hour", "2")
    assert code == 5
    assert (
        "scored   strands forward; shifts 0 bp; indel-rule left-fixed; scale as predicted" in text
    )
    assert "CPU-core-hours" in text
    assert "so far" in text
    assert "to come" in text


def test_of_a_run_that_may_still_be_computed_the_last_sign_of_life_is_told(run, half):
    for path in (half / "commits").iterdir():
        receipt = json.loads(path.read_text())
        receipt["committed_at"] = "2026-11-26T10:00:00+00:00"
        path.write_text(json.dumps(receipt))
    path.write_text(path.read_text().replace("T10:00:00", "T10:00:05"))
    text = run("status", half)[1]
    assert text.startswith("incomplete: where no command computes it any more, run the same")
    assert "last     shard committed " in text
    assert "ago, at 2026-11-26 10:00:05 UTC" in text
    for path in (half / "commits").iterdir():
        path.unlink()
    assert "last     no shard is committed yet" in run("status", half)[1]


def test_what_took_seconds_is_told_in_seconds(run, half):
    for path in (half / "commits").iterdir():
        change_provenance(path, seconds=1.5, threads=1)
    found = json.loads(run("status", half, "--json")[1])
    # what is to come is told in a unit too
    left_s = significant(found["hours_left"] * 3600)
    assert (
        f"computed {1.5 * found['shards_done']:.3g} CPU-core-seconds, {left_s} CPU-core-seconds to come "
        "(time by the clock × how many)" in " ".join(run("status", half)[1].split())
    )


def test_hours_of_gpus_are_told_apart(run, half):
    for path in (half / "commits").iterdir():
        change_provenance(path, device_type="cuda")
    found = json.loads(run("status", half, "--json")[1])
    assert found["cpu_hours"] == 0
    assert found["gpu_hours"] == found["shards_done"] * 0.5
    assert "cost" not in found


def test_of_a_finished_run_nothing_is_to_come(run, finished):
    code, text, _ = run("status", finished("whole", *SMALL), "--price-per-hour", "1")
    assert code == 0
    assert "complete" in text
    assert "to come" not in text
    assert "last     " not in text


def test_where_nothing_is_done_yet_nothing_is_known(run, half):
    for path in (half / "commits").iterdir():
        path.unlink()
    code, text, _ = run("status", half, "--json", "--price-per-hour", "1")
    found = json.loads(text)
    assert code == 5
    assert (found["rows_done"], found["cost"], found["cost_left"], found["rows_per_s"]) == (
        0,
        0,
        None,
        None,
    )
