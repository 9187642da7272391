"""Where a picture of a locus lies: a region as people write it, or what lies around a variant, also one of an rsID."""

from dataclasses import dataclass

from enformer_core.dataset.lookup import look_up
from enformer_core.errors import InputError, first_few
from enformer_core.genome.regions import parse_region
from enformer_core.pictures.stack import Stretch
from enformer_core.variants.allele_keys import AlleleKey, identifier_key, parse_key
from jobs.finished_run import open_ledger

_LONGEST_BP = 2**31 - 1


@dataclass(frozen=True)
class Found:
    """A variant that was asked for.

    Attributes:
        chrom: its contig.
        pos: from 1.
        alleles: `variant_id` of each that it may be; none where only a place was given.
        notes: that a run does not have it.
    """

    chrom: str
    pos: int
    alleles: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def around(self, flank_bp: int) -> Stretch:
        """What lies so far to either side, from the contig's first base on."""
        return Stretch(self.chrom, max(self.pos - flank_bp, 1), self.pos + flank_bp, self.pos)


def stretch_of(option: str, region: str) -> Stretch:
    """A region, from 1 and with both ends.

    Raises:
        InputError: for what is none, naming the option.
    """
    chrom, start, end = parse_region(option, region)
    if end > _LONGEST_BP:
        raise InputError(
            f"{option} {region}: ends beyond {_LONGEST_BP:,}, as far as indexes of contigs go; give the locus's own end"
        )
    return Stretch(chrom, start + 1, end)


def find_variant(variant: str, run: str | None) -> Found:
    """Where a variant lies: by its key, or by an identifier as a run has it.

    Raises:
        InputError: for what is no key, and an identifier that the run does not have, or has at several places.
        DatasetError: for a run that is damaged.
    """
    key = parse_key(variant)
    if key is None:
        if run is None:
            raise InputError(
                f"--variant {variant}: give chr20:4699605, chr20:4699605:A:G, or an identifier and a run that has it"
            )
        key = identifier_key(variant)
    if key.id is not None:
        return _by_name(key, run)
    assert key.chrom is not None
    assert key.pos is not None
    allele = () if key.ref is None else (f"{key.chrom}:{key.pos}:{key.ref}:{key.alt}",)
    return Found(key.chrom, key.pos, allele, _absent(key, run))


def _absent(key: AlleleKey, run: str | None) -> tuple[str, ...]:
    """That a run does not have a variant, and what it has in its place."""
    if run is None:
        return ()
    answer = look_up(open_ledger(run), [key])
    if key.given in answer.found():
        return ()
    if key.given in answer.uncommitted:
        return (f"{run}: {key.given} is not committed yet",)
    there = answer.beside.get(key.given, [])
    instead = f"; at its place it has {first_few(there)}" if there else ""
    return (f"{run}: does not have {key.given}{instead}",)


def _by_name(key: AlleleKey, run: str | None) -> Found:
    if run is None:
        raise InputError(
            f"--variant {key.given}: where it lies is looked up in a run; give one that has it, or its place, as "
            "chr20:4699605"
        )
    answer = look_up(open_ledger(run), [key])
    placed = [each.row for each in answer.alleles if each.row["chrom"] is not None]
    places = {(str(row["chrom"]), int(str(row["pos"]))) for row in placed}
    if not places:
        waits = "is not committed yet in" if key.given in answer.uncommitted else "is not in"
        raise InputError(f"--variant {key.given}: {waits} {run}; give its place, as chr20:4699605")
    if len(places) > 1:
        where = first_few([f"{chrom}:{pos}" for chrom, pos in sorted(places)])
        raise InputError(
            f"--variant {key.given}: stands at {len(places)} places in {run}; give one of {where}"
        )
    ((chrom, pos),) = places
    return Found(chrom, pos, tuple(dict.fromkeys(str(row["variant_id"]) for row in placed)))
