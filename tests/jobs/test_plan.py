"""`enformer-ray plan`: its counts are those of the run that follows, and what cannot fit is refused."""

import json
import math
import re
import shutil
import time
from collections import namedtuple
from dataclasses import replace

import pytest

from enformer_core.analyses import self_timing
from enformer_core.analyses.speed import Speed
from enformer_core.analyses.throughput import MEASURED_ON, known_hardware
from enformer_core.words import counted
from jobs import exit_codes, plan_hours
from tests.support.vcf import write_vcf

MOTIF = ["--model", "motif", "--ray", "off"]


@pytest.fixture
def many(tmp_path, letters):
    """200 SNVs, four to a place, every tenth with the wrong REF, every twentieth written twice."""
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    records = []
    for number in range(200):
        pos = 300 + 60 * (number // 4)
        letter = letters["chr1"][pos - 1]
        alts = sorted(set("ACGT") - {letter})
        ref = other[letter] if number % 10 == 9 else letter
        records.append(("chr1", pos, ref, alts[number % 3] if ref == letter else letter))
    return write_vcf(tmp_path / "many.vcf", records)


def outlook(run, *arguments):
    code, text, error = run("plan", *arguments, "--json")
    assert code == 0, error
    return json.loads(text)


@pytest.mark.full
def test_it_says_what_the_run_then_does(run, rows, many, genome, tmp_path):
    common = [
        many,
        "--genome",
        genome,
        *MOTIF,
        "--shard-size",
        "32",
        "--max-offset-bp",
        "256",
        "--allow-mismatch",
    ]
    common += ["--statistics", "sad,log_sad", "--strands", "forward"]
    found = outlook(run, *common)
    out = tmp_path / "run"
    assert run("score", *common, "--out", out)[0] == 0
    answered = rows(out)
    assert found["records"] == 200
    assert found["alleles"] == len(answered)
    by_status = {row["status"]: 0 for row in answered}
    for row in answered:
        by_status[row["status"]] += 1
    assert found["by_status"] == by_status == {"ok": 180, "ref_mismatch": 20}
    assert found["contigs"] == {"chr1": 200}
    assert found["alts"] == len({row["variant_id"] for row in answered if row["status"] == "ok"})
    assert found["shards"] == len(list((out / "commits").iterdir()))
    scored = [row for row in answered if row["status"] == "ok"]
    assert len({row["window_start"] for row in scored}) <= found["windows"] < found["alts"]
    stored = sum(
        path.stat().st_size
        for table in ("scores", "effects")
        for path in (out / table).rglob("*.parquet")
    )
    assert stored / 3 < found["output_bytes"] < stored * 3  # small files: their footers weigh
    assert found["estimate"] is None  # a small model
    text = run("plan", *common)[1]
    assert "tracks   8 of 8: 0 DEMO:CTCF motif occupancy" in text
    assert "and 5 more" in text
    [work] = re.findall(r"^work     (\S+) TFLOP by motif$", text, re.MULTILINE)
    assert float(work) > 0


def test_it_writes_nothing_and_needs_neither_weights_nor_out(run, vcf, genome, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    code, text, _ = run("plan", vcf, "--genome", genome, "--out", tmp_path / "later")
    assert code == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "alleles  6" in text
    assert "symbolic" in text
    assert "TFLOP by enformer" in text
    assert "tracks   5,313 of 5,313: 0, 1, 2 and 5,310 more" in text


def test_hours_of_known_hardware_need_no_measurement(run, vcf, genome):
    direct = [vcf, "--genome", genome, "--engine", "direct", "--strands", "forward"]
    named = [*direct, "--hardware", "cpu-bf16", "--workers", "3", "--price-per-hour", "2"]
    found = outlook(run, *named, "--shard-size", "2")
    estimate = found["estimate"]
    # 5 alleles of 70.4 core-seconds
    assert math.isclose(estimate["hours"], 5 * 70.4 / 3600, rel_tol=1e-6)
    assert math.isclose(estimate["cost"], 2 * estimate["hours"])
    assert (estimate["device"], estimate["by"]) == ("cpu", "measured")
    # no more workers than shards, each with four cores
    assert estimate["units"] == 4 * min(3, found["shards"])
    assert math.isclose(estimate["wall_hours"], estimate["hours"] / estimate["units"])
    text = run("plan", *direct, "--hardware", "l4")[1]
    assert re.search(r"^hours    0\.\S+ GPU-hours$", text, re.MULTILINE)
    assert re.search(r"^time     \S+ \S+ on 1 GPU$", text, re.MULTILINE)
    assert "L4, ESTIMATED: peak rates" in text
    assert "--benchmark takes a pilot" in text


def test_this_machine_is_looked_up_where_nothing_is_named(run, vcf, genome, monkeypatch):
    h100 = known_hardware()["h100"]
    monkeypatch.setattr(plan_hours, "hardware_here", lambda device: (h100, 8))
    found = outlook(run, vcf, "--genome", genome, "--shard-size", "1", "--workers", "2")
    assert found["estimate"]["hardware"] == "h100"
    assert found["estimate"]["units"] == 2
    monkeypatch.setattr(plan_hours, "hardware_here", lambda device: (None, 1))
    assert outlook(run, vcf, "--genome", genome)["estimate"] is None


def test_a_machine_that_times_itself_says_so(run, vcf, genome, monkeypatch):
    timed = self_timing.Timed(
        speed=Speed("cpu", direct_s=10.0),
        operations=MEASURED_ON,
        arithmetic="reference float32, differences float32",
        rates={"tower": 0.25},
        rounds=3,
        spread=0.021,
        length=1.0,
    )
    watches = []

    def time_it(device, policy, names, watch):
        watches.append(watch)
        return timed

    monkeypatch.setattr(self_timing, "time_this_machine", time_it)
    direct = [vcf, "--genome", genome, "--engine", "direct", "--strands", "forward", "--calibrate"]
    estimate = outlook(run, *direct)["estimate"]
    assert math.isclose(estimate["hours"], 5 * 10 / 3600, rel_tol=1e-6)
    assert (estimate["by"], estimate["rates"]) == ("calibrated", {"tower": 0.25})
    assert estimate["spread"] == 0.021
    # torch's loading is of the same time
    assert watches[0].ends < time.perf_counter() + self_timing.BUDGET_S
    said = run("plan", *direct)[1]
    found = re.search(r"^by       this machine, CALIBRATED in \d+ s: (.*)$", said, re.MULTILINE)
    assert found[1].startswith("3 rounds of pieces, within ± 2.1% (TFLOP/s of a core: tower 0.25;")
    timed = replace(timed, rounds=1, spread=None, length=0.25)
    assert outlook(run, *direct)["estimate"]["spread"] is None
    said = run("plan", *direct)[1]
    assert "one round of pieces, so that nothing says how sure it is, in layers of 25% of a" in said


def test_one_thing_says_how_fast_it_will_be(run, vcf, genome):
    code, _, error = run("plan", vcf, "--genome", genome, "--calibrate", "--hardware", "t4")
    assert code == exit_codes.BAD_INPUT
    assert "--hardware and --calibrate: each says how fast" in error
    code, _, error = run("plan", vcf, "--genome", genome, "--hardware", "h1000")
    assert code == exit_codes.BAD_INPUT
    assert "--hardware h1000: not in the table; did you mean h100" in error
    code, _, error = run("plan", vcf, "--genome", genome, *MOTIF, "--calibrate")
    assert code == exit_codes.BAD_INPUT
    assert "--calibrate: motif is a small model" in error


def test_of_a_list_of_which_nothing_is_found_it_is_said(run, letters, genome, tmp_path):
    none = write_vcf(tmp_path / "none.vcf", [("chr1", 30, letters["chr1"][29], "<DEL>")])
    code, text, _ = run("plan", none, "--genome", genome)
    assert code == 0
    assert "to score nothing: of 1 allele none is ok\n" in text
    assert "TFLOP" not in text
    assert "hours" not in text


def test_shards_and_rows_without_a_place_are_told_in_words(run, letters, genome, tmp_path):
    ref = letters["chr1"][29]
    place = ("chr1", 30, ref, {"A": "C"}.get(ref, "A"))
    one = write_vcf(tmp_path / "one.vcf", [place])
    assert "alleles  1 in 1 shard\n" in run("plan", one, "--genome", genome)[1]
    two = write_vcf(tmp_path / "two.vcf", [place, ("nowhere", 5, "A", "C")])
    assert "contigs  chr1 1, 1 without a place\n" in run("plan", two, "--genome", genome)[1]
    assert outlook(run, two, "--genome", genome)["contigs"] == {"chr1": 1, "__unplaced__": 1}


def test_flags_that_decide_about_signs_are_counted(run, letters, genome, tmp_path):
    places = range(1000, 1200, 10)
    lines = ["chr\tpos\teffect_allele\tother_allele"]
    for number, pos in enumerate(places):
        letter = letters["chr1"][pos - 1]
        pair = (letter, {"A": "C", "C": "A", "G": "T", "T": "G"}[letter])
        lines.append("\t".join(["chr1", str(pos), *(pair if number < 3 else pair[::-1])]))
    table = tmp_path / "odd.tsv"
    table.write_text("\n".join([*lines, ""]))
    found = outlook(run, table, "--genome", genome)
    assert found["by_flag"] == {"ref_swapped": 3}
    said = run("plan", table, "--genome", genome)[2]
    assert "flags of alleles: 3 ref_swapped" in said
    assert (
        "ref_swapped is nothing wrong here: of 3 alleles the effect allele is the genome's" in said
    )
    # where REF is declared, a swap is no matter of course
    table.write_text(table.read_text().replace("effect_allele\tother_allele", "alt\tref"))
    said = run("plan", table, "--genome", genome, "--allow-swapped")[2]
    assert "flags of alleles: 3 ref_swapped" in said
    assert "nothing wrong" not in said


def test_direct_passes_are_counted_by_hand(run, vcf, genome):
    found = outlook(run, vcf, "--genome", genome, "--model", "enformer", "--engine", "direct")
    # 5 alleles, both strands, 2 passes each of 3.01e12 operations: the tower's 2.28 and 0.74 after it
    assert math.isclose(found["tflop"], 5 * 2 * 2 * 3.0113, rel_tol=1e-3)


def test_hours_and_cost_from_a_benchmark(run, vcf, genome, tmp_path):
    cases = {
        case: {"seconds_per_variant": seconds}
        for case, seconds in {"c": 40.0, "d": 10.0, "e": 1.0}.items()
    }
    benchmark = tmp_path / "engine.json"
    benchmark.write_text(
        json.dumps({"machine": {"device_type": "cuda", "threads": 8}, "cases": cases})
    )
    common = [
        vcf,
        "--genome",
        genome,
        "--strands",
        "forward",
        "--benchmark",
        benchmark,
        "--price-per-hour",
        "3",
    ]
    found = outlook(run, *common, "--audit-fraction", "0", "--max-offset-bp", "57344")
    assert 1 < found["towers"] <= found["windows"] < 5
    assert 0 < found["indels"] < 5
    assert 0.5 <= found["flanks"] <= found["indels"] / 2
    # a window is 9 s, of which its tower is 76 %; flanks that indels move are the tower's too
    tower, rest = 9 * 0.76, 9 * 0.24
    seconds = (found["towers"] + found["flanks"]) * tower + found["windows"] * rest + 5
    estimate = found["estimate"]
    assert math.isclose(estimate["hours"], seconds / 3600, rel_tol=1e-3)
    assert math.isclose(estimate["cost"], 3 * estimate["hours"])
    assert (estimate["device"], estimate["by"]) == ("cuda", "benchmark")
    direct = outlook(run, *common, "--engine", "direct")["estimate"]
    assert math.isclose(direct["hours"], 5 * 40 / 3600)
    # The same seconds, measured over both strands, are half as much for each.
    benchmark.write_text(json.dumps(json.loads(benchmark.read_text()) | {"strands": "both"}))
    both = outlook(run, *common, "--engine", "direct")["estimate"]
    assert math.isclose(both["hours"], direct["hours"] / 2)
    code, _, error = run("plan", *common, "--model", "motif")
    assert code == exit_codes.BAD_INPUT
    assert "measured with model enformer" in error


def test_indels_of_one_gain_share_the_flank_that_they_move(run, letters, genome, tmp_path):
    shared = ["--genome", genome, "--max-offset-bp", "8192", "--shard-size", "9"]
    letter = {pos: letters["chr1"][pos - 1] for pos in (1000, 1100, 1200, 1300)}
    twos = [("chr1", pos, letter[pos], letter[pos] + "AC") for pos in (1000, 1100, 1200)]
    vcf = write_vcf(tmp_path / "twos.vcf", twos)
    found = outlook(run, vcf, *shared)
    assert (found["indels"], found["windows"], found["flanks"]) == (3, 1, 0.5)
    three = ("chr1", 1300, letter[1300], letter[1300] + "ACG")
    vcf = write_vcf(tmp_path / "more.vcf", [*twos, three])
    assert outlook(run, vcf, *shared)["flanks"] == 1.0
    centred = outlook(run, vcf, "--genome", genome, "--hardware", "l4")
    assert centred["flanks"] == 0
    assert (
        centred["estimate"]["hours"]
        > outlook(run, vcf, *shared, "--hardware", "l4")["estimate"]["hours"]
    )


def test_hours_from_a_pilot_run(run, finished, many, genome, tmp_path):
    pilot = finished("pilot", *MOTIF, "--strands", "forward", "--audit-fraction", "0")
    status = json.loads(run("status", pilot, "--json")[1])
    measured = tmp_path / "pilot.json"
    measured.write_text(json.dumps(status | {"cpu_hours": 0.5}))
    found = outlook(
        run, many, "--genome", genome, *MOTIF, "--allow-mismatch", "--benchmark", measured
    )
    # the pilot read one strand, the plan is for both, and has an audit that the pilot has not timed
    scoring = 2 * 0.5 / 5 * found["alts"]
    assert found["audit_share"] > 0
    hours = found["estimate"]["hours"]
    assert math.isclose(hours * (1 - found["audit_share"]), scoring, rel_tol=1e-4)
    assert found["estimate"]["device"] == "cpu"
    assert "reading of each window and the plan's 2" in found["estimate"]["said"]


def test_a_pilots_audit_is_no_part_of_its_rate(run, finished, many, genome, tmp_path):
    pilot = finished("audited", *MOTIF, "--audit-fraction", "1")
    status = json.loads(run("status", pilot, "--json")[1])
    audited = status["audit"]["sad"]["audited"]
    assert audited == 5
    # of an hour half is the audit's: an allele takes 1/10 h, and as long again where it is audited
    measured = tmp_path / "pilot.json"
    timed = {"cpu_hours": 1.0, "seconds": 8.0, "audit_seconds": 4.0}
    measured.write_text(json.dumps(status | timed))
    asked = [many, "--genome", genome, *MOTIF, "--allow-mismatch", "--benchmark", measured]
    found = outlook(run, *asked)
    assert 0 < found["audited"] < found["alts"]
    hours = found["estimate"]["hours"]
    assert math.isclose(hours, 0.1 * (found["alts"] + found["audited"]))
    assert math.isclose(found["audit_hours"], 0.1 * found["audited"])
    plain = outlook(run, *asked, "--audit-fraction", "0")
    assert math.isclose(plain["estimate"]["hours"], 0.1 * plain["alts"])
    said = run("plan", *asked)[1]
    assert said.count("--audit-fraction") == 1


def test_a_pilot_of_other_windows_is_refused(run, finished, vcf, genome, tmp_path):
    pilot = finished("centred", *MOTIF)
    measured = tmp_path / "pilot.json"
    measured.write_text(run("status", pilot, "--json")[1])
    asked = [vcf, "--genome", genome, *MOTIF, "--max-offset-bp", "64", "--benchmark", measured]
    code, _, error = run("plan", *asked)
    assert code == exit_codes.BAD_INPUT
    assert "scored with --max-offset-bp 0, the plan is for --max-offset-bp 64" in error


NO_MEASUREMENTS = {
    "": "it is no JSON",
    "{}": "it has no 'machine'",
    "[1]": "it is JSON of something else",
    '{"rows_done": 3}': "it has no 'gpu_hours'",
    '{"cases": 1, "machine": 2}': "it is JSON of something else",
    '{"rows_done": 0, "gpu_hours": 0, "cpu_hours": 0, "by_status": {"ok": 0}}': "has scored nothing",
}


@pytest.mark.parametrize("content", NO_MEASUREMENTS)
def test_a_benchmark_that_is_none(run, vcf, genome, tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    code, _, error = run("plan", vcf, "--genome", genome, "--benchmark", path)
    assert code == exit_codes.BAD_INPUT
    assert re.search(f"not a measurement: .*{NO_MEASUREMENTS[content]}", error)
    assert re.search("--sample 200.*status OUT --json.*benchmarks.engine", error)
    assert "Error" not in error


def test_a_price_without_hours_is_refused(run, vcf, genome):
    code, _, error = run("plan", vcf, "--genome", genome, *MOTIF, "--price-per-hour", "2")
    assert code == exit_codes.BAD_INPUT
    assert "--benchmark" in error


def test_what_the_disk_cannot_hold_is_refused(run, vcf, genome, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100, 99, 1))
    code, _, error = run("plan", vcf, "--genome", genome, "--out", tmp_path / "not" / "there")
    assert code == exit_codes.BAD_INPUT
    assert "GB free" in error
    assert (
        run("plan", vcf, "--genome", genome, "--out", "s3://bucket/run")[0] == 0
    )  # nothing is asked of it


def test_what_memory_cannot_hold_is_refused(run, vcf, genome):
    code, _, error = run("plan", vcf, "--genome", genome, "--workers", "100000")
    assert code == exit_codes.BAD_INPUT
    assert "--workers 100000, each with 1 × enformer: needs 400000.0 GB of memory" in error
    assert run("plan", vcf, "--genome", genome, "--workers", "100000", "--ray", "auto")[0] == 0


def test_too_many_replicates_for_memory_are_named(run, vcf, genome, monkeypatch):
    monkeypatch.setattr("jobs.plan.total_memory_bytes", lambda: 10_000_000_000)
    weights = ("--weights", "a.h5,b.h5,c.h5")
    code, _, error = run("plan", vcf, "--genome", genome, *weights, "--ray", "off")
    assert code == exit_codes.BAD_INPUT
    assert "--workers 1, each with 3 × enformer: needs 12.0 GB of memory" in error
    assert "this machine has 10.0 GB. Take fewer workers or replicates" in error


def test_bad_input_is_refused_as_score_refuses_it(run, genome, tmp_path):
    empty = write_vcf(tmp_path / "empty.vcf", [])
    code, _, error = run("plan", empty, "--genome", genome)
    assert code == exit_codes.BAD_INPUT
    assert "no variants" in error


@pytest.mark.parametrize("command", ["plan", "score"])
def test_without_any_frequency_nothing_passes_and_that_is_said(
    run, letters, genome, tmp_path, command
):
    record = ("chr1", 300, letters["chr1"][299], "<DEL>")
    out = [] if command == "plan" else ["--out", tmp_path / "run", *MOTIF]
    words = ["--genome", genome, "--min-maf", "0.1", "--sample", "5", *out]
    for info, said in (("NS=3", True), ("AF=0.01", False)):
        path = tmp_path / f"{info}.vcf"
        path.write_text(write_vcf(path, [record] * 2).read_text().replace("\t.\n", f"\t{info}\n"))
        code, _, error = run(command, path, *words)
        assert code == exit_codes.BAD_INPUT
        assert "no variants are left: filters took out records: 2 by maf" in error
        assert ("no record has a frequency" in error) == said


def test_it_says_what_sharing_windows_would_save_and_what_the_audit_costs(
    run, many, genome, tmp_path
):
    common = [many, "--genome", genome, "--allow-mismatch", "--shard-size", "500"]
    common += ["--hardware", "l4"]
    centred = outlook(run, *common, "--audit-fraction", "0")
    assert centred["audit_share"] == 0
    assert [each["max_offset_bp"] for each in centred["sharing"]] == [64, 8192]
    _, text, _ = run("plan", *common, "--audit-fraction", "0")
    for each in centred["sharing"]:
        offset_bp = each["max_offset_bp"]
        shared = outlook(run, *common, "--audit-fraction", "0", "--max-offset-bp", offset_bp)
        assert [rest["max_offset_bp"] for rest in shared["sharing"]] == [8192][: offset_bp < 8192]
        assert (each["windows"], each["towers"]) == (shared["windows"], shared["towers"])
        saved = centred["estimate"]["hours"] / shared["estimate"]["hours"]
        assert each["factor"] == round(saved, 2) > 1.3
        assert f"--max-offset-bp {offset_bp}" in text
        assert (
            f"would take {each['factor']:.1f}× less: {counted(shared['windows'], 'windows')} inst"
            in text
        )
    assert centred["sharing"][0]["towers"] < centred["sharing"][0]["windows"] / 5

    audited = outlook(run, *common)
    assert audited["audited"] == 3
    extra = audited["estimate"]["hours"] - centred["estimate"]["hours"]
    assert math.isclose(audited["audit_share"], extra / audited["estimate"]["hours"], abs_tol=1e-4)
    _, text, _ = run("plan", *common)
    assert (
        f"audit    3 alleles a second time, by direct passes: {audited['audit_share']:.1%} of"
        in text
    )
    assert not any(
        line.startswith("audit")
        for line in run("plan", *common, "--audit-fraction", "0")[1].splitlines()
    )
    direct = outlook(run, *common, "--engine", "direct")
    assert (direct["sharing"], direct["audit_share"]) == ([], 0)
    # a shift to the end of the predicted bins leaves no room for an offset of thousands
    shifted = outlook(run, *common, "--shifts", "57000")["sharing"]
    assert [each["max_offset_bp"] for each in shifted] == [64]


def test_score_says_so_too(run, vcf, genome, tmp_path):
    options = [*MOTIF, "--strands", "forward", "--out", tmp_path / "run"]
    _, _, error = run("score", vcf, "--genome", genome, *options)
    assert "note: the audit scores 1 of 5 alleles again" in error


def test_hardware_is_named_in_any_letters_and_without_a_device(run, vcf, genome):
    upper = outlook(run, vcf, "--genome", genome, "--hardware", "H100")
    assert upper["estimate"]["hardware"] == "h100"
    assert "--calibrate" not in upper["estimate"]["said"]
    code, _, error = run("plan", vcf, "--genome", genome, "--hardware", "h100", "--device", "cpu")
    assert code == exit_codes.BAD_INPUT
    assert "--device cpu and --hardware h100" in error


def test_a_small_model_is_not_told_to_calibrate(run, vcf, genome):
    text = run("plan", vcf, "--genome", genome, *MOTIF)[1]
    assert "hours    not known: the model is small" in text
    assert "--calibrate" not in text
