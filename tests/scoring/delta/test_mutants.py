"""Can the equality tests fail? Each formula by which a difference travels is broken in turn, and each is caught."""

import importlib
import sys
import types
from dataclasses import is_dataclass
from functools import cached_property
from pathlib import Path

import pytest

from enformer_core.genome.fasta import Genome
from tests.scoring.delta import test_engine as engine_tests
from tests.scoring.delta import test_layer_rules as rule_tests
from tests.support.small_models import small_basenji2, small_enformer, write_genome

DELTA = "enformer_core.scoring.delta"

CHANGEABLE = (types.FunctionType, classmethod, property, cached_property)

DUNDER = ("__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__", "__replace__")

MUTANTS = [
    # (module, what stands there, what a slip would make of it)
    ("layer_rules", "return gelu(x + d) - gelu(x)", "return torch.sigmoid(1.702 * x) * d"),
    (
        "layer_rules",
        "torch.maximum(d + negative, less_positive)",
        "torch.where(less_positive < 0, d, torch.zeros_like(d))",
    ),
    ("layer_rules", "torch.expm1(d).mul_(torch.sigmoid(x)).log1p_()", "torch.sigmoid(x) * d"),
    ("layer_rules", "    if large.any():", "    if False:"),
    ("layer_rules", "return norm(x + d).sub_(normed)", "return norm(d)"),
    ("layer_rules", "return d * norm_scale(norm)[:, None]", "return norm(d)"),
    (
        "layer_rules",
        "norm.weight * torch.rsqrt(norm.running_var + norm.eps)",
        "torch.rsqrt(norm.running_var + norm.eps)",
    ),
    (
        "layer_rules",
        "(pairs - pairs.amax(dim=-1, keepdim=True) + d_pairs).amax(dim=-1)",
        "d_pairs.amax(dim=-1)",
    ),
    (
        "attention",
        "(reference.content[head] + dq).to(dq.dtype)",
        "reference.content[head].to(dq.dtype)",
    ),
    (
        "attention",
        "torch.cat([dk, reference.low_k[head]], dim=-1)",
        "torch.cat([dk, 0 * dk], dim=-1)",
    ),
    ("attention", "        dl += _relative_logits(dq, reference.low_relative[head], tokens)\n", ""),
    ("attention", "(reference.v[head] + dv).to(dv.dtype)", "reference.v[head].to(dv.dtype)"),
    ("attention", "        dl.expm1_()\n        return rise", "        return rise"),
    ("attention", "torch.addcmul(moved, kept, z[:, None], value=-1)", "moved.to(z.dtype)"),
    ("attention", "kept = reference.gathered[head] + carried", "kept = reference.gathered[head]"),
    ("attention", ".div_(1 + z[:, None])", ""),
    ("attention", ".div_(1 + z[:, None]).add_(carried)", ".div_(1 + z[:, None])"),
    ("attention", "(rise > LARGE_RISE) | ~(z >= LARGE_FALL)", "rise != rise"),
    (
        "attention",
        "change @ (reference.v[head] + dv).T + before @ dv.T",
        "change @ reference.v[head].T + before @ dv.T",
    ),
    ("attention", "(product.shape[1] - 1, 1), count - 1)", "(product.shape[1] - 1, 1), count - 2)"),
    (
        "transformer",
        "attention.to_q.weight * attention.key_channels**-0.5",
        "attention.to_q.weight",
    ),
    (
        "transformer",
        "d[alt, asked] += self.to_out(gathered)",
        "d[alt, asked] = self.to_out(gathered)",
    ),
    ("transformer", "d[alt] += self.d_second(", "d[alt] = self.d_second("),
    (
        "transformer",
        "return d.to(self._weight.dtype) @ self._weight.T",
        "return d.to(self._weight.dtype) @ self._weight.T + 1e-3",
    ),
    ("transformer", "softplus_difference(reference.logits, logits)", "logits"),
    ("tower_levels", "self.pointwise_activation.difference(convolved, d)", "d"),
    (
        "tower_levels",
        "d = d + convolve(inner, self.pointwise_kernel)",
        "d = convolve(inner, self.pointwise_kernel)",
    ),
    (
        "tower_levels",
        "d_right + gate * du + (gate - torch.sigmoid(logits)) * u",
        "d_right + gate * du",
    ),
    (
        "tower_levels",
        "GELU_SLOPE * scale[:, None], GELU_SLOPE * shift[:, None]",
        "scale[:, None], shift[:, None]",
    ),
    ("tower", "return -(-reach_bp // self.token_bp)", "return reach_bp // self.token_bp"),
    ("tower", "starts - reach(level), convolve(", "starts, convolve("),
    ("tower", "            chunks.reverse()\n", ""),
    (
        "tower",
        "left, right = tower.tokens(codes, 0, halo), tower.tokens(codes, count - halo, count)",
        "left, right = self._along(place, count)[:halo], self._along(place, count)[count - halo:]",
    ),
    ("dilated", "d[alt] += d_widen", "d[alt] = d_widen"),
    (
        "dilated",
        "block.conv.weight * norm_scale(block.norm)[:, None, None]",
        "block.conv.weight * 1.0",
    ),
    (
        "tower",
        "tower.tokens(alternate, first, last) - x[first:last]",
        "tower.tokens(alternate, first, last)",
    ),
    (
        "differences",
        "last = -(-end_bp // aligned_bp) * TRACED_TOKENS + halo",
        "last = -(-end_bp // aligned_bp) * TRACED_TOKENS",
    ),
    ("engine", "return profile.flip(0) if self.reverse else profile", "return profile"),
    ("engine", "difference / readings)", "difference)"),
    ("attention", "e = weights * torch.expm1(dl)", "e = weights * dl"),
    ("attention", "change = (e - before * z) / (1 + z)", "change = e - before * z"),
    ("attention", "- z * (reference.gathered + carried)", ""),
    ("attention", "(moved / (1 + z) + carried)", "(moved / (1 + z))"),
    (
        "attention",
        "exact = torch.cat([rows[inside], large[head]",
        "exact = torch.cat([rows[:0], large[head]",
    ),
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


def replace_module(monkeypatch, name, old, new):
    """Put a module with one line changed in place of the real one, wherever its parts are known."""
    module = importlib.import_module(f"{DELTA}.{name}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{name} no longer says {old!r} once: renew this mutant"
    changed = types.ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, changed)  # dataclasses look their module up
    exec(compile(source.replace(old, new), module.__file__, "exec"), vars(changed))
    own = {
        key: value
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }
    users = [
        m
        for n, m in list(sys.modules.items())
        if n.startswith((DELTA, "tests.scoring.delta")) and m is not changed
    ]
    for known, original in own.items():
        replacement = vars(changed)[known]
        if isinstance(
            original, type
        ):  # signatures are checked by class: keep it, change what it does
            for key, value in vars(replacement).items():
                if isinstance(value, CHANGEABLE) and (
                    key not in DUNDER or not is_dataclass(original)
                ):
                    monkeypatch.setattr(original, key, value)
            vars(changed)[known] = original
            continue
        for user in [*users, module]:
            for key, value in list(vars(user).items()):
                if value is original:
                    monkeypatch.setattr(user, key, replacement)


def check(genome):
    """A cut through the equality tests: every rule is used by some of these."""
    for make in (small_enformer, small_basenji2):
        model = make()
        plain = engine_tests.conventions_of(model, statistics=("sad", "log_d2"))
        shared = engine_tests.conventions_of(model, statistics=("sad",), max_offset_bp=320)
        for conventions, start, kind in (
            (plain, 9_000, "snv"),
            (plain, 9_037, "deletion"),
            (shared, 9_300, "mnv"),
        ):
            alleles = [engine_tests.allele(genome, start, kind)]
            engine_tests.assert_same(*engine_tests.both(model, genome, conventions, alleles))
    rule_tests.test_a_spliced_tower_is_the_full_tower(small_enformer, 1, 4095)
    rule_tests.test_softplus_where_a_peak_goes_or_comes(500.0, -400.0)
    rule_tests.test_attention_where_one_key_dominates_and_falls_or_one_rises(-90.0)
    with pytest.MonkeyPatch.context() as patch:
        rule_tests.test_attention_for_changes_of_every_size(100.0, 5.0, patch)
        rule_tests.test_attention_for_changes_of_every_size(1e-6, 1.0, patch)


def test_what_is_not_broken_passes(genome, monkeypatch):
    replace_module(monkeypatch, "layer_rules", '"""How a difference', '"""How a small difference')
    check(genome)


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS)
def test_every_broken_rule_is_caught(genome, monkeypatch, module, old, new):
    replace_module(monkeypatch, module, old, new)
    with pytest.raises((AssertionError, RuntimeError)):  # a piece that is too short stops torch
        check(genome)
