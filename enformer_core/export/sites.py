"""The alleles of a run as a VCF without samples, sorted as the genome is: for inputs that are no VCF."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.export.beside_scores import scores_with_beside
from enformer_core.export.vcf_fields import FieldSource, provenance_line
from enformer_core.export.vcf_file import vcf_file
from enformer_core.export.vcf_text import are_alleles, as_contig, as_id
from enformer_core.words import agreeing, counted

_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
_PLACE = ["pos", "id", "ref", "alt"]

Lengths = Mapping[str, int] | None
"""Contigs of the genome in its order with their lengths in bp; None where it is not at hand."""


def write_sites(
    ledger: Ledger,
    path: Path,
    sources: Sequence[FieldSource],
    lengths: Lengths,
    warn: Callable[[str], object],
    *,
    wanted: Callable[[pa.Table], pa.Table] | None = None,
    further: Sequence[str] = (),
) -> int:
    """Write a record of one ALT for each row of `scores` that has a place.

    Args:
        ledger: of the run.
        path: of the file.
        sources: what stands in INFO.
        lengths: of the genome's contigs.
        warn: told what is not in it.
        wanted: chooses rows; all by default.
        further: lines of the header.

    Returns:
        How many records there are.
    """
    if lengths is None:
        warn(_no_lengths())
    records = 0
    left_out = 0
    longest_bp = max((lengths or {}).values(), default=0)
    with vcf_file(path, warn=warn, longest_contig_bp=longest_bp) as write:
        write(_header(ledger, sources, lengths, further).encode())
        for chrom, stored in scores_with_beside(ledger):
            scores = stored if wanted is None else wanted(stored)
            lines = [] if chrom is None else list(_lines(chrom, scores, sources))
            write("".join(lines).encode())
            records += len(lines)
            left_out += scores.num_rows - len(lines)
    if left_out:
        have = agreeing(left_out, "has", "have")
        warn(
            f"{path}: {counted(left_out, 'rows')} {have} no place in the genome, or alleles that no VCF can hold, and "
            f"{agreeing(left_out, 'is', 'are')} not in it"
        )
    return records


def _header(
    ledger: Ledger,
    sources: Sequence[FieldSource],
    lengths: Lengths,
    further: Sequence[str],
) -> str:
    """Contigs, provenance, and what stands in INFO."""
    fields = [field for source in sources for field in source.fields]
    lines = [
        "##fileformat=VCFv4.3",
        *_contig_lines(ledger, lengths),
        provenance_line(ledger, "score"),
        *further,
        *(field.line for field in fields),
    ]
    return "\n".join(lines) + "\n" + _COLUMNS


def _contig_lines(ledger: Ledger, lengths: Lengths) -> Iterator[str]:
    if lengths is not None:
        for name, length_bp in lengths.items():
            yield f"##contig=<ID={as_contig(name)},length={length_bp}>"
        return
    # those that the run reads, in the order of their records
    chroms = (receipt.chrom for receipt in ledger.receipts())
    for chrom in dict.fromkeys(chroms):
        if chrom is not None:
            yield f"##contig=<ID={as_contig(chrom)}>"


def _lines(chrom: str, scores: pa.Table, sources: Sequence[FieldSource]) -> Iterator[str]:
    texts = [text for source in sources for text in source.texts(scores).items()]
    contig = as_contig(chrom)
    for at, row in enumerate(scores.select(_PLACE).to_pylist()):
        # records begin at base 1: what lies before is out of bounds
        if (row["pos"] or 0) < 1 or not are_alleles(row["ref"], row["alt"]):
            continue
        said = [f"{key}={of_rows[at]}" for key, of_rows in texts if of_rows[at] is not None]
        yield _line(contig, row, ";".join(said) or ".")


def _line(contig: str, row: Mapping[str, Any], info: str) -> str:
    """One record; QUAL and FILTER say nothing."""
    place = f"{contig}\t{row['pos']}\t{as_id(row['id'])}\t{row['ref']}\t{row['alt'] or '.'}"
    return f"{place}\t.\t.\t{info}\n"


def _no_lengths() -> str:
    return (
        "the run's genome is not at its place, or is another one: lines ##contig have no lengths; --genome FILE names "
        "it"
    )
