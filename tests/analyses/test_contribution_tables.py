"""Rows that a run of contributions must have, counted by hand; and what became of targets without values."""

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.analyses import run_type_of
from enformer_core.analyses.contribution_run_type import ATTENTION, CONTRIBUTIONS
from enformer_core.analyses.contribution_tables import (
    Attributed,
    Outcome,
    attention_table,
    bins_table,
    contribution_table,
    contributions,
)
from enformer_core.dataset.schemas import TARGETS_SCHEMA
from enformer_core.models.geometry import Geometry
from tests.support.toy_runs import toy_identity, toy_run

GEOMETRY = Geometry(window_bp=8, bin_bp=2, bins=2)

TARGETS = [
    {"chrom": "c", "target": "a", "window_start": -3, "alleles": ["ref"], "status": "ok"},
    {"chrom": "c", "target": "b", "window_start": 5, "alleles": ["ref", "alt"], "status": "ok"},
    {"target": "v.vcf:3:1", "alleles": ["ref"], "status": "symbolic", "reason": "why"},
]


@pytest.fixture
def planned():
    rows = [{**target, "groups": ["x", "y"], "layers": 2} for target in TARGETS]
    return pa.Table.from_pylist(rows, schema=TARGETS_SCHEMA)


def outcomes(planned, failure=None):
    """The first target with an allele, the second with two or failed, the third as planned."""
    values = np.arange(16, dtype=np.float32).reshape(2, 8)
    attention = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.1, 0.2]])
    attributed = Attributed("ACGTNACG", np.array([1.0, 2.0]), values, None, attention)
    first, second, third = planned.to_pylist()
    both = {} if failure else {"ref": attributed, "alt": attributed}
    return [Outcome(first, {"ref": attributed}), Outcome(second, both, failure), Outcome(third)]


def test_keys_are_every_group_and_allele_of_every_target(planned):
    keys = run_type_of("contributions").expected_keys(CONTRIBUTIONS, planned).to_pylist()
    assert [tuple(key.values()) for key in keys] == [
        *(("a", "x", "ref", 0), ("a", "y", "ref", 0)),
        *(("b", "x", "ref", 1), ("b", "x", "alt", 1), ("b", "y", "ref", 1), ("b", "y", "alt", 1)),
        *(("v.vcf:3:1", "x", "ref", 2), ("v.vcf:3:1", "y", "ref", 2)),
    ]


def test_keys_of_attention_are_every_layer_behind_their_mean(planned):
    keys = run_type_of("contributions-attention").expected_keys(ATTENTION, planned.slice(1))
    assert [tuple(key.values()) for key in keys.to_pylist()] == [
        *(("b", "ref", layer, 0) for layer in (None, 1, 2)),
        *(("b", "alt", layer, 0) for layer in (None, 1, 2)),
        *(("v.vcf:3:1", "ref", layer, 1) for layer in (None, 1, 2)),
    ]
    empty = run_type_of("contributions-attention").expected_keys(ATTENTION, planned.slice(3))
    assert empty.num_rows == 0


def test_lists_are_as_long_as_the_window_or_its_tokens():
    kind = run_type_of("contributions-attention")
    identity = toy_identity(kind.name)
    run = toy_run(identity)
    geometry = {"window_bp": 8, "bin_bp": 2, "bins": 2}
    run.identity.update(geometry=geometry, hypothetical=True)
    assert kind.list_length(CONTRIBUTIONS, run) == 8
    assert kind.list_length(ATTENTION, run) == 4
    letters = [f"hypothetical_{letter}" for letter in "acgt"]
    assert kind.value_columns(CONTRIBUTIONS, run) == ("values", *letters)
    assert kind.value_columns(ATTENTION, run) == ("values",)
    assert run_type_of("variants").list_length(CONTRIBUTIONS, run) == 3  # as many as tracks


@pytest.mark.parametrize("failure", [None, "ref: a gradient is not finite"])
def test_every_planned_row_is_answered(planned, failure):
    found = outcomes(planned, failure)
    table = contribution_table(found, {"c": 100}, GEOMETRY, hypothetical=False)
    kind = run_type_of("contributions")
    expected = kind.expected_keys(CONTRIBUTIONS, planned)
    for column in CONTRIBUTIONS.key_columns:
        assert table[column].equals(expected[column])
    statuses = ["ok", "failed" if failure else "ok", "symbolic"]
    assert kind.statuses(planned, table).to_pylist() == statuses
    rows = table.to_pylist()
    assert rows[1]["values"] == list(range(8, 16))
    assert (rows[1]["start"], rows[1]["end"], rows[1]["contig_bp"]) == (-3, 5, 100)
    assert (rows[1]["prediction"], rows[1]["sequence"]) == (2.0, "ACGTNACG")
    assert [row["reason"] for row in rows[2:6]] == [failure] * 4
    assert [row["values"] is None for row in rows[2:6]] == [failure is not None] * 4
    assert (rows[-1]["reason"], rows[-1]["start"], rows[-1]["values"]) == ("why", None, None)


def test_sums_are_of_what_is_stored(planned):
    found = outcomes(planned)
    stored = contribution_table(found, {"c": 100}, GEOMETRY, hypothetical=False)
    bins = bins_table(stored, GEOMETRY).to_pylist()
    assert len(bins) == 6 * 4  # of the target without a place there are none
    assert [(row["start"], row["end"], row["value"]) for row in bins[:4]] == [
        *((-3, -1, 1.0), (-1, 1, 5.0), (1, 3, 9.0), (3, 5, 13.0))
    ]


def test_attention_has_the_mean_before_its_layers(planned):
    rows = attention_table(outcomes(planned), GEOMETRY).to_pylist()
    assert [row["layer"] for row in rows[:3]] == [None, 1, 2]
    np.testing.assert_allclose(rows[0]["values"], [0.2, 0.3, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(rows[2]["values"], [0.3, 0.4, 0.1, 0.2], rtol=1e-6)
    assert rows[-1]["values"] is None


def test_a_contribution_is_the_gradient_at_the_letter_and_n_has_none():
    gradients = np.arange(12.0).reshape(1, 3, 4)
    codes = np.array([2, 4, 0], np.uint8)  # G, N, A
    assert contributions(gradients, codes).tolist() == [[2.0, 0.0, 8.0]]
