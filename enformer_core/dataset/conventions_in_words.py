"""How a run's alleles were scored, in words: of its identity's `conventions`, those of the default too."""

from collections.abc import Iterator, Mapping

from enformer_core.dataset.codec import JsonObject


def conventions_in_words(conventions: JsonObject | None) -> Mapping[str, str]:
    """What decides a score, by the name of its option, also where nobody chose it.

    Args:
        conventions: of a run's identity; None of runs that score no alleles.

    Returns:
        `strands`: `both`; `shifts`: `0, 1, -1 bp, averaged as scores`; `indel-rule`: `left-fixed`; `scale`: `as
        predicted`, or how `--unsquash` undid the training's; `bins`: `all`.
    """
    return {} if conventions is None else dict(_said(conventions))


def _said(conventions: JsonObject) -> Iterator[tuple[str, str]]:
    # what a record does not have was not decided by it, but for choices that came later than the first runs
    if "strands" in conventions:
        yield "strands", f"{conventions['strands']}"
    if "shifts" in conventions:
        yield "shifts", _shifts(conventions)
    if "indel_rule" in conventions:
        yield "indel-rule", f"{conventions['indel_rule']}"
    form = conventions.get("unsquash")
    yield "scale", "as predicted" if form is None else f"unsquashed, {form} form"
    yield "bins", _bins(conventions)


def _shifts(conventions: JsonObject) -> str:
    shifts = conventions["shifts"]
    said = f"{', '.join(map(str, shifts))} bp"
    if len(shifts) == 1:
        return said
    return f"{said}, averaged as {conventions.get('average_shifts', 'predictions')}"


def _bins(conventions: JsonObject) -> str:
    if conventions.get("central_bins") is not None:
        return f"central {conventions['central_bins']}"
    if conventions.get("centre_mask_bp") is not None:
        return f"{conventions['centre_mask_bp']} bp around the variant"
    return "all"
