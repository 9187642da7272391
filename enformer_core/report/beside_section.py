"""Tables beside the run, made of its scores later, and tables that the reader has attached, as fine-mapping's."""

from collections.abc import Callable, Iterator, Mapping

from enformer_core.dataset.summary_tables import SummaryReceipt, summary_receipts
from enformer_core.report.asked import Asked, quoted
from enformer_core.report.content import Block, Prose, Section
from enformer_core.summaries.names import GROUPS, PCA, PERCENTILES

_SHOWN = 25
_MOST_COMPONENTS = 4

_PIPS = ("pip_prior", "pip_uniform")
"""By which a table of fine-mapping is known; with a prior, if it has one, that one orders it."""


_TOLD = {
    "expected_z": "expected z: what the other variants and their LD make of z; beside z it shows what does not fit",
    "log_ratio": "log ratio: how much likelier the other sign of z is, as a natural logarithm: where it is large, "
    "alleles may be exchanged",
    "is_suspect": "is suspect: whether that is much and z is large",
}
"""What columns of fine-mapping are, which their names do not say."""


def beside_section(asked: Asked) -> Section | None:
    """What lies beside the run; None where nothing does."""
    blocks = [*_beside(asked), *_attached(asked)]
    return Section("beside", "Tables beside the run", blocks) if blocks else None


def _beside(asked: Asked) -> Iterator[Block]:
    receipts = summary_receipts(asked.ledger)
    for name, receipt in receipts.items():
        shown = _SHOWN_KINDS.get(receipt.begun.kind, _first_rows)
        yield from shown(asked, name, receipt)
    for name, is_there in asked.progress.beside.items():
        if not is_there:
            yield Prose(
                f"{name} was begun and is not complete: the command that makes it goes on.", "note"
            )


def _percentiles(asked: Asked, name: str, receipt: SummaryReceipt) -> Iterator[Block]:
    del receipt
    for statistic in _statistics_with("_phred", asked.columns_of(name), "max_"):
        largest = f"max_{statistic}_phred"
        yield asked.table(
            f"{name}: alleles with the highest rank of {statistic} in any track",
            f"""
            SELECT variant_id, id, {largest}, {largest}_track, len({statistic}_beyond_null) AS tracks_beyond_null
            FROM {quoted(name)} WHERE {largest} IS NOT NULL
            ORDER BY {largest} DESC, variant_id, input_file, input_line, alt_index LIMIT {_SHOWN}
            """,  # noqa: S608 - names of this program
            notes=[
                "A PHRED of 30 is 1 in 1,000 of the background's alleles in that track. The largest over many tracks "
                "is not calibrated itself."
            ],
            forms={largest: "number"},
        )


def _statistics_with(ending: str, columns: Mapping[str, str], no_start: str) -> list[str]:
    return [
        name.removesuffix(ending)
        for name in columns
        if name.endswith(ending) and not name.startswith(no_start)
    ]


def _groups(asked: Asked, name: str, receipt: SummaryReceipt) -> Iterator[Block]:
    by = ", ".join(map(quoted, receipt.begun.identity["by"]))
    yield asked.table(
        f"{name}: the strongest alleles and groups of tracks",
        f"""
        SELECT variant_id, id, statistic, {by}, track_count, max_abs_value, max_abs_track, l2, mean, mean_abs
        FROM {quoted(name)} ORDER BY max_abs DESC, variant_id, statistic, {by}, input_file, input_line, alt_index
        LIMIT {_SHOWN}
        """,  # noqa: S608 - names of this program
    )


def _components(asked: Asked, name: str, receipt: SummaryReceipt) -> Iterator[Block]:
    del receipt
    found = [column for column in asked.columns_of(name) if column.startswith("pc")]
    shown = ", ".join(found[:_MOST_COMPONENTS])
    yield asked.table(
        f"{name}: alleles farthest out along the first component",
        f"""
        SELECT variant_id, id, {shown} FROM {quoted(name)} WHERE pc1 IS NOT NULL
        ORDER BY abs(pc1) DESC, variant_id, input_file, input_line, alt_index LIMIT {_SHOWN}
        """,  # noqa: S608 - names of this program
        notes=[
            f"0 is the median of the alleles that were fitted, 1 the range between their quartiles; {len(found)} "
            "components in all"
        ],
    )


def _first_rows(asked: Asked, name: str, receipt: SummaryReceipt) -> Iterator[Block]:
    del receipt
    yield asked.table(f"{name}: its first rows", f"FROM {quoted(name)} LIMIT {_SHOWN}")


_SHOWN_KINDS: dict[str, Callable[[Asked, str, SummaryReceipt], Iterator[Block]]] = {
    PERCENTILES: _percentiles,
    GROUPS: _groups,
    PCA: _components,
}


def _attached(asked: Asked) -> Iterator[Block]:
    for name, file in asked.attached.items():
        columns = asked.columns_of(name)
        pips = [column for column in _PIPS if column in columns]
        if not pips:
            yield asked.table(
                f"{name}: the first rows of {file}", f"FROM {quoted(name)} LIMIT {_SHOWN}"
            )
            continue
        order = ", ".join(f"{pip} DESC NULLS LAST" for pip in pips)
        yield asked.table(
            f"{name}: fine-mapping of {file}, the most likely causal variants",
            f"FROM {quoted(name)} ORDER BY {order} LIMIT {_SHOWN}",
            notes=[
                "PIP: how likely a variant is causal, given the study, its LD and a prior; not a proof",
                *(text for name, text in _TOLD.items() if name in columns),
            ],
            forms=dict.fromkeys(("prior", *_PIPS, "pip_change", "z"), "number"),
        )
