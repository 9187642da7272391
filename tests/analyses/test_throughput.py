"""What is known of hardware: the table, what follows from peak rates, and which row this machine is."""

from dataclasses import replace

import pytest

from enformer_core.analyses import throughput
from enformer_core.analyses.cost import AUDIT_WEIGHT, Work
from enformer_core.analyses.speed import Speed
from enformer_core.analyses.throughput import MEASURED_ON, hardware_here, known_hardware, of_peaks
from enformer_core.models.enformer_spec import SPEC
from enformer_core.models.spec import PassOperations
from jobs.cli import command_options

KNOWN = known_hardware()


def test_the_operations_are_those_of_the_model():
    assert SPEC.pass_operations("human", range(5313)) == MEASURED_ON


def test_the_help_names_all_of_them():
    [option] = [each for each in command_options("plan") if each.name == "--hardware"]
    names = option.parameter.help.partition(":")[2].partition("(")[0]
    assert set(names.replace(",", " ").split()) == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_seconds_are_in_an_order_that_can_be(name):
    row = KNOWN[name]
    assert row.source
    for speed in (row.fast, row.exact):
        assert 0 < speed.snv_s <= speed.shared_indel_s <= 1.001 * speed.centred_indel_s
        # an indel reads half a tower, more or less, and two plain passes are no less than two references
        assert 0.3 < (speed.centred_indel_s - speed.snv_s) / speed.tower_s < 0.8
        assert speed.direct_s > 1.5 * (speed.tower_s + speed.trunk_s)
    assert row.fast.snv_s <= row.exact.snv_s


def test_the_measured_row_says_what_was_measured():
    speed = KNOWN["cpu-bf16"].fast
    centred = Work(1, 1, 0, 1, 0, 1.0, overlapping=False)
    assert speed.hours(centred, "delta", views=1) * 3600 == pytest.approx(2 * 17.8, rel=0.01)
    assert speed.snv_s == pytest.approx(2 * 2.6, rel=0.01)
    shared = Work(10, 10, 1, 2, 4, 1.25, overlapping=True, flanks=0.5)
    differences_s = 6 * 5.2 + 4 * 6.7
    by_hand = 1.75 * speed.tower_s + 2 * speed.trunk_s + differences_s + AUDIT_WEIGHT * 70.4
    assert speed.hours(shared, "delta", views=2) * 3600 == pytest.approx(2 * by_hand, rel=0.01)


def test_peak_rates_of_the_h200_give_what_was_measured_there():
    peaks = KNOWN["h200"].peaks
    found = of_peaks(peaks, exact=False)
    measured = KNOWN["h200"].fast
    for part in ("tower_s", "trunk_s", "snv_s", "direct_s", "centred_indel_s"):
        assert getattr(found, part) == pytest.approx(getattr(measured, part), rel=0.4), part
    # with a tenth of the bandwidth differences wait for memory, at half the rates all else takes twice as long
    slow = of_peaks(replace(peaks, splits=False, bandwidth=0.48), exact=False)
    assert slow.snv_s == pytest.approx(0.0036 / 0.48)
    half = of_peaks(replace(peaks, splits=False, float32=33.5), exact=True)
    assert half.tower_s == pytest.approx(2 * slow.tower_s)


def test_another_model_takes_its_operations_share():
    speed = Speed("cpu", 8.0, 4.0, 2.0, 6.0, 6.0, 40.0)
    other = PassOperations(MEASURED_ON.tower // 4, MEASURED_ON.after_tower // 2)
    found = speed.scaled(other, MEASURED_ON)
    assert (found.tower_s, found.trunk_s, found.snv_s) == pytest.approx((2.0, 2.0, 1.0))
    assert found.shared_indel_s == pytest.approx(1.0 + 4.0 / 4)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A10G", "a10g"),
        ("Tesla T4", "t4"),
        ("NVIDIA GeForce RTX 3090", None),
    ],
)
def test_a_gpu_is_known_by_its_name(tmp_path, monkeypatch, model, name):
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t {model}\nIRQ:   7\n")
    monkeypatch.setattr(throughput, "_GPUS", tmp_path)
    found, count = hardware_here("auto")
    assert (found and found.name, count) == (name, 2)
    assert hardware_here("cpu")[0].device == "cpu"


@pytest.mark.parametrize(
    ("flags", "name"),
    [("fpu avx2 avx512_bf16 sse", "cpu-bf16"), ("amx_bf16", "cpu-bf16"), ("avx2 avx512f", "cpu")],
)
def test_a_cpu_is_known_by_its_flags(tmp_path, monkeypatch, flags, name):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(throughput, "_CPU_DESCRIPTIONS", path)
    assert hardware_here("cpu")[0].name == name
    monkeypatch.setattr(throughput, "_CPU_DESCRIPTIONS", tmp_path / "none")
    assert hardware_here("cpu")[0].name == "cpu"
