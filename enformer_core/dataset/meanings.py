"""What each column of a run's tables means, and its unit: new files say it themselves, in the metadata of their fields.

    pyarrow.parquet.read_schema(file).field("pos").metadata    # {b"description": b"...", b"unit": b"bp, from 1"}

No part of the values: content digests, identities and readers know nothing of it, and files of before have none.
docs/tables.md says the same at length. Knows names of columns. Does not know their types.
"""

import re
from dataclasses import dataclass, replace

import pyarrow as pa

from enformer_core.dataset.schemas import SUMMARY_COLUMNS

FROM_1 = "bp, from 1"
FROM_0 = "bp, from 0"
BP = "bp"
LOG2 = "log2 ratio"
OF_TRACK = "as the track's own"
OF_QUARTILES = "range between the quartiles of the alleles that were fitted"
OF_STATISTIC = "of the statistic"

_DESCRIPTION = b"description"
_UNIT = b"unit"


@dataclass(frozen=True)
class Meaning:
    """What a column holds.

    Attributes:
        text: in words.
        unit: of its numbers, and from where positions count; None of texts and of numbers without one.
    """

    text: str
    unit: str | None = None

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """As a field of an Arrow schema carries it."""
        said = {_DESCRIPTION: self.text.encode()}
        return said if self.unit is None else {**said, _UNIT: self.unit.encode()}


_ALLELE = {
    "variant_id": Meaning("chrom:pos:ref:alt as scored, ref the genome's; null without a place"),
    "pos": Meaning("first base of the allele as scored", FROM_1),
    "id": Meaning("the input's identifier"),
    "ref": Meaning("the genome's allele as scored"),
    "alt": Meaning("the other allele as scored"),
    "input_file": Meaning("the file that the row came from"),
    "input_line": Meaning("its line there, of Parquet and BCF its record", "from 1"),
    "alt_index": Meaning("which ALT of the record it is", "from 1"),
    "input_ref": Meaning("REF as it was written"),
    "input_alt": Meaning("ALT as it was written"),
    "status": Meaning("ok, or why there are no values"),
    "reason": Meaning("the same in words, of this row; null where it has values"),
    "flags": Meaning("what is worth knowing of the row: ref_swapped, duplicate and others"),
    "effect_sign": Meaning("times a score it is the input's effect allele's: 1 of alt, -1 of ref"),
    "window_start": Meaning("first base of the reference's window", FROM_0),
    "offset_bp": Meaning("how far the variant lies off its window's centre", BP),
}

_STATISTICS = {
    "sad": Meaning("sum over bins of alt - ref", OF_TRACK),
    "log_sad": Meaning("sum over bins of log2(1 + alt) - log2(1 + ref)", LOG2),
    "d1": Meaning("sum over bins of |alt - ref|", OF_TRACK),
    "log_d1": Meaning("sum over bins of |log2(1 + alt) - log2(1 + ref)|", LOG2),
    "d2": Meaning("root of the sum over bins of (alt - ref)^2", OF_TRACK),
    "log_d2": Meaning("root of the sum over bins of (log2(1 + alt) - log2(1 + ref))^2", LOG2),
    "sax": Meaning("alt - ref in the bin where it is largest in size", OF_TRACK),
    "js": Meaning("half the sum of both Kullback-Leibler divergences over bins", "nats"),
    "log_ratio": Meaning("log2(1 + sum of alt) - log2(1 + sum of ref)", LOG2),
}

_GENE_VALUES = {
    "log2_ratio": Meaning("log2((1 + sum of alt) / (1 + sum of ref)) over the gene's bins", LOG2),
    "difference": Meaning("sum of alt - sum of ref over the gene's bins", OF_TRACK),
}

_OF_ALLELE = ("variant_id", "pos", "ref", "alt")

_OF_GENES_ALLELE = (*_OF_ALLELE, "id", "input_file", "input_line", "alt_index", "effect_sign")

_OF_SUMMARIES = {name: _ALLELE[name] for name in SUMMARY_COLUMNS}

_OUTCOME = {name: _ALLELE[name] for name in ("status", "reason")}

_BIN = {"start": Meaning("first base of the bin", FROM_0), "end": Meaning("its end", FROM_0)}

_WINDOW = {
    "start": Meaning("first base of the window that is read", FROM_0),
    "end": Meaning("its end", FROM_0),
}

_ATTRIBUTED = {
    "target": Meaning("which target, unique over the run"),
    "group": Meaning("the name of the tracks whose mean is attributed"),
    "allele": Meaning("ref, the genome's own sequence; of a variant also alt"),
}

_PLACE = {
    "place": Meaning("the name of the boundary or control"),
    "boundary": Meaning("the boundary's name, of a control the one that it belongs to"),
    "kind": Meaning("boundary or control"),
    "position": Meaning("the base before which the window's middle lies", FROM_0),
    **_OUTCOME,
}

_LAYER = Meaning("layer of the network, null for the mean over all", "from 1")

_TRACKS = {
    "index": Meaning("column of the model's head", "from 0"),
    "list_position": Meaning("its place in lists over tracks", "from 1"),
    "identifier": Meaning("the track's identifier in the table of targets"),
    "description": Meaning("its description there"),
    "assay": Meaning("what was measured, read off the description"),
    "target": Meaning("the protein or mark of a CHIP track, read off the description"),
    "biosample": Meaning("in what it was measured, read off the description"),
}

MEANINGS: dict[str, dict[str, Meaning]] = {
    "scores": {**_ALLELE, **_STATISTICS},
    "effects": {
        **{name: _ALLELE[name] for name in _OF_ALLELE},
        "track": Meaning("index of the track in tracks", "from 0"),
        "statistic": Meaning("which number the value is"),
        "value": Meaning("its value with its sign", OF_STATISTIC),
        "rank": Meaning("the track's place among the allele's strongest", "from 1"),
    },
    "gene_effects": {
        **{name: _ALLELE[name] for name in _OF_GENES_ALLELE},
        "gene_id": Meaning("the gene's identifier"),
        "gene_name": Meaning("its name"),
        "gene_type": Meaning("its type, as its file has it"),
        "strand": Meaning("its strand"),
        "distance": Meaning("from its nearest TSS to the allele, along transcription", BP),
        "tss_bins": Meaning("bins of the reference's window that are summed", "from 0"),
        **_GENE_VALUES,
    },
    "predictions": {**_BIN, "values": Meaning("prediction for each track", OF_TRACK)},
    "contributions": {
        **_ATTRIBUTED,
        "name": Meaning("what the input calls the target"),
        "target_start": Meaning("first base of the target", FROM_0),
        "target_end": Meaning("its end", FROM_0),
        "strand": Meaning("the gene's or interval's strand"),
        **_WINDOW,
        "contig_bp": Meaning("the contig's length", BP),
        "first_bin": Meaning("first bin whose mean is attributed", "from 0"),
        "end_bin": Meaning("the end of these bins", "from 0"),
        **_OUTCOME,
        "prediction": Meaning("the mean that is attributed", OF_TRACK),
        "sequence": Meaning("the window's letters"),
        "values": Meaning("gradient x input of each base of the window", OF_TRACK),
        **{
            f"hypothetical_{letter}": Meaning(
                f"gradient by {letter.upper()} at each base", OF_TRACK
            )
            for letter in "acgt"
        },
    },
    "contribution_bins": {
        **_ATTRIBUTED,
        **_BIN,
        "value": Meaning("sum of contributions over the bin's bases", OF_TRACK),
    },
    "attention": {
        **{name: _ATTRIBUTED[name] for name in ("target", "allele")},
        "layer": _LAYER,
        **_WINDOW,
        "values": Meaning("how much the target's bins attend to each 128 bp; adds up to 1"),
    },
    "links": {
        "gene": Meaning("the gene's name"),
        "gene_id": Meaning("its identifier"),
        "tss": Meaning("its TSS; of a gene on the minus strand one more", FROM_0),
        "is_expressed": Meaning("whether the file of genes says that it is expressed"),
        "start": Meaning("first base of the element", FROM_0),
        "end": Meaning("its end", FROM_0),
        "name": Meaning("the element's name"),
        "class": Meaning("the element's class"),
        "is_self_promoter": Meaning("whether it is the gene's own promoter"),
        "distance": Meaning("from the element's middle to the TSS", BP),
        "powerlaw_contact": Meaning("contact by distance"),
        "activity": Meaning("the element's activity"),
        "abc_numerator": Meaning("activity times contact"),
        "abc": Meaning("its share among the gene's elements"),
        "group": Meaning("the tracks that were asked"),
        **_OUTCOME,
        "gradient": Meaning("sum of |gradient x input| over the element", OF_TRACK),
        "gradient_2kb": Meaning("the same over 2 kb around its middle", OF_TRACK),
        "attention": Meaning("how much the TSS's bins attend to the element"),
        "mutagenesis": Meaning("prediction at the TSS with N in place of the element", LOG2),
        "shuffles": Meaning("the same with its bases in another order, mean over shuffles", LOG2),
    },
    "insulation": {
        **_PLACE,
        "layer": _LAYER,
        "across": Meaning("attention over the place, against that within its sides", LOG2),
        "at": Meaning("attention to the place, against that within its sides", LOG2),
    },
    "attention_maps": {
        **_PLACE,
        "values": Meaning("attention over the mean of pairs equally far apart, pixel by pixel"),
    },
    "pca": _OF_SUMMARIES,
    "percentiles": _OF_SUMMARIES,
    "track_groups": {
        **_OF_SUMMARIES,
        "statistic": Meaning("which number the values are"),
        **{name: _TRACKS[name] for name in ("identifier", "description", "assay", "target")},
        "biosample": _TRACKS["biosample"],
        "track_count": Meaning("how many tracks the group has"),
        "max_abs": Meaning("largest size of the value over the group", OF_STATISTIC),
        "max_abs_value": Meaning("the same with its sign", OF_STATISTIC),
        "max_abs_track": Meaning("index of the track in which it is so large", "from 0"),
        "l2": Meaning("root of the sum of squares over the group", OF_STATISTIC),
        "mean": Meaning("mean of the values over the group", OF_STATISTIC),
        "mean_abs": Meaning("mean of their sizes", OF_STATISTIC),
    },
    "tracks": _TRACKS,
}
"""By table and column; of lists it is each item's."""

_COMPONENT = re.compile(r"pc(?P<number>\d+)")
"""Columns of `pca`, as many as were fitted."""

_STRONGEST = re.compile(r"max_abs_(?P<value>\w+?)(?P<track>_track)?")

_SPREAD = re.compile(r"(?P<value>\w+)_sd")
"""Columns of runs of several replicates."""

_WITH_SPREAD = ("scores", "gene_effects")

_PERCENTILES = {
    "{0}_quantile": Meaning("2 F - 1 of {0} in the null, F of one that is never below 0"),
    "{0}_phred": Meaning(
        "-10 log10 of the part of the null whose {0} is as large in size", "PHRED"
    ),
    "{0}_beyond_null": Meaning(
        "indices of the tracks in which no {0} of the null is as far out", "from 0"
    ),
    "max_{0}_phred": Meaning("largest of {0}_phred over tracks", "PHRED"),
    "max_{0}_phred_track": Meaning("index of the track in which {0}_phred is largest", "from 0"),
}
"""Of the table `percentiles`, by column; a statistic stands for {0}."""

_BY_STATISTIC = {"percentiles": _PERCENTILES}


def meaning_of(table: str, column: str) -> Meaning | None:
    """What a column means; None of columns that a run has beside those of its kind, such as kept ones of the input."""
    of_table = MEANINGS.get(table, {})
    if column in of_table:
        return of_table[column]
    if table == "pca" and (component := _COMPONENT.fullmatch(column)):
        said = f"principal component {component['number']} of the allele's scores, centred"
        return Meaning(said, OF_QUARTILES)
    if table in _BY_STATISTIC:
        return _of_statistic(_BY_STATISTIC[table], column)
    return _of_value(table, column)


def _of_value(table: str, column: str) -> Meaning | None:
    """Of a column that is made of another one: its spread, or its strongest track."""
    of_table = MEANINGS.get(table, {})
    spread = _SPREAD.fullmatch(column)
    if table in _WITH_SPREAD and spread is not None and spread["value"] in of_table:
        value = spread["value"]
        said = f"standard deviation of {value} over replicates, with n - 1"
        return Meaning(said, of_table[value].unit)
    found = _STRONGEST.fullmatch(column)
    if found is None or found["value"] not in of_table:
        return None
    if found["track"]:
        return Meaning(f"index of the track in which {found['value']} is largest in size", "from 0")
    return Meaning(f"largest size of {found['value']} over tracks", of_table[found["value"]].unit)


def _of_statistic(meanings: dict[str, Meaning], column: str) -> Meaning | None:
    for statistic in _STATISTICS:
        for name, meaning in meanings.items():
            if column == name.format(statistic):
                return replace(meaning, text=meaning.text.format(statistic))
    return None


def with_meanings(table: pa.Table, name: str) -> pa.Table:
    """The same table, whose fields say what they mean.

    Args:
        table: any.
        name: of the table, by which its columns are known; of an unknown one the table is given back as it is.
    """
    if name not in MEANINGS:
        return table
    fields = []
    for field in table.schema:
        meaning = meaning_of(name, field.name)
        fields.append(field if meaning is None else field.with_metadata(meaning.metadata))
    return _with_fields(table, fields)


def without_meanings(table: pa.Table) -> pa.Table:
    """The same table, of whose fields only name and type are known: tables of before and of now are alike."""
    return _with_fields(table, [field.remove_metadata() for field in table.schema])


def _with_fields(table: pa.Table, fields: list[pa.Field]) -> pa.Table:
    schema = pa.schema(fields, metadata=table.schema.metadata)
    return pa.Table.from_arrays(table.columns, schema=schema)
