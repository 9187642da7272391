"""What `enformer-ray evaluate variants` answers, as text for people and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from enformer_core.evaluate.estimate import Estimate
from enformer_core.evaluate.labelled import LabelledResult
from enformer_core.evaluate.measured import MeasuredResult
from enformer_core.evaluate.row_buckets import JUDGED, MEANINGS, Bucket, BucketCount
from enformer_core.words import counted

_AVERAGE = "_by_chrom_weighted_average"

_JOINED_BY = {
    "lines": "the run scored this very table: rows are joined by line",
    "genome": "alleles are found by the genome",
    "alleles": "alleles are found as they are written",
}


@dataclass(frozen=True)
class Judgement:
    """What came of a table and a run.

    Attributes:
        table: as its user called it.
        run: likewise.
        judged_by: the table's column.
        score: SQL of the run's number.
        signed: whether it is of ALT.
        joined_by: `lines`, `genome` or `alleles`: how rows found their alleles.
        rows: of the table.
        buckets: what became of them.
        result: how well the score does.
        drawn: draws, seed and what is drawn.
    """

    table: str
    run: str
    judged_by: str
    score: str
    signed: bool
    joined_by: str
    rows: int
    buckets: Mapping[str, BucketCount]
    result: LabelledResult | MeasuredResult
    drawn: Mapping[str, object]


def as_object(judgement: Judgement) -> dict[str, object]:
    """The answer as JSON has it: null where a number is not defined."""
    result = judgement.result
    buckets = {name: asdict(count) for name, count in judgement.buckets.items()}
    answer: dict[str, object] = {
        "table": judgement.table,
        "run": judgement.run,
        "judged_by": judgement.judged_by,
        "score": judgement.score,
        "signed": judgement.signed,
        "joined_by": judgement.joined_by,
        "rows": judgement.rows,
        "used": sum(judgement.buckets[name].rows for name in JUDGED),
        "buckets": buckets,
        "bootstrap": dict(judgement.drawn),
    }
    if isinstance(result, LabelledResult):
        return answer | _of_labels(result, judgement)
    return answer | _of_effects(result)


def _of_labels(result: LabelledResult, judgement: Judgement) -> dict[str, object]:
    answer: dict[str, object] = {
        "positives": _sum_of(judgement, "positives"),
        "negatives": _sum_of(judgement, "negatives"),
    }
    for name, estimate in result.areas.items():
        answer |= estimate.named(name)
    answer["chromosomes"] = list(map(asdict, result.chroms))
    groups = result.groups
    answer["match_groups"] = None
    if groups is not None:
        answer["match_groups"] = {
            "groups": groups.groups,
            "left_out": groups.left_out,
            **groups.auroc.named("auroc"),
            **groups.auprc.named("auprc"),
        }
    return answer


def _of_effects(result: MeasuredResult) -> dict[str, object]:
    elements = [
        {
            "element": each.element,
            "rows": each.rows,
            **each.spearman.named("spearman"),
            **each.pearson.named("pearson"),
        }
        for each in result.elements
    ]
    mean = {
        "elements": result.averaged,
        **result.spearman.named("spearman"),
        **result.pearson.named("pearson"),
    }
    return {"elements": elements, "mean": mean}


def _sum_of(judgement: Judgement, label: str) -> int:
    """How many of the rows that are judged have a label."""
    return sum(getattr(judgement.buckets[name], label) for name in JUDGED)


def lines_of(judgement: Judgement) -> Iterator[str]:
    """The answer for people: what was judged, what became of the rows, and how well the score does."""
    signed = ", signed" if judgement.signed else ""
    yield f"{judgement.table}: {judgement.judged_by}, against {judgement.score}{signed} of {judgement.run}"
    yield _JOINED_BY[judgement.joined_by]
    yield ""
    yield from _lines_of_rows(judgement)
    yield ""
    result = judgement.result
    if isinstance(result, LabelledResult):
        yield from _lines_of_labels(result)
    else:
        yield from _lines_of_effects(result)


def _lines_of_rows(judgement: Judgement) -> Iterator[str]:
    has_labels = isinstance(judgement.result, LabelledResult)
    labels = f"{'positive':>10}{'negative':>10}" if has_labels else ""
    yield f"{'rows':>10}{labels}  what became of them"
    for count in judgement.buckets.values():
        if not count.rows:
            continue
        labels = f"{count.positives or 0:>10,}{count.negatives or 0:>10,}" if has_labels else ""
        yield f"{count.rows:>10,}{labels}  {count.meaning}{_shown(count)}"
    rest = " " * len(f"{'positive':>10}{'negative':>10}") if has_labels else ""
    yield f"{judgement.rows:>10,}{rest}  in all"


def _shown(count: BucketCount) -> str:
    """An example, where there is something to explain."""
    if count.meaning == MEANINGS[Bucket.USED]:
        return ""
    first = count.examples[0]
    return f" (line {first.line}, {first.variant}: {first.why})"


def _lines_of_labels(result: LabelledResult) -> Iterator[str]:
    areas = result.areas
    yield f"AUROC  {in_words(areas['auroc'])}"
    yield f"auPRC  {in_words(areas['auprc'])}"
    yield f"by chromosome, weighted: AUROC  {in_words(areas[f'auroc{_AVERAGE}'])}"
    yield f"by chromosome, weighted: auPRC  {in_words(areas[f'auprc{_AVERAGE}'])}"
    if result.groups is not None:
        left_out = result.groups.left_out
        others = f" ({left_out:,} of positives or negatives alone left out)" if left_out else ""
        of_groups = f"mean of {counted(result.groups.groups, 'match groups')}{others}"
        yield f"{of_groups}: AUROC  {in_words(result.groups.auroc)}"
        yield f"{of_groups}: auPRC  {in_words(result.groups.auprc)}"


def _lines_of_effects(result: MeasuredResult) -> Iterator[str]:
    width = max(len(each.element) for each in result.elements)
    mean = f"mean of {result.averaged}"
    width = max(width, len(mean), len("element"))
    yield f"{'element':<{width}}{'rows':>8}  {'Spearman':<27}Pearson"
    for each in result.elements:
        spearman = in_words(each.spearman)
        yield f"{each.element:<{width}}{each.rows:>8,}  {spearman:<27}{in_words(each.pearson)}"
    spearman = in_words(result.spearman)
    yield f"{mean:<{width}}{'':>8}  {spearman:<27}{in_words(result.pearson)}"


def in_words(estimate: Estimate, digits: int = 3) -> str:
    """A number and its interval, or that there is none."""
    if estimate.value is None:
        return "none"
    value = f"{estimate.value:.{digits}f}"
    if estimate.low is None:
        return value
    return f"{value} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"
