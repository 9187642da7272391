"""A run as VCF: the input's own records with scores in their INFO, or the scored alleles where the input is no VCF."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan_storage import StoredParts, read_plan, read_shard
from enformer_core.dataset.run_tracks import check_scores, chosen_tracks
from enformer_core.errors import InputError
from enformer_core.export.beside_fields import beside_fields
from enformer_core.export.beside_scores import scores_with_beside
from enformer_core.export.line_buckets import ALT_INDEX, LINE, LineBuckets, line_buckets
from enformer_core.export.run_input import RecordsFile, contig_lengths, records_file
from enformer_core.export.sites import write_sites
from enformer_core.export.vcf_fields import (
    PREFIX,
    STATUS,
    FieldSource,
    beginning,
    provenance_line,
    score_fields,
)
from enformer_core.export.vcf_file import Write, unheard, vcf_file
from enformer_core.export.vcf_records import (
    RECORD_FIELD,
    VcfHead,
    annotated,
    free_prefix,
    is_no_record,
    read_text,
    split_head,
)
from enformer_core.export.whole_file import STDOUT
from enformer_core.user_path import real_path
from enformer_core.variants.formats.bcf import is_bcf
from enformer_core.variants.shown_names import as_given, shown_name

NAMED_TRACKS = 3
"""Strongest tracks that are named for each ALT, where nobody says how many."""

NOT_COMMITTED = "not_committed"
"""The status of an ALT in a shard that an unfinished run has not come to."""

_LINES_AT_ONCE = 1 << 12


def export_vcf(
    ledger: Ledger,
    path: Path,
    *,
    input: str | None = None,  # noqa: A002 - what the option is called
    genome: str | None = None,
    tracks: str | None = None,
    top_tracks: int | None = None,
    warn: Callable[[str], object] = unheard,
) -> int:
    """Write the input's records, every byte outside INFO as it is, or sites where the input is no VCF.

    Args:
        ledger: of a run that scored variants.
        path: of the file: `.vcf`, `.vcf.gz` (packed by blocks, with an index if pysam is installed) or `.bcf`.
        input: the file that was scored, where it is no longer at its place, or is one of several.
        genome: the genome, likewise; sites take the lengths of contigs from it.
        tracks: a selector of the tracks among which the strongest are looked for; all by default.
        top_tracks: how many are named for each ALT and statistic; 0 for none.
        warn: told what a user should know though it stops nothing.

    Returns:
        How many records there are.

    Raises:
        InputError: for a run of another kind, an input that is not there or is another file, or a file that cannot be
            written.
        DatasetError: for an object that is missing or damaged.
    """
    check_scores(ledger)
    count = NAMED_TRACKS if top_tracks is None else top_tracks
    if count < 0:
        raise InputError(f"--top-tracks {count}: give 0 or more")
    chosen = chosen_tracks(ledger, tracks)
    file = records_file(ledger, input)
    if file is not None:
        _check_other(path, file)
        head = _head(file)
        if head is not None:
            of_scores = score_fields(ledger, chosen, count=count, of_written=True)
            fields = [*of_scores, *beside_fields(ledger)]
            return _annotate(ledger, path, file, head, sources=fields, warn=warn)
        warn(
            f"{shown_name(file.given)}: has no line #CHROM with the columns to INFO: the scored alleles are written as "
            "sites, without what else its records say"
        )
    of_scores = score_fields(ledger, chosen, count=count, of_written=False)
    fields = [*of_scores, *beside_fields(ledger)]
    lengths = contig_lengths(ledger, genome)
    return write_sites(ledger, path, fields, lengths, warn)


def _check_other(path: Path, file: RecordsFile) -> None:
    """Refuse to write over the input: the run could never be exported again."""
    if path != STDOUT and real_path(path) == real_path(file.path):
        raise InputError(f"{path}: is the run's input itself; give another name")


def _head(file: RecordsFile) -> VcfHead | None:
    with as_given(file.path, file.given):
        return split_head(read_text(file.path))[0]


def _annotate(
    ledger: Ledger,
    path: Path,
    file: RecordsFile,
    head: VcfHead,
    *,
    sources: Sequence[FieldSource],
    warn: Callable[[str], object],
) -> int:
    fields = [*(field for source in sources for field in source.fields), RECORD_FIELD]
    keys = [field.key for field in fields]
    replaced = head.earlier_keys()
    records = 0
    with as_given(file.path, file.given):
        prefix = free_prefix(file.path, head)
    if prefix != PREFIX:
        warn(
            f"{shown_name(file.given)}: its INFO has keys of its own that begin with {PREFIX}, and they stay: those "
            f"that are added begin with {prefix}, such as {beginning(STATUS, prefix)}"
        )
    in_file = [field.beginning(prefix) for field in fields]
    added = [provenance_line(ledger, "score"), *(field.line for field in in_file)]
    with line_buckets() as rows, as_given(file.path, file.given):
        _gather(ledger, file.name, sources, rows)
        with vcf_file(path, warn=warn) as write:
            write(head.lines(added))
            lines = read_text(file.path)
            _, header_lines = split_head(lines)
            # of BCF the records are counted, of text the lines
            first_line = 1 if is_bcf(file.path) else header_lines + 1
            written = annotated(
                lines,
                first_line,
                rows.by_line(),
                keys[:-1],
                replaced=replaced,
                prefix=prefix,
            )
            records = _write(written, write)
    return records


def _write(lines: Iterator[bytes], write: Write) -> int:
    records = 0
    while some := list(islice(lines, _LINES_AT_ONCE)):
        write(b"".join(some))
        records += sum(1 for line in some if not is_no_record(line))
    return records


def _gather(
    ledger: Ledger,
    name: str,
    sources: Sequence[FieldSource],
    rows: LineBuckets,
) -> None:
    """Put what INFO says of each row of one input file where its line will look for it."""
    keys = [field.key for source in sources for field in source.fields]
    shards = shards_of_file(ledger, name)
    for _, scores in scores_with_beside(ledger, shards=shards):
        of_file = scores.filter(pc.equal(scores["input_file"], name))
        texts: dict[str, Sequence[str | None]] = {}
        if of_file.num_rows:
            for source in sources:
                texts |= source.texts(of_file)
            rows.add(_texts_table(of_file, keys, texts))
    for planned in _uncommitted(ledger):
        of_file = planned.filter(pc.equal(planned["input_file"], name))
        statuses = [NOT_COMMITTED] * of_file.num_rows
        rows.add(_texts_table(of_file, keys, {STATUS: statuses}))


def shards_of_file(ledger: Ledger, name: str) -> set[int]:
    """Shards that have rows of an input file, by the plan: of a run over a file for each chromosome few of them."""
    shards: set[int] = set()
    for part in StoredParts(ledger.store, ledger.run.plan.parts):
        of_file = part.filter(pc.equal(part["input_file"], name))
        shards.update(pc.unique(of_file["shard"]).to_pylist())
    return shards


def _texts_table(
    rows: pa.Table,
    keys: Sequence[str],
    texts: Mapping[str, Sequence[str | None]],
) -> pa.Table:
    columns = {LINE: rows[LINE], ALT_INDEX: rows[ALT_INDEX]}
    nothing = [None] * rows.num_rows
    return pa.table(columns | {key: pa.array(texts.get(key, nothing), pa.string()) for key in keys})


def _uncommitted(ledger: Ledger) -> Iterator[pa.Table]:
    """Planned rows of shards that have no receipt yet."""
    committed = ledger.committed()
    if len(committed) >= ledger.run.plan.shards:
        return
    plan = read_plan(ledger.store, ledger.run.plan.parts, digests=ledger.run.plan.sha256)
    for shard in plan.shards:
        if shard.number not in committed:
            yield read_shard(ledger.store, shard)
