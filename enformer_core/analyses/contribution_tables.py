"""What was attributed as rows of tables: contributions, their sums over bins, and attention. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32

from enformer_core.analyses.contribution_run_type import attention_keys, contribution_keys
from enformer_core.analyses.planned_rows import PlannedTarget
from enformer_core.dataset.schemas import (
    ATTENTION_SCHEMA,
    CONTRIBUTION_BINS_SCHEMA,
    LETTERS,
    TARGETS_SCHEMA,
    contributions_schema,
)
from enformer_core.genome.alphabet import N_CODE, Codes, decode
from enformer_core.models.geometry import Geometry
from enformer_core.variants.table import Status

if TYPE_CHECKING:
    from enformer_core.scoring.attribution import Attribution
else:
    Attribution = Any  # workers alone load torch


_ATTRIBUTED = ("target", "group", "allele")


@dataclass(frozen=True)
class Attributed:
    """One allele of a target, as it will be stored.

    Attributes:
        sequence: letters of its window.
        predictions: for each group, what was attributed.
        values: for each group, the contribution of each base.
        hypothetical: for each group, what each of the letters would contribute in the place of each base; None where
            that is not kept.
        attention: for each layer, the attention of the bins to each token; None where it was not read.
    """

    sequence: str
    predictions: Float[np.ndarray, " groups"]
    values: Float32[np.ndarray, "groups length"]
    hypothetical: Float32[np.ndarray, "groups length 4"] | None
    attention: Float[np.ndarray, "layers tokens"] | None

    @classmethod
    def of(
        cls,
        attribution: Attribution,
        codes: Codes,
        *,
        keep: bool,
    ) -> "Attributed":
        """From gradients by every letter; `keep` says whether those stay."""
        gradients = attribution.gradients
        by_base = contributions(gradients, codes)
        # rounded at the end: tables hold float32
        return cls(
            sequence=decode(codes),
            predictions=attribution.objectives,
            values=by_base.astype(np.float32),
            hypothetical=gradients.astype(np.float32) if keep else None,
            attention=attribution.attention,
        )


@dataclass(frozen=True)
class Outcome:
    """What came of one planned target.

    Attributes:
        target: its row of the plan.
        alleles: what was attributed, by allele; nothing where nothing could be.
        failure: why a target that was planned to be attributed was not.
    """

    target: PlannedTarget
    alleles: Mapping[str, Attributed] = field(default_factory=dict)
    failure: str | None = None

    @property
    def status(self) -> str:
        """What was planned of it, unless it failed."""
        return self.target["status"] if self.failure is None else Status.FAILED

    @property
    def reason(self) -> str | None:
        """Why there are no values, where there are none."""
        return self.target["reason"] if self.failure is None else self.failure


def contributions(
    gradients: Float[np.ndarray, "groups length 4"], codes: Codes
) -> Float[np.ndarray, "groups length"]:
    """Gradient × input: of each base the gradient at its own letter, with its sign; 0 where there is N.

    Args:
        gradients: by each letter.
        codes: of the window that they were taken at.
    """
    # codes C, N: the columns 1 and, for want of a fifth, 3, which is then set to 0
    columns = np.minimum(codes, N_CODE - 1)
    letters = columns.astype(np.int64)[np.newaxis, :, np.newaxis]
    own = np.take_along_axis(gradients, letters, axis=2)
    by_base = own[..., 0]
    is_unknown = codes == N_CODE
    return np.where(is_unknown, 0.0, by_base)


def why_unsound(attribution: Attribution) -> str | None:
    """What is wrong with values that are not finite; None where all are."""
    # looked at first: where a prediction is not finite, its gradients are not either
    if not np.isfinite(attribution.objectives).all():
        return "a prediction is not finite"
    if not np.isfinite(attribution.gradients).all():
        return "a gradient is not finite"
    return None


def contribution_table(
    outcomes: Sequence[Outcome],
    contigs: Mapping[str, int],
    geometry: Geometry,
    *,
    hypothetical: bool,
) -> pa.Table:
    """A row for each target, group and allele, whether there are values or not.

    Args:
        outcomes: of the planned targets, in order.
        contigs: the genome's, with their lengths.
        geometry: of the model.
        hypothetical: whether each letter's contributions are columns too.
    """
    rows = []
    for key in contribution_keys(_planned(outcomes)).to_pylist():
        outcome = outcomes[key.pop("row")]
        row = {**key, **_described(outcome, contigs, geometry)}
        attributed = outcome.alleles.get(key["allele"])
        if attributed is not None:
            # values lie by number: the plan says which group is which
            group = outcome.target["groups"].index(key["group"])
            row |= _values(attributed, group)
        rows.append(row)
    return _table(rows, contributions_schema(hypothetical=hypothetical))


def _table(
    rows: Sequence[Mapping[str, object]],
    schema: pa.Schema,
) -> pa.Table:
    """Rows as columns; what a row does not name is null."""
    columns = []
    for column in schema:
        values = [row.get(column.name) for row in rows]
        columns.append(pa.array(values, column.type))
    return pa.table(columns, schema=schema)


def _described(
    outcome: Outcome, contigs: Mapping[str, int], geometry: Geometry
) -> dict[str, object]:
    """What a row says of its target and window, values or not."""
    target = outcome.target
    contig = target["chrom"]
    return {
        **_window(outcome, geometry),
        "name": target["name"],
        "target_start": target["start"],
        "target_end": target["end"],
        "strand": target["strand"],
        "first_bin": target["first_bin"],
        "end_bin": target["end_bin"],
        "status": outcome.status,
        "reason": outcome.reason,
        # whoever draws a track needs to know where its contig ends
        "contig_bp": None if contig is None else contigs.get(contig),
    }


def _window(
    outcome: Outcome,
    geometry: Geometry,
) -> dict[str, int | None]:
    """First base of the window and the one behind its last; what has no place has none."""
    start = outcome.target["window_start"]
    end = None if start is None else start + geometry.window_bp
    return {"start": start, "end": end}


def _values(
    attributed: Attributed,
    group: int,
) -> dict[str, object]:
    """What a row says of its values: the prediction, the letters, and a list over the window's bases, or five."""
    row: dict[str, object] = {
        "prediction": attributed.predictions[group],
        "sequence": attributed.sequence,
        "values": attributed.values[group],
    }
    if attributed.hypothetical is None:
        return row
    by_letter = attributed.hypothetical[group]
    for column, letter in enumerate(LETTERS):
        row[f"hypothetical_{letter}"] = by_letter[:, column]
    return row


def bins_table(
    stored: pa.Table,
    geometry: Geometry,
) -> pa.Table:
    """The sums of contributions over each bin's bases, in float64; rows without values have no bins.

    Args:
        stored: the table of contributions.
        geometry: of the model.
    """
    parts = [CONTRIBUTION_BINS_SCHEMA.empty_table()]
    # row by row: the lists of a shard as Python's numbers would take a gigabyte
    for row in stored.to_batches(max_chunksize=1):
        has_values = not row.column("values").null_count
        if has_values:
            parts.append(_bins_of_row(row, geometry))
    return pa.concat_tables(parts)


def _bins_of_row(
    row: pa.RecordBatch,
    geometry: Geometry,
) -> pa.Table:
    """The bins of one row of contributions: whose they are, where they lie, and the sum of each."""
    bins = geometry.window_bp // geometry.bin_bp
    values = row.column("values").flatten()
    bases = np.asarray(values, np.float64)
    by_bin = bases.reshape(bins, geometry.bin_bp)
    sums = by_bin.sum(axis=1)
    # a window that begins at -3, with bins of 2 bp: -3, -1, 1, …
    first_bases = np.arange(bins) * geometry.bin_bp
    starts = row.column("start")[0].as_py() + first_bases
    columns = {name: _repeated(row.column(name), bins) for name in _ATTRIBUTED}
    columns["start"] = pa.array(starts)
    columns["end"] = pa.array(starts + geometry.bin_bp)
    columns["value"] = pa.array(sums.astype(np.float32))
    return pa.table(columns, schema=CONTRIBUTION_BINS_SCHEMA)


def _repeated(
    column: pa.Array,
    times: int,
) -> pa.Array:
    return pa.repeat(column[0], times)


def attention_table(
    outcomes: Sequence[Outcome],
    geometry: Geometry,
) -> pa.Table:
    """A row for each target, allele and layer, and one for the mean over layers, whether there are values or not."""
    rows = []
    for key in attention_keys(_planned(outcomes)).to_pylist():
        outcome = outcomes[key.pop("row")]
        values = _attention(outcome, key["allele"], key["layer"])
        rows.append({**key, **_window(outcome, geometry), "values": values})
    return _table(rows, ATTENTION_SCHEMA)


def _attention(
    outcome: Outcome, allele: str, layer: int | None
) -> Float32[np.ndarray, " tokens"] | None:
    attributed = outcome.alleles.get(allele)
    # what failed has its rows all the same
    if attributed is None or attributed.attention is None:
        return None
    by_layer = attributed.attention
    # tables count layers from 1
    row = by_layer.mean(axis=0) if layer is None else by_layer[layer - 1]
    return row.astype(np.float32)


def _planned(outcomes: Sequence[Outcome]) -> pa.Table:
    """The rows of the plan that the outcomes answer."""
    targets = [outcome.target for outcome in outcomes]
    return pa.Table.from_pylist(targets, schema=TARGETS_SCHEMA)
