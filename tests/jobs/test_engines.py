"""The engines and their settings through the command: the same answer, offsets, precision, and the audit."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from enformer_core.analyses import audit
from enformer_core.analyses.variant_effects import VariantEffects
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring import precision
from enformer_core.scoring.conventions import FLOAT32, Conventions
from jobs import exit_codes

SMALL = ["--model", "motif", "--ray", "off", "--strands", "forward", "--shard-size", "3"]


UNAUDITED = ["--audit-fraction", "0"]

CONVENTIONS = Conventions(
    geometry=ENFORMER, statistics=("sad",), centre_index=ENFORMER.window_bp // 2 - 1
)


@pytest.fixture
def score(run, vcf, genome, tmp_path):
    """Score the small VCF into a directory."""

    def call(out, *more):
        return (
            *run("score", vcf, "--genome", genome, "--out", tmp_path / out, *SMALL, *more),
            tmp_path / out,
        )

    return call


def receipts(out):
    return [json.loads(path.read_text()) for path in sorted((out / "commits").iterdir())]


def test_both_engines_give_the_same_table(score, rows):
    *_, plain = score("plain", "--engine", "direct", "--statistics", "sad,log_d2")
    *_, differences = score(
        *("differences", "--precision", "exact", "--statistics", "sad,log_d2"), *UNAUDITED
    )
    for one, other in zip(rows(plain), rows(differences), strict=True):
        assert one["variant_id"] == other["variant_id"]
        for name in ("sad", "log_d2"):
            if one[name] is not None:
                assert other[name] == pytest.approx(one[name], rel=1e-3, abs=2e-3)
    assert {receipt["provenance"]["engine"] for receipt in receipts(plain)} == {"direct"}
    assert not any(receipt["audits"] for receipt in receipts(plain))


def test_variants_may_share_windows_and_say_how_far_off_they_lie(score, rows):
    code, _, _, out = score("shared", "--max-offset-bp", "2000", *UNAUDITED)
    assert code == 0
    for row in rows(out):
        if row["status"] == "ok":
            assert row["window_start"] % 128 == 0
            assert row["pos"] - 1 - row["window_start"] - 98_303 == row["offset_bp"]
            assert abs(row["offset_bp"]) <= 2000
    code, _, error, _ = score("other", "--max-offset-bp", "63")
    assert code == exit_codes.BAD_INPUT
    assert "give 0 (each variant exactly centred) or at least 64" in error


def test_some_alleles_are_audited_and_the_error_is_shown(score, run):
    code, text, _, out = score("audited", "--statistics", "sad,d1", "--audit-fraction", "1")
    assert code == 0
    entries = [entry for receipt in receipts(out) for entry in receipt["audits"]]
    assert len(entries) == 5
    assert all(entry["statistics"].keys() == {"sad", "d1"} for entry in entries)
    assert "float64" in {
        entry["yardstick"] for entry in entries
    }  # one for certain, others by chance
    assert all(entry["seconds"] > 0 and entry["kinds"] for entry in entries)
    assert {"snv", "deletion"} <= {kind for entry in entries for kind in entry["kinds"]}
    assert "audit    sad: 5 alleles were scored a second time" in text
    assert re.search(r"audit    took [0-9.]+ s, [0-9]+ % of the time that workers computed", text)
    assert "AUDIT" not in text
    status = json.loads(run("status", out, "--json")[1])
    assert status["audit"]["sad"]["audited"] == 5
    assert 1 <= status["audit"]["sad"]["in_float64"] <= 5
    assert 0 < status["audit_seconds"] <= status["seconds"]
    (machine,) = status["computed_on"]
    assert (machine["rows"], machine["shards"]) == (status["rows_done"], status["shards_done"])
    assert machine["torch"] == torch.__version__
    text = run("status", out)[1]
    assert "audit    d1: 5 alleles" in text
    assert "audit    took " in text
    assert f"; torch {torch.__version__}" in text


def test_a_small_run_is_audited_by_one_allele(score):
    """Of five alleles one takes more than a tenth of the work; fewer cannot be."""
    entries = [entry for receipt in receipts(score("few")[-1]) for entry in receipt["audits"]]
    assert [entry["yardstick"] for entry in entries] == ["float64"]


def test_the_fraction_is_what_is_asked_for(score):
    assert (
        sum(
            len(receipt["audits"])
            for receipt in receipts(score("all", "--audit-fraction", "1")[-1])
        )
        == 5
    )
    assert not any(
        receipt["audits"] for receipt in receipts(score("none", "--audit-fraction", "0")[-1])
    )


def test_an_error_beyond_the_tolerance_cannot_be_missed(score, monkeypatch, run):
    exact = audit.DirectAuditor.compare

    def compare(self, allele, start, scores, drawn):
        moved = {name: values + 0.5 for name, values in scores.items()}
        return exact(self, allele, start, moved, drawn)

    monkeypatch.setattr(audit.DirectAuditor, "compare", compare)
    code, text, _, out = score("warned")
    assert code == 0
    assert "*** AUDIT WARNING *** sad: 1 of 1 audited alleles" in text
    assert "--precision exact or --engine direct" in text
    assert "AUDIT WARNING" in run("status", out)[1]
    code, text, _, _ = score("strict", "--strict")
    assert code == exit_codes.AUDIT_FAILED == 4
    assert "*** AUDIT FAILED *** sad: 1 of 1 audited alleles" in text
    assert score("strict", "--strict")[0] == 4  # said again of the finished run


def test_a_demonstration_is_in_float32_on_all_hardware(score, monkeypatch):
    monkeypatch.setattr(precision, "_has_fast_bfloat16", lambda device_type: True)
    code, text, _, out = score("demonstration", *UNAUDITED)
    assert code == 0
    assert {receipt["provenance"]["arithmetic"] for receipt in receipts(out)} == {FLOAT32}
    assert "came to float32" not in text


@pytest.mark.parametrize(
    ("policy", "weights", "arithmetic", "note"),
    [
        ("fast", "w", [FLOAT32], "note: fast came to float32: the hardware multiplies"),
        ("fast", "w", [FLOAT32, "another"], "on some of the machines, whose hardware multiplies"),
        ("fast", "w", ["another"], ""),
        ("fast", None, [FLOAT32], ""),
        ("exact", "w", [FLOAT32], ""),
    ],
)
def test_fast_without_fast_hardware_says_so(policy, weights, arithmetic, note):
    run = SimpleNamespace(
        spec=SimpleNamespace(engine="delta", precision=policy, conventions=CONVENTIONS),
        inputs=SimpleNamespace(weights=weights),
    )
    notes = VariantEffects.report(run, SimpleNamespace(arithmetic=arithmetic))
    assert len(notes) == bool(note)
    assert note in "".join(notes)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--audit-fraction", "1.5", "must be between 0 and 1"),
        ("--audit-tolerance", "0", "must be above 0"),
        ("--max-offset-bp", "60000", "the most is 57344 bp"),
    ],
)
def test_settings_that_cannot_be(score, option, value, message):
    code, _, error, _ = score("bad", option, value)
    assert code == exit_codes.BAD_INPUT
    assert message in error


def test_settings_of_the_engine_may_stand_in_a_file(run, vcf, genome, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('engine = "direct"\nstrict = true\nmax-offset-bp = 64\n')
    code, _, error = run(
        "score", vcf, "--genome", genome, "--out", tmp_path / "o", *SMALL, "--config", config
    )
    assert code == 0, error
    described = json.loads((tmp_path / "o" / "run.json").read_text())
    assert described["identity"]["engine"] == "direct"
    assert described["configuration"]["strict"] is True
    assert described["identity"]["conventions"]["max_offset_bp"] == 64


def stored_bits(found):
    """The most bits of mantissa that any stored score has."""
    values = np.float32([row["sad"] for row in found if row["sad"] is not None])
    raw = values.view(np.uint32) & np.uint32((1 << 23) - 1)
    return max(bits for bits in range(24) if bits == 0 or np.any(raw & np.uint32(1 << (23 - bits))))


def test_stored_scores_keep_what_the_policy_can_answer_for(score, rows):
    policies = {
        "fast": ([], 11),
        "whole": (["--mantissa-bits", "23"], 23),
        "coarse": (["--mantissa-bits", "4"], 4),
        "exact": (["--precision", "exact"], 23),
        "direct": (["--engine", "direct"], 23),
    }
    tables = {}
    for name, (more, bits) in policies.items():
        *_, out = score(name, *more, *UNAUDITED)
        assert json.loads((out / "run.json").read_text())["identity"]["mantissa_bits"] == bits
        tables[name] = rows(out)
        assert stored_bits(tables[name]) <= bits
    assert min(stored_bits(tables["whole"]), stored_bits(tables["exact"])) > 11
    for rounded, whole in zip(tables["fast"], tables["whole"], strict=True):
        if whole["sad"] is not None:
            assert rounded["sad"] == pytest.approx(whole["sad"], rel=2**-12, abs=0)
            assert rounded["max_abs_sad"] == max(map(abs, rounded["sad"]))
    code, _, error, _ = score("other", "--mantissa-bits", "24")
    assert code == exit_codes.BAD_INPUT
    assert "between 0 and 23" in error
