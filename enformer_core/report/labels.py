"""What columns are called on a report, and how their values are shown. Does not know tables."""

from enformer_core.report.content import Form

_LABELS = {
    "variant_id": "allele",
    "id": "ID",
    "track_index": "track no.",
    "input_file": "file",
    "input_line": "line",
    "alt_index": "ALT no.",
    "input_ref": "REF given",
    "input_alt": "ALT given",
    "chrom": "contig",
    "count": "rows",
    "value_count": "values",
    "share": "of largest",
    "effect_sign": "effect sign",
    "gene_name": "gene",
    "gene_log2_ratio": "gene's log2 ratio",
    "log2_ratio": "log2 ratio",
    "distance": "distance (bp)",
    "tss_pos": "TSS",
    "phred": "PHRED in null",
    "quantile": "quantile in null",
    "least_size": "|value| from",
    "gene_bp": "distance (bp)",
    "p99": "99 % quantile",
    "above_0": "part above 0",
    "pip_prior": "PIP with prior",
    "pip_uniform": "PIP without",
    "set_prior": "set with prior",
    "set_uniform": "set without",
    "pip_change": "change of PIP",
    "effect_allele": "effect allele",
    "other_allele": "other allele",
    "device_type": "kind",
    "enformer_ray": "enformer-ray",
    "rows_per_s": "rows/s of work",
    "median_error": "median error",
    "worst_error": "worst error",
    "median_track_error": "median error of tracks",
    "wrong_signs": "most signs wrong",
    "cpu_features": "multiplies by",
    "median_size": "median |value|",
    "max_size": "largest |value|",
    "max_abs_value": "largest value",
    "max_abs_track": "its track no.",
    "track_count": "tracks",
    "l2": "L2 norm",
    "mean_abs": "mean |value|",
    "max_sad_phred": "largest PHRED",
    "max_sad_phred_track": "its track no.",
}

_FORMS: dict[str, Form] = {
    "above_0": "percent",
    "median_error": "percent",
    "worst_error": "percent",
    "seconds": "seconds",
}

# numbers that name something, whose digits no comma parts
_INDICES = ("track_index", "alt_index", "input_line", "set_prior", "set_uniform", "line")


def label_of(name: str) -> str:
    """What people read above a column."""
    return _LABELS.get(name) or name.replace("_", " ")


def form_of(name: str, kind: str) -> Form:
    """How the values of a column are shown.

    Args:
        name: of the column.
        kind: its type, as DuckDB calls it.
    """
    if name in _FORMS:
        return _FORMS[name]
    # lists and structs are texts, whatever is in them
    if "[" in kind or kind.startswith(("STRUCT", "MAP")):
        return "text"
    if "INT" in kind:
        is_index = name in _INDICES or name.endswith("_track")
        return "index" if is_index else "count"
    return "number" if kind.startswith(("FLOAT", "DOUBLE", "DECIMAL")) else "text"
