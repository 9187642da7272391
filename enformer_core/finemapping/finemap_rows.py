"""What came of a locus as a table of its variants, and as JSON. Does not know how it was computed."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from enformer_core.finemapping.credible_sets import CredibleSet
from enformer_core.finemapping.finemap import FinemapResult, Fitted, sentence_of, suspects_of
from enformer_core.finemapping.locus import Missing

_SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "line": pl.Int64(),
        "chrom": pl.String(),
        "pos": pl.Int64(),
        "effect_allele": pl.String(),
        "other_allele": pl.String(),
        "z": pl.Float64(),
        "expected_z": pl.Float64(),
        "log_ratio": pl.Float64(),
        "is_suspect": pl.Boolean(),
        "prior": pl.Float64(),
        "pip_uniform": pl.Float64(),
        "pip_prior": pl.Float64(),
        "pip_change": pl.Float64(),
        "set_uniform": pl.Int64(),
        "set_prior": pl.Int64(),
    }
)


def variant_rows(result: FinemapResult) -> pl.DataFrame:
    """A row for each variant, in the order of the study; null where there is no prior, or no diagnostic."""
    data = result.data
    variants = data.z.size
    columns: dict[str, object] = {
        "id": data.labels,
        "line": data.study.line[data.row],
        "chrom": data.names.chrom,
        "pos": [pos or None for pos in data.names.pos.tolist()],
        "effect_allele": data.names.effect,
        "other_allele": data.names.other,
        "z": data.z,
        "pip_uniform": result.uniform.fit.pip,
        "set_uniform": result.uniform.set_of(variants),
        **_of_diagnostics(result),
        **_of_prior(result),
    }
    nothing = [None] * variants
    in_order = {name: columns.get(name, nothing) for name in _SCHEMA}
    return pl.DataFrame(in_order, schema=_SCHEMA)


def _of_diagnostics(result: FinemapResult) -> dict[str, object]:
    found = result.consistency
    if found is None:
        return {}
    return {
        # of the panel's allele, turned to the study's
        "expected_z": found.expected * result.data.sign,
        "log_ratio": found.log_ratio,
        "is_suspect": found.is_suspect,
    }


def _of_prior(result: FinemapResult) -> dict[str, object]:
    if result.prior is None:
        return {}
    pip = result.prior.fit.pip
    return {
        "prior": result.weights,
        "pip_prior": pip,
        "pip_change": pip - result.uniform.fit.pip,
        "set_prior": result.prior.set_of(pip.size),
    }


def as_json(
    result: FinemapResult,
    missing: Sequence[Missing],
    notes: Sequence[str],
) -> dict[str, object]:
    """All of it as one object of JSON, for programs."""
    susie = result.settings.susie
    rows = variant_rows(result)
    return {
        "variants": rows.to_dicts(),
        "credible_sets": _of_both(result, _members),
        "credible_set_details": _of_both(result, _details),
        "credible_sets_left_out": _of_both(result, _impure),
        "tolerance": susie.tolerance,
        "n": result.data.study.people,
        "effects": susie.effects,
        "coverage": result.settings.coverage,
        "min_purity": result.settings.least_purity,
        "ld_shrinkage": result.settings.shrinkage,
        "fits": {"uniform": _fit(result.uniform), "prior": _fit(result.prior)},
        "diagnostics": _diagnostics(result),
        "missing": [_missing(each) for each in missing],
        "notes": [*notes],
    }


def _missing(each: Missing) -> dict[str, object]:
    return {
        "id": each.id,
        "line": each.line,
        "from": each.source,
        "reason": each.reason,
    }


def _of_both(
    result: FinemapResult,
    of_one: Callable[[FinemapResult, Fitted], object],
) -> Mapping[str, object]:
    prior = None if result.prior is None else of_one(result, result.prior)
    return {"uniform": of_one(result, result.uniform), "prior": prior}


def _members(
    result: FinemapResult,
    fitted: Fitted,
) -> list[list[str]]:
    return [_ids(result, each) for each in fitted.sets]


def _ids(
    result: FinemapResult,
    found: CredibleSet,
) -> list[str]:
    return [result.data.labels[member] for member in found.members]


def _details(
    result: FinemapResult,
    fitted: Fitted,
) -> list[dict[str, object]]:
    return [_detail(result, each) for each in fitted.sets]


def _impure(
    result: FinemapResult,
    fitted: Fitted,
) -> list[dict[str, object]]:
    return [_detail(result, each) for each in fitted.impure]


def _detail(
    result: FinemapResult,
    found: CredibleSet,
) -> dict[str, object]:
    return {
        "ids": _ids(result, found),
        "effect": found.effect + 1,
        "coverage": found.coverage,
        "purity": found.purity,
    }


def _fit(fitted: Fitted | None) -> dict[str, object] | None:
    if fitted is None:
        return None
    fit = fitted.fit
    return {
        "rounds": len(fit.elbo),
        "has_converged": fit.has_converged,
        "elbo": fit.elbo[-1],
        "residual_variance": fit.residual_variance,
        "prior_variance": fit.prior_variance.tolist(),
    }


def _diagnostics(result: FinemapResult) -> dict[str, object] | None:
    found = result.consistency
    if found is None:
        return None
    return {
        "lambda": found.mismatch,
        "meaning": sentence_of(found, seems_squared=result.data.seems_squared),
        "suspects": suspects_of(result),
    }
