"""Can the equality tests fail? Each formula by which a difference travels is broken in turn, and each is caught.

A mutant names a function and says how it behaves when it is wrong: another function in its place, or a change of its
syntax tree that finds its place by structure (`+=` becomes `=`, a term or a divisor is dropped, expm1 becomes nothing).
No mutant holds text of a module or a name of one of its variables, so that they may be renamed and moved about; a
change of structure that leaves a mutant without a place, or with two, is an error of that mutant.
"""

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from types import FunctionType, ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional

from enformer_core.genome.fasta import Genome
from enformer_core.models.layers import GELU_SLOPE
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import Allele
from tests.scoring.delta import test_engine as engine_tests
from tests.scoring.delta import test_layer_rules as rule_tests
from tests.scoring.delta import test_rotary_block as rotary_tests
from tests.scoring.delta import test_small_effects as small_effect_tests
from tests.support.small_models import small_basenji2, small_enformer, write_genome

DELTA = "enformer_core.scoring.delta"

Wrong = Callable[[Any], Any]
"""From what a function is to what a slip would make of it."""


@dataclass(frozen=True)
class Mutant:
    """A slip.

    Attributes:
        name: what went wrong.
        where: `module:function` or `module:Class.method`. A function that the module defines is changed for everybody
            who uses it; one that it imports, for this module alone.
        wrong: makes the wrong function of the right one.
    """

    name: str
    where: str
    wrong: Wrong


MUTANTS: list[Mutant] = []


def slip(where: str) -> Callable[[Wrong], Wrong]:
    """Make a mutant of a function that takes the right function and gives back the wrong one."""

    def register(wrong: Wrong) -> Wrong:
        MUTANTS.append(Mutant(wrong.__name__, where, wrong))
        return wrong

    return register


# Changes of the syntax tree


@dataclass(frozen=True)
class Rewrite:
    """One place of a function changed.

    Attributes:
        is_place: tells the place from a node; exactly one node must be it.
        changed: what stands there then; None for nothing.
    """

    is_place: Callable[[ast.AST], bool]
    changed: Callable[[Any], ast.AST | None]

    def __call__(self, right: FunctionType) -> FunctionType:
        function = inspect.unwrap(right)  # without the shape checker
        return compiled(self.tree(tree_of(function)), function)

    def tree(self, tree: ast.Module) -> ast.Module:
        places = [node for node in ast.walk(tree) if self.is_place(node)]
        assert len(places) == 1, f"{len(places)} places for this mutant, not one: renew it"
        place, changed = places[0], self.changed

        class Replace(ast.NodeTransformer):
            def visit(self, node: ast.AST) -> Any:
                return changed(node) if node is place else self.generic_visit(node)

        return ast.fix_missing_locations(Replace().visit(tree))


def tree_of(function: FunctionType) -> ast.Module:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list = []
    return tree


def compiled(tree: ast.Module, function: FunctionType) -> FunctionType:
    names = {}
    code = compile(tree, inspect.getsourcefile(function), "exec")
    exec(code, function.__globals__, names)
    return names[function.__name__]


def is_operation(node: ast.AST, operator: type[ast.operator]) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, operator)


def is_call(node: ast.AST, name: str) -> bool:
    """Whether a node calls a function or method of that name."""
    called = getattr(node, "func", None)
    return isinstance(node, ast.Call) and name in (
        getattr(called, "id", None),
        getattr(called, "attr", None),
    )


def adds_in_place(node: ast.AST) -> bool:
    return isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)


OVERWRITE = Rewrite(adds_in_place, lambda node: ast.Assign([node.target], node.value))
"""`=` instead of `+=`: the residual connection is lost."""

NOT_ADDED = Rewrite(adds_in_place, lambda node: ast.Pass())
"""What is added in place is left out."""

NOT_DIVIDED = Rewrite(lambda node: is_operation(node, ast.Div), lambda node: node.left)
"""The only division is left out."""


def not_called(method: str) -> Rewrite:
    """A statement that calls a method on something, to change it, is left out."""
    return Rewrite(
        lambda node: isinstance(node, ast.Expr) and is_call(node.value, method),
        lambda node: ast.Pass(),
    )


def identity_for(function: str) -> Rewrite:
    """The last argument of a call in the place of its result."""
    return Rewrite(lambda node: is_call(node, function), lambda node: node.args[-1])


# Rules of layers


@slip("layer_rules:gelu_difference")
def gelu_is_linear(right):
    return lambda x, d: torch.sigmoid(1.702 * x) * d


@slip("layer_rules:relu_difference")
def relu_keeps_its_side(right):
    return lambda negative, less_positive, d: torch.where(less_positive < 0, d, torch.zeros_like(d))


@slip("layer_rules:softplus_difference")
def softplus_is_linear_for_small_changes(right):
    return lambda x, d: torch.where(d.abs() > 1, right(x, d), torch.sigmoid(x) * d)


@slip("layer_rules:softplus_difference")
def softplus_has_one_formula_for_all_changes(right):
    return lambda x, d: torch.log1p(torch.sigmoid(x) * torch.expm1(d))


@slip("layer_rules:layer_norm_difference")
def layer_norm_is_linear(right):
    return lambda norm, reference, d, delta: norm(d).to(delta)


@slip("layer_rules:layer_norm_difference")
def layer_norm_is_subtracted(right):
    return lambda norm, reference, d, delta: (norm(reference.x + d) - norm(reference.x)).to(delta)


MUTANTS.append(
    Mutant(
        "layer_norm_forgets_that_the_variance_grows",
        "layer_rules:_standardised_difference",
        Rewrite(lambda node: is_call(node, "addcmul_"), lambda node: node.func.value),
    )
)

MUTANTS.append(
    Mutant(
        "what_is_left_of_a_variance_has_lost_its_digits",
        "layer_rules:_standardised_difference",
        Rewrite(lambda node: isinstance(node, ast.If), lambda node: ast.Pass()),
    )
)


@slip("layer_rules:silu_difference")
def silu_is_subtracted(right):
    return lambda x, d: functional.silu(x + d) - functional.silu(x)


MUTANTS.append(
    Mutant(
        "silu_keeps_its_gate",
        "layer_rules:silu_difference",
        Rewrite(
            lambda node: isinstance(node, ast.Return),
            lambda node: ast.Return(ast.BinOp(node.value.args[0], ast.Mult(), node.value.args[1])),
        ),
    )
)


@slip("layer_rules:sigmoid_difference")
def gates_are_subtracted(right):
    return lambda before, after, d: after - before


@slip("layer_rules:sigmoid_difference")
def gates_change_by_their_slope(right):
    return lambda before, after, d: before * (1 - before) * d


@slip("layer_rules:batch_norm_difference")
def batch_norm_shifts_differences(right):
    return lambda norm, d: norm(d)


@slip("layer_rules:norm_scale")
def batch_norm_has_no_weight(right):
    return lambda norm: torch.rsqrt(norm.running_var + norm.eps)


@slip("layer_rules:max_pool_difference")
def pooling_forgets_who_leads(right):
    return lambda x, d, pool=2: d.unflatten(-1, (-1, pool)).amax(dim=-1)


# Attention


@slip("attention:_factors")
def changed_queries_meet_unchanged_keys(right):
    def wrong(reference, head, changes):
        dq = changes[0]
        unchanged = torch.cat([reference.content[head].to(dq.dtype), dq], dim=-1)
        return right(reference, head, changes)._replace(left=unchanged)

    return wrong


@slip("attention:_factors")
def changed_queries_miss_the_keys(right):
    def wrong(reference, head, changes):
        dk = changes[1]
        return right(reference, head, changes)._replace(right=torch.cat([dk, 0 * dk], dim=-1))

    return wrong


@slip("attention:_factors")
def moved_weights_read_unchanged_values(right):
    def wrong(reference, head, changes):
        dv = changes[2]
        return right(reference, head, changes)._replace(values=reference.v[head].to(dv.dtype))

    return wrong


MUTANTS.append(
    Mutant(
        "distances_do_not_count",
        "attention_reference:DistanceReference.add_low_by_distance",
        NOT_ADDED,
    )
)

MUTANTS.append(Mutant("expm1_is_linear", "attention:_head_difference", not_called("expm1_")))


def normalised(
    moved, carried, attended, z, *, carries=True, subtracts=True, divides=True, ends=True
):
    """`attention._normalised` with a step left out."""
    unmoved = attended + carried if carries else attended
    change = moved - z[:, None] * unmoved if subtracts else moved.to(z.dtype)
    if divides:
        change = change / (1 + z[:, None])
    return change + carried if ends else change


@slip("attention:_normalised")
def weights_do_not_sum_to_one(right):
    return lambda *sums: normalised(*sums, subtracts=False)


@slip("attention:_normalised")
def normalising_forgets_the_change_of_values(right):
    return lambda *sums: normalised(*sums, carries=False)


@slip("attention:_normalised")
def nothing_is_divided_by_the_new_sum(right):
    return lambda *sums: normalised(*sums, divides=False)


@slip("attention:_normalised")
def unmoved_weights_read_unchanged_values(right):
    return lambda *sums: normalised(*sums, ends=False)


@slip("attention_rows:is_large")
def no_row_is_large(right):
    return lambda rise, z, rounded_to: torch.zeros_like(z, dtype=torch.bool)


@slip("attention_rows:rows_plainly")
def plain_rows_read_unchanged_values(right):
    return lambda of, head, dq, dk, dv, rows: right(of, head, dq, dk, 0 * dv, rows=rows)


@slip("attention_rows:rows_plainly")
def plain_rows_have_unchanged_queries(right):
    return lambda of, head, dq, dk, dv, rows: right(of, head, 0 * dq, dk, dv, rows=rows)


@slip("attention_rows:rows_plainly")
def plain_rows_forget_what_was_read_before(right):
    return lambda of, head, *changes, rows: (
        right(of, head, *changes, rows=rows) + of.attended[head, rows]
    )


def one_before(call: ast.Call) -> ast.Call:
    """A call whose last argument is smaller by 1."""
    last = ast.BinOp(call.args[-1], ast.Sub(), ast.Constant(1))
    return ast.Call(call.func, [*call.args[:-1], last], call.keywords)


MUTANTS.append(
    Mutant(
        "distances_are_off_by_one",
        "attention_reference:relative_logits",
        Rewrite(lambda node: is_call(node, "as_strided"), one_before),
    )
)

MUTANTS.append(
    Mutant(
        "exact_rows_read_unchanged_values",
        "attention_rows:rows_exactly",
        Rewrite(  # the only named sum that begins with a part of something
            lambda node: (
                isinstance(node, ast.Assign)
                and is_operation(node.value, ast.Add)
                and isinstance(node.value.left, ast.Subscript)
            ),
            lambda node: ast.Assign(node.targets, node.value.left),
        ),
    )
)

MUTANTS.append(Mutant("exact_rows_are_not_divided", "attention_rows:rows_exactly", NOT_DIVIDED))


@slip("attention_reference:centred")
def keys_and_values_keep_what_they_have_in_common(right):
    return lambda x, dim: (x, torch.zeros_like(x.narrow(dim, 0, 1)))


@slip("attention_reference:ReferenceAttention.attended_with_mean")
def what_values_have_in_common_is_lost(right):
    return lambda self: right(replace(self, mean_v=torch.zeros_like(self.mean_v)))


MUTANTS.append(
    Mutant(
        "sums_of_weights_are_of_changes_not_rounded",
        "attention:_head_difference",
        Rewrite(  # torch.sum(e.copy_(low)) becomes torch.sum(e)
            lambda node: is_call(node, "sum"),
            lambda node: ast.Call(
                node.func, [node.args[0].func.value, *node.args[1:]], node.keywords
            ),
        ),
    )
)


# Attention, where few tokens have changed

MUTANTS.append(
    Mutant("columns_expm1_is_linear", "attention:_columns_difference", identity_for("expm1"))
)

MUTANTS.append(
    Mutant(
        "columns_do_not_sum_to_one",
        "attention:_columns_difference",
        Rewrite(lambda node: is_operation(node, ast.Sub), lambda node: node.left),
    )
)

MUTANTS.append(
    Mutant(
        "columns_read_unchanged_values",
        "attention:_columns_difference",
        Rewrite(
            lambda node: is_operation(node, ast.Add) and is_operation(node.left, ast.Div),
            lambda node: node.left,
        ),
    )
)


@slip("attention:_rows_beyond_columns")
def changed_queries_stay_as_they_were(right):
    return lambda queries, near, large: right(queries, range(near.start, near.start), large)


# Attention with rotary positions


@slip("rotary_block:RotaryBlock._turned")
def changes_are_not_turned(right):
    return lambda self, d: self.attention.split(d)


@slip("rotary_block:RotaryBlock.changes_near")
def few_changes_turn_as_if_they_came_first(right):
    return lambda self, dn, near: right(self, dn, range(len(near)))


@slip("attention_reference:ReferenceAttention.for_queries")
def heads_share_keys_in_turns(right):
    return lambda self, x: x.repeat(self.sharing, *[1] * (x.ndim - 1))


# Trunks


@slip("attention_block:attention_difference")
def query_weights_are_not_scaled(right):
    def wrong(reference, dq, dk, dv, near):
        return right(reference, dq * dq.shape[-1] ** 0.5, dk, dv, near)

    return wrong


MUTANTS.append(
    Mutant("attention_has_no_residual", "attention_block:AttentionBlock._add", OVERWRITE)
)

MUTANTS.append(
    Mutant("perceptron_has_no_residual", "attention_layers:PerceptronBlock._add_each", OVERWRITE)
)

MUTANTS.append(Mutant("dilated_block_has_no_residual", "dilated:DilatedBlock.propagate", OVERWRITE))


@slip("matmul:LinearDifference.__call__")
def linear_maps_keep_their_bias(right):
    return lambda self, d: right(self, d) + 1e-3


@slip("transformer_head:softplus_difference")
def head_has_no_softplus(right):
    return lambda x, d: d


@slip("dilated:norm_scale")
def dilated_kernels_are_not_scaled(right):
    return lambda norm: torch.ones_like(norm.weight)


# Levels of a tower

MUTANTS.append(
    Mutant(
        "pointwise_gelu_is_the_identity",
        "tower_levels:DeltaAttentionPooled.unpooled_difference",
        identity_for("difference"),
    )
)

MUTANTS.append(
    Mutant(
        "pointwise_block_has_no_residual",
        "tower_levels:DeltaAttentionPooled.unpooled_difference",
        Rewrite(
            lambda node: isinstance(node, ast.Return) and is_operation(node.value, ast.Add),
            lambda node: ast.Return(node.value.right),
        ),
    )
)

MUTANTS.append(
    Mutant(
        "pooling_keeps_its_gate",
        "tower_levels:DeltaAttentionPooled.pooled_difference",
        Rewrite(
            lambda node: isinstance(node, ast.Return) and is_operation(node.value, ast.Add),
            lambda node: ast.Return(node.value.left),
        ),
    )
)


@slip("tower_levels:NormedGelu.of")
def gelu_has_no_slope(right):
    def wrong(cls, norm):
        gelu = right(cls, norm)
        return replace(gelu, scale=gelu.scale / GELU_SLOPE, shift=gelu.shift / GELU_SLOPE)

    return wrong


# Pieces of a tower


@slip("tower:Tower.halo_tokens")
def halo_is_rounded_down(right):
    return lambda tower: right(tower) - 1


@slip("tower:_convolve")
def runs_do_not_begin_earlier(right):
    def wrong(level, starts, d):
        _, after = right(level, starts, d)
        return starts, after

    return wrong


MUTANTS.append(
    Mutant("chunks_are_not_turned", "reference_tokens:SharedTokens._along", not_called("reverse"))
)


@slip("reference_tokens:SharedTokens.part")
def ends_of_a_window_are_the_chromosomes(right):
    return lambda self, place, count, span: self._along(place, count, span)


MUTANTS.append(
    Mutant(
        "long_changes_are_not_subtracted",
        "alternate_tokens:fill_differences",
        Rewrite(lambda node: is_operation(node, ast.Sub), lambda node: node.left),
    )
)


@slip("alternate_tokens:_traced")
def trace_has_no_halo_behind(right):
    def wrong(tower, begin_bp, end_bp, tokens):
        traced = right(tower, begin_bp, end_bp, tokens)
        return traced and (traced[0], traced[1] - tower.halo_tokens)

    return wrong


# Flanks that insertions and deletions move


@slip("flanks:flanks_of")
def flanks_move_the_wrong_way(right):
    def wrong(allele, alternate, **how):
        return right(replace(allele, ref=allele.alt, alt=allele.ref), alternate, **how)

    return wrong


@slip("flanks:flanks_of")
def flanks_forget_what_is_cut_off(right):
    def wrong(allele, alternate, **how):
        places = [flank.place for flank in right(allele, replace(alternate, trim_bp=0), **how)]
        flanks = right(allele, alternate, **how)
        return tuple(
            replace(flank, place=place) for flank, place in zip(flanks, places, strict=True)
        )

    return wrong


@slip("flanks:flanks_of")
def flanks_reach_into_the_variant(right):
    return lambda *window, halo_tokens, **how: right(*window, halo_tokens=halo_tokens - 2, **how)


@slip("flanks:_turned")
def turned_flanks_are_read_forwards(right):
    def wrong(flank, tokens):
        turned = right(flank, tokens)
        return replace(turned, place=replace(turned.place, reverse=False))

    return wrong


@slip("reference_tokens:SharedTokens._along")
def phases_are_rounded_down(right):
    def wrong(self, place, count, span):
        token_bp = self._tower.token_bp
        whole = replace(place, start=place.start // token_bp * token_bp)
        return right(self, whole, count, span)

    return wrong


@slip("reference_tokens:SharedTokens._along")
def parts_begin_where_windows_begin(right):
    return lambda self, place, count, span: right(self, place, count, range(len(span)))


@slip("reference_tokens:SharedTokens._end")
def ends_change_places(right):
    return lambda self, place, count, is_first: right(self, place, count, is_first=not is_first)


# The engine


@slip("views:View.along_chromosome")
def reverse_profiles_are_not_turned(right):
    return lambda self, profile, columns: profile


@slip("profile_sums:ProfileSums.pop_means")
def differences_are_summed_not_averaged(right):
    def wrong(self, index):
        reference, difference = right(self, index)
        return reference, 2 * difference  # of both strands

    return wrong


# What puts a mutant in place


def put(monkeypatch, mutant: Mutant) -> None:
    """Let a mutant stand for the right function, wherever that is known."""
    module_name, _, path = mutant.where.partition(":")
    module = importlib.import_module(f"{DELTA}.{module_name}")
    class_name, _, name = path.rpartition(".")
    if class_name:
        owner = getattr(module, class_name)
        monkeypatch.setattr(owner, name, in_class(vars(owner)[name], name, owner, mutant.wrong))
        return
    right = getattr(module, name)
    wrong = mutant.wrong(right)
    users = users_of(module) if right.__module__ == module.__name__ else [module]
    for user in users:
        for key, value in list(vars(user).items()):
            if value is right:
                monkeypatch.setattr(user, key, wrong)


def in_class(right: Any, name: str, owner: type, wrong: Wrong) -> Any:
    """The wrong form of what stands in a class."""
    if isinstance(right, classmethod):
        return classmethod(wrong(right.__func__))
    if isinstance(right, cached_property):
        changed = cached_property(wrong(right.func))
        changed.__set_name__(owner, name)
        return changed
    return wrong(right)


def users_of(module: ModuleType) -> list[ModuleType]:
    names = (DELTA, "tests.scoring.delta")
    return [known for name, known in list(sys.modules.items()) if name.startswith(names)]


# The tests


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


@dataclass(frozen=True)
class Case:
    """One allele, and its scores by two plain passes, which no mutant touches."""

    model: Any
    conventions: Conventions
    alleles: list[Allele]
    direct: list[AlleleScores]


@pytest.fixture(scope="module")
def cases(genome):
    made = []
    for model in (small_enformer(), small_basenji2()):
        centred = engine_tests.conventions_of(model, statistics=("sad", "log_d2"))
        shared = engine_tests.conventions_of(model, statistics=("sad",), max_offset_bp=320)
        trimmed = replace(shared, indel_rule="centre-trim")
        for conventions, start, kind in (
            (centred, 9_000, "snv"),
            (centred, 9_037, "deletion"),
            (shared, 9_300, "mnv"),
            (trimmed, 9_300, "insertion"),
        ):
            alleles = [engine_tests.allele(genome, start, kind)]
            direct = engine_tests.by_two_passes(model, genome, conventions, alleles)
            made.append(Case(model, conventions, alleles, direct))
    return made


def check(genome, cases):
    """A cut through the equality tests: every rule is used by some of these."""
    for case in cases:
        delta = engine_tests.by_differences(case.model, genome, case.conventions, case.alleles)
        engine_tests.assert_same(case.direct, delta)
    rule_tests.test_a_spliced_tower_is_the_full_tower(small_enformer, 1, 4095)
    rule_tests.test_softplus_where_a_peak_goes_or_comes(500.0, -400.0)
    rule_tests.test_attention_where_one_key_dominates_and_falls_or_one_rises(-90.0)
    small_effect_tests.test_scores_keep_their_digits_however_small_the_effect(
        genome, small_effect_tests.EXACT
    )
    small_effect_tests.test_layer_norm_of_what_loses_nearly_all_of_its_variance()
    small_effect_tests.test_attention_in_16_bits_does_not_see_what_keys_and_values_have_in_common(
        10
    )
    small_effect_tests.test_a_query_that_reads_one_key_alone_reads_the_same_when_its_logit_changes()
    rotary_tests.test_a_change_of_few_tokens_is_that_of_two_passes(1.0, range(17, 22))
    rotary_tests.test_where_a_key_falls_or_rises_much_rows_are_computed_plainly(40.0)
    with pytest.MonkeyPatch.context() as patch:
        rule_tests.test_attention_for_changes_of_every_size(100.0, 5.0, patch)
        rule_tests.test_attention_for_changes_of_every_size(1e-6, 1.0, patch)


def test_what_is_not_broken_passes(genome, cases, monkeypatch):
    """The control: functions are put in place and compiled anew, but do what they did."""
    for mutant in MUTANTS:
        unchanged = Mutant(mutant.name, mutant.where, same)
        put(monkeypatch, unchanged)
    check(genome, cases)


def same(right: FunctionType) -> FunctionType:
    function = inspect.unwrap(right)
    return wraps(right)(compiled(tree_of(function), function))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_broken_rule_is_caught(genome, cases, monkeypatch, mutant):
    put(monkeypatch, mutant)
    with pytest.raises((AssertionError, RuntimeError)):  # a piece that is too short stops torch
        check(genome, cases)


REWRITTEN = [mutant for mutant in MUTANTS if isinstance(mutant.wrong, Rewrite)]


@pytest.mark.parametrize("mutant", REWRITTEN, ids=lambda mutant: mutant.name)
def test_variables_may_be_renamed(mutant):
    """A mutant that changes the syntax tree finds the same place whatever the variables are called."""
    module_name, _, path = mutant.where.partition(":")
    right: Any = importlib.import_module(f"{DELTA}.{module_name}")
    for name in path.split("."):
        right = getattr(right, name)
    function = inspect.unwrap(right)
    once = ast.unparse(renamed(mutant.wrong.tree(tree_of(function)), function))
    other = ast.unparse(mutant.wrong.tree(renamed(tree_of(function), function)))
    assert once == other != ast.unparse(renamed(tree_of(function), function))


def renamed(tree: ast.Module, function: FunctionType) -> ast.Module:
    """The same with all variables and arguments of the function called v0, v1 …"""
    new = {name: f"v{number}" for number, name in enumerate(function.__code__.co_varnames)}

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(new.get(node.id, node.id), node.ctx)

        def visit_arg(self, node: ast.arg) -> ast.arg:
            return ast.arg(new[node.arg], node.annotation)

    return Rename().visit(tree)
